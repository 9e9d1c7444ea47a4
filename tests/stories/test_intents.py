"""Changes of more rows than one transaction holds: finished after every crash, by whoever comes,
once."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count

import pytest

from tests.builders import a_group_plan, a_plan
from tests.stories.faults import (
    Crash,
    a_process,
    crash_at,
    crashes,
    recover,
    require_counted,
    settle_together,
)
from tests.stories.world import World
from xylem.domain.group import AbsenceSeen, Group
from xylem.domain.ids import WorkflowId
from xylem.domain.plan import WorkflowPlan
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.ports.jobs import SettleGroup
from xylem.usecases import intents

SMALL, LARGE = 120, 200
"""Groups downstream: more than a transaction holds, in one shard and in sixteen."""


def a_fan(leaves: int, *, roots: str = "ab", below: bool = False) -> WorkflowPlan:
    """Each leaf waits for every root, so what one root tells it twice would start it too early."""
    plans = [a_group_plan(root) for root in roots]
    plans += [a_group_plan(f"leaf{number}", *roots) for number in range(leaves)]
    if below:
        plans += [a_group_plan(f"twig{number}", f"leaf{number}") for number in range(leaves)]
    return a_plan(*plans, name="fan")


def leaves(world: World, fan: WorkflowId, kind: str = "leaf") -> list[Group]:
    return [group for group in world.look(fan).groups if group.name.startswith(kind)]


def a_running_fan(leaves: int, **options: object) -> tuple[World, WorkflowId]:
    world = World()
    fan = world.make(a_fan(leaves, **options))  # type: ignore[arg-type]  # fields of any type
    world.settle()
    world.answer()
    world.settle()
    return world, fan


def created(world: World) -> Counter[str]:
    """How often each task's pod was asked for; what was only pushed again counts once."""
    creates = {job.job_id: job for job in world.cluster.jobs if job.kind == "create"}
    return Counter(task for job in creates.values() for task in world.pods(job))


# Large changes -----------------------------------------------------------------------------------


def test_a_group_of_a_thousand_tasks_ends_by_its_lead() -> None:
    world = World()
    gang = world.make(a_plan(a_group_plan("t", tasks=1_000), name="gang"))
    world.settle()
    world.pod(gang, "t1", "RUNNING")
    world.settle()

    world.exit(gang, "t0", 0)
    world.settle()

    found = world.look(gang)
    assert found.workflow.status is WorkflowStatus.COMPLETED
    quiet = found.groups[0].tasks[1:]
    assert {(task.status, task.message) for task in quiet} == {
        (TaskStatus.COMPLETED, "Lead task finished")
    }
    assert world.rows.stored_jobs == {}


@pytest.mark.parametrize(
    ("code", "status"), [(0, WorkflowStatus.COMPLETED), (1, WorkflowStatus.FAILED)]
)
def test_a_group_with_300_groups_downstream_completes_and_fails(
    code: int, status: WorkflowStatus
) -> None:
    world, fan = a_running_fan(300, roots="a")
    world.exit(fan, "a", code)
    world.settle()

    if code == 0:
        assert created(world) == Counter({f"leaf{number}": 1 for number in range(300)})
        for number in range(300):
            world.exit(fan, f"leaf{number}", 0)
        world.settle()
    assert world.look(fan).workflow.status is status
    require_counted(world, fan)
    world.settle()
    assert world.rows.stored_jobs == {}


@pytest.mark.parametrize("many", [SMALL, LARGE])
def test_what_is_below_a_fan_that_fails_fails_with_it(many: int) -> None:
    """[the downstream of a cancelled downstream waits for ever]"""
    world, fan = a_running_fan(many, below=True)
    world.exit(fan, "a", 1)
    world.settle()

    for kind in ("leaf", "twig"):
        assert {group.status for group in leaves(world, fan, kind)} == {TaskStatus.FAILED_UPSTREAM}
    assert not world.look(fan).workflow.status.final, "the other root still runs"
    world.exit(fan, "b", 0)
    world.settle()
    assert world.look(fan).workflow.status is WorkflowStatus.FAILED
    require_counted(world, fan)
    assert world.rows.stored_jobs == {}


# Crashes, and who goes on ------------------------------------------------------------------------


def by_the_job(world: World, fan: WorkflowId, news: list[str]) -> None:
    pass


def by_news_of_the_same_group(world: World, fan: WorkflowId, news: list[str]) -> None:
    """Nobody acknowledged it, so the operator says it again."""
    world.apply(news)
    assert all(group.settling is None for group in world.look(fan).groups)


def by_two_processes_at_once(world: World, fan: WorkflowId, news: list[str]) -> None:
    jobs = [job for job in world.rows.stored_jobs.values() if isinstance(job.work, SettleGroup)]
    for job in jobs:
        settle_together(world, world.run_of(job.id), world.run_of(job.id))


@pytest.mark.parametrize("many", [SMALL, LARGE])
@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize(
    "resume", [by_the_job, by_news_of_the_same_group, by_two_processes_at_once]
)
def test_after_a_crash_between_any_two_steps_each_downstream_is_told_once(
    resume: Callable[[World, WorkflowId, list[str]], None], code: int, many: int
) -> None:
    for step in count(1):
        world, fan = a_running_fan(many)
        world.exit(fan, "a", code)
        news = world.news.take()

        def act(process: World, news: list[str] = news) -> None:
            process.apply(news)
            process.settle()

        crashed = crashes(world, step, act)
        resume(world, fan, news)
        recover(world)

        told = leaves(world, fan)
        if code == 0:
            assert {group.waits_for for group in told} == {1}, f"after step {step}"
            world.exit(fan, "b", 0)
            world.settle()
            assert created(world) == Counter({f"leaf{number}": 1 for number in range(many)})
        else:
            assert {group.status for group in told} == {TaskStatus.FAILED_UPSTREAM}
        require_counted(world, fan)
        assert world.rows.stored_jobs == {}, f"after step {step}"
        if not crashed:
            break
    assert step > 5, "it took several steps"


@pytest.mark.parametrize("resume", [by_the_job, by_news_of_the_same_group])
def test_after_a_crash_between_any_two_steps_a_gang_ends_with_its_lead(
    resume: Callable[[World, WorkflowId, list[str]], None],
) -> None:
    for step in count(1):
        world = World()
        plan = a_plan(a_group_plan("t", tasks=180), a_group_plan("next", "t"), name="gang")
        gang = world.make(plan)
        world.settle()
        world.exit(gang, "t0", 0)
        news = world.news.take()

        def act(process: World, news: list[str] = news) -> None:
            process.apply(news)
            process.settle()

        crashed = crashes(world, step, act)
        resume(world, gang, news)
        recover(world)

        assert {task.status for task in world.group(gang, "t-group").tasks} == {
            TaskStatus.COMPLETED
        }
        assert world.group(gang, "next-group").status is TaskStatus.PROCESSING
        assert created(world)["next"] == 1
        require_counted(world, gang)
        assert world.rows.stored_jobs == {}
        if not crashed:
            break
    assert step > 4, "it took several steps"


@pytest.mark.parametrize("many", [SMALL, LARGE])
def test_two_upstreams_that_finish_at_the_same_moment_start_each_leaf_once(many: int) -> None:
    """[two upstreams finish at once and nobody sees the 0]"""
    world, fan = a_running_fan(many)
    for root in "ab":
        world.exit(fan, root, 0)
        world.apply(world.news.take())
    a, b = (
        world.run_of(job.id)
        for job in world.rows.stored_jobs.values()
        if isinstance(job.work, SettleGroup)
    )

    settle_together(world, a, b)
    recover(world)

    assert created(world) == Counter({f"leaf{number}": 1 for number in range(many)})
    assert {group.waits_for for group in leaves(world, fan)} == {0}
    assert world.rows.stored_jobs == {}


def test_two_intents_do_not_wait_for_each_other() -> None:
    """[two intents wait for each other] A step writes to a group although that has one itself."""
    world, fan = a_running_fan(SMALL, below=True)
    for root in "ab":
        world.exit(fan, root, 1)
    for body in world.news.take():
        world.apply([body])
    for job in list(world.rows.stored_jobs):
        with suppress(Crash):
            world.run_of(job)(a_process(world, after=crash_at(1)))
    assert sum(group.settling is not None for group in world.look(fan).groups) > 2

    recover(world)

    assert world.look(fan).workflow.status is WorkflowStatus.FAILED
    require_counted(world, fan)
    assert world.rows.stored_jobs == {}


def test_a_group_that_ended_is_not_written_back_to_waiting() -> None:
    """[a terminal group is written back to waiting] A leaf ends between reading and writing."""
    world, fan = a_running_fan(SMALL)
    world.exit(fan, "a", 0)
    world.apply(world.news.take())
    [settle] = [job.id for job in world.rows.stored_jobs.values()]

    def cancelled_meanwhile(number: int) -> None:
        if number == 1:
            a_process(world).cancel(fan)

    world.run_of(settle)(a_process(world, before=cancelled_meanwhile))
    recover(world)

    assert {group.status for group in leaves(world, fan)} == {TaskStatus.FAILED_CANCELED}
    require_counted(world, fan)
    assert world.rows.stored_jobs == {}


def test_who_meets_an_open_intent_finishes_it_before_deciding() -> None:
    world, fan = a_running_fan(SMALL)
    world.exit(fan, "a", 0)
    world.apply(world.news.take())
    root = world.group(fan, "a-group")
    assert root.settling is not None
    world.doorbell.take()

    intents.change(fan, "a test", lambda draft: draft.decide(root.id, AbsenceSeen()), engine=world)

    assert {group.waits_for for group in leaves(world, fan)} == {1}
