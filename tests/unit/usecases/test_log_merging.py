"""The job of a long log merges it while it grows, closes what never ends, and collects the rest."""

import gzip
import random
from datetime import datetime, timedelta

import pytest

from tests.builders import NOON, a_creation, a_group, a_task, a_workflow
from tests.builders_logs import Desk, record
from tests.stories.world import World
from xylem.domain.ids import JobId, TaskName
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.ports.jobs import MergeLog
from xylem.ports.logs import LogTail
from xylem.usecases import logs, long_logs
from xylem.usecases.jobs import Outcome
from xylem.usecases.log_closing import CLOSED_AFTER
from xylem.usecases.log_merging import LIMITS, Limits, Merging
from xylem.usecases.log_walk import Walk
from xylem.usecases.long_logs import LOOK_AGAIN, MERGE_FROM

HOUR = timedelta(hours=1)


class LongLog(Desk):
    """Whose job is there, on the world that performs it."""

    def __init__(self, *, ended_at: datetime | None = None) -> None:
        super().__init__()
        self.world = World()
        self.world.store = self.store
        self.world.logs = self.logs
        self.workflows = self.world.workflows
        status = TaskStatus.COMPLETED if ended_at else TaskStatus.RUNNING
        over = WorkflowStatus.COMPLETED if ended_at else WorkflowStatus.RUNNING
        task = a_task(status=status, ordinal=1, lead=True, ended_at=ended_at)
        group = a_group(tasks=(task,), status=status)
        self.world.workflows.create(a_creation(group, workflow=a_workflow(status=over)))
        long_logs.merge_later(
            self.attempt, jobs=self.world.jobs, ids=self.ids, clock=self.world.clock
        )
        [self.job] = self.world.rows.stored_jobs

    def writes(self, chunks: int, *, size: int = 9_000) -> int:
        """Bodies of that many bytes at least, which do not shrink; the length so far."""
        at = sum(chunk.length for chunk in self.logs.chunks(self.attempt, limit=10_000))
        for number in range(chunks):
            text = random.Random(number).randbytes(size).hex()
            at = self.put(at, record(f"{number} {text}\n")).next
        return at

    def performed(self) -> Outcome:
        return self.world.perform(JobId(self.job))

    def bodies(self) -> list[bytes | None]:
        walk = Walk(self.attempt, self.logs, self.store)
        return [piece.raw for piece in walk.forward()]

    @property
    def looks_in(self) -> timedelta:
        found = self.world.jobs.load(JobId(self.job))
        assert found is not None
        return found.not_before - self.world.clock()


def test_the_chunk_that_makes_a_log_long_asks_for_its_job_once() -> None:
    desk = Desk()
    raw = b"".join(record("x" * 32_000) for _ in range(8))
    at = 0
    while at < 2 * MERGE_FROM:
        at = desk.put(at, raw).next

    assert desk.long == [desk.attempt]


def test_a_chunk_that_comes_twice_may_ask_twice_but_never_not_at_all() -> None:
    """The process that stored nothing had asked before."""

    def dies(_: object) -> None:
        raise ConnectionError

    desk = Desk()
    raw = b"".join(record("x" * 32_000) for _ in range(8))
    at = 0
    while at + len(raw) < MERGE_FROM:
        at = desk.put(at, raw).next
    body = gzip.compress(raw)

    with pytest.raises(ConnectionError):
        logs.put(
            desk.attempt,
            at,
            body,
            logs=desk.logs,
            store=desk.store,
            ids=desk.ids,
            ends=desk.ends,
            became_long=dies,
        )

    assert desk.logs.chunk(desk.attempt, at) is None
    assert desk.put(at, raw).next > MERGE_FROM
    assert desk.long == [desk.attempt]


def test_the_job_of_a_log_that_is_written_merges_what_is_enough_and_looks_again() -> None:
    log = LongLog()
    log.writes(401)
    before = log.bodies()
    log.world.later(LOOK_AGAIN)

    assert log.performed().kind == "held"

    assert log.looks_in == LOOK_AGAIN
    [merged] = log.logs.merged(log.attempt)
    assert len(merged.members) == 400
    assert sum(member.size for member in merged.members) >= LIMITS.bytes
    assert log.bodies() == before
    [last] = log.logs.last_chunks(log.attempt, limit=1)
    assert log.store.keys() == [last.key, merged.key]


def test_a_log_that_is_closed_is_merged_to_its_end_and_its_job_goes_when_no_orphan_can_come() -> (
    None
):
    log = LongLog(ended_at=NOON)
    log.end(log.writes(7))
    log.store.put(long_logs.prefix(log.attempt) + f"{0:020d}-lost", b"came second")
    log.store.put(long_logs.prefix(log.attempt) + "of-somebody-else", b"not ours")
    before = log.bodies()
    log.world.later(LOOK_AGAIN)

    assert log.performed().kind == "held"
    assert log.looks_in == CLOSED_AFTER - LOOK_AGAIN
    assert len(log.logs.merged(log.attempt)) == 1
    log.world.later(log.looks_in)
    assert log.performed().kind == "done"

    assert log.bodies() == before
    [merged] = log.logs.merged(log.attempt)
    assert log.store.keys() == [
        merged.key,
        long_logs.prefix(log.attempt) + "of-somebody-else",
    ]
    assert log.world.rows.stored_jobs == {}


def test_a_log_that_nobody_ends_is_closed_incomplete_a_day_after_its_attempt() -> None:
    log = LongLog(ended_at=NOON)
    length = log.writes(3)
    log.world.later(HOUR)
    assert log.performed().kind == "held"
    assert log.logs.end(log.attempt) is None
    assert log.looks_in > CLOSED_AFTER - HOUR

    log.world.later(log.looks_in)
    assert log.performed().kind == "done"

    assert log.logs.end(log.attempt) == LogTail(length, complete=False)
    assert log.end(length).closed, "who comes later is told to stop"
    assert len(log.logs.merged(log.attempt)) == 1


def test_a_job_is_done_again_without_harm() -> None:
    log = LongLog(ended_at=NOON - 2 * CLOSED_AFTER)
    log.end(log.writes(5))
    before = log.bodies()
    found = log.world.jobs.load(JobId(log.job))
    assert found is not None
    log.world.later(LOOK_AGAIN)

    log.world.run(found)
    log.world.run(found)

    assert log.bodies() == before
    assert len(log.logs.merged(log.attempt)) == 1


def test_the_job_of_a_workflow_that_is_gone_goes() -> None:
    log = LongLog()
    work = MergeLog(log.attempt.workflow, log.attempt.group, 1, TaskName("nobody"), 0)
    found = log.world.jobs.load(JobId(log.job))
    assert found is not None

    log.world.merge(found, work)

    assert log.world.rows.stored_jobs == {}


def test_a_body_that_is_lost_stays_a_gap_and_holds_nothing_up() -> None:
    log = LongLog()
    log.writes(6)
    lost = log.logs.chunks(log.attempt)[3]
    assert lost.key is not None
    log.store.delete(lost.key)
    merging = Merging(log.attempt, log.logs, log.store, log.ids, Limits(chunks=3))
    before = log.bodies()
    assert before[3] is None

    while merging.step(closed=False):
        pass
    assert [len(merged.members) for merged in log.logs.merged(log.attempt)] == [3]
    while merging.step(closed=True):
        pass

    assert [len(merged.members) for merged in log.logs.merged(log.attempt)] == [3, 3]
    assert log.bodies() == before
