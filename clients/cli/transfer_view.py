"""How a transfer goes, for a person: a bar beside the answer, and what it did in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from clients.transfer.work import Moved, Unwatched, Watch
from operators.shared.files import human


class Bar:
    """A `Watch`. Nothing is drawn where nobody looks."""

    def __init__(self, progress: Progress, doing: str) -> None:
        self._progress = progress
        self._task = progress.add_task(doing, total=None, files=0, of=0)
        self._lock = Lock()
        self._files = 0

    def begins(self, files: int, size: int) -> None:
        self._progress.update(self._task, total=size, of=files)

    def moved(self, size: int) -> None:
        with self._lock:
            self._files += 1
            self._progress.update(self._task, advance=size, files=self._files)


@contextmanager
def watching(console: Console, doing: str) -> Iterator[Watch]:
    if not console.is_terminal:
        yield Unwatched()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[files]} of {task.fields[of]} files"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress, doing)


def summary(done: str, moved: Moved, seconds: float) -> str:
    """`Uploaded 3 files, 1.2 MB in 0.4 s; 2 were there already.`"""
    files = f"{moved.files} file{'' if moved.files == 1 else 's'}"
    said = f"{done} {files}, {human(moved.bytes)} in {seconds:.1f} s"
    if moved.passed_over:
        said += f"; {moved.passed_over} there already"
    if moved.unverified:
        said += f"; {moved.unverified} compared by size alone, the store has no checksum of them"
    return f"{said}."
