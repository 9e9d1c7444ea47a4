"""Chunks of what tasks print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from xylem.domain.values import dataclass

if TYPE_CHECKING:
    from xylem.domain.ids import GroupId, TaskName
    from xylem.ports.task_tokens import Attempt


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored batch: `length` raw spool bytes from `offset`. `body` is the gzip, or lies under
    `key`. Neither: the bytes were merged elsewhere, the key and length stay."""

    offset: int
    length: int
    body: bytes | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class LogTail:
    """The end of an attempt's log. `complete` False: the rest never arrived, a gap follows."""

    length: int
    complete: bool = True


class Logs(Protocol):
    def put_chunk(self, attempt: Attempt, chunk: Chunk) -> Chunk:
        """What is stored at that offset: this chunk, or the one that was there first."""
        ...

    def chunks(self, attempt: Attempt, *, start: int = 0, limit: int = 100) -> list[Chunk]:
        """By offset, from `start`, consistently read."""
        ...

    def end(self, attempt: Attempt) -> LogTail | None: ...

    def put_end(self, attempt: Attempt, tail: LogTail) -> LogTail:
        """What is stored: this one, or the one that was there first."""
        ...

    def arrive(self, attempt: Attempt, restarts: int) -> None:
        """The attempt is at its group's barrier, after so many restarts of the group."""
        ...

    def arrived(self, group: GroupId, incarnation: int, restarts: int) -> set[tuple[TaskName, int]]:
        """Who is at that barrier: task and retry."""
        ...


# Time, names, chance ----------------------------------------------------------------------------
