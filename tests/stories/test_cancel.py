"""A user cancels: in every state, with and without force, again, while others act, while the
cluster is away."""

import base64
import gzip
import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from tests.builders import a_group_plan, a_plan
from tests.stories.faults import a_process, crashes, recover, require_counted, settle_together
from tests.stories.world import BACKEND, USER, World
from xylem.domain.errors import InvalidRequest, UnknownWorkflow
from xylem.domain.group import Cleanup, StartImpossible
from xylem.domain.ids import ConnectionId, WorkflowId
from xylem.domain.plan import WorkflowPlan
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.ports.jobs import StartGroups
from xylem.protocol import agent
from xylem.usecases import intents
from xylem.usecases.cancel import cancel

CHAIN = a_plan(a_group_plan("a"), a_group_plan("b", "a"))
HELLO = WorkflowId("hello-1")


# How far it came ---------------------------------------------------------------------------------


def before_the_worker_rendered(world: World) -> None:
    world.make(CHAIN)


def before_the_cluster_answered(world: World) -> None:
    world.make(CHAIN)
    world.settle()


def in_the_queue(world: World) -> None:
    before_the_cluster_answered(world)
    world.answer()
    world.pod(HELLO, "a", "SCHEDULING")
    world.settle()


def running(world: World) -> None:
    in_the_queue(world)
    world.pod(HELLO, "a", "RUNNING")
    world.settle()


def half_way(world: World) -> None:
    """The first group has finished."""
    running(world)
    world.exit(HELLO, "a", 0)
    world.settle()
    world.answer()
    world.settle()
    world.up(HELLO, "b")
    world.settle()


STATES = [
    before_the_worker_rendered,
    before_the_cluster_answered,
    in_the_queue,
    running,
    half_way,
]
Reached = Callable[[World], None]


def grace(job: agent.Job) -> dict[str, Any]:
    assert job.payload is not None
    told: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(job.payload)))
    return told


def finish_cleanups(world: World) -> None:
    for _ in range(3):
        world.answer()
        world.settle()


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("reached", STATES)
def test_a_workflow_is_cancelled_in_every_state(reached: Reached, force: bool) -> None:
    world = World()
    reached(world)
    finished = [group for group in world.look(HELLO).groups if group.status.final]
    world.cluster.jobs.clear()

    world.cancel(HELLO, message="enough", force=force)

    found = world.look(HELLO)
    assert found.workflow.status is WorkflowStatus.FAILED_CANCELED
    assert found.workflow.cancel is not None
    assert found.workflow.cancel.by == USER
    for group in found.groups:
        if group in finished:
            assert group.status is TaskStatus.COMPLETED, "it stays as it ended"
        else:
            assert group.status is TaskStatus.FAILED_CANCELED
            assert group.tasks[0].message == f"Task was canceled by user: {USER}. enough"
    require_counted(world, HELLO)
    cleanups = [job for job in world.cluster.jobs if job.kind == "cleanup"]
    told = {(grace(job)["grace_seconds"], grace(job)["force"]) for job in cleanups}
    assert told <= {(0, True) if force else (None, False)}
    held = sum(bool(group.ordinal) and group not in finished for group in found.groups)
    assert len(cleanups) == held

    world.settle()
    finish_cleanups(world)
    assert world.rows.stored_jobs == {}
    assert world.backends.mailbox(BACKEND) == []
    assert {group.cleanup for group in world.look(HELLO).groups} == {Cleanup.DONE}
    assert not [job for job in world.cluster.jobs if job.kind == "create"], "nothing starts"


@pytest.mark.parametrize("reached", STATES)
def test_a_cancel_that_is_repeated_changes_nothing_but_the_grace(reached: Reached) -> None:
    world = World()
    reached(world)
    world.cancel(HELLO)
    workflow, commits = world.look(HELLO).workflow, world.rows.commits
    world.cluster.jobs.clear()

    world.cancel(HELLO, message="again")
    assert (world.look(HELLO).workflow, world.rows.commits) == (workflow, commits)
    assert world.cluster.jobs == []

    held = [group for group in world.look(HELLO).groups if group.cleanup is Cleanup.ASKED]
    world.cancel(HELLO, force=True)
    forced = [grace(job)["force"] for job in world.cluster.jobs]
    assert forced == [True] * len(forced)
    assert len(forced) >= len(held)
    assert world.look(HELLO).workflow.status is WorkflowStatus.FAILED_CANCELED
    require_counted(world, HELLO)


@pytest.mark.parametrize(
    ("code", "status"), [(0, WorkflowStatus.COMPLETED), (1, WorkflowStatus.FAILED)]
)
def test_what_has_ended_is_not_cancelled_and_osmo_says_so(
    code: int, status: WorkflowStatus
) -> None:
    world = World()
    world.make(a_plan())
    world.settle()
    world.exit(HELLO, "hello", code)
    world.settle()
    commits = world.rows.commits

    with pytest.raises(InvalidRequest) as refused:
        world.cancel(HELLO)

    assert str(refused.value) == "Workflow hello-1 is already finished."
    assert refused.value.code == "USER"
    assert world.rows.commits == commits
    assert world.look(HELLO).workflow.status is status


def test_what_is_unknown_is_not_cancelled() -> None:
    with pytest.raises(UnknownWorkflow):
        World().cancel(WorkflowId("nobody-1"))


def test_a_workflow_is_cancelled_by_its_uuid_too() -> None:
    world = World()
    running(world)

    assert cancel(world.look(HELLO).workflow.uuid, by=USER, engine=world) == HELLO

    assert world.look(HELLO).workflow.status is WorkflowStatus.FAILED_CANCELED


def test_while_its_cluster_is_away_it_is_cancelled_at_once_and_cleaned_up_later() -> None:
    world = World()
    running(world)
    world.links.hang_up(ConnectionId("connection-1"))
    world.cluster.jobs.clear()

    world.cancel(HELLO)
    world.settle()

    assert world.look(HELLO).workflow.status is WorkflowStatus.FAILED_CANCELED
    assert world.cluster.jobs == []
    world.dial(ConnectionId("connection-2"), boot="boot-2")
    assert [job.kind for job in world.cluster.jobs] == ["cleanup"]


def test_news_that_comes_after_the_cancel_is_acknowledged_and_changes_nothing() -> None:
    world = World()
    running(world)
    world.cancel(HELLO)

    seq = world.pod(HELLO, "a", "COMPLETED", 0)
    world.settle()

    assert seq in world.cluster.acknowledged
    assert world.task(HELLO, "a").status is TaskStatus.FAILED_CANCELED


# Against others ----------------------------------------------------------------------------------


def test_a_start_job_that_loses_against_a_cancel_starts_nothing() -> None:
    """[a group starts after the cancel]"""
    world = World()
    world.make(CHAIN)
    [start] = world.doorbell.take()

    def cancelled_meanwhile(number: int) -> None:
        if number == 1:
            a_process(world).cancel(HELLO)

    world.run_of(start)(a_process(world, before=cancelled_meanwhile))

    assert world.rows.mail == {}
    assert world.rows.stored_jobs == {}
    assert world.group(HELLO, "a-group").ordinal == 0


def test_a_large_workflow_starts_nothing_from_the_moment_of_its_cancel() -> None:
    """[a group starts after the cancel] The record alone is there; no group was visited yet."""
    world = World()
    big = world.make(a_plan(*(a_group_plan(f"t{number}") for number in range(250))))
    [walk] = world.doorbell.take()
    world.perform(walk)
    starts = world.doorbell.take()
    assert crashes(world, 1, lambda process: process.cancel(big))

    for job in starts:
        world.perform(job)

    assert world.rows.mail == {}
    assert {group.ordinal for group in world.look(big).groups} == {0}


def test_a_start_that_read_the_workflow_before_its_cancel_was_recorded_starts_nothing() -> None:
    """[a group starts after the cancel] The groups' own rows are as they were read."""
    world = World()
    big = world.make(a_plan(*(a_group_plan(f"t{number}") for number in range(250))))
    world.perform(world.doorbell.take()[0])
    start = world.doorbell.take()[0]

    def recorded_meanwhile(number: int) -> None:
        if number == 1:
            assert crashes(world, 1, lambda process: process.cancel(big))

    world.run_of(start)(a_process(world, before=recorded_meanwhile))

    assert world.rows.mail == {}
    assert {group.ordinal for group in world.look(big).groups} == {0}


def test_cancelling_one_workflow_leaves_the_groups_of_others_to_their_start() -> None:
    """[cancelling one group strands 29 others] A start job of groups that ended meanwhile starts
    the rest of them."""
    world = World()
    world.make(a_plan(*(a_group_plan(f"t{number}") for number in range(30))))
    [start] = world.doorbell.take()
    first = world.rows.stored_jobs[start].work
    assert isinstance(first, StartGroups)

    def one_ends(number: int) -> None:
        if number == 1:
            event = StartImpossible("given up")
            intents.change(
                HELLO, "a test", lambda d: d.decide(first.groups[0], event), engine=world
            )

    world.run_of(start)(a_process(world, before=one_ends))

    assert len(world.rows.mail) == 29
    assert world.rows.stored_jobs == {}


def test_of_a_cancel_and_an_end_at_once_one_comes_first() -> None:
    world = World()
    running(world)
    world.exit(HELLO, "a", 0)
    news = world.news.take()

    def news_first(number: int) -> None:
        if number == 1:
            a_process(world).apply(news)

    a_process(world, before=news_first).cancel(HELLO)

    first, second = world.look(HELLO).groups
    assert (first.status, second.status) == (TaskStatus.COMPLETED, TaskStatus.FAILED_CANCELED)
    assert world.look(HELLO).workflow.status is WorkflowStatus.FAILED_CANCELED
    require_counted(world, HELLO)


# Large -------------------------------------------------------------------------------------------

MANY = 120
"""Groups of a workflow that one transaction cannot cancel."""


def a_large_plan(groups: int = MANY) -> WorkflowPlan:
    """Half of them wait for the other half; one is a gang."""
    half = groups // 2
    plans = [a_group_plan("gang", tasks=50)]
    plans += [a_group_plan(f"t{number}") for number in range(half)]
    plans += [a_group_plan(f"u{number}", f"t{number}") for number in range(half)]
    return a_plan(*plans, name="large")


def require_cancelled(world: World, id: WorkflowId) -> None:
    found = world.look(id)
    assert found.workflow.status is WorkflowStatus.FAILED_CANCELED
    assert found.workflow.sweeping is None
    for group in found.groups:
        assert group.status is TaskStatus.FAILED_CANCELED
        assert {task.status for task in group.tasks} == {TaskStatus.FAILED_CANCELED}
    require_counted(world, id)
    world.settle()
    finish_cleanups(world)
    assert world.rows.stored_jobs == {}
    assert world.backends.mailbox(BACKEND) == []
    assert {group.cleanup for group in world.look(id).groups} == {Cleanup.DONE}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("started", [False, True])
def test_a_workflow_of_400_groups_is_cancelled_step_by_step(started: bool, force: bool) -> None:
    world = World()
    large = world.make(a_large_plan(400))
    if started:
        world.settle()

    world.cancel(large, force=force)
    world.settle()

    require_cancelled(world, large)


@pytest.mark.parametrize(
    ("groups", "again"),
    [(MANY, False), (MANY, True), (160, False)],
    ids=["by the job", "by the user again", "by the job, in 16 shards"],
)
def test_after_a_crash_at_any_step_of_a_cancel_it_is_finished(groups: int, again: bool) -> None:
    for step in count(1):
        world = World()
        large = world.make(a_large_plan(groups))
        world.settle()
        crashed = crashes(world, step, lambda process, large=large: process.cancel(large))  # type: ignore[misc]  # mypy infers no default
        if again:
            world.cancel(large)
        recover(world)

        require_cancelled(world, large)
        if not crashed:
            break
    assert step > 5


def test_two_walks_of_one_cancel_visit_each_group_once() -> None:
    world = World()
    large = world.make(a_large_plan())
    world.settle()
    assert crashes(world, 1, lambda process: process.cancel(large))
    [walk] = world.rows.stored_jobs

    settle_together(world, world.run_of(walk), world.run_of(walk))
    recover(world)

    assert {group.ordinal for group in world.look(large).groups} <= {0, 2}, "one cleanup each"
    require_cancelled(world, large)


def test_while_its_creation_goes_on_there_is_nothing_to_cancel_and_then_there_is() -> None:
    world = World()
    refused: list[int] = []

    def impatient(number: int) -> None:
        try:
            a_process(world).cancel(WorkflowId("large-1"))
        except UnknownWorkflow:
            refused.append(number)

    large = a_process(world, before=impatient).make(a_large_plan())
    assert len(refused) > 2
    world.cancel(large)
    world.settle()

    require_cancelled(world, large)
    assert {group.ordinal for group in world.look(large).groups} == {0}


@pytest.mark.parametrize("groups", [MANY, 160])
def test_a_cancel_while_the_walk_that_starts_it_is_open_finishes_that_first(groups: int) -> None:
    for step in count(1):
        world = World()
        large = world.make(a_large_plan(groups))
        [walk] = world.doorbell.take()
        crashed = crashes(world, step, world.run_of(walk))
        world.cancel(large)
        recover(world)

        require_cancelled(world, large)
        assert {group.ordinal for group in world.look(large).groups} == {0}, "nothing started"
        if not crashed:
            break
    assert step > 3
