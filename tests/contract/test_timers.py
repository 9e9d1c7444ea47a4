"""What every `Timers` promises: a timer is a moment in the row of its group."""

from dataclasses import replace
from datetime import datetime, timedelta

from tests.builders import GROUP, HELLO, NOON, a_change, a_commit, a_creation, a_group
from tests.contract.conftest import Stores
from xylem.domain.group import Group
from xylem.domain.ids import GroupId
from xylem.domain.plan import Limits
from xylem.domain.status import TaskStatus
from xylem.ports.jobs import Timer
from xylem.ports.stored import Stored

HOUR = timedelta(hours=1)
DAY = NOON + timedelta(days=1)
LIMITS = Limits(queue=HOUR, execution=2 * HOUR)


def stored(stores: Stores, group: GroupId = GROUP) -> Stored[Group]:
    found = stores.workflows.group(HELLO, group)
    assert found is not None
    return found


def change(
    stores: Stores, *, at: datetime = NOON, group: GroupId = GROUP, **fields: object
) -> None:
    before = stored(stores, group)
    after = replace(before.value, **fields)  # type: ignore[arg-type]  # fields of any type
    stores.workflows.commit(a_commit(at=at, groups=(a_change(before, after),)))


def in_the_queue(stores: Stores) -> Timer:
    """Since noon, for an hour at the most."""
    stores.workflows.create(a_creation(a_group(limits=LIMITS)))
    change(stores, status=TaskStatus.SCHEDULING, scheduling_since=NOON)
    [timer] = stores.timers.due(DAY, limit=5)
    return timer


def test_a_group_without_a_deadline_has_no_timer(stores: Stores) -> None:
    stores.workflows.create(a_creation())

    assert stores.timers.due(DAY, limit=5) == []


def test_the_monitor_rings_five_minutes_before_a_timer_is_due(stores: Stores) -> None:
    timer = in_the_queue(stores)
    first = NOON + HOUR - timedelta(minutes=5)

    assert timer == Timer(HELLO, GROUP, NOON + HOUR, next_ring_at=first)
    assert stores.timers.due(first - timedelta(microseconds=1), limit=5) == []
    assert stores.timers.due(first, limit=5) == [timer]


def test_what_is_due_within_five_minutes_is_rung_for_by_who_sets_it(stores: Stores) -> None:
    stores.workflows.create(a_creation(a_group(limits=Limits(queue=timedelta(minutes=4)))))
    change(stores, status=TaskStatus.SCHEDULING, scheduling_since=NOON)

    assert stores.timers.due(NOON + timedelta(minutes=4, seconds=59), limit=5) == []
    [timer] = stores.timers.due(NOON + timedelta(minutes=5), limit=5)
    assert timer.due_at == NOON + timedelta(minutes=4)


def test_a_commit_that_leaves_the_deadline_leaves_the_timer_with_its_rings(stores: Stores) -> None:
    timer = in_the_queue(stores)
    later = NOON + 2 * HOUR
    assert stores.timers.move(timer, next_ring_at=later, rings=3)

    change(stores, at=NOON + HOUR, message="something else")

    assert stores.timers.due(DAY, limit=5) == [replace(timer, next_ring_at=later, rings=3)]


def test_a_commit_that_changes_the_deadline_sets_the_timer_anew(stores: Stores) -> None:
    timer = in_the_queue(stores)
    stores.timers.move(timer, next_ring_at=NOON + 2 * HOUR, rings=3)

    at = NOON + timedelta(minutes=30)
    change(stores, at=at, status=TaskStatus.RUNNING, running_since=at)

    [new] = stores.timers.due(DAY, limit=5)
    assert (new.due_at, new.rings) == (at + 2 * HOUR, 0)
    assert new.next_ring_at == new.due_at - timedelta(minutes=5)


def test_a_commit_that_ends_the_group_takes_its_timer_away(stores: Stores) -> None:
    in_the_queue(stores)

    change(stores, status=TaskStatus.COMPLETED, ended_at=NOON)

    assert stores.timers.due(DAY, limit=5) == []


def test_of_two_sweeps_at_once_one_moves_the_timer(stores: Stores) -> None:
    timer = in_the_queue(stores)
    later = NOON + 2 * HOUR

    assert stores.timers.move(timer, next_ring_at=later, rings=1)
    assert not stores.timers.move(timer, next_ring_at=later + HOUR, rings=1)
    assert stores.timers.due(DAY, limit=5) == [replace(timer, next_ring_at=later, rings=1)]


def test_an_old_timer_moves_no_new_one_and_makes_none(stores: Stores) -> None:
    """[the old ring decides the new timer early]"""
    timer = in_the_queue(stores)
    change(stores, status=TaskStatus.RUNNING, running_since=NOON)
    [new] = stores.timers.due(DAY, limit=5)

    assert not stores.timers.move(timer, next_ring_at=DAY, rings=1)
    assert stores.timers.due(DAY, limit=5) == [new]
    change(stores, status=TaskStatus.COMPLETED)
    assert not stores.timers.move(new, next_ring_at=DAY, rings=1)
    assert stores.timers.due(DAY, limit=5) == []


def test_moving_a_timer_is_no_change_of_its_group(stores: Stores) -> None:
    """A decision that was read before it holds."""
    timer = in_the_queue(stores)
    before = stored(stores)

    stores.timers.move(timer, next_ring_at=NOON + 2 * HOUR, rings=1)

    assert stored(stores) == before
    running = replace(before.value, status=TaskStatus.COMPLETED)
    stores.workflows.commit(a_commit(groups=(a_change(before, running),)))
    assert stores.timers.due(DAY, limit=5) == []


def test_in_an_overload_those_come_first_that_wait_longest(stores: Stores) -> None:
    ids = [GroupId(f"0{number:031x}") for number in range(12)]
    stores.workflows.create(a_creation(*(a_group(id=id, limits=LIMITS) for id in ids)))
    for minute, id in enumerate(reversed(ids)):
        since = NOON + timedelta(minutes=minute)
        change(stores, group=id, status=TaskStatus.SCHEDULING, scheduling_since=since)

    found = stores.timers.due(DAY, limit=5)

    assert [timer.group for timer in found] == list(reversed(ids))[:5]
