"""What something was made of, as one hash: the reason not to make it again.

Contents, not times: a checkout of the same commit is the same. A few hundred small files take some
20 ms; the vendor layer's thousands are covered by the stamp that its build writes.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

APP = (
    "infra_cdk",
    "functions",
    "layers/core",
    "layers/aws",
    "layers/vendor",
    "build/layers/vendor/local.stamp",
    "cdk.json",
    "uv.lock",
    "package-lock.json",
)
"""All that decides what `cdk synth` makes for this machine."""


def fingerprint(root: Path, sources: Iterable[str], *also: str) -> str:
    """Of the files and folders below `root`, and of the texts in `also`."""
    digest = hashlib.sha256("\0".join(also).encode())
    for source in sources:
        for path in _files(root / source):
            digest.update(f"\0{path.relative_to(root)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        for child in sorted(path.iterdir()):
            if child.name != "__pycache__" and not child.name.startswith("."):
                yield from _files(child)
