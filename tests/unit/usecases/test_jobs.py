"""Jobs whose performance goes wrong, and sweeps that come as they like."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.stories.world import World
from xylem.domain.errors import Conflict
from xylem.domain.ids import JobId
from xylem.ports import Job
from xylem.usecases import jobs

HELLO = "workflow:\n  name: hello\n  tasks:\n  - {name: t, image: alpine, command: [echo]}\n"


def a_job(world: World) -> JobId:
    world.submit(HELLO)
    [job] = world.doorbell.take()
    return job


def perform(world: World, id: JobId, run: Callable[[Job], None]) -> jobs.Outcome:
    return jobs.perform(id, engine=world, jobs=world.jobs, run=run)


def fails(job: Job) -> None:
    raise RuntimeError("the store burnt down")


def loses(job: Job) -> None:
    raise Conflict("others were faster")


def load(world: World, id: JobId) -> Job:
    job = world.jobs.load(id)
    assert job is not None
    return job


def test_a_failure_is_written_into_the_row_with_the_time_of_the_next_try() -> None:
    world = World()
    id = a_job(world)

    outcome = perform(world, id, fails)

    row = load(world, id)
    assert (outcome.kind, row.attempts) == ("failed", 1)
    assert row.last_error == "RuntimeError: the store burnt down"
    assert row.not_before == world.clock() + jobs.FIRST_BACKOFF


def test_before_its_time_a_failed_job_is_left_alone() -> None:
    world = World()
    id = a_job(world)
    perform(world, id, fails)

    assert perform(world, id, fails).kind == "nothing"
    assert load(world, id).attempts == 1


def test_waits_between_failures_double_up_to_a_quarter_of_an_hour() -> None:
    world = World()
    id = a_job(world)
    waits = []
    for _ in range(12):
        before = world.clock()
        perform(world, id, fails)
        waits.append(load(world, id).not_before - before)
        world.later(waits[-1])

    assert waits[:3] == [timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=20)]
    assert waits[-1] == jobs.LONGEST_BACKOFF


def test_a_lost_conflict_is_no_attempt_and_is_rung_for_again() -> None:
    world = World()
    id = a_job(world)

    outcome = perform(world, id, loses)

    assert (outcome.kind, load(world, id).attempts) == ("later", 0)
    assert world.doorbell.take() == [id]


def test_a_job_that_was_done_is_answered_with_nothing() -> None:
    world = World()
    id = a_job(world)
    world.perform(id)

    assert perform(world, id, fails).kind == "nothing"


def test_a_job_that_nobody_does_is_rung_for_ever_more_rarely() -> None:
    world = World()
    a_job(world)
    rings = []
    for minute in range(60):
        world.later(timedelta(minutes=1))
        if world.sweep()[0]:
            rings.append(minute)
        world.doorbell.take()

    gaps = [later - earlier for earlier, later in zip(rings, rings[1:], strict=False)]
    assert gaps == sorted(gaps)
    assert 4 <= len(rings) <= 8


def test_while_the_queue_is_deep_no_doorbell_is_added() -> None:
    world = World()
    id = a_job(world)
    world.doorbell.ring([JobId(f"other-{number}") for number in range(jobs.DEEP_QUEUE)])

    world.later(timedelta(minutes=5))

    assert world.sweep()[0] == 0
    assert id not in world.doorbell.take()


def test_a_sweep_rings_for_a_bounded_number_of_jobs() -> None:
    world = World()
    for _ in range(jobs.RINGS_A_SWEEP + 10):
        a_job(world)
    world.later(timedelta(minutes=5))

    assert world.sweep()[0] == jobs.RINGS_A_SWEEP


@pytest.mark.parametrize("error", ["x" * 5_000])
def test_what_the_row_keeps_of_an_error_is_bounded(error: str) -> None:
    world = World()
    id = a_job(world)

    def run(job: Job) -> None:
        raise RuntimeError(error)

    perform(world, id, run)

    assert len(load(world, id).last_error) == jobs.ERROR_CHARS
