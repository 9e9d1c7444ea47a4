import pytest

from xylem.domain.status import TaskStatus, WorkflowStatus

WAY = [
    TaskStatus.WAITING,
    TaskStatus.PROCESSING,
    TaskStatus.SCHEDULING,
    TaskStatus.INITIALIZING,
    TaskStatus.RUNNING,
]
ENDS = [status for status in TaskStatus if status not in WAY]


def test_a_task_goes_up_in_rank_and_every_end_is_the_highest() -> None:
    assert [status.rank for status in WAY] == [0, 1, 2, 3, 4]
    assert {status.rank for status in ENDS} == {5}
    assert [status for status in TaskStatus if status.final] == ENDS


def test_a_cluster_may_hold_objects_of_whatever_is_not_waiting() -> None:
    assert [status for status in TaskStatus if not status.handed_over] == [TaskStatus.WAITING]


def test_who_has_not_failed_is_on_the_way_or_complete_or_tried_again() -> None:
    fine = [*WAY, TaskStatus.COMPLETED, TaskStatus.RESCHEDULED]

    assert [status for status in TaskStatus if not status.failed] == fine


@pytest.mark.parametrize("status", WorkflowStatus)
def test_a_workflow_ends_unless_it_is_pending_or_running(status: WorkflowStatus) -> None:
    assert status.final is (status not in (WorkflowStatus.PENDING, WorkflowStatus.RUNNING))
    assert status.failed is (status.final and status is not WorkflowStatus.COMPLETED)
