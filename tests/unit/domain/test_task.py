"""An attempt, as far as its pod tells of it."""

from datetime import timedelta
from typing import Any

import pytest

from tests.builders import NOON, a_task
from xylem.domain.ids import TaskName
from xylem.domain.status import TaskStatus
from xylem.domain.task import PodSeen, Task, end, observe

LATER = NOON + timedelta(minutes=5)
STARTED = a_task(status=TaskStatus.PROCESSING)
SCHEDULING, INITIALIZING, RUNNING, COMPLETED, FAILED = (
    TaskStatus.SCHEDULING,
    TaskStatus.INITIALIZING,
    TaskStatus.RUNNING,
    TaskStatus.COMPLETED,
    TaskStatus.FAILED,
)


def seen(status: TaskStatus, **fields: Any) -> PodSeen:
    return PodSeen(
        **{"incarnation": 0, "task": TaskName("lead"), "retry": 0, **fields}, status=status
    )


def times(task: Task) -> tuple[Any, ...]:
    return task.scheduling_at, task.initializing_at, task.started_at, task.ended_at


@pytest.mark.parametrize(
    ("was", "told"),
    [
        (RUNNING, INITIALIZING),
        (RUNNING, RUNNING),
        (COMPLETED, FAILED),
        (FAILED, COMPLETED),
        (COMPLETED, RUNNING),
        (TaskStatus.RESCHEDULED, FAILED),
    ],
)
def test_what_is_no_news_leaves_the_attempt_as_it_is(was: TaskStatus, told: TaskStatus) -> None:
    task = a_task(status=was)

    assert observe(task, seen(told, message="late"), LATER) is task


def test_the_times_of_an_attempt_are_its_pods_own() -> None:
    told = [NOON + timedelta(seconds=second) for second in range(4)]
    names = ("scheduled_at", "initializing_at", "started_at", "ended_at")

    task = observe(STARTED, seen(COMPLETED, **dict(zip(names, told, strict=True))), LATER)

    assert times(task) == tuple(told)
    assert task.received_at == LATER


def test_a_time_that_was_not_told_is_that_of_its_receipt() -> None:
    queued = observe(STARTED, seen(SCHEDULING), NOON)
    pulling = observe(queued, seen(INITIALIZING), NOON + timedelta(minutes=1))
    running = observe(pulling, seen(RUNNING), NOON + timedelta(minutes=2))
    ended = observe(running, seen(COMPLETED, exit_code=0), LATER)

    assert times(queued) == (NOON, None, None, None)
    assert times(pulling) == (NOON, pulling.received_at, None, None)
    assert times(running) == (NOON, pulling.received_at, running.received_at, None)
    assert times(ended) == (NOON, pulling.received_at, running.received_at, LATER)


def test_what_was_never_seen_has_no_time() -> None:
    assert times(observe(STARTED, seen(RUNNING), LATER)) == (LATER, None, LATER, None)
    assert times(observe(STARTED, seen(FAILED, exit_code=1), LATER)) == (LATER, None, None, LATER)


def test_a_time_that_is_known_is_not_told_anew() -> None:
    known: dict[str, Any] = {"scheduling_at": NOON, "initializing_at": NOON, "started_at": NOON}
    told = {"scheduled_at": LATER, "initializing_at": LATER, "started_at": LATER}

    task = observe(a_task(status=SCHEDULING, **known), seen(RUNNING, **told), LATER)

    assert times(task) == (NOON, NOON, NOON, None)


def test_where_an_attempt_is_stays_known_and_may_be_told_later() -> None:
    first = observe(STARTED, seen(SCHEDULING, uid="pod-1"), NOON)
    placed = observe(first, seen(INITIALIZING, node="node-1", pod_ip="10.0.0.1"), NOON)
    moved = observe(placed, seen(RUNNING, uid="pod-2", node="node-2", pod_ip="10.0.0.2"), NOON)

    assert (first.uid, first.node, first.pod_ip) == ("pod-1", None, None)
    assert (placed.uid, placed.node, placed.pod_ip) == ("pod-1", "node-1", "10.0.0.1")
    assert (moved.uid, moved.node, moved.pod_ip) == ("pod-2", "node-2", "10.0.0.2")


def test_only_an_end_has_an_exit_code() -> None:
    assert observe(STARTED, seen(RUNNING, exit_code=0, ended_at=NOON), NOON).exit_code is None
    assert observe(STARTED, seen(RUNNING, exit_code=0, ended_at=NOON), NOON).ended_at is None
    assert observe(STARTED, seen(FAILED, exit_code=7), NOON).exit_code == 7


def test_an_attempt_that_ends_by_decision_says_why() -> None:
    task = end(a_task(status=RUNNING), FAILED, "Lead task failed.", LATER, 3000)

    assert (task.status, task.message, task.exit_code) == (FAILED, "Lead task failed.", 3000)
    assert (task.ended_at, task.received_at) == (LATER, LATER)


def test_what_has_ended_does_not_end_again() -> None:
    task = a_task(status=COMPLETED)

    assert end(task, FAILED, "late", LATER) is task


def test_an_attempt_that_was_not_started_has_no_pod_to_be_seen() -> None:
    task = a_task()

    assert observe(task, seen(RUNNING), NOON) is task
