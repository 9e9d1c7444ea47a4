"""What is kept of a commit: enough to rebuild the rows, and no secret."""

from dataclasses import replace
from datetime import timedelta

from tests.builders import (
    BACKEND,
    GROUP,
    NOON,
    a_commit,
    a_creation,
    a_group,
    a_job,
    a_mail,
    a_task,
    a_workflow,
)
from xylem.domain.ids import JobId
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.memory.store import MemoryStore
from xylem.ports.stored import Change
from xylem.usecases import audit
from xylem.usecases.audit import Difference


def test_a_change_is_kept_as_the_fields_that_differ_with_their_version() -> None:
    before = a_group(tasks=(a_task("lead"), a_task("side")))
    lead = replace(before.tasks[0], status=TaskStatus.RUNNING, started_at=NOON)
    after = replace(before, status=TaskStatus.RUNNING, tasks=(lead, before.tasks[1]))

    kept = audit.of_commit(a_commit(groups=(Change(4, before, after),)))

    assert kept.differences == (
        Difference(
            f"group/{GROUP}",
            {"status": "WAITING", "version": 4},
            {"status": "RUNNING", "version": 5},
        ),
        Difference(
            f"task/{GROUP}/lead/0",
            {"status": "WAITING", "started_at": None},
            {"status": "RUNNING", "started_at": "2026-06-01T12:00:00+00:00"},
        ),
    )
    assert (kept.entity, kept.version, kept.cause, kept.at) == (
        f"group/{GROUP}",
        5,
        "a test",
        NOON,
    )


def test_what_came_and_what_went_has_one_side() -> None:
    commit = a_commit(
        jobs=(a_job(),), jobs_done=(JobId("old"),), mail_dropped=((BACKEND, a_mail(2).id),)
    )

    came, went, dropped = audit.of_commit(commit).differences

    assert (came.row, came.before) == ("job/job-1", None)
    assert (went.row, went.before, went.after) == ("job/old", {}, None)
    assert (dropped.row, dropped.after) == (f"mail/{a_mail(2).id}", None)


def test_what_an_order_carries_is_not_kept() -> None:
    secret = a_mail(payload=b"a task's token")

    assert "token" not in audit.of_commit(a_commit(mail=(secret,))).dump_differences()


def test_differences_are_the_same_after_they_were_written_down() -> None:
    before = a_workflow(labels={"team": "übersee"})
    after = replace(before, status=WorkflowStatus.RUNNING, started_at=NOON + timedelta(seconds=1))
    kept = audit.of_commit(a_commit(workflow_change=Change(1, before, after), jobs=(a_job(),)))

    assert audit.load_differences(kept.dump_differences()) == kept.differences


def test_no_two_commits_have_one_name() -> None:
    store = MemoryStore()
    store.create(a_creation(jobs=(a_job("one"), a_job("two"))))
    found = store.workflows.group(a_workflow().id, GROUP)
    assert found is not None
    for message in ("a", "b"):
        found = store.workflows.group(a_workflow().id, GROUP)
        assert found is not None
        change = Change(found.version, found.value, replace(found.value, message=message))
        store.commit(a_commit(groups=(change,)))
    store.commit(a_commit(jobs_done=(JobId("one"),)))
    store.commit(a_commit(jobs_done=(JobId("two"),)))
    store.commit(a_commit(mail=(a_mail(),)))
    store.commit(a_commit(mail_done=((BACKEND, a_mail().id),)))

    names = [(kept.version, kept.entity) for kept in store.audit]

    assert len(set(names)) == len(names), names


def test_replayed_differences_rebuild_the_fields_of_every_row() -> None:
    store = MemoryStore()
    store.create(a_creation())
    for status in (TaskStatus.PROCESSING, TaskStatus.RUNNING):
        found = store.workflows.group(a_workflow().id, GROUP)
        assert found is not None
        task = replace(found.value.tasks[0], status=status)
        after = replace(found.value, status=status, tasks=(task,))
        store.commit(a_commit(groups=(Change(found.version, found.value, after),)))

    rows: dict[str, dict[str, object]] = {}
    for kept in store.audit:
        for one in kept.differences:
            row = rows.setdefault(one.row, {})
            for name, value in (one.before or {}).items():
                assert row.get(name) == value or not (row.get(name) or value), (one, name)
            row.update(one.after or {})

    assert rows[f"group/{GROUP}"]["status"] == rows[f"task/{GROUP}/lead/0"]["status"] == "RUNNING"
    assert rows[f"group/{GROUP}"]["version"] == 3
