"""What the benchmarks have in common: their options, and where a result is kept when asked to.

`--record` writes `docs/measurements/<name>.json`: the figures with the commit and the day they were
taken on and how many processors there were; a figure without them cannot be compared with the next.
Beside them stands how fast the machine was at that moment: the same machine, rented from others who
work on it as well, takes twice as long for the same loop a minute later.
"""

import argparse
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
MEASUREMENTS = ROOT / "docs" / "measurements"

progress_console = Console(stderr=True)


def options(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(description or "").partition("\n\n")[0])
    parser.add_argument("--format-type", choices=["text", "json"], default="text")
    parser.add_argument("--record", action="store_true", help="keep the result in the repository")
    return parser


def report(
    name: str, result: Mapping[str, Any], tables: Sequence[Table], given: argparse.Namespace
) -> None:
    if given.format_type == "json":
        print(json.dumps(result))
    else:
        for table in tables:
            Console().print(table)
    if given.record:
        path = record(name, result)
        progress_console.print(f"recorded in {path.relative_to(ROOT)}")


def record(name: str, result: Mapping[str, Any], folder: Path = MEASUREMENTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    kept = {
        "commit": commit(),
        "measured_at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processors": os.cpu_count(),
        "seconds_of_a_loop": pace(),
        "result": result,
    }
    path.write_text(json.dumps(kept, indent=2) + "\n")
    return path


LOOP = 5_000_000


def pace() -> float:
    """Seconds that one processor takes for so many additions, now: the median of three."""
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        sum_ = 0
        for number in range(LOOP):
            sum_ += number
        taken.append(time.perf_counter() - begun)
    return round(sorted(taken)[1], 3)


def commit() -> str:
    """With a plus when the checkout has changes beside it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"
