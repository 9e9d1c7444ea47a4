"""What a cluster said, as lines that OSMO's clients can read."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from tests.builders import HELLO, NOON, UNSCHEDULABLE, a_creation, a_group, a_task_detail
from tests.builders import a_task as a_known_task
from xylem.domain.detail import Condition, Container, Detail, PodWarning, TaskDetail
from xylem.domain.errors import UnknownTask, UnknownWorkflow
from xylem.domain.status import TaskStatus
from xylem.memory.store import MemoryStore
from xylem.usecases import events

SECOND = timedelta(seconds=1)
NO_MEMORY = Container("lead", "terminated", "OOMKilled", "", 137, 2, NOON, NOON + 9 * SECOND)


def lines(*told: TaskDetail, task: str | None = None, retry: int | None = None) -> Sequence[str]:
    """Of a workflow with the tasks `lead`, tried again once, and `other`."""
    rows = MemoryStore()
    lead = replace(a_known_task(lead=True, status=TaskStatus.SCHEDULING, ordinal=2), retry=1)
    rows.workflows.create(a_creation(a_group(tasks=(lead, a_known_task("other")))))
    rows.workflows.keep_details(HELLO, told)
    return events.text(HELLO, task=task, retry=retry, workflows=rows.workflows)


def test_conditions_and_warnings_are_lines_as_osmo_writes_them() -> None:
    warning = PodWarning("FailedScheduling", "no room", 7, NOON + 5 * SECOND)
    told = a_task_detail(retry=1, detail=Detail((), (UNSCHEDULABLE,), (warning,)))

    assert lines(told) == [
        "2026-06-01 12:00:00+00:00 [lead retry-1] PodScheduled: False, Reason: Unschedulable, "
        "Message: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        "2026-06-01 12:00:05+00:00 [lead retry-1] FailedScheduling: no room (7 times)",
    ]


def test_a_container_is_a_line_with_its_code_and_its_restarts() -> None:
    assert lines(a_task_detail(detail=Detail(containers=(NO_MEMORY,)))) == [
        "2026-06-01 12:00:09+00:00 [lead] Container lead: terminated, Reason: OOMKilled, "
        "Exit code: 137, Restarts: 2"
    ]


def test_what_has_no_moment_has_that_at_which_it_was_told() -> None:
    waiting = Container("lead", "waiting", "CreateContainerConfigError", "no secret")
    told = a_task_detail(told_at=NOON + SECOND, detail=Detail(containers=(waiting,)))

    [line] = lines(told)

    assert line.startswith("2026-06-01 12:00:01+00:00 [lead] Container lead: waiting, Reason: ")


def test_lines_are_by_time_over_all_tasks_whatever_their_clocks_zone() -> None:
    east = timezone(timedelta(hours=9))
    first = Condition("Odd", "True", since=(NOON - SECOND).astimezone(east))
    told = (
        a_task_detail("other"),
        a_task_detail("lead", detail=Detail(conditions=(first,))),
    )

    assert [line[:32] for line in lines(*told)] == [
        "2026-06-01 11:59:59+00:00 [lead]",
        "2026-06-01 12:00:00+00:00 [other",
    ]


def test_the_newest_lines_are_given_where_there_are_too_many() -> None:
    warnings = tuple(
        PodWarning(f"Reason{number}", at=NOON + number * SECOND) for number in range(6_000)
    )
    found = lines(a_task_detail(detail=Detail(warnings=warnings)))

    assert len(found) == events.MOST_LINES
    assert found[-1].endswith("Reason5999: ")


@pytest.mark.parametrize(
    ("task", "retry", "said"),
    [
        (None, None, ["lead", "lead retry-1", "other"]),
        (None, 0, ["lead", "lead retry-1", "other"]),
        ("", None, ["lead", "lead retry-1", "other"]),
        ("lead", None, ["lead retry-1"]),
        ("lead", 0, ["lead"]),
        ("lead", 7, []),
        ("other", None, ["other"]),
    ],
)
def test_of_a_task_the_newest_attempt_is_meant_unless_one_is_named(
    task: str | None, retry: int | None, said: list[str]
) -> None:
    told = [a_task_detail(), a_task_detail(retry=1), a_task_detail("other")]

    found = lines(*told, task=task, retry=retry)

    assert [line.split("[")[1].split("]")[0] for line in found] == said


def test_what_is_unknown_is_said_to_be() -> None:
    with pytest.raises(UnknownTask):
        lines(task="nobody")
    with pytest.raises(UnknownWorkflow):
        events.text("nobody-1", workflows=MemoryStore().workflows)
    assert lines() == []
