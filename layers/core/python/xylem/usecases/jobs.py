"""Jobs are performed, and the forgotten ones rung for again.

A job's row is the truth; a doorbell is a hint to look at it. Who finds no row has nothing to do:
the job was done. A failure is written into the row, with the time before which nobody tries again,
and the doorbell is answered: the row owns its retries, not the queue. What failed too often is
parked, where an admin sees it; what is parked, or not due yet, is left alone by whoever is rung.

A job that ends its process (memory, time) writes nothing. So from the second delivery of the same
doorbell on, the attempt is written before it begins; jobs of one batch begin one after the other,
so that no attempt is counted for a neighbour's sake. Being late because others were faster is no
attempt, up to a bound. What is not wanted now (`Held`) waits without being one.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, assert_never

from xylem.domain.errors import Conflict, InvalidRequest, UnknownJob
from xylem.domain.group import StartImpossible, StartParked, to_start
from xylem.domain.ids import GroupId, JobId
from xylem.domain.values import dataclass, replace
from xylem.ports.backends import Backend
from xylem.ports.jobs import (
    PARK_AFTER,
    Deliver,
    Job,
    Jobs,
    MergeLog,
    Notify,
    RemoveWorkflow,
    SettleGroup,
    StartGroups,
    SweepWorkflow,
)
from xylem.ports.workflows import Workflows
from xylem.protocol.limits import OFFLINE_AFTER
from xylem.usecases import intents
from xylem.usecases.apply import Engine, push, tell
from xylem.usecases.draft import Draft

LONGEST_BACKOFF = timedelta(minutes=15)
FIRST_BACKOFF = timedelta(seconds=5)
CONFLICT_WAIT = timedelta(seconds=2)
MOST_CONFLICTS = 20
"""Of one job; beyond, being too late is a failure, too."""

HELD_FOR = timedelta(minutes=2)
"""How long what is held is left alone, and so how late it starts when nothing holds it any more."""

ERROR_CHARS = 1_000

FIRST_SILENCE = timedelta(minutes=1)
"""After the first ring for a forgotten job; it doubles with each, up to `LONGEST_BACKOFF`."""

RINGS_A_SWEEP = 4_000
DEEP_QUEUE = 5_000
"""Overload must not breed doorbells: there are never more than this many of them waiting."""

WRITE_TRIES = 3

PUSH_AGAIN_AFTER = timedelta(seconds=45)
"""A mailbox row younger than this was just pushed by who wrote it."""


class Held(Exception):
    """The job is not to be done now, and nothing is wrong with it. The message says why, `wait`
    when it may be."""

    def __init__(self, because: str, *, wait: timedelta = HELD_FOR) -> None:
        super().__init__(because)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a doorbell: `done`; `nothing` to do (no row, parked, or not yet); `later`
    (others were faster); `held`; `failed`, with the error that is now in the row, too."""

    kind: Literal["done", "nothing", "later", "held", "failed"]
    error: Exception | None = None


def perform(
    id: JobId, *, engine: Engine, jobs: Jobs, run: Callable[[Job], None], received: int = 1
) -> Outcome:
    """Answer one doorbell, which was delivered for the `received`th time. Raises only what reading
    or writing the job's own row raised."""
    job = jobs.load(id)
    now = engine.clock()
    if job is None or job.parked or now < job.not_before:
        return Outcome("nothing")
    counted = received > 1
    if counted:
        begun = replace(job, attempts=job.attempts + 1, next_ring_at=now + _wait(job))
        if not jobs.update(begun, expected=job):
            return Outcome("nothing")
        job = begun
    try:
        run(job)
    except Conflict as error:
        if job.conflicts < MOST_CONFLICTS:
            _come_again(job, now, counted, engine, jobs)
            return Outcome("later")
        return _failed(job, error, counted, engine, jobs)
    except Held as held:
        _hold(job, now + held.wait, counted, jobs)
        return Outcome("held")
    except Exception as error:
        # Whatever it was, it belongs into the row: a job that nobody can see failing fails for
        # ever.
        return _failed(job, error, counted, engine, jobs)
    return Outcome("done")


def _come_again(job: Job, now: datetime, counted: bool, engine: Engine, jobs: Jobs) -> None:
    """Only who moved the row rings: two lines of doorbells for one job would double for ever. An
    attempt that was counted when it began was none; `attempts` never go down, so the bound goes
    up."""
    until = now + CONFLICT_WAIT * engine.chance()
    later = replace(
        job,
        park_at=job.park_at + 1 if counted else job.park_at,
        conflicts=job.conflicts + 1,
        not_before=until,
        next_ring_at=until + FIRST_BACKOFF,
    )
    if jobs.update(later, expected=job):
        engine.doorbell.ring([job.id], delay=CONFLICT_WAIT)


def _hold(job: Job, until: datetime, counted: bool, jobs: Jobs) -> None:
    """Nobody rings for it: the sweep does, when its time has come. Who rang was answered, so the
    next silence is a first one."""
    park_at = job.park_at + 1 if counted else job.park_at
    held = replace(job, park_at=park_at, not_before=until, next_ring_at=until, rings=0)
    jobs.update(held, expected=job)


def _failed(job: Job, error: Exception, counted: bool, engine: Engine, jobs: Jobs) -> Outcome:
    """An attempt that was counted when it began is not counted again. A sweep may have moved the
    row's times meanwhile, which is no reason to forget the failure."""
    now = engine.clock()
    known: Job | None = job
    for _ in range(WRITE_TRIES):
        if known is None or (known.attempts, known.park_at) != (job.attempts, job.park_at):
            break
        wait = _wait(known)
        failed = replace(
            known,
            attempts=known.attempts if counted else known.attempts + 1,
            conflicts=0,
            last_error=f"{type(error).__name__}: {error}"[:ERROR_CHARS],
            not_before=now + wait,
            next_ring_at=now + wait,
        )
        if jobs.update(failed, expected=known):
            if failed.parked:
                _tell_parked(failed, engine)
            break
        known = jobs.load(job.id)
    return Outcome("failed", error)


def _wait(job: Job) -> timedelta:
    doubled: timedelta = FIRST_BACKOFF * 2 ** min(job.attempts, 10)
    return min(doubled, LONGEST_BACKOFF)


def _tell_parked(job: Job, engine: Engine) -> None:
    """The groups that wait for it say so. Lost with this process it is no loss: an admin sees the
    job all the same."""
    if isinstance(job.work, StartGroups):
        event = StartParked(
            f"Its start failed {job.attempts} times and waits for an admin: {job.last_error}"
        )
        _tell_groups(job.work, f"job {job.id} is parked", event, engine)


def _tell_groups(
    work: StartGroups, cause: str, event: StartParked | StartImpossible, engine: Engine
) -> None:
    for id in work.groups:

        def fold(draft: Draft, id: GroupId = id) -> None:
            group = draft.group(id)
            if group is not None and to_start(group):
                draft.decide(id, event)

        _, commit = intents.change_whole(work.workflow, cause, fold, engine=engine)
        tell(commit, engine=engine)


# What an admin does ------------------------------------------------------------------------------

LIST_LIMIT = 200


def listed(*, jobs: Jobs, now: datetime) -> list[Job]:
    """Parked ones first, then those that are overdue."""
    return [*jobs.parked(limit=LIST_LIMIT), *jobs.due(now, limit=LIST_LIMIT)]


def find(id: JobId, *, jobs: Jobs) -> Job:
    """Raises `UnknownJob`."""
    job = jobs.load(id)
    if job is None:
        raise UnknownJob(f"There is no job {id}: it may have been done meanwhile.")
    return job


def retry(id: JobId, *, attempts: int = PARK_AFTER, engine: Engine, jobs: Jobs) -> Job:
    """So many attempts more, the first one now. Raises `UnknownJob`, `Conflict`."""
    job = find(id, jobs=jobs)
    now = engine.clock()
    again = replace(
        job,
        park_at=job.attempts + attempts if job.parkable else job.park_at,
        conflicts=0,
        not_before=now,
        next_ring_at=now + FIRST_BACKOFF,
    )
    if not jobs.update(again, expected=job):
        raise Conflict(f"Job {id} is being worked on: look at it again.")
    engine.doorbell.ring([id])
    return again


def drop(id: JobId, *, by: str, engine: Engine, jobs: Jobs) -> None:
    """A parked job goes, and the groups that waited for it fail. Raises `UnknownJob`;
    `InvalidRequest` for one that is not parked, or never may be dropped."""
    job = find(id, jobs=jobs)
    if not job.parked or not isinstance(job.work, StartGroups):
        raise InvalidRequest(
            f"Job {id} is not parked: only what failed {PARK_AFTER} times may be dropped."
        )
    event = StartImpossible(f"Its start was given up by {by}: {job.last_error}")
    _tell_groups(job.work, f"job {id} was dropped by {by}", event, engine)
    if not jobs.drop(job):
        raise Conflict(f"Job {id} is being worked on: look at it again.")


# The sweep ---------------------------------------------------------------------------------------


def sweep(*, engine: Engine, jobs: Jobs) -> tuple[int, int]:
    """Ring for forgotten jobs and push unanswered mail again: how many of each.

    May come late, twice at once, or not at all for once."""
    rung = _ring(engine, jobs)
    return rung, sum(_push(backend, engine) for backend in engine.backends.all())


def _ring(engine: Engine, jobs: Jobs) -> int:
    room = min(RINGS_A_SWEEP, DEEP_QUEUE - engine.doorbell.depth())
    if room <= 0:
        return 0
    now = engine.clock()
    mine = []
    for job in jobs.due(now, limit=room):
        silence = min(FIRST_SILENCE * 2 ** min(job.rings, 10), LONGEST_BACKOFF)
        rung = replace(job, next_ring_at=now + silence, rings=job.rings + 1)
        if jobs.update(rung, expected=job):
            mine.append(job.id)
    if mine:
        engine.doorbell.ring(mine)
    return len(mine)


def _push(backend: Backend, engine: Engine) -> int:
    now = engine.clock()
    if backend.connection is None:
        return 0
    if now - backend.last_seen > OFFLINE_AFTER:
        # Nobody speaks on it: a socket that its operator has left, or an operator that hangs. It
        # dials again; silence means nothing for what runs there.
        engine.links.close(backend.connection)
        engine.backends.disconnected(backend.name, backend.connection)
        return 0
    old = [
        mail
        for mail in engine.backends.mailbox(backend.name)
        if now - mail.written_at > PUSH_AGAIN_AFTER
    ]
    pushed = push(backend.name, old, engine=engine, connection=backend.connection)
    return len(old) if pushed else 0


def dispatch(
    job: Job,
    *,
    start: Callable[[Job, StartGroups], None],
    merge: Callable[[Job, MergeLog], None],
    notify: Callable[[Job, Notify | Deliver], None],
    engine: Engine,
    workflows: Workflows,
) -> None:
    """Which use case performs which kind of work; mypy holds the list complete."""
    match job.work:
        case StartGroups() as work:
            start(job, work)
        case SettleGroup(workflow=workflow, group=group):
            intents.settle_group(workflow, group, engine=engine, job=job)
        case SweepWorkflow(workflow=workflow):
            intents.sweep_workflow(workflow, engine=engine, job=job)
        case RemoveWorkflow(workflow=workflow):
            while workflows.remove_some(workflow, job.id):
                pass
        case MergeLog() as work:
            merge(job, work)
        case Notify() | Deliver() as work:
            notify(job, work)
        case _:
            assert_never(job.work)
