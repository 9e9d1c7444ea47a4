"""What every `Workflows` promises of a creation in parts, and of its removal."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import (
    HELLO,
    NOON,
    a_change,
    a_commit,
    a_creation,
    a_group,
    a_group_plan,
    a_job,
    a_plan,
    a_pool,
    a_workflow,
)
from tests.contract.conftest import Stores
from xylem.domain.errors import Conflict, TooLarge, UnknownWorkflow
from xylem.domain.group import Group, HandedOver
from xylem.domain.ids import GroupId, JobId, UserName, WorkflowId, WorkflowUuid
from xylem.domain.plan import WorkflowPlan
from xylem.domain.status import TaskStatus
from xylem.domain.transitions import decide
from xylem.domain.workflow import Amount, Counts, Sweeping, Workflow
from xylem.memory.blobs import MemoryBlobs
from xylem.memory.queues import MemoryDoorbell
from xylem.memory.time import FakeClock, FakeIds
from xylem.ports.jobs import Job, RemoveWorkflow, SweepWorkflow
from xylem.ports.listing import Filter
from xylem.ports.stored import Stored
from xylem.ports.workflows import Creation, Laying, Reservation
from xylem.usecases import listing, submit

REMOVAL = JobId("removal")
ALICE = UserName("alice")


def a_removal() -> Job:
    at = NOON + timedelta(minutes=10)
    return a_job(REMOVAL, work=RemoveWorkflow(HELLO), not_before=at, next_ring_at=at)


def reserve(stores: Stores, number: int = 1) -> None:
    stores.workflows.reserve(
        Reservation(
            workflow=HELLO, name="hello", number=number, removal=a_removal(), by=ALICE, at=NOON
        )
    )


def in_two_shards() -> tuple[Workflow, list[Group]]:
    workflow = a_workflow(
        counts=Counts(0), shards=2, amounts={0: Amount(live=True), 1: Amount(live=True)}
    )
    ids = [GroupId(f"{shard}{digit}" + "a" * 30) for shard, digit in ("1f", "00", "10")]
    groups = [a_group(id=id, name=f"g-{id}", shards=2) for id in ids]
    return workflow, groups


def many(of: int = 40) -> list[Group]:
    """More than one pass of the remover takes away, in memory."""
    return [a_group(id=GroupId(f"1{number:031x}"), shards=2) for number in range(of)]


def lay(stores: Stores, workflow: Workflow, groups: Sequence[Group]) -> None:
    counts = {0: Counts(1), 1: Counts(2)}
    positions = tuple(range(len(groups)))
    stores.workflows.lay(Laying(workflow, 1, (), (), REMOVAL, counts))
    stores.workflows.lay(Laying(workflow, 2, tuple(groups), positions, REMOVAL))


def last(workflow: Workflow, *, idempotency: str | None = None) -> Creation:
    start = a_job("start", work=SweepWorkflow(HELLO))
    walking = replace(workflow, sweeping=Sweeping(start.id, "start"))
    whole = a_creation(workflow=walking, jobs=(start,), idempotency=idempotency)
    return replace(whole, groups=(), removal=REMOVAL)


def test_what_was_laid_becomes_a_workflow_with_the_last_transaction(stores: Stores) -> None:
    workflow, groups = in_two_shards()
    reserve(stores)
    lay(stores, workflow, groups)
    with pytest.raises(UnknownWorkflow):
        stores.workflows.workflow(HELLO)
    assert list(listing.every(Filter(), stores.workflows)) == []

    assert stores.workflows.create(last(workflow)) == HELLO

    assert stores.workflows.groups(HELLO, shards=2) == [Stored(group, 1) for group in groups]
    assert stores.workflows.counts(HELLO, 1) == Stored(Counts(2), 1)
    sweeping = stores.workflows.workflow(HELLO).value.sweeping
    assert sweeping == Sweeping(JobId("start"), "start")
    assert stores.jobs.load(REMOVAL) is None
    assert stores.jobs.load(JobId("start")) is not None
    assert stores.workflows.resolve("e" * 32) == HELLO


def test_a_shard_is_read_by_page_in_the_order_of_ids(stores: Stores) -> None:
    workflow, groups = in_two_shards()
    reserve(stores)
    lay(stores, workflow, groups)
    last_one, of_another, first = groups

    assert stores.workflows.shard(HELLO, 1) == [Stored(first, 1), Stored(last_one, 1)]
    assert stores.workflows.shard(HELLO, 1, limit=1) == [Stored(first, 1)]
    assert stores.workflows.shard(HELLO, 1, after=first.id, limit=5) == [Stored(last_one, 1)]
    assert stores.workflows.shard(HELLO, 1, after=last_one.id) == []
    assert stores.workflows.shard(HELLO, 0) == [Stored(of_another, 1)]
    assert stores.workflows.shard(HELLO, 5) == []


def test_a_number_that_is_reserved_is_taken(stores: Stores) -> None:
    reserve(stores)

    assert stores.workflows.next_number("hello") == 2
    with pytest.raises(Conflict):
        reserve(stores)
    with pytest.raises(Conflict):
        stores.workflows.create(a_creation())
    assert stores.jobs.load(REMOVAL) == a_removal()


def test_a_removal_is_not_due_before_its_time(stores: Stores) -> None:
    reserve(stores)

    assert stores.jobs.due(NOON + timedelta(minutes=9), limit=5) == []
    assert stores.jobs.due(NOON + timedelta(minutes=10), limit=5) == [a_removal()]


def test_a_removal_leaves_no_row_and_its_own_goes_last(stores: Stores) -> None:
    """[orphans for ever]"""
    workflow, groups = in_two_shards()[0], many()
    reserve(stores)
    lay(stores, workflow, groups)
    passes = 0

    while stores.workflows.remove_some(HELLO, REMOVAL):
        passes += 1
        assert stores.jobs.load(REMOVAL) is not None
        assert passes < 10

    assert stores.workflows.groups(HELLO, shards=2) == []
    with pytest.raises(UnknownWorkflow):
        stores.workflows.counts(HELLO, 1)
    assert stores.jobs.load(REMOVAL) is None
    assert not stores.workflows.remove_some(HELLO, REMOVAL), "again it finds nothing"


def test_after_the_removal_began_nothing_is_laid_and_nothing_made_reachable(stores: Stores) -> None:
    """[a reachable workflow without rows]"""
    workflow, groups = in_two_shards()[0], many()
    reserve(stores)
    lay(stores, workflow, groups)
    stores.workflows.remove_some(HELLO, REMOVAL)

    with pytest.raises(Conflict):
        lay(stores, workflow, groups)
    with pytest.raises(Conflict):
        stores.workflows.create(last(workflow))
    while stores.workflows.remove_some(HELLO, REMOVAL):
        pass
    with pytest.raises(Conflict):
        lay(stores, workflow, groups)
    with pytest.raises(Conflict):
        stores.workflows.create(last(workflow))
    with pytest.raises(UnknownWorkflow):
        stores.workflows.workflow(HELLO)
    assert stores.workflows.groups(HELLO, shards=2) == []


def test_a_removal_that_failed_half_way_has_begun_all_the_same(stores: Stores) -> None:
    """What writes its failure into the row read it before the mark."""
    workflow, groups = in_two_shards()[0], many()
    reserve(stores)
    lay(stores, workflow, groups)
    stores.workflows.remove_some(HELLO, REMOVAL)

    assert stores.jobs.update(replace(a_removal(), attempts=1), expected=a_removal())

    with pytest.raises(Conflict):
        lay(stores, workflow, groups)


def test_nothing_is_taken_from_a_workflow_that_became_reachable(stores: Stores) -> None:
    workflow, groups = in_two_shards()
    reserve(stores)
    lay(stores, workflow, groups)
    stores.workflows.create(last(workflow))

    assert not stores.workflows.remove_some(HELLO, REMOVAL)

    assert len(stores.workflows.groups(HELLO, shards=2)) == 3
    assert stores.workflows.counts(HELLO, 0) == Stored(Counts(1), 1)


def test_the_last_transaction_of_a_repeated_submission_answers_the_first(stores: Stores) -> None:
    first = WorkflowId("hello-9")
    group = a_group(id=GroupId("09" + "a" * 30), workflow=first)
    other = a_workflow(id=first, name="other", uuid=WorkflowUuid("9" * 32))
    stores.workflows.create(a_creation(group, workflow=other, idempotency="key"))
    workflow, groups = in_two_shards()
    reserve(stores)
    lay(stores, workflow, groups)

    assert stores.workflows.create(last(workflow, idempotency="key")) == first

    with pytest.raises(UnknownWorkflow):
        stores.workflows.workflow(HELLO)
    assert stores.jobs.load(REMOVAL) == a_removal(), "what was laid is still to be removed"


def test_what_was_made_under_a_key_is_known_for_a_day(stores: Stores) -> None:
    stores.workflows.create(a_creation(idempotency="key"))
    made = stores.workflows.made_under

    assert made(ALICE, "key", now=NOON + timedelta(hours=23, minutes=59)) == HELLO
    assert made(ALICE, "key", now=NOON + timedelta(hours=24)) is None
    assert made(ALICE, "another", now=NOON) is None
    assert made(UserName("bob"), "key", now=NOON) is None


def test_a_part_of_more_than_a_hundred_actions_is_refused(stores: Stores) -> None:
    workflow = a_workflow()
    reserve(stores)
    groups = tuple(a_group(id=GroupId(f"0{number:031x}")) for number in range(50))

    with pytest.raises(TooLarge):
        stores.workflows.lay(Laying(workflow, 1, groups, tuple(range(50)), REMOVAL))
    assert stores.workflows.groups(HELLO) == []


# Through the use case ----------------------------------------------------------------------------


class Submitting:
    """What `submit` uses of an engine."""

    def __init__(self, stores: Stores) -> None:
        self.workflows = stores.workflows
        self.doorbell = MemoryDoorbell()
        self.store = MemoryBlobs()
        self.clock = FakeClock(NOON)
        self.ids = FakeIds()

    def make(self, plan: WorkflowPlan) -> WorkflowId:
        request = submit.Request(text="", user=ALICE)
        checked = submit.Checked(plan, "", None, a_pool())
        return submit.submit(request, checked, engine=self)  # type: ignore[arg-type]  # as much of one as it uses


def test_a_group_that_is_divided_over_two_parts_is_read_whole(stores: Stores) -> None:
    made = Submitting(stores).make(a_plan(a_group_plan("t", tasks=150)))
    [read] = stores.workflows.groups(made)

    assert [task.name for task in read.value.tasks] == [f"t{number}" for number in range(150)]
    assert {task.status for task in read.value.tasks} == {TaskStatus.PROCESSING}


def test_a_group_that_is_divided_over_two_parts_starts_whole(stores: Stores) -> None:
    """Its tasks have their start from the group's row, those of the second part, too."""
    made = Submitting(stores).make(a_plan(a_group_plan("t", tasks=150)))
    [read] = stores.workflows.groups(made)

    handed, _ = decide(read.value, HandedOver(), NOON)
    stores.workflows.commit(a_commit(workflow=made, groups=(a_change(read, handed),)))

    assert stores.workflows.groups(made) == [Stored(handed, 2)]
    assert {task.ordinal for task in handed.tasks} == {1}


def test_a_large_workflow_is_made_whole(stores: Stores) -> None:
    plans = [a_group_plan(f"t{number}") for number in range(230)]
    made = Submitting(stores).make(a_plan(*plans, name="large"))

    workflow = stores.workflows.workflow(made).value
    groups = stores.workflows.groups(made, shards=workflow.shards)

    assert workflow.shards == 16
    assert [stored.value.name for stored in groups] == [plan.name for plan in plans]
    assert sum(stores.workflows.counts(made, n).value.live for n in range(16)) == 230
