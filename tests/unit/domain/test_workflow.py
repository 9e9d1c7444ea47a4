"""What the groups of a workflow amount to."""

from datetime import timedelta

import pytest

from tests.builders import NOON, a_workflow
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.workflow import group_moved

LATER = NOON + timedelta(minutes=1)


def test_a_workflow_runs_from_its_first_running_group_on() -> None:
    running = group_moved(a_workflow(live=2), TaskStatus.RUNNING, NOON)
    same = group_moved(running, TaskStatus.RUNNING, LATER)

    assert (running.status, running.started_at) == (WorkflowStatus.RUNNING, NOON)
    assert same is running


def test_a_workflow_ends_with_its_last_group() -> None:
    half = group_moved(a_workflow(live=2), TaskStatus.COMPLETED, NOON)
    done = group_moved(half, TaskStatus.COMPLETED, LATER)

    assert (half.status, half.live) == (WorkflowStatus.PENDING, 1)
    assert (done.status, done.ended_at) == (WorkflowStatus.COMPLETED, LATER)


def test_what_has_ended_stays_as_it_ended() -> None:
    done = group_moved(a_workflow(live=1), TaskStatus.COMPLETED, NOON)

    assert group_moved(done, TaskStatus.FAILED, LATER) is done


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
        (["FAILED_SERVER_ERROR", "FAILED_CANCELED"], "FAILED_CANCELED"),
    ],
)
def test_the_verdict_over_a_workflow_is_osmos(ends: list[str], status: str) -> None:
    workflow = a_workflow(live=len(ends))
    for end in ends:
        workflow = group_moved(workflow, TaskStatus(end), NOON)

    assert workflow.status == status
