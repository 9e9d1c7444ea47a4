"""What the groups of a workflow amount to."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, a_workflow
from xylem.domain.ids import JobId
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.workflow import Amount, Counts, Sweeping, Workflow, amount, counted, moved, swept

LATER = NOON + timedelta(minutes=1)
WALK = Sweeping(JobId("walk"), "start")


def after(workflow: Workflow, *statuses: TaskStatus) -> Workflow:
    """One group after the other reached these."""
    for at, status in zip((NOON, LATER), statuses, strict=False):
        workflow = moved(workflow, 0, counted(workflow.counts, status), at)
    return workflow


def test_a_workflow_runs_from_its_first_running_group_on() -> None:
    running = after(a_workflow(counts=Counts(2)), TaskStatus.RUNNING)
    same = moved(running, 0, counted(running.counts, TaskStatus.RUNNING), LATER)

    assert (running.status, running.started_at) == (WorkflowStatus.RUNNING, NOON)
    assert same is running


def test_a_workflow_ends_with_its_last_group() -> None:
    half = after(a_workflow(counts=Counts(2)), TaskStatus.COMPLETED)
    done = moved(half, 0, counted(half.counts, TaskStatus.COMPLETED), LATER)

    assert (half.status, half.counts.live) == (WorkflowStatus.PENDING, 1)
    assert (done.status, done.ended_at) == (WorkflowStatus.COMPLETED, LATER)


def test_what_has_ended_stays_as_it_ended() -> None:
    done = after(a_workflow(counts=Counts(1)), TaskStatus.COMPLETED)

    assert moved(done, 0, counted(done.counts, TaskStatus.FAILED), LATER) is done
    assert swept(done, LATER) == done


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        (["COMPLETED", "COMPLETED"], "COMPLETED"),
        (["FAILED", "COMPLETED"], "FAILED"),
        (["FAILED", "FAILED_UPSTREAM"], "FAILED"),
        (["FAILED_EVICTED", "FAILED_UPSTREAM"], "FAILED_EVICTED"),
        (["FAILED_EVICTED", "FAILED"], "FAILED"),
        (["FAILED_PREEMPTED", "COMPLETED"], "FAILED_PREEMPTED"),
        (["FAILED", "FAILED_SERVER_ERROR"], "FAILED_SERVER_ERROR"),
        (["FAILED_EXEC_TIMEOUT", "FAILED_QUEUE_TIMEOUT"], "FAILED_EXEC_TIMEOUT"),
        (["FAILED_QUEUE_TIMEOUT", "FAILED"], "FAILED_QUEUE_TIMEOUT"),
        (["FAILED_SERVER_ERROR", "FAILED_CANCELED"], "FAILED_CANCELED"),
    ],
)
def test_the_verdict_over_a_workflow_is_osmos(ends: list[str], status: str) -> None:
    small = after(a_workflow(counts=Counts(len(ends))), *map(TaskStatus, ends))
    large = a_workflow(shards=2, amounts={0: Amount(live=True), 1: Amount(live=True)})
    for shard, end in enumerate(ends):
        large = moved(large, shard, counted(Counts(1), TaskStatus(end)), NOON)

    assert small.status == large.status == status


# Shards and walks --------------------------------------------------------------------------------


def test_a_large_workflow_is_written_only_when_a_shard_amounts_to_something_else() -> None:
    workflow = a_workflow(shards=2, amounts={0: Amount(live=True), 1: Amount(live=True)})
    three = Counts(3)

    two = counted(three, TaskStatus.COMPLETED)
    failed = counted(two, TaskStatus.FAILED)

    assert moved(workflow, 0, two, NOON) is workflow, "some of them live on"
    assert moved(workflow, 0, failed, NOON).amounts[0].failures == (TaskStatus.FAILED,)


def test_a_large_workflow_ends_with_its_last_shard() -> None:
    workflow = a_workflow(shards=2, amounts={0: Amount(live=True), 1: Amount(live=True)})

    half = moved(workflow, 0, counted(Counts(1), TaskStatus.COMPLETED), NOON)
    done = moved(half, 1, counted(Counts(1), TaskStatus.COMPLETED), LATER)

    assert half.status is WorkflowStatus.PENDING
    assert (done.status, done.ended_at) == (WorkflowStatus.COMPLETED, LATER)


def test_no_workflow_ends_while_its_groups_are_visited_but_who_finishes_that_decides() -> None:
    walking = a_workflow(sweeping=WALK)

    over = after(walking, TaskStatus.COMPLETED)
    decided = swept(over, LATER)

    assert (over.status, over.counts.live) == (WorkflowStatus.PENDING, 0)
    assert (decided.status, decided.ended_at) == (WorkflowStatus.COMPLETED, LATER)
    assert decided.sweeping is None


def test_a_walk_over_groups_that_live_ends_nothing() -> None:
    assert swept(a_workflow(sweeping=WALK), LATER) == a_workflow()


# What holds whatever happens ---------------------------------------------------------------------

lives = st.lists(st.sampled_from([s for s in TaskStatus if s.final]), max_size=4)


@given(
    groups=st.lists(st.tuples(st.integers(0, 2), st.booleans(), lives), min_size=1, max_size=12),
    shards=st.sampled_from([1, 3]),
    walking=st.booleans(),
    data=st.data(),
)
def test_counters_say_what_groups_say_and_an_ended_workflow_stays_ended(
    groups: list[tuple[int, bool, list[TaskStatus]]],
    shards: int,
    walking: bool,
    data: st.DataObject,
) -> None:
    """Each group runs or not, and ends with the first of its ends, or lives on without one."""
    where = [shard % shards for shard, _, _ in groups]
    live = Counter(where)
    counts = {shard: Counts(live[shard]) for shard in range(shards)}
    workflow = a_workflow(
        shards=shards,
        counts=counts[0] if shards == 1 else Counts(0),
        amounts={n: amount(one) for n, one in counts.items()} if shards > 1 else {},
        sweeping=WALK if walking else None,
    )
    steps = [(n, TaskStatus.RUNNING) for n, (_, runs, _) in enumerate(groups) if runs]
    steps += [(n, ends[0]) for n, (_, _, ends) in enumerate(groups) if ends]
    for n, status in data.draw(st.permutations(steps)):
        before = workflow
        counts[where[n]] = counted(counts[where[n]], status)
        workflow = moved(workflow, where[n], counts[where[n]], LATER)
        assert not before.status.final or workflow is before
    if walking:
        assert not workflow.status.final
        workflow = swept(workflow, LATER)

    ended = [ends[0] for _, _, ends in groups if ends]
    assert sum(one.live for one in counts.values()) == len(groups) - len(ended)
    assert sum((Counter(one.ended) for one in counts.values()), Counter()) == Counter(ended)
    assert workflow.status.final == (len(ended) == len(groups))
    assert replace(workflow, sweeping=None) == workflow
    if workflow.status.final:
        failed = any(status.failed for status in ended)
        assert workflow.status.failed == failed


# Counts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "ran"),
    [
        (TaskStatus.PROCESSING, False),
        (TaskStatus.SCHEDULING, False),
        (TaskStatus.INITIALIZING, False),
        (TaskStatus.RUNNING, True),
    ],
)
def test_what_a_group_reaches_is_counted_when_it_runs_or_ends(
    status: TaskStatus, ran: bool
) -> None:
    assert counted(Counts(2), status) == Counts(2, ran=ran)


def test_what_is_nothing_to_count_leaves_the_counts_as_they_are() -> None:
    for counts in (fresh := Counts(2), Counts(2, ran=True)):
        assert counted(counts, TaskStatus.INITIALIZING) is counts
    assert counted(ran := Counts(2, ran=True), TaskStatus.RUNNING) is ran
    assert counted(fresh, TaskStatus.RUNNING) is not fresh


def test_only_failures_that_happened_amount_to_something() -> None:
    ended = {TaskStatus.COMPLETED: 1, TaskStatus.FAILED: 0, TaskStatus.FAILED_EVICTED: 2}

    assert amount(Counts(1, ended)) == Amount(live=True, failures=(TaskStatus.FAILED_EVICTED,))
    assert amount(Counts(0, ran=True)) == Amount(live=False, ran=True)


def test_a_large_workflow_runs_from_its_first_running_shard_on() -> None:
    workflow = a_workflow(shards=2, amounts={0: Amount(live=True), 1: Amount(live=True)})

    running = moved(workflow, 1, counted(Counts(1), TaskStatus.RUNNING), NOON)
    both = moved(running, 0, counted(Counts(1), TaskStatus.RUNNING), LATER)

    assert (running.status, running.started_at) == (WorkflowStatus.RUNNING, NOON)
    assert (both.status, both.started_at) == (WorkflowStatus.RUNNING, NOON)


def test_a_workflow_whose_groups_were_never_counted_otherwise_is_not_written() -> None:
    workflow = a_workflow(counts=Counts(2))

    assert moved(workflow, 0, Counts(2), LATER) is workflow


def test_a_workflow_of_which_only_groups_downstream_failed_has_failed() -> None:
    assert after(a_workflow(), TaskStatus.FAILED_UPSTREAM).status is WorkflowStatus.FAILED
