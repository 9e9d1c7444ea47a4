"""What every transfer has: threads, a watch, room, and parts that are files when they are whole."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Protocol, TypeVar

from clients.sdk.errors import BadInput
from operators.shared.files import TransferFailed
from operators.shared.patience import Stopped

T = TypeVar("T")


@dataclass(slots=True)
class Moved:
    """What a transfer did. `unverified`: files that were compared by size alone."""

    files: int = 0
    bytes: int = 0
    passed_over: int = 0
    unverified: int = 0


class Watch(Protocol):
    """Is told how a transfer goes, from several threads."""

    def begins(self, files: int, size: int) -> None: ...

    def moved(self, size: int) -> None: ...


class Unwatched:
    def begins(self, files: int, size: int) -> None:
        """Nobody looks."""

    def moved(self, size: int) -> None:
        """Nobody looks."""


@contextmanager
def as_bad_input() -> Iterator[None]:
    try:
        yield
    except TransferFailed as error:
        raise BadInput(str(error)) from None


def prepare(parts: Path, kept: set[str] | None) -> None:
    """With `kept` of what an earlier download left, or all of it."""
    parts.mkdir(exist_ok=True)
    for left in parts.iterdir():
        if kept is not None and left.name not in kept:
            left.unlink()


class Inside:
    """Makes folders, none of which a link leads out of the one that was named."""

    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve()
        self._made: set[Path] = set()

    def make(self, folder: Path) -> None:
        if folder in self._made:
            return
        folder.mkdir(parents=True, exist_ok=True)
        if not folder.resolve().is_relative_to(self._root):
            raise TransferFailed(f"{folder} is behind a link that leaves {self._root}: remove it.")
        self._made.add(folder)


def side_by_side(
    items: Sequence[T], work: Callable[[T], None], *, threads: int, stop: Event
) -> None:
    """Raises the first failure, when all threads have ended; what interrupts ends them, too."""
    left = iter(items)
    lock = Lock()
    failures: list[BaseException] = []

    def run() -> None:
        while not stop.is_set():
            with lock:
                item = next(left, None)
            if item is None:
                return
            try:
                work(item)
            except Stopped:
                return
            except BaseException as error:
                failures.append(error)
                stop.set()

    workers = [Thread(target=run) for _ in range(min(threads, len(items)))]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join()
    except BaseException:
        stop.set()
        for worker in workers:
            worker.join()
        raise
    if failures:
        raise failures[0]
