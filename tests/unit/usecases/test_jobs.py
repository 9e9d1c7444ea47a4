"""Jobs whose performance goes wrong, doorbells that ring as they like, and what an admin does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests import builders
from tests.builders import GROUP, a_commit, a_group_plan, a_plan
from tests.stories.faults import Crash, crashes
from tests.stories.world import World
from xylem.domain.errors import Conflict, InvalidRequest, UnknownJob
from xylem.domain.ids import JobId, WorkflowId
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.memory.blobs import MemoryBlobs
from xylem.ports.jobs import (
    PARK_AFTER,
    Job,
    RemoveWorkflow,
    SettleGroup,
    StartGroups,
    SweepWorkflow,
    Work,
)
from xylem.usecases import jobs

HELLO_1 = WorkflowId("hello-1")

HELLO = "workflow:\n  name: hello\n  tasks:\n  - {name: t, image: alpine, command: [echo]}\n"


def a_job(world: World) -> JobId:
    world.submit(HELLO)
    [job] = world.doorbell.take()
    return job


def put(world: World, work: Work) -> JobId:
    """A job's row, of a commit that nobody rang for."""
    job = builders.a_job(work=work)
    world.rows.commit(a_commit(workflow=HELLO_1, jobs=(job,)))
    return job.id


def perform(
    world: World, id: JobId, run: Callable[[Job], None], *, received: int = 1
) -> jobs.Outcome:
    return jobs.perform(id, engine=world, jobs=world.jobs, run=run, received=received)


def try_again(world: World, id: JobId, run: Callable[[Job], None], *, times: int = 1) -> None:
    """As soon as it may be."""
    for _ in range(times):
        world.later(max(load(world, id).not_before - world.clock(), timedelta()))
        perform(world, id, run)


def fails(job: Job) -> None:
    raise RuntimeError("the store burnt down")


def loses(job: Job) -> None:
    raise Conflict("others were faster")


def kills(job: Job) -> None:
    raise Crash


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
    id = put(world, SettleGroup(HELLO_1, GROUP))
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


# Twice, and late --------------------------------------------------------------------------------


def test_of_two_deliveries_at_once_the_effect_comes_once() -> None:
    """[two deliveries: the effect comes twice] The second performs what it read before the first
    had done it."""
    world = World()
    id = a_job(world)

    def with_another_in_between(job: Job) -> None:
        assert world.perform(id).kind == "done"
        world.run(job)

    outcome = perform(world, id, with_another_in_between)
    world.settle()

    assert outcome.kind == "done", "nothing happened, and the message is done with"
    assert len(world.cluster.jobs) == 1
    assert world.rows.stored_jobs == {}


def test_a_late_failure_writes_no_row_anew() -> None:
    """[a late write makes half a row anew]"""
    world = World()
    id = a_job(world)

    def done_meanwhile(job: Job) -> None:
        world.perform(id)
        raise RuntimeError("late")

    perform(world, id, done_meanwhile)

    assert world.jobs.load(id) is None


def test_a_late_failure_un_parks_nothing() -> None:
    """[a late write un-parks one]"""
    world = World()
    id = a_job(world)

    def parked_meanwhile(job: Job) -> None:
        row = load(world, id)
        assert world.jobs.update(replace(row, attempts=PARK_AFTER), expected=row)
        raise RuntimeError("late")

    perform(world, id, parked_meanwhile)

    assert load(world, id).parked
    assert load(world, id).last_error == ""


def test_a_failure_counts_although_the_monitor_rang_meanwhile() -> None:
    world = World()
    id = a_job(world)

    def takes_long(job: Job) -> None:
        world.later(timedelta(minutes=2))
        assert world.sweep()[0] == 1
        raise RuntimeError("after two minutes")

    perform(world, id, takes_long)

    row = load(world, id)
    assert (row.attempts, row.rings) == (1, 1)
    assert row.not_before > world.clock()


# Attempts that are counted when they begin -------------------------------------------------------


def test_from_the_second_delivery_on_an_attempt_counts_before_it_is_made() -> None:
    world = World()
    id = a_job(world)
    seen: list[int] = []

    def looks_and_kills(job: Job) -> None:
        seen.append(load(world, id).attempts)
        raise Crash

    for received in (1, 2, 3):
        with pytest.raises(Crash):
            perform(world, id, looks_and_kills, received=received)
        world.later(timedelta(minutes=1))

    assert seen == [0, 1, 2]
    assert load(world, id).attempts == 2


def test_one_failure_of_a_job_that_was_delivered_before_counts_once() -> None:
    """[one failure counts twice]"""
    world = World()
    id = a_job(world)

    perform(world, id, fails, received=2)

    row = load(world, id)
    assert (row.attempts, row.last_error) == (1, "RuntimeError: the store burnt down")


def test_a_job_that_kills_its_process_is_parked_and_its_neighbours_are_not() -> None:
    """[a healthy neighbour of a killer is parked] Jobs of a batch begin one after the other."""
    world = World()
    killer, healthy = a_job(world), a_job(world)

    for received in range(1, PARK_AFTER + 2):
        with pytest.raises(Crash):
            for id in (killer, healthy):
                perform(world, id, kills if id == killer else world.run, received=received)

    assert load(world, killer).parked
    assert load(world, healthy).attempts == 0
    assert perform(world, killer, kills, received=9).kind == "nothing"
    assert world.perform(healthy, received=9).kind == "done"


def test_a_conflict_gives_the_attempt_back_that_was_counted_for_it() -> None:
    """Attempts never go down, so there is one more before it is parked."""
    world = World()
    id = a_job(world)

    perform(world, id, loses, received=2)

    row = load(world, id)
    assert (row.attempts, row.park_at) == (1, PARK_AFTER + 1)


def test_twenty_conflicts_are_no_attempts_and_the_next_is_one() -> None:
    world = World()
    id = a_job(world)

    try_again(world, id, loses, times=jobs.MOST_CONFLICTS)
    before = load(world, id)
    try_again(world, id, loses)

    assert (before.attempts, before.conflicts) == (0, jobs.MOST_CONFLICTS)
    row = load(world, id)
    assert (row.attempts, row.conflicts) == (1, 0)
    assert row.last_error.startswith("Conflict")


def test_of_two_that_lose_at_once_only_who_moved_the_row_rings() -> None:
    """[two lines of doorbells, doubling]"""
    world = World()
    id = a_job(world)

    def another_loses_too(job: Job) -> None:
        perform(world, id, loses)
        raise Conflict("so do I")

    perform(world, id, another_loses_too)

    assert world.doorbell.take() == [id]
    assert load(world, id).conflicts == 1


# Parked -----------------------------------------------------------------------------------------


def park(world: World) -> JobId:
    id = a_job(world)
    try_again(world, id, fails, times=PARK_AFTER)
    assert load(world, id).parked
    return id


def test_what_failed_too_often_is_parked_and_left_alone() -> None:
    world = World()
    id = park(world)

    for _ in range(3):
        world.later(timedelta(hours=1))
        assert world.sweep()[0] == 0
    assert world.doorbell.take() == []
    assert world.perform(id).kind == "nothing"
    assert load(world, id).attempts == PARK_AFTER


def test_what_is_parked_is_shown_before_what_is_overdue() -> None:
    world = World()
    parked = park(world)
    overdue = a_job(world)
    world.later(timedelta(minutes=1))

    listed = jobs.listed(jobs=world.jobs, now=world.clock())

    assert [job.id for job in listed] == [parked, overdue]
    assert jobs.find(parked, jobs=world.jobs).last_error == "RuntimeError: the store burnt down"
    with pytest.raises(UnknownJob, match="There is no job gone"):
        jobs.find(JobId("gone"), jobs=world.jobs)


def test_the_group_says_that_its_start_is_parked_until_it_starts() -> None:
    world = World()
    id = park(world)
    waiting = world.group(HELLO_1, "t-group")

    jobs.retry(id, engine=world, jobs=world.jobs)
    world.settle()

    assert (waiting.status, waiting.message) == (
        TaskStatus.PROCESSING,
        f"Its start failed {PARK_AFTER} times and waits for an admin: "
        "RuntimeError: the store burnt down",
    )
    assert world.group(HELLO_1, "t-group").message == ""
    assert len(world.cluster.jobs) == 1


def test_an_admins_retry_gives_so_many_attempts_more_and_keeps_the_count() -> None:
    world = World()
    id = park(world)

    jobs.retry(id, attempts=3, engine=world, jobs=world.jobs)
    row = load(world, id)
    rung = world.doorbell.take()
    try_again(world, id, fails, times=2)
    still = load(world, id)
    try_again(world, id, fails)

    assert (row.attempts, row.park_at, rung) == (PARK_AFTER, PARK_AFTER + 3, [id])
    assert not row.parked and not still.parked
    assert load(world, id).parked


def test_a_retry_that_comes_too_late_says_so() -> None:
    world = World()
    id = a_job(world)
    world.perform(id)

    with pytest.raises(UnknownJob, match="it may have been done meanwhile"):
        jobs.retry(id, engine=world, jobs=world.jobs)


def test_a_job_that_is_dropped_fails_its_groups_and_what_waits_for_them() -> None:
    world = World()
    chain = world.make(a_plan(a_group_plan("a"), a_group_plan("b", "a"), name="chain"))
    [id] = world.doorbell.take()
    try_again(world, id, fails, times=PARK_AFTER)

    jobs.drop(id, by="root", engine=world, jobs=world.jobs)

    first, second = world.look(chain).groups
    assert (first.status, first.message) == (
        TaskStatus.FAILED_SERVER_ERROR,
        "Its start was given up by root: RuntimeError: the store burnt down",
    )
    assert second.status is TaskStatus.FAILED_UPSTREAM
    assert world.look(chain).workflow.status is WorkflowStatus.FAILED_SERVER_ERROR
    assert world.rows.stored_jobs == {}


def test_a_drop_that_ended_half_way_is_finished_by_the_next() -> None:
    world = World()
    pair = world.make(a_plan(a_group_plan("a"), a_group_plan("b"), name="pair"))
    [id] = world.doorbell.take()
    try_again(world, id, fails, times=PARK_AFTER)

    assert crashes(
        world, 1, lambda process: jobs.drop(id, by="root", engine=process, jobs=process.jobs)
    )
    half = [group.status.final for group in world.look(pair).groups]
    jobs.drop(id, by="root", engine=world, jobs=world.jobs)

    assert half == [True, False]
    assert world.look(pair).workflow.status is WorkflowStatus.FAILED_SERVER_ERROR
    assert world.rows.stored_jobs == {}


def test_what_is_not_parked_is_not_dropped() -> None:
    world = World()
    id = a_job(world)

    with pytest.raises(InvalidRequest, match=f"Job {id} is not parked"):
        jobs.drop(id, by="root", engine=world, jobs=world.jobs)
    assert world.perform(id).kind == "done"


@pytest.mark.parametrize(
    "work", [SettleGroup(HELLO_1, GROUP), SweepWorkflow(HELLO_1), RemoveWorkflow(HELLO_1)], ids=str
)
def test_jobs_of_intents_and_removals_are_never_parked_nor_dropped(work: Work) -> None:
    world = World()
    id = put(world, work)

    try_again(world, id, fails, times=4 * PARK_AFTER)

    row = load(world, id)
    assert (row.attempts, row.parked) == (4 * PARK_AFTER, False)
    with pytest.raises(InvalidRequest):
        jobs.drop(id, by="root", engine=world, jobs=world.jobs)
    world.later(jobs.LONGEST_BACKOFF)
    assert world.sweep()[0] == 1, "it is rung for, for ever"


def test_a_job_that_is_held_for_days_is_rung_for_each_time_and_soon() -> None:
    world = World()
    id = a_job(world)

    def waits(job: Job) -> None:
        raise jobs.Held("not now", wait=timedelta(minutes=5))

    for _ in range(100):
        assert perform(world, id, waits).kind == "held"
        world.later(timedelta(minutes=5))
        assert world.sweep()[0] == 1
        assert load(world, id).next_ring_at - world.clock() == jobs.FIRST_SILENCE


def test_a_job_that_nobody_answers_is_rung_for_for_ever() -> None:
    world = World()
    id = a_job(world)

    for _ in range(100):
        world.later(jobs.LONGEST_BACKOFF)
        assert world.sweep()[0] == 1

    assert load(world, id).next_ring_at - world.clock() == jobs.LONGEST_BACKOFF


# Jobs of several groups --------------------------------------------------------------------------


def test_a_job_of_several_groups_that_failed_is_split() -> None:
    """One group that cannot be rendered holds up no other."""
    world = World()
    world.make(a_plan(*(a_group_plan(f"t{number}") for number in range(4)), name="wide"))
    [id] = world.doorbell.take()
    groups = world.rows.stored_jobs[id].work
    assert isinstance(groups, StartGroups)

    perform(world, id, fails)
    try_again(world, id, world.run)

    split = [job.work for job in world.rows.stored_jobs.values()]
    assert split == [StartGroups(groups.workflow, (group,)) for group in groups.groups]
    assert len({id, *world.rows.stored_jobs}) == 5, "[an old result deletes a new job] new ids"
    world.settle()
    assert len(world.cluster.jobs) == 4


def test_one_start_job_carries_thirty_groups_at_the_most() -> None:
    world = World()
    world.make(a_plan(*(a_group_plan(f"t{number}") for number in range(45)), name="wide"))

    works = [job.work for job in world.rows.stored_jobs.values()]

    assert [len(work.groups) for work in works if isinstance(work, StartGroups)] == [30, 15]


@pytest.mark.parametrize("size", [{"tasks": 180}, {"below": 150}], ids=str)
def test_a_start_that_is_impossible_ends_a_group_of_any_size(size: dict[str, int]) -> None:
    """The stored spec is gone."""
    world = World()
    below = [a_group_plan(f"b{number}", "t") for number in range(size.get("below", 0))]
    plan = a_plan(a_group_plan("t", tasks=size.get("tasks", 1)), *below, name="lost")
    lost = world.make(plan)
    world.store = MemoryBlobs()

    world.settle()

    assert world.look(lost).workflow.status is WorkflowStatus.FAILED_SERVER_ERROR
    assert world.rows.stored_jobs == {}
