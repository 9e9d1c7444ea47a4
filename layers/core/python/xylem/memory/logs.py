"""Logs and barriers in dictionaries. Who comes first to an offset, or to the end, is kept."""

from collections import defaultdict

from xylem.domain.ids import GroupId, TaskName
from xylem.ports.logs import Chunk, LogTail
from xylem.ports.task_tokens import Attempt


class MemoryLogs:
    def __init__(self) -> None:
        self._chunks: dict[Attempt, dict[int, Chunk]] = defaultdict(dict)
        self._ends: dict[Attempt, LogTail] = {}
        self._arrived: dict[tuple[GroupId, int, int], set[tuple[TaskName, int]]] = defaultdict(set)

    def put_chunk(self, attempt: Attempt, chunk: Chunk) -> Chunk:
        return self._chunks[attempt].setdefault(chunk.offset, chunk)

    def chunks(self, attempt: Attempt, *, start: int = 0, limit: int = 100) -> list[Chunk]:
        stored = self._chunks[attempt]
        return [stored[offset] for offset in sorted(stored) if offset >= start][:limit]

    def end(self, attempt: Attempt) -> LogTail | None:
        return self._ends.get(attempt)

    def put_end(self, attempt: Attempt, tail: LogTail) -> LogTail:
        return self._ends.setdefault(attempt, tail)

    def arrive(self, attempt: Attempt, restarts: int) -> None:
        barrier = attempt.group, attempt.incarnation, restarts
        self._arrived[barrier].add((attempt.task, attempt.retry))

    def arrived(self, group: GroupId, incarnation: int, restarts: int) -> set[tuple[TaskName, int]]:
        return set(self._arrived[(group, incarnation, restarts)])
