"""`Logs` on DynamoDB: the chunk's row, put on condition, is the only arbiter."""

import time
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from pynamodb.exceptions import DoesNotExist, PutError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.models import Model

from xylem.domain.ids import GroupId, TaskName
from xylem.ports.logs import Chunk, LogTail, Merged
from xylem.ports.task_tokens import Attempt
from xylem_aws.tables.binding import bind
from xylem_aws.tables.logs import (
    END,
    ArrivalRow,
    ChunkRow,
    EndRow,
    LogsTable,
    MergedRow,
    barrier_key,
    chunk_key,
    log_key,
    merged_key,
    packed,
    unpacked,
)
from xylem_aws.transaction import in_our_words, refused

R = TypeVar("R", bound=Model)

BARRIER_SECONDS = 8 * 24 * 3600
"""Who waits at a barrier arrives again with every poll, so the row of a task that waits stays."""


class DynamoLogs:
    def __init__(self, region: str, table: str, *, expire_after: timedelta | None = None) -> None:
        bind(LogsTable, table=table, region=region)
        self._expire_after = expire_after

    def put_chunk(self, attempt: Attempt, chunk: Chunk) -> Chunk:
        key = log_key(attempt), chunk_key(chunk.offset)
        row = ChunkRow(
            *key,
            expires_at=self._expiry(),
            length=chunk.length,
            body=chunk.body,
            key=chunk.key,
        )
        if _put(row, attempt):
            return chunk
        with in_our_words(attempt.workflow):
            return _chunk(ChunkRow.get(*key, consistent_read=True))

    def chunk(self, attempt: Attempt, offset: int) -> Chunk | None:
        with in_our_words(attempt.workflow):
            try:
                key = log_key(attempt), chunk_key(offset)
                return _chunk(ChunkRow.get(*key, consistent_read=True))
            except DoesNotExist:
                return None

    def chunks(self, attempt: Attempt, *, start: int = 0, limit: int = 100) -> list[Chunk]:
        # Offsets are digits, which sort before the letters of other rows.
        condition = ChunkRow.sk.between(chunk_key(start), chunk_key(10**20 - 1))
        with in_our_words(attempt.workflow):
            found = ChunkRow.query(log_key(attempt), condition, consistent_read=True, limit=limit)
            return [_chunk(row) for row in islice(found, limit)]

    def last_chunks(
        self, attempt: Attempt, *, before: int | None = None, limit: int = 100
    ) -> list[Chunk]:
        if before == 0:
            return []
        last = 10**20 - 1 if before is None else before - 1
        condition = ChunkRow.sk.between(chunk_key(0), chunk_key(last))
        return [_chunk(row) for row in self._from_the_end(ChunkRow, attempt, condition, limit)]

    def end(self, attempt: Attempt) -> LogTail | None:
        with in_our_words(attempt.workflow):
            try:
                row = EndRow.get(log_key(attempt), END, consistent_read=True)
            except DoesNotExist:
                return None
        return LogTail(int(row.length), bool(row.complete))

    def put_end(self, attempt: Attempt, tail: LogTail) -> LogTail:
        row = EndRow(
            log_key(attempt),
            END,
            expires_at=self._expiry(),
            length=tail.length,
            complete=tail.complete,
        )
        if _put(row, attempt):
            return tail
        stored = self.end(attempt)
        assert stored is not None  # the condition says so, and nobody takes it away
        return stored

    def put_merged(self, attempt: Attempt, merged: Merged) -> Merged:
        key = log_key(attempt), merged_key(merged.offset)
        row = MergedRow(
            *key, expires_at=self._expiry(), key=merged.key, members=packed(merged.members)
        )
        if _put(row, attempt):
            return merged
        with in_our_words(attempt.workflow):
            return _merged(MergedRow.get(*key, consistent_read=True))

    def merged(
        self, attempt: Attempt, *, until: int | None = None, limit: int = 10
    ) -> list[Merged]:
        last = 10**20 - 1 if until is None else until
        condition = MergedRow.sk.between(merged_key(0), merged_key(last))
        return [_merged(row) for row in self._from_the_end(MergedRow, attempt, condition, limit)]

    def strip(self, attempt: Attempt, offset: int) -> None:
        with in_our_words(attempt.workflow):
            try:
                ChunkRow(log_key(attempt), chunk_key(offset)).update(
                    actions=[ChunkRow.body.remove(), ChunkRow.key.remove()],
                    condition=ChunkRow.pk.exists(),
                )
            except UpdateError as error:
                if not refused(error):
                    raise

    def arrive(self, attempt: Attempt, restarts: int) -> None:
        barrier = barrier_key(attempt.group, attempt.incarnation, restarts)
        key = barrier, f"{attempt.task}#{attempt.retry}"
        with in_our_words(attempt.workflow):
            ArrivalRow(*key, expires_at=int(time.time()) + BARRIER_SECONDS).save()

    def arrived(self, group: GroupId, incarnation: int, restarts: int) -> set[tuple[TaskName, int]]:
        with in_our_words(group):
            found = ArrivalRow.query(
                barrier_key(group, incarnation, restarts), consistent_read=True
            )
            parts = [str(row.sk).rpartition("#") for row in found]
        return {(TaskName(task), int(retry)) for task, _, retry in parts}

    def _expiry(self) -> int | None:
        if self._expire_after is None:
            return None
        return int(time.time() + self._expire_after.total_seconds())

    def _from_the_end(
        self, rows: type[R], attempt: Attempt, condition: Condition, limit: int
    ) -> list[R]:
        with in_our_words(attempt.workflow):
            found = rows.query(
                log_key(attempt),
                condition,
                consistent_read=True,
                limit=limit,
                scan_index_forward=False,
            )
            return list(islice(found, limit))


def _put(row: Model, attempt: Attempt) -> bool:
    """False: another was there first."""
    with in_our_words(attempt.workflow):
        try:
            row.save(condition=LogsTable.pk.does_not_exist())
        except PutError as error:
            if refused(error):
                return False
            raise
    return True


def _chunk(row: ChunkRow) -> Chunk:
    return Chunk(int(row.sk), int(row.length), row.body, row.key)


def _merged(row: MergedRow) -> Merged:
    return Merged(int(str(row.sk).partition("#")[2]), row.key, unpacked(row.members))
