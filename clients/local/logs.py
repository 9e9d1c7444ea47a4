"""`logs`: the last lines of the parts' logs, and what is added to them."""

import time
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

from clients.local.errors import LocalError
from clients.local.parts import PartName
from clients.local.settings import ENVIRONMENT, Settings

_POLL = 0.2


def log_files(settings: Settings, part: str | None) -> list[Path]:
    """Of one part, or of all parts. Besides these there are the logs of the tools (`synth`,
    `deploy`, …) and of the functions (`core-service`, `worker`, …)."""
    files = {name_of(path): path for path in _all(settings)}
    if not files:
        raise LocalError("There are no logs yet.", "Bring the stack up: `xylem local up`.")
    if part is None:
        return [path for name, path in files.items() if name in set(PartName)]
    if part not in files:
        raise LocalError(f"There is no log of {part}.", f"There are: {', '.join(files)}.")
    return [files[part]]


def name_of(path: Path) -> str:
    """What a person calls it: a function's log bears the name of its environment, too."""
    return path.stem.removeprefix(f"xylem-{ENVIRONMENT}-")


def _all(settings: Settings) -> list[Path]:
    functions = settings.aws_state / "logs"
    return [*sorted(settings.logs.glob("*.log")), *sorted(functions.glob("*.log"))]


def last_lines(path: Path, count: int) -> list[str]:
    lines = path.read_text(errors="replace").splitlines()
    return lines[max(0, len(lines) - count) :]


def follow(
    paths: Sequence[Path], *, wait: Callable[[], object] = lambda: time.sleep(_POLL)
) -> Iterator[tuple[str, str]]:
    """Name and line of whatever is added from now on, until the caller stops."""
    return _added({path: path.stat().st_size for path in paths}, wait)


def _added(ends: dict[Path, int], wait: Callable[[], object]) -> Iterator[tuple[str, str]]:
    while True:
        for path, end in ends.items():
            size = path.stat().st_size if path.exists() else 0
            begin = end if size >= end else 0  # it was rotated
            with path.open("rb") if size else BytesIO() as file:
                file.seek(begin)
                added = file.read(size - begin)
            whole = added.rfind(b"\n") + 1
            ends[path] = begin + whole
            for line in added[:whole].decode(errors="replace").splitlines():
                yield name_of(path), line
        wait()
