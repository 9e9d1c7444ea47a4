"""What a proof by simulation is about: the code that runs in it.

What such a proof has done counts for the code that it was done on, and goes on counting when a page
of the docs, the command line or the infrastructure changes: a proof of hours is not begun anew for
these.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks.reporting import ROOT

PLACES = (
    "layers/core/python/xylem",
    "operators/backend_listener",
    "operators/backend_worker",
    "operators/shared",
    "operators/task_runtime",
    "tests/builders.py",
    "tests/simulation",
)
"""What is imported in a schedule: its folders and files."""


def fingerprint(places: Iterable[str] = PLACES, root: Path = ROOT) -> str:
    """Of every Python file in them, by name and content."""
    told = hashlib.sha256()
    for place in places:
        for file in sorted([*(root / place).rglob("*.py"), *root.glob(place)]):
            if file.is_file():
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                told.update(f"{file.relative_to(root)} {content}\n".encode())
    return told.hexdigest()[:16]
