"""Chunks of what tasks print."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from xylem.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    @property
    def end(self) -> int:
        return self.offset + self.length

    @property
    def bare(self) -> bool:
        return self.body is None and self.key is None


class Member(NamedTuple):
    """Of a merged object: the body of one chunk, `size` bytes of gzip for `length` of the spool."""

    length: int
    size: int


@dataclass(frozen=True, slots=True)
class Merged:
    """An object with the bodies of consecutive chunks, the first of which begins at `offset`."""

    offset: int
    key: str
    members: tuple[Member, ...]

    @property
    def end(self) -> int:
        return self.offset + sum(member.length for member in self.members)

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Of each member: its offset in the spool, and where its body begins and ends here."""
        offset, at = self.offset, 0
        for member in self.members:
            yield offset, at, at + member.size
            offset, at = offset + member.length, at + member.size


@dataclass(frozen=True, slots=True)
class LogTail:
    """The end of an attempt's log. `complete` False: the rest never arrived, a gap follows."""

    length: int
    complete: bool = True


class Logs(Protocol):
    """Every read is consistent."""

    def put_chunk(self, attempt: Attempt, chunk: Chunk) -> Chunk:
        """What is stored at that offset: this chunk, or the one that was there first."""
        ...

    def chunk(self, attempt: Attempt, offset: int) -> Chunk | None: ...

    def chunks(self, attempt: Attempt, *, start: int = 0, limit: int = 100) -> list[Chunk]:
        """By offset, from `start`."""
        ...

    def last_chunks(
        self, attempt: Attempt, *, before: int | None = None, limit: int = 100
    ) -> list[Chunk]:
        """Those whose offset is less than `before`, the last one first."""
        ...

    def end(self, attempt: Attempt) -> LogTail | None: ...

    def put_end(self, attempt: Attempt, tail: LogTail) -> LogTail:
        """What is stored: this one, or the one that was there first."""
        ...

    def put_merged(self, attempt: Attempt, merged: Merged) -> Merged:
        """What is stored at that offset: this one, or the one that was there first."""
        ...

    def merged(
        self, attempt: Attempt, *, until: int | None = None, limit: int = 10
    ) -> list[Merged]:
        """Those that begin at `until` or before, the last one first."""
        ...

    def strip(self, attempt: Attempt, offset: int) -> None:
        """The chunk there keeps its key and length alone. Nothing happens where there is none."""
        ...

    def arrive(self, attempt: Attempt, restarts: int) -> None:
        """The attempt is at its group's barrier, after so many restarts of the group."""
        ...

    def arrived(self, group: GroupId, incarnation: int, restarts: int) -> set[tuple[TaskName, int]]:
        """Who is at that barrier: task and retry."""
        ...


# Time, names, chance ----------------------------------------------------------------------------
