"""What follows from a group's state alone: what it awaits, what can be started, and what its tasks
have from it."""

from datetime import timedelta

import pytest

from tests.builders import NOON, a_group, a_task
from xylem.domain.group import (
    Group,
    Order,
    Pending,
    TaskRange,
    bare,
    dressed,
    to_make,
    to_start,
    within,
)
from xylem.domain.ids import TaskName
from xylem.domain.status import TaskStatus

WAITING, PROCESSING, RUNNING = TaskStatus.WAITING, TaskStatus.PROCESSING, TaskStatus.RUNNING


def a_row(ordinal: int, kind: Order) -> Pending:
    return Pending(0, ordinal, kind, 0, NOON)


def a_processing_group(
    *tasks: TaskStatus, placed: int = 0, status: TaskStatus = PROCESSING
) -> Group:
    names = ("lead", "side", "other")
    made = (a_task(name, one, ordinal=placed) for name, one in zip(names, tasks, strict=False))
    return a_group(tasks=tuple(made), status=status, processing_at=NOON, placed=placed)


def test_a_group_awaits_the_row_of_that_number_if_it_is_of_that_kind() -> None:
    create, observe = a_row(1, "create"), a_row(3, "observe")
    group = a_group(pending=(create, observe))

    assert (group.awaits(1), group.awaits(3)) == (create, observe)
    assert (group.awaits(1, "create"), group.awaits(3, "observe")) == (create, observe)
    assert group.awaits(2) is None
    assert group.awaits(3, "create") is None


def test_a_task_is_found_by_its_name() -> None:
    group = a_processing_group(PROCESSING, PROCESSING)

    assert group.task(TaskName("side")) is group.tasks[1]
    assert group.task(TaskName("nobody")) is None


def test_attempts_that_no_cluster_was_given_can_be_started() -> None:
    group = a_processing_group(PROCESSING, RUNNING, PROCESSING)

    assert to_make(group) == [group.tasks[0], group.tasks[2]]
    assert to_start(group)


@pytest.mark.parametrize(
    "group",
    [
        a_processing_group(PROCESSING, placed=1),
        a_processing_group(RUNNING),
        a_processing_group(WAITING),
        a_processing_group(TaskStatus.COMPLETED),
    ],
    ids=["handed over", "running", "waiting", "over"],
)
def test_nothing_else_can_be_started(group: Group) -> None:
    assert to_make(group) == []
    assert not to_start(group)


def test_what_is_over_starts_nothing_though_a_task_of_it_is_not_written_yet() -> None:
    assert not to_start(a_processing_group(PROCESSING, status=TaskStatus.FAILED_CANCELED))


def test_a_task_without_anything_of_its_own_has_what_its_group_has() -> None:
    group = a_processing_group(WAITING, RUNNING, placed=3)
    waiting, running = group.tasks

    found = dressed(group, waiting)

    assert (found.status, found.processing_at, found.ordinal) == (PROCESSING, NOON, 3)
    assert dressed(group, running) is running
    assert dressed(a_group(), waiting) is waiting, "that one was not started"


def test_a_row_says_only_what_does_not_follow_from_the_group() -> None:
    group = a_processing_group(WAITING, RUNNING, placed=3)
    waiting, running = group.tasks
    plain = dressed(group, waiting)
    later = a_task("lead", PROCESSING, ordinal=3, processing_at=NOON + timedelta(minutes=1))

    assert bare(group, plain) == a_task("lead")
    assert bare(group, running) is running
    assert bare(group, later) is later


@pytest.mark.parametrize(
    ("part", "inside"),
    [
        (None, True),
        (("lead", "lead"), True),
        (("a", "lead"), True),
        (("lead", "z"), True),
        (("a", "k"), False),
        (("m", "z"), False),
    ],
)
def test_both_bounds_of_a_part_are_in_it(part: TaskRange | None, inside: bool) -> None:
    assert within(a_task("lead"), part) is inside


def test_of_a_group_that_was_not_started_a_row_leaves_nothing_out() -> None:
    task = a_task(status=TaskStatus.PROCESSING)

    assert task.processing_at is None
    assert bare(a_group(), task) is task
