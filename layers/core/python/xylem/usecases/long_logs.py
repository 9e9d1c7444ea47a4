"""A log that became long is to be merged (`log_merging`): the Logger writes the job of it.

It does so with the chunk that makes it long, and before that: whoever stops in between leaves a job
that finds nothing to do, and the batch comes again. Two jobs of one log do each step once.
"""

from datetime import timedelta

from xylem.domain.ids import JobId
from xylem.ports.jobs import Job, Jobs, MergeLog
from xylem.ports.task_tokens import Attempt
from xylem.ports.world import Clock, Ids

MERGE_FROM = 1024 * 1024
"""Bytes of a spool. What is shorter is read with a query or two; most logs are."""

LOOK_AGAIN = timedelta(minutes=10)
"""While the log is written. A look is six units and a doorbell, an object saves its readers
hundreds of requests."""


def prefix(attempt: Attempt) -> str:
    """Of the objects of an attempt's log."""
    return f"logs/{attempt.workflow}/{attempt.task}/{attempt.retry}/{attempt.incarnation}/"


def becomes_long(offset: int, length: int) -> bool:
    """By the chunk there: one of each long log does."""
    return offset < MERGE_FROM <= offset + length


def merge_later(attempt: Attempt, *, jobs: Jobs, ids: Ids, clock: Clock) -> None:
    at = clock() + LOOK_AGAIN
    work = MergeLog(
        workflow=attempt.workflow,
        group=attempt.group,
        incarnation=attempt.incarnation,
        task=attempt.task,
        retry=attempt.retry,
    )
    jobs.add(Job(JobId(ids()), work, next_ring_at=at, not_before=at))
