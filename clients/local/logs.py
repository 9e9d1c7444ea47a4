"""`logs`: the last lines of the parts' logs, and what is added to them."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from clients.local.errors import LocalError
from clients.local.settings import Settings

_POLL = 0.2


def log_files(settings: Settings, part: str | None) -> list[Path]:
    """Of one part, or of all. Besides the parts there are the tools: `synth`, `deploy`, …"""
    files = sorted(settings.logs.glob("*.log"))
    if part is None:
        if not files:
            raise LocalError("There are no logs yet.", "Bring the stack up: `xylem local up`.")
        return files
    named = [path for path in files if path.stem == part]
    if not named:
        there = ", ".join(path.stem for path in files) or "none yet"
        raise LocalError(f"There is no log of {part}.", f"There are: {there}.")
    return named


def last_lines(path: Path, count: int) -> list[str]:
    return path.read_text(errors="replace").splitlines()[-count:]


def follow(paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Name and line of whatever is added from now on, until the caller stops."""
    ends = {path: path.stat().st_size for path in paths}
    while True:
        for path, end in ends.items():
            size = path.stat().st_size if path.exists() else 0
            if size < end:  # rotated
                end = 0
            if size > end:
                with path.open("rb") as file:
                    file.seek(end)
                    added = file.read(size - end)
                whole = added.rfind(b"\n") + 1
                ends[path] = end + whole
                for line in added[:whole].decode(errors="replace").splitlines():
                    yield path.stem, line
        time.sleep(_POLL)
