"""A workflow of any size is there whole, or not at all: whatever crashes, whoever is slow."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count

import pytest

from tests.builders import a_group_plan, a_plan
from tests.stories.faults import Watched, a_process, crash_at, crashes, recover, require_counted
from tests.stories.world import World
from xylem.domain.errors import Conflict, UnknownWorkflow
from xylem.domain.ids import WorkflowId
from xylem.domain.plan import WorkflowPlan
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.ports.jobs import RemoveWorkflow, StartGroups, SweepWorkflow
from xylem.ports.listing import Filter
from xylem.ports.workflows import Creation, Laying
from xylem.usecases import footprint, listing, submit
from xylem.usecases.submit import REMOVE_AFTER

BIG = WorkflowId("big-1")


def groups_of_one(tasks: int) -> WorkflowPlan:
    return a_plan(*(a_group_plan(f"t{number}") for number in range(tasks)), name="big")


def one_gang(tasks: int) -> WorkflowPlan:
    return a_plan(a_group_plan("t", tasks=tasks), name="big")


def a_mixture(tasks: int) -> WorkflowPlan:
    """Groups that are smaller than a part, fill it, and are divided over several."""
    plans = [a_group_plan("a", tasks=40), a_group_plan("b", "a", tasks=tasks - 41)]
    return a_plan(*plans, a_group_plan("c"), name="big")


def nothing_is_left(world: World) -> bool:
    """Of a workflow that nobody can reach. The number that it took stays taken."""
    rows = world.rows
    return not (
        rows.stored_groups
        or rows.stored_workflows
        or rows.stored_counts
        or rows.stored_jobs
        or rows.uuids
        or rows.audit
    )


def require_whole(world: World, id: WorkflowId, plan: WorkflowPlan) -> None:
    found = world.look(id)
    assert [group.name for group in found.groups] == [group.name for group in plan.groups]
    for group, planned in zip(found.groups, plan.groups, strict=True):
        assert [task.name for task in group.tasks] == [task.name for task in planned.tasks]
        assert group.waits_for == len(planned.upstream)
    require_counted(world, id)
    [entry] = listing.every(Filter(), world.workflows)
    assert entry.id == id


# Of every size -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tasks", [46, 47, 150, 200, 201, 1_000, 5_000])
@pytest.mark.parametrize("shape", [groups_of_one, one_gang, a_mixture])
def test_a_workflow_of_any_size_is_made_whole(
    shape: Callable[[int], WorkflowPlan], tasks: int
) -> None:
    world = World()
    plan = shape(tasks)
    world.workflows = watched = Watched(world.rows)

    big = world.make(plan)

    require_whole(world, big, plan)
    rows = tasks + len(plan.groups)
    parts = -(-rows // (submit.LAY_ACTIONS // 2))
    assert watched.transactions <= 3 + parts, "few transactions, each within its 100 actions"
    assert world.look(big).workflow.shards == (1 if tasks <= 200 else 16)


@pytest.mark.parametrize("tasks", [150, 1_000])
@pytest.mark.parametrize("shape", [groups_of_one, one_gang, a_mixture])
def test_every_part_holds_within_a_transaction(
    shape: Callable[[int], WorkflowPlan], tasks: int
) -> None:
    world = World()
    actions: list[int] = []

    class Counting(Watched):
        def lay(self, laying: Laying) -> None:
            actions.append(footprint.laying_actions(laying))
            super().lay(laying)

        def create(self, creation: Creation) -> WorkflowId:
            actions.append(footprint.creation_actions(creation))
            return super().create(creation)

    world.workflows = Counting(world.rows)
    world.make(shape(tasks))

    assert max(actions) <= 100
    assert sum(one > 80 for one in actions) >= len(actions) - 4, "and is well filled"


def test_a_large_workflow_starts_after_its_creation_by_jobs_of_thirty_groups() -> None:
    world = World()
    big = world.make(groups_of_one(1_000))
    [walk] = world.rows.stored_jobs.values()
    assert walk.work == SweepWorkflow(big)
    assert world.doorbell.take() == [walk.id]

    world.perform(walk.id)

    starts = [job.work for job in world.rows.stored_jobs.values()]
    assert all(isinstance(work, StartGroups) for work in starts)
    sizes = [len(work.groups) for work in starts if isinstance(work, StartGroups)]
    assert (sum(sizes), max(sizes)) == (1_000, 30)
    assert world.look(big).workflow.sweeping is None


def test_a_large_workflow_runs_to_its_end() -> None:
    world = World()
    plan = a_mixture(250)
    big = world.make(plan)
    world.settle()
    assert world.group(big, "b-group").status is TaskStatus.WAITING
    for lead in ("a0", "b0", "c"):
        world.exit(big, lead, 0)
        world.settle()

    assert world.look(big).workflow.status is WorkflowStatus.COMPLETED
    require_counted(world, big)
    assert world.rows.stored_jobs == {}


# Crashes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tasks", [150, 210])
@pytest.mark.parametrize("shape", [groups_of_one, one_gang, a_mixture])
def test_after_a_crash_it_is_whole_and_starts_or_it_is_gone(
    shape: Callable[[int], WorkflowPlan], tasks: int
) -> None:
    """[a reachable workflow without rows; orphans for ever]"""
    plan = shape(tasks)
    ready = sum(not group.upstream for group in plan.groups)
    whole = 0
    for step in count(1):
        world = World()
        crashed = crashes(world, step, lambda process: process.make(plan))
        reachable = BIG in world.rows.stored_workflows
        recover(world)

        if reachable:
            whole += 1
            require_whole(world, BIG, plan)
            created = {job.job_id for job in world.cluster.jobs if job.kind == "create"}
            assert len(created) == ready
            assert world.rows.stored_jobs == {}
        else:
            with pytest.raises(UnknownWorkflow):
                world.look(BIG)
            assert nothing_is_left(world), f"after step {step}"
        if not crashed:
            break
    assert step > 3
    assert whole == 2, "after its last transaction, and without a crash"


@pytest.mark.parametrize("tasks", [150, 210])
def test_after_a_crash_of_the_walk_that_starts_it_every_group_starts_once(tasks: int) -> None:
    for step in count(1):
        world = World()
        big = world.make(groups_of_one(tasks))
        crashed = crashes(world, step, lambda process: process.settle())
        recover(world)

        assert {(group.ordinal, group.placed) for group in world.look(big).groups} == {(1, 1)}
        assert world.look(big).workflow.sweeping is None
        assert world.rows.stored_jobs == {}
        if not crashed:
            break
    assert step > 5


def test_a_removal_that_crashes_goes_on_from_where_it_stands() -> None:
    plan = groups_of_one(210)
    for step in count(1):
        world = World()
        assert crashes(world, 6, lambda process: process.make(plan))
        world.later(REMOVE_AFTER)
        world.sweep()
        crashed = crashes(world, step, lambda process: process.settle())
        recover(world)

        assert nothing_is_left(world), f"after step {step}"
        if not crashed:
            break
    assert step > 5


# The remover and a slow submitter ----------------------------------------------------------------


@pytest.mark.parametrize(("tasks", "passes"), [(150, 1), (150, 99), (210, 3)])
def test_in_every_order_of_the_remover_and_a_slow_submitter_it_is_whole_or_gone(
    tasks: int, passes: int
) -> None:
    """Before each of the submitter's transactions the ten minutes are over, and the remover makes
    so many steps; then both go on."""
    plan = groups_of_one(tasks)
    for step in count(2):
        world = World()
        came = False

        def too_slow(number: int, step: int = step, world: World = world) -> None:
            nonlocal came
            if number == step:
                came = True
                world.later(REMOVE_AFTER)
                world.sweep()
                with suppress(BaseException):
                    a_process(world, after=crash_at(passes)).settle()

        slow = a_process(world, before=too_slow)
        made = slow.make(plan)
        recover(world)

        require_whole(world, made, plan)
        assert set(world.rows.stored_groups) == {made}, f"at step {step}"
        assert not any(
            isinstance(job.work, RemoveWorkflow) for job in world.rows.stored_jobs.values()
        )
        assert made == ("big-2" if came else "big-1"), "its number is lost, and its text is not"
        if not came:
            break
    assert step > 4


def test_a_removal_is_not_rung_for_by_who_writes_it_and_not_due_for_ten_minutes() -> None:
    world = World()
    assert crashes(world, 2, lambda process: process.make(groups_of_one(150)))
    [removal] = world.rows.stored_jobs.values()

    assert world.perform(removal.id).kind == "nothing"
    world.later(REMOVE_AFTER - timedelta(seconds=1))
    assert world.sweep()[0] == 0
    world.later(timedelta(seconds=1))
    assert world.sweep()[0] == 1
    world.settle()
    assert nothing_is_left(world)


def test_a_removal_of_what_became_reachable_takes_nothing() -> None:
    """Its row was read before the last transaction, and performed long after."""
    world = World()
    plan = groups_of_one(150)

    removing: list[Callable[[World], None]] = []

    def read_it(number: int) -> None:
        if number == 2:
            [removal] = world.rows.stored_jobs
            removing.append(world.run_of(removal))

    made = a_process(world, before=read_it).make(plan)
    world.later(REMOVE_AFTER)
    removing[0](world)

    require_whole(world, made, plan)


# Keys --------------------------------------------------------------------------------------------


def test_a_key_that_is_repeated_makes_one_large_workflow() -> None:
    world = World()

    first, second = (world.make(groups_of_one(150), idempotency="key") for _ in range(2))

    assert first == second == BIG
    assert world.workflows.next_number("big") == 2, "the second took no number"


def test_two_that_submit_at_once_under_one_key_make_one_workflow() -> None:
    """[the loser answers the winner's id] What it had laid is removed."""
    world = World()
    plan = groups_of_one(150)
    winners: list[WorkflowId] = []

    def another(number: int) -> None:
        if number == 3:
            winners.append(a_process(world).make(plan, idempotency="key"))

    loser = a_process(world, before=another).make(plan, idempotency="key")
    assert [loser] == winners == ["big-2"]
    assert len(world.rows.stored_workflows) == 1
    recover(world)

    assert set(world.rows.stored_groups) == {loser}
    require_whole(world, loser, plan)


def test_a_key_after_a_crash_in_the_creation_makes_a_new_one() -> None:
    world = World()
    plan = groups_of_one(150)
    assert crashes(world, 3, lambda process: process.make(plan, idempotency="key"))

    made = world.make(plan, idempotency="key")
    recover(world)

    assert made == "big-2"
    assert set(world.rows.stored_groups) == {made}


def test_twenty_numbers_that_others_took_are_enough() -> None:
    world = World()

    def faster(number: int) -> None:
        a_process(world).make(groups_of_one(1))

    with pytest.raises(Conflict, match="20 other workflows of the name big"):
        a_process(world, before=faster).make(groups_of_one(1))
