"""Jobs are performed, and the forgotten ones rung for again.

A job's row is the truth; a doorbell is a hint to look at it. Who finds no row has nothing to do:
the job was done. A failure is written into the row, with the time before which nobody tries again,
and the doorbell is answered: the row owns its retries, not the queue.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal, assert_never

from xylem.domain.errors import Conflict
from xylem.domain.ids import JobId
from xylem.ports import Backend, Job, Jobs, StartGroups
from xylem.protocol.limits import OFFLINE_AFTER
from xylem.usecases.apply import Engine, push

LONGEST_BACKOFF = timedelta(minutes=15)
FIRST_BACKOFF = timedelta(seconds=5)
CONFLICT_WAIT = timedelta(seconds=2)
ERROR_CHARS = 1_000

FIRST_SILENCE = timedelta(minutes=1)
"""After the first ring for a forgotten job; it doubles with each, up to `LONGEST_BACKOFF`."""

RINGS_A_SWEEP = 500
DEEP_QUEUE = 1_000
"""Overload must not breed doorbells: with this many waiting, none is added."""

PUSH_AGAIN_AFTER = timedelta(seconds=45)
"""A mailbox row younger than this was just pushed by who wrote it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a doorbell: `done`; `nothing` to do (no row, or not yet); `later` (others were
    faster); `failed`, with the error that is now in the row, too."""

    kind: Literal["done", "nothing", "later", "failed"]
    error: Exception | None = None


def perform(id: JobId, *, engine: Engine, jobs: Jobs, run: Callable[[Job], None]) -> Outcome:
    """Answer one doorbell. Raises only what reading or writing the job's own row raised."""
    job = jobs.load(id)
    now = engine.clock()
    if job is None or now < job.not_before:
        return Outcome("nothing")
    try:
        run(job)
    except Conflict:
        until = now + CONFLICT_WAIT * engine.chance()
        later = replace(job, not_before=until, next_ring_at=until + FIRST_BACKOFF)
        if jobs.update(later, expected=job):
            engine.doorbell.ring([id], delay=CONFLICT_WAIT)
        return Outcome("later")
    except Exception as error:
        # Whatever it was, it belongs into the row: a job that nobody can see failing fails for
        # ever.
        wait = min(FIRST_BACKOFF * 2**job.attempts, LONGEST_BACKOFF)
        failed = replace(
            job,
            attempts=job.attempts + 1,
            last_error=f"{type(error).__name__}: {error}"[:ERROR_CHARS],
            not_before=now + wait,
            next_ring_at=now + wait,
        )
        jobs.update(failed, expected=job)
        return Outcome("failed", error)
    return Outcome("done")


def sweep(*, engine: Engine, jobs: Jobs) -> tuple[int, int]:
    """Ring for forgotten jobs and push unanswered mail again: how many of each.

    May come late, twice at once, or not at all for once."""
    return _ring(engine, jobs), sum(_push(backend, engine) for backend in engine.backends.all())


def _ring(engine: Engine, jobs: Jobs) -> int:
    room = min(RINGS_A_SWEEP, DEEP_QUEUE - engine.doorbell.depth())
    if room <= 0:
        return 0
    now = engine.clock()
    mine = []
    for job in jobs.due(now, limit=room):
        silence = min(FIRST_SILENCE * 2**job.rings, LONGEST_BACKOFF)
        rung = replace(job, next_ring_at=now + silence, rings=job.rings + 1)
        if jobs.update(rung, expected=job):
            mine.append(job.id)
    if mine:
        engine.doorbell.ring(mine)
    return len(mine)


def _push(backend: Backend, engine: Engine) -> int:
    now = engine.clock()
    if backend.connection is None or now - backend.last_seen > OFFLINE_AFTER:
        return 0
    old = [
        mail
        for mail in engine.backends.mailbox(backend.name)
        if now - mail.written_at > PUSH_AGAIN_AFTER
    ]
    pushed = push(backend.name, old, engine=engine, connection=backend.connection)
    return len(old) if pushed else 0


def dispatch(job: Job, *, start: Callable[[Job, StartGroups], None]) -> None:
    """Which use case performs which kind of work; mypy holds the list complete."""
    match job.work:
        case StartGroups() as work:
            start(job, work)
        case _:
            assert_never(job.work)
