"""Logs and barriers in dictionaries. Who comes first to an offset, or to the end, is kept."""

from collections import defaultdict

from xylem.domain.ids import GroupId, TaskName
from xylem.ports.logs import Chunk, LogTail, Merged
from xylem.ports.task_tokens import Attempt


class MemoryLogs:
    def __init__(self) -> None:
        self._chunks: dict[Attempt, dict[int, Chunk]] = defaultdict(dict)
        self._merged: dict[Attempt, dict[int, Merged]] = defaultdict(dict)
        self._ends: dict[Attempt, LogTail] = {}
        self._arrived: dict[tuple[GroupId, int, int], set[tuple[TaskName, int]]] = defaultdict(set)

    def put_chunk(self, attempt: Attempt, chunk: Chunk) -> Chunk:
        return self._chunks[attempt].setdefault(chunk.offset, chunk)

    def chunk(self, attempt: Attempt, offset: int) -> Chunk | None:
        return self._chunks[attempt].get(offset)

    def chunks(self, attempt: Attempt, *, start: int = 0, limit: int = 100) -> list[Chunk]:
        stored = self._chunks[attempt]
        return [stored[offset] for offset in sorted(stored) if offset >= start][:limit]

    def last_chunks(
        self, attempt: Attempt, *, before: int | None = None, limit: int = 100
    ) -> list[Chunk]:
        stored = self._chunks[attempt]
        found = sorted(stored, reverse=True)
        return [stored[at] for at in found if before is None or at < before][:limit]

    def end(self, attempt: Attempt) -> LogTail | None:
        return self._ends.get(attempt)

    def put_end(self, attempt: Attempt, tail: LogTail) -> LogTail:
        return self._ends.setdefault(attempt, tail)

    def put_merged(self, attempt: Attempt, merged: Merged) -> Merged:
        return self._merged[attempt].setdefault(merged.offset, merged)

    def merged(
        self, attempt: Attempt, *, until: int | None = None, limit: int = 10
    ) -> list[Merged]:
        stored = self._merged[attempt]
        found = sorted(stored, reverse=True)
        return [stored[at] for at in found if until is None or at <= until][:limit]

    def strip(self, attempt: Attempt, offset: int) -> None:
        stored = self._chunks[attempt].get(offset)
        if stored is not None:
            self._chunks[attempt][offset] = Chunk(stored.offset, stored.length)

    def arrive(self, attempt: Attempt, restarts: int) -> None:
        barrier = attempt.group, attempt.incarnation, restarts
        self._arrived[barrier].add((attempt.task, attempt.retry))

    def arrived(self, group: GroupId, incarnation: int, restarts: int) -> set[tuple[TaskName, int]]:
        return set(self._arrived[(group, incarnation, restarts)])
