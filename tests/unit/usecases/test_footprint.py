"""What a commit amounts to in rows."""

from dataclasses import replace

import pytest

from tests.builders import BACKEND, a_commit, a_creation, a_group, a_job, a_mail, a_task, a_workflow
from xylem.domain.errors import TooLarge
from xylem.domain.ids import JobId
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.workflow import Counts, Workflow
from xylem.ports.stored import Change
from xylem.usecases import footprint
from xylem.usecases.room import require_room

AUDIT = 1


def moved(**fields: object) -> Change[Workflow]:
    before = a_workflow()
    return Change(1, before, replace(before, **fields))  # type: ignore[arg-type]


def test_lists_are_written_only_when_they_would_show_something_else() -> None:
    counted = a_commit(workflow_change=moved(counts=Counts(0)))
    started = a_commit(workflow_change=moved(status=WorkflowStatus.RUNNING))

    assert footprint.actions(counted) == 1 + AUDIT
    assert footprint.actions(started) == 1 + 3 + AUDIT


def test_of_a_gang_only_the_attempts_that_moved_are_written() -> None:
    tasks = tuple(a_task(f"t{number}") for number in range(5))
    before = a_group(tasks=tasks)
    running = replace(tasks[3], status=TaskStatus.RUNNING)
    after = replace(before, tasks=(*tasks[:3], running, tasks[4]))
    commit = a_commit(groups=(Change(1, before, after),))

    assert footprint.changed_tasks(commit.groups[0]) == [(3, tasks[3], running)]
    assert footprint.actions(commit) == 2 + AUDIT


def test_an_attempt_that_is_new_was_nothing_before() -> None:
    before = a_group()
    again = replace(before.tasks[0], retry=1)
    change = Change(1, before, replace(before, tasks=(again,)))

    assert footprint.changed_tasks(change) == [(0, None, again)]


def test_an_order_that_is_taken_back_is_no_action_at_all() -> None:
    mail, other = a_mail(1), a_mail(2)
    commit = a_commit(
        mail=(mail, other), mail_dropped=((BACKEND, mail.id), (BACKEND, a_mail(3).id))
    )

    assert footprint.mail_to_write(commit) == [other]
    assert footprint.mail_to_drop(commit) == [(BACKEND, a_mail(3).id)]
    assert footprint.actions(commit) == 2 + AUDIT


def test_what_is_answered_and_dropped_goes_once_and_on_condition() -> None:
    gone = ((BACKEND, a_mail(1).id),)
    commit = a_commit(mail_done=gone, mail_dropped=gone)

    assert footprint.actions(commit) == 1 + AUDIT


def test_jobs_count_whether_they_come_or_go() -> None:
    commit = a_commit(jobs=(a_job(),), jobs_done=(JobId("job-0"),))

    assert footprint.actions(commit) == 2 + AUDIT


def test_a_creation_counts_its_number_its_names_its_lists_and_its_rows() -> None:
    creation = a_creation(a_group(tasks=(a_task("a"), a_task("b"))), jobs=(a_job(),))

    assert footprint.creation_actions(creation) == 3 + 3 + 3 + 1 + AUDIT
    assert footprint.creation_actions(replace(creation, idempotency="key")) == 12


def test_a_hundred_fit_and_one_more_does_not() -> None:
    require_room(100, of="hello-1")

    with pytest.raises(TooLarge, match="101 rows change at once; one transaction holds 100"):
        require_room(101, of="hello-1")
