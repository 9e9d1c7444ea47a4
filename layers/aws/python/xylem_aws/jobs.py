"""`Jobs` and `Timers` on DynamoDB: rows, and the index that finds those that are due."""

import heapq
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from pynamodb.exceptions import DeleteError, DoesNotExist, UpdateError
from pynamodb.expressions.condition import Condition

from xylem.domain.ids import JobId
from xylem.ports.jobs import Job, Timer
from xylem_aws import rows
from xylem_aws.tables.binding import bind
from xylem_aws.tables.keys import SHARDS
from xylem_aws.tables.workflows import (
    DueIndex,
    DueKeys,
    DueKind,
    GroupRow,
    JobRow,
    WorkflowsTable,
    due_key,
    due_partition,
    due_until,
    group_key,
    job_key,
    timer_key,
    timer_of,
)
from xylem_aws.transaction import in_our_words, refused


class DynamoJobs:
    def __init__(self, region: str, table: str) -> None:
        bind(WorkflowsTable, table=table, region=region)

    def load(self, id: JobId) -> Job | None:
        with in_our_words(id):
            try:
                return rows.job_of(JobRow.get(*job_key(id), consistent_read=True))
            except DoesNotExist:
                return None

    def add(self, job: Job) -> None:
        with in_our_words(job.id):
            rows.job_row(job).save()

    def finish(self, id: JobId) -> None:
        with in_our_words(id):
            JobRow(*job_key(id)).delete()

    def update(self, job: Job, *, expected: Job) -> bool:
        due_pk, due_sk = due_key(job)
        with in_our_words(job.id):
            try:
                JobRow(*job_key(job.id)).update(
                    actions=[
                        JobRow.next_ring_at.set(job.next_ring_at),
                        JobRow.not_before.set(job.not_before),
                        JobRow.attempts.set(job.attempts),
                        JobRow.park_at.set(job.park_at),
                        JobRow.conflicts.set(job.conflicts),
                        JobRow.rings.set(job.rings),
                        JobRow.last_error.set(job.last_error),
                        JobRow.due_pk.set(due_pk),
                        JobRow.due_sk.set(due_sk),
                    ],
                    condition=_as_read(expected),
                )
            except UpdateError as error:
                if refused(error):
                    return False
                raise
        return True

    def drop(self, job: Job) -> bool:
        if not job.parked:
            return False
        with in_our_words(job.id):
            try:
                JobRow(*job_key(job.id)).delete(condition=_as_read(job))
            except DeleteError as error:
                if refused(error):
                    return False
                raise
        return True

    def due(self, now: datetime, *, limit: int) -> list[Job]:
        """Of all shards, those that wait longest first: in an overload no shard starves. The index
        may lag: what it gives is read again, and what is not due is left out."""
        past = DueIndex.due_sk <= due_until(now)
        return [job for job in self._found("job", past, limit) if job.next_ring_at <= now]

    def parked(self, *, limit: int) -> list[Job]:
        return [job for job in self._found("parked", None, limit) if job.parked]

    def _found(self, kind: DueKind, condition: Condition | None, limit: int) -> list[Job]:
        shards = [_keys(due_partition(kind, shard), condition, limit) for shard in range(SHARDS)]
        with in_our_words("jobs"):
            keys = heapq.merge(*shards, key=lambda row: row.due_sk)
            found = [self.load(JobId(row.pk.removeprefix("J#"))) for row in islice(keys, limit)]
        return [job for job in found if job is not None]


class DynamoTimers:
    def __init__(self, region: str, table: str) -> None:
        bind(WorkflowsTable, table=table, region=region)

    def due(self, now: datetime, *, limit: int) -> list[Timer]:
        """As for jobs; an index that lags gives a timer that `move` then refuses."""
        past = DueIndex.due_sk <= due_until(now)
        shards = [_keys(due_partition("timer", shard), past, limit) for shard in range(SHARDS)]
        with in_our_words("timers"):
            keys = heapq.merge(*shards, key=lambda row: row.due_sk)
            return [timer_of(row) for row in islice(keys, limit)]

    def move(self, timer: Timer, *, next_ring_at: datetime, rings: int) -> bool:
        moved = timer_key(timer.group, next_ring_at=next_ring_at, due_at=timer.due_at, rings=rings)
        with in_our_words(timer.workflow):
            try:
                GroupRow(*group_key(timer.workflow, timer.group)).update(
                    actions=[
                        GroupRow.next_ring_at.set(next_ring_at),
                        GroupRow.rings.set(rings),
                        GroupRow.due_sk.set(moved[1]),
                    ],
                    condition=(GroupRow.due_at == timer.due_at)
                    & (GroupRow.next_ring_at == timer.next_ring_at),
                )
            except UpdateError as error:
                if refused(error):
                    return False
                raise
        return True


def _as_read(job: Job) -> Condition:
    condition: Condition = (
        (JobRow.attempts == job.attempts)
        & (JobRow.park_at == job.park_at)
        & (JobRow.next_ring_at == job.next_ring_at)
    )
    return condition


def _keys(partition: str, condition: Condition | None, limit: int) -> Iterator[DueKeys]:
    """Keys alone: the index holds no more."""
    yield from DueKeys.due.query(partition, condition, limit=limit)
