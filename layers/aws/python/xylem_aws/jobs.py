"""`Jobs` on DynamoDB: rows, and the index that finds those that are due."""

import heapq
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from pynamodb.exceptions import DoesNotExist, UpdateError

from xylem.domain.ids import JobId
from xylem.ports import Job
from xylem_aws import rows
from xylem_aws.tables.binding import bind
from xylem_aws.tables.keys import SHARDS
from xylem_aws.tables.workflows import (
    DueIndex,
    JobRow,
    WorkflowsTable,
    due_key,
    due_partition,
    due_until,
    job_key,
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

    def update(self, job: Job, *, expected: Job) -> bool:
        due_pk, due_sk = due_key(job.id, job.next_ring_at)
        with in_our_words(job.id):
            try:
                JobRow(*job_key(job.id)).update(
                    actions=[
                        JobRow.next_ring_at.set(job.next_ring_at),
                        JobRow.not_before.set(job.not_before),
                        JobRow.attempts.set(job.attempts),
                        JobRow.rings.set(job.rings),
                        JobRow.last_error.set(job.last_error),
                        JobRow.due_pk.set(due_pk),
                        JobRow.due_sk.set(due_sk),
                    ],
                    condition=(JobRow.attempts == expected.attempts)
                    & (JobRow.next_ring_at == expected.next_ring_at),
                )
            except UpdateError as error:
                if refused(error):
                    return False
                raise
        return True

    def due(self, now: datetime, *, limit: int) -> list[Job]:
        """Of all shards, those that wait longest first: in an overload no shard starves. The index
        may lag: what it gives is read again, and what is not due is left out."""
        shards = [_due(shard, now, limit) for shard in range(SHARDS)]
        with in_our_words("due jobs"):
            keys = heapq.merge(*shards, key=lambda row: row.due_sk)
            found = [self.load(JobId(row.pk.removeprefix("J#"))) for row in islice(keys, limit)]
        return [job for job in found if job is not None and job.next_ring_at <= now]


def _due(shard: int, now: datetime, limit: int) -> Iterator[JobRow]:
    """Keys alone: the index holds no more."""
    past = DueIndex.due_sk <= due_until(now)
    yield from JobRow.due.query(due_partition(shard), past, limit=limit)
