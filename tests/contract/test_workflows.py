"""What every `Workflows` and `Jobs` promises."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.builders import (
    BACKEND,
    GROUP,
    HELLO,
    NOON,
    UNSCHEDULABLE,
    a_change,
    a_commit,
    a_creation,
    a_group,
    a_job,
    a_mail,
    a_task,
    a_task_detail,
    a_workflow,
)
from tests.contract.conftest import Stores
from xylem.domain.app import AppUse
from xylem.domain.detail import Container, Detail, PodWarning
from xylem.domain.errors import Conflict, TooLarge, UnknownWorkflow
from xylem.domain.exits import ExitRule
from xylem.domain.group import (
    Cleanup,
    Ending,
    Group,
    HandedOver,
    Pending,
    Settling,
    UpstreamCompleted,
)
from xylem.domain.ids import (
    BackendName,
    GroupId,
    JobId,
    TaskName,
    UserName,
    WorkflowId,
    WorkflowUuid,
)
from xylem.domain.label_filter import label_selector
from xylem.domain.plan import Limits
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.transitions import decide
from xylem.domain.workflow import Amount, Cancel, Counts, Sweeping
from xylem.ports.jobs import PARK_AFTER, MergeLog, RemoveWorkflow, SettleGroup, SweepWorkflow, Work
from xylem.ports.listing import Filter, Part, Scope
from xylem.ports.stored import Change, Stored
from xylem.ports.workflows import Creation, Laying, Reservation
from xylem.usecases import footprint, listing

LATER = NOON + timedelta(seconds=90)


def stored(stores: Stores) -> Stored[Group]:
    found = stores.workflows.group(HELLO, GROUP)
    assert found is not None
    return found


def test_what_is_created_can_be_read_again(stores: Stores) -> None:
    group = a_group(
        tasks=(a_task("lead", lead=True), a_task("übung")),
        waits_for=2,
        downstream=(GroupId("0" + "b" * 31),),
    )
    workflow = a_workflow(labels={"team": "übersee"}, templated=True)
    stores.workflows.create(a_creation(group, workflow=workflow))

    assert stores.workflows.workflow(HELLO) == Stored(workflow, 1)
    assert stores.workflows.group(HELLO, GROUP) == Stored(group, 1)
    assert stores.workflows.groups(HELLO) == [Stored(group, 1)]
    assert stores.workflows.resolve("e" * 32) == stores.workflows.resolve(HELLO) == HELLO


def test_what_is_live_on_a_backend_is_found_from_its_first_news_to_its_end(stores: Stores) -> None:
    running = a_task(status=TaskStatus.RUNNING, ordinal=1, node="node-1", started_at=NOON)
    waiting = a_task("side")
    stores.workflows.create(a_creation(a_group(tasks=(a_task(), waiting))))
    assert stores.workflows.live_on(BACKEND, limit=5) == []

    told = replace(stored(stores).value, tasks=(running, waiting), placed=1, ordinal=1)
    stores.workflows.commit(a_commit(groups=(a_change(stored(stores), told),)))

    assert stores.workflows.live_on(BACKEND, limit=5) == [HELLO]
    assert stores.workflows.live_on(BackendName("another"), limit=5) == []
    ended = replace(told, tasks=(replace(running, status=TaskStatus.COMPLETED), waiting))
    stores.workflows.commit(a_commit(groups=(a_change(stored(stores), ended),)))
    assert stores.workflows.live_on(BACKEND, limit=5) == []


def test_a_refused_submission_can_be_read_with_its_reason(stores: Stores) -> None:
    refused = a_workflow(
        status=WorkflowStatus.FAILED_SUBMISSION, refusal="übel", counts=Counts(0), ended_at=NOON
    )
    stores.workflows.create(replace(a_creation(workflow=refused), groups=()))

    assert stores.workflows.workflow(HELLO) == Stored(refused, 1)
    assert stores.workflows.groups(HELLO) == []


def test_groups_come_in_the_order_of_the_spec(stores: Stores) -> None:
    ids = [GroupId(f"0{digit}" + "c" * 30) for digit in "f0a"]
    groups = [a_group(id=id, name=f"g-{id}") for id in ids]
    stores.workflows.create(a_creation(*groups))

    assert [found.value.id for found in stores.workflows.groups(HELLO)] == ids


def test_what_does_not_exist_is_said_not_to(stores: Stores) -> None:
    with pytest.raises(UnknownWorkflow):
        stores.workflows.workflow(HELLO)
    with pytest.raises(UnknownWorkflow):
        stores.workflows.resolve("nobody-1")
    assert stores.workflows.group(HELLO, GROUP) is None


def test_a_commit_changes_groups_tasks_workflow_jobs_and_mail_together(stores: Stores) -> None:
    stores.workflows.create(a_creation(jobs=(a_job(),)))
    before = stored(stores)
    after = replace(
        before.value,
        status=TaskStatus.RUNNING,
        tasks=(a_task("lead", TaskStatus.RUNNING, lead=True, ordinal=1, started_at=LATER),),
        ordinal=1,
        pending=(Pending(0, 1, "create", 0, LATER),),
        cleanup=Cleanup.ASKED,
        started_at=LATER,
    )
    moved = a_workflow(status=WorkflowStatus.RUNNING, started_at=LATER)
    stores.workflows.commit(
        a_commit(
            workflow_change=Change(1, a_workflow(), moved),
            groups=(a_change(before, after),),
            jobs=(a_job("job-2"),),
            jobs_done=(JobId("job-1"),),
            mail=(a_mail(),),
        )
    )

    assert stored(stores) == Stored(after, 2)
    assert stores.workflows.workflow(HELLO) == Stored(moved, 2)
    assert stores.jobs.load(JobId("job-1")) is None
    assert stores.jobs.load(JobId("job-2")) == a_job("job-2")
    assert stores.backends.mailbox(BACKEND) == [a_mail()]
    [entry] = listing.every(Filter(), stores.workflows)
    assert entry.status is WorkflowStatus.RUNNING


def test_the_second_of_two_writers_is_told_and_changes_nothing(stores: Stores) -> None:
    stores.workflows.create(a_creation())
    before = stored(stores)
    running = replace(before.value, status=TaskStatus.RUNNING)
    stores.workflows.commit(a_commit(groups=(a_change(before, running),)))

    with pytest.raises(Conflict):
        stores.workflows.commit(
            a_commit(
                groups=(a_change(before, replace(before.value, message="late")),),
                jobs=(a_job(),),
                mail=(a_mail(),),
            )
        )
    assert stored(stores) == Stored(running, 2)
    assert stores.jobs.load(JobId("job-1")) is None
    assert stores.backends.mailbox(BACKEND) == []


@pytest.mark.parametrize("missing", ["job", "mail"])
def test_a_result_of_what_is_gone_changes_nothing(stores: Stores, missing: str) -> None:
    stores.workflows.create(a_creation())
    before = stored(stores)
    change = a_change(before, replace(before.value, message="changed"))
    done = (
        {"jobs_done": (JobId("gone"),)}
        if missing == "job"
        else {"mail_done": ((BACKEND, a_mail().id),)}
    )
    with pytest.raises(Conflict):
        stores.workflows.commit(a_commit(groups=(change,), **done))
    assert stored(stores) == before


def test_mail_is_dropped_whether_or_not_it_is_there(stores: Stores) -> None:
    stores.workflows.create(a_creation())
    before = stored(stores)
    stores.workflows.commit(
        a_commit(groups=(a_change(before, replace(before.value, ordinal=1)),), mail=(a_mail(),))
    )
    for number in (1, 2):
        now = stored(stores)
        change = a_change(now, replace(now.value, ordinal=number + 1))
        stores.workflows.commit(a_commit(groups=(change,), mail_dropped=((BACKEND, a_mail().id),)))
    assert stores.backends.mailbox(BACKEND) == []


def test_a_commit_of_more_than_a_hundred_actions_is_refused_and_changes_nothing(
    stores: Stores,
) -> None:
    stores.workflows.create(a_creation())
    before = stored(stores)
    jobs = tuple(a_job(f"job-{number}") for number in range(100))

    with pytest.raises(TooLarge):
        stores.workflows.commit(
            a_commit(groups=(a_change(before, replace(before.value, message="x")),), jobs=jobs)
        )
    assert stored(stores) == before


def test_two_submissions_of_one_name_get_two_numbers(stores: Stores) -> None:
    assert stores.workflows.next_number("hello") == 1
    stores.workflows.create(a_creation())

    assert stores.workflows.next_number("hello") == 2
    other = a_workflow(uuid=WorkflowUuid("f" * 32))
    with pytest.raises(Conflict):
        stores.workflows.create(a_creation(workflow=other))
    assert stores.workflows.workflow(HELLO).value.uuid == "e" * 32


def test_the_same_key_makes_one_workflow_within_a_day_and_another_later(stores: Stores) -> None:
    def create(number: int, hours: int, user: str = "alice") -> WorkflowId:
        id = WorkflowId(f"hello-{number}")
        at = NOON + timedelta(hours=hours)
        group = a_group(id=GroupId(f"0{number}" + "a" * 30), workflow=id)
        workflow = a_workflow(
            id=id, uuid=WorkflowUuid(f"{number:032d}"), submitted_at=at, user=UserName(user)
        )
        return stores.workflows.create(
            a_creation(group, number=number, workflow=workflow, idempotency="key")
        )

    assert create(1, 0) == "hello-1"
    assert create(2, 23) == "hello-1"
    assert create(2, 0, user="bob") == "hello-2"
    assert create(3, 25) == "hello-3"


def test_lists_are_by_time_and_by_whose_they_are(stores: Stores) -> None:
    for number, user in enumerate(["alice", "bob", "alice"], start=1):
        id = WorkflowId(f"hello-{number}")
        workflow = a_workflow(
            id=id,
            uuid=WorkflowUuid(f"{number:032d}"),
            user=UserName(user),
            submitted_at=NOON + timedelta(minutes=number),
        )
        group = a_group(id=GroupId(f"0{number}" + "a" * 30), workflow=id)
        stores.workflows.create(a_creation(group, number=number, workflow=workflow))

    def names(newest_first: bool = True, **wanted: Any) -> list[str]:
        found = listing.every(Filter(**wanted), stores.workflows, newest_first=newest_first)
        return [entry.id for entry in found]

    two = NOON + timedelta(minutes=2)
    assert names() == ["hello-3", "hello-2", "hello-1"]
    assert names(newest_first=False) == ["hello-1", "hello-2", "hello-3"]
    assert names(users=["alice"]) == ["hello-3", "hello-1"]
    assert names(pools=["default"], after=two) == ["hello-3", "hello-2"]
    assert names(before=two) == ["hello-1"]


def test_a_list_holds_what_is_wanted_and_no_more(stores: Stores) -> None:
    for number in range(1, 5):
        id = WorkflowId(f"{'odd' if number % 2 else 'even'}-{number}")
        workflow = a_workflow(
            id=id,
            name=id.partition("-")[0],
            uuid=WorkflowUuid(f"{number:032d}"),
            submitted_at=NOON + timedelta(minutes=number),
            status=WorkflowStatus.RUNNING if number < 3 else WorkflowStatus.COMPLETED,
            priority="LOW" if number == 2 else "NORMAL",
            labels={"team": f'x"{number}":', "n": "1"} if number < 3 else {"n": "2"},
            tags=("night", "ü") if number == 3 else (),
            app=AppUse("u", UserName("bob"), "train", number) if number > 2 else None,
        )
        group = a_group(id=GroupId(f"0{number}" + "a" * 30), workflow=id)
        stores.workflows.create(a_creation(group, number=(number + 1) // 2, workflow=workflow))

    def found(**wanted: Any) -> list[str]:
        return [entry.id for entry in listing.every(Filter(**wanted), stores.workflows)]

    assert found(statuses=[WorkflowStatus.RUNNING]) == ["even-2", "odd-1"]
    assert found(statuses=[WorkflowStatus.COMPLETED], name="odd") == ["odd-3"]
    assert found(priorities=["LOW", "HIGH"]) == ["even-2"]
    assert found(users=["nobody", "alice"], name="-4") == ["even-4"]
    assert found(labels=[label_selector('team=*"2"*')]) == ["even-2"]
    assert found(no_labels=["team"]) == ["even-4", "odd-3"]
    assert found(no_labels=["1", "x"]) == ["even-4", "odd-3", "even-2", "odd-1"]
    assert found(tags=["ü", "day"]) == ["odd-3"]
    assert (found(app=("train", 4)), found(app=("train", None))) == (
        ["even-4"],
        ["even-4", "odd-3"],
    )


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("scope", [Scope("all"), Scope("user", "alice")])
def test_parts_of_a_list_are_read_on_from_where_a_read_stopped(
    stores: Stores, scope: Scope, newest_first: bool
) -> None:
    for number in range(1, 8):
        id = WorkflowId(f"hello-{number}")
        at = NOON + timedelta(minutes=number)
        workflow = a_workflow(id=id, uuid=WorkflowUuid(f"{number:032d}"), submitted_at=at)
        group = a_group(id=GroupId(f"0{number}" + "a" * 30), workflow=id)
        stores.workflows.create(a_creation(group, number=number, workflow=workflow))

    found: list[str] = []
    for part in range(scope.parts):
        reached: str | None = None
        while True:
            asked = Part(scope, part, Filter(name="-"), newest_first, reached, rows=2)
            rows = stores.workflows.list_part(asked)
            assert len(rows.entries) <= 2
            found += [entry.id for entry in rows.entries]
            reached = rows.reached
            if reached is None:
                break

    assert sorted(found) == [f"hello-{number}" for number in range(1, 8)]
    if scope.parts == 1:
        assert found == sorted(found, reverse=newest_first)


def test_a_job_is_changed_only_by_who_knows_how_it_stands(stores: Stores) -> None:
    stores.workflows.create(a_creation(jobs=(a_job(),)))
    first = replace(a_job(), attempts=1, last_error="it rained", next_ring_at=LATER)

    assert stores.jobs.update(first, expected=a_job())
    assert not stores.jobs.update(replace(first, attempts=2), expected=a_job())
    assert stores.jobs.load(JobId("job-1")) == first
    assert not stores.jobs.update(a_job("gone"), expected=a_job("gone"))
    assert stores.jobs.load(JobId("gone")) is None, "a late write makes no half row"


def test_jobs_are_due_from_their_moment_on(stores: Stores) -> None:
    jobs = tuple(a_job(f"job-{number}") for number in range(5))
    stores.workflows.create(a_creation(jobs=jobs))

    assert stores.jobs.due(NOON, limit=10) == []
    assert {job.id for job in stores.jobs.due(LATER, limit=10)} == {job.id for job in jobs}
    assert stores.jobs.due(NOON + timedelta(seconds=15), limit=10), "its very moment counts"
    assert len(stores.jobs.due(LATER, limit=3)) == 3


def test_in_an_overload_those_come_first_that_wait_longest(stores: Stores) -> None:
    jobs = tuple(
        a_job(f"job-{number}", next_ring_at=NOON + timedelta(seconds=40 - number))
        for number in range(40)
    )
    stores.workflows.create(a_creation(jobs=jobs))

    found = stores.jobs.due(LATER, limit=20)

    assert [job.id for job in found] == [f"job-{number}" for number in range(39, 19, -1)]


def test_a_submission_that_is_said_twice_makes_one_workflow(stores: Stores) -> None:
    """Its answer was lost on the way, and whoever asked says it again."""
    stores.workflows.create(a_creation())

    with pytest.raises(Conflict):
        stores.workflows.create(a_creation(workflow=a_workflow(uuid=WorkflowUuid("f" * 32))))
    assert stores.workflows.next_number("hello") == 2


def test_an_order_that_its_own_commit_takes_back_is_never_written(stores: Stores) -> None:
    stores.workflows.create(a_creation())
    mail = a_mail()

    stores.workflows.commit(a_commit(mail=(mail,), mail_dropped=((BACKEND, mail.id),)))

    assert stores.backends.mailbox(BACKEND) == []


def test_a_new_attempt_takes_the_place_of_the_one_before(stores: Stores) -> None:
    stores.workflows.create(a_creation())
    before = stored(stores)
    again = replace(before.value, tasks=(a_task("lead", lead=True, retry=1),))

    stores.workflows.commit(a_commit(groups=(a_change(before, again),)))

    assert stored(stores) == Stored(again, 2)


def test_an_attempt_that_was_replaced_keeps_how_it_ended(stores: Stores) -> None:
    rules = (ExitRule("reschedule", ((3, 3), (7, 9))),)
    lead = a_task("lead", TaskStatus.RUNNING, lead=True, ordinal=1, exit_rules=rules)
    stores.workflows.create(a_creation(a_group(tasks=(lead, a_task("übung")), ordinal=1)))
    before = stored(stores)
    ended = replace(lead, status=TaskStatus.RESCHEDULED, exit_code=3, message="no luck")
    newer = a_task("lead", lead=True, retry=1, exit_rules=rules, asked_again=1, disruptions=2)
    after = replace(before.value, tasks=(newer, before.value.tasks[1]), restarts=1)

    stores.workflows.commit(
        a_commit(groups=(a_change(before, after),), replaced={GROUP: (ended,)}, owner=a_workflow())
    )

    assert stored(stores) == Stored(after, 2)
    assert stores.workflows.earlier_attempts(HELLO) == [(GROUP, ended)]


def test_of_many_attempts_all_but_the_newest_are_earlier_ones(stores: Stores) -> None:
    tasks = (a_task("a", lead=True), a_task("a-b"), a_task("b"))
    stores.workflows.create(a_creation(a_group(tasks=tasks)))
    for retry in (1, 2):
        before = stored(stores)
        ended = replace(before.value.tasks[0], status=TaskStatus.RESCHEDULED, exit_code=retry)
        newer = a_task("a", lead=True, retry=retry)
        after = replace(before.value, tasks=(newer, *before.value.tasks[1:]))
        change = a_commit(groups=(a_change(before, after),), replaced={GROUP: (ended,)})
        stores.workflows.commit(replace(change, owner=a_workflow()))

    found = stores.workflows.earlier_attempts(HELLO)

    assert sorted((task.name, task.retry, task.exit_code) for _, task in found) == [
        ("a", 0, 1),
        ("a", 1, 2),
    ]
    assert stores.workflows.earlier_attempts(WorkflowId("nobody-1")) == []


def test_a_group_is_created_with_its_timer(stores: Stores) -> None:
    limits = Limits(waiting=timedelta(hours=1))
    waiting = a_group(waits_for=1, waiting_since=NOON, limits=limits)
    stores.workflows.create(a_creation(waiting))

    [timer] = stores.timers.due(NOON + timedelta(minutes=55), limit=10)

    assert (timer.group, timer.due_at) == (GROUP, NOON + timedelta(hours=1))
    assert stored(stores) == Stored(waiting, 1)


def test_what_has_not_ended_is_counted_by_whose_it_is(stores: Stores) -> None:
    running = a_workflow(id=WorkflowId("hello-1"), uuid=WorkflowUuid("1" * 32))
    ended = a_workflow(id=WorkflowId("hello-2"), uuid=WorkflowUuid("2" * 32), ended_at=NOON)
    for number, workflow in enumerate((running, ended), start=1):
        stores.workflows.create(Creation(workflow, number, groups=(), jobs=()))

    assert stores.workflows.unfinished(Scope("user", running.user)) == 1
    assert stores.workflows.unfinished(Scope("pool", running.pool)) == 1
    assert stores.workflows.unfinished(Scope("all")) == 1
    assert stores.workflows.unfinished(Scope("user", "nobody")) == 0


def test_a_list_of_many_is_read_to_its_end(stores: Stores) -> None:
    for number in range(1, 61):
        at = NOON + timedelta(seconds=number)
        workflow = a_workflow(
            id=WorkflowId(f"hello-{number}"), uuid=WorkflowUuid(f"{number:032x}"), submitted_at=at
        )
        group = a_group(id=GroupId(f"0{number:031x}"), workflow=workflow.id)
        stores.workflows.create(a_creation(group, workflow=workflow, number=number))

    listed = [entry.id for entry in listing.every(Filter(users=["alice"]), stores.workflows)]

    assert listed == [f"hello-{number}" for number in range(60, 0, -1)]


# Counters, cancels, dropped jobs -----------------------------------------------------------------


def in_shards(stores: Stores) -> None:
    """A workflow of which shard 0 has two groups that live."""
    workflow = a_workflow(counts=Counts(0), shards=16, amounts={0: Amount(live=True)})
    removal = a_job("removal", work=RemoveWorkflow(HELLO))
    stores.workflows.reserve(Reservation(HELLO, "hello", 1, removal, by=UserName("alice"), at=NOON))
    stores.workflows.lay(Laying(workflow, 1, (), (), removal.id, {0: Counts(2)}))
    creation = a_creation(workflow=workflow, removal=removal.id)
    stores.workflows.create(replace(creation, groups=()))


def test_counters_change_under_the_version_that_was_read(stores: Stores) -> None:
    in_shards(stores)
    one = Counts(1, {TaskStatus.COMPLETED: 1}, ran=True)
    change = Change(1, Counts(2), one)

    stores.workflows.commit(a_commit(counts={0: change}))

    assert stores.workflows.counts(HELLO, 0) == Stored(one, 2)
    with pytest.raises(Conflict):
        stores.workflows.commit(a_commit(counts={0: change}, jobs=(a_job(),)))
    assert stores.workflows.counts(HELLO, 0) == Stored(one, 2)
    assert stores.jobs.load(JobId("job-1")) is None


def test_counters_that_there_are_not_are_said_not_to_be(stores: Stores) -> None:
    stores.workflows.create(a_creation())

    with pytest.raises(UnknownWorkflow):
        stores.workflows.counts(HELLO, 0)


def test_what_requires_that_there_is_no_cancel_is_refused_after_one(stores: Stores) -> None:
    """[a group starts after the cancel]"""
    stores.workflows.create(a_creation())
    before = stored(stores)
    stores.workflows.commit(
        a_commit(groups=(a_change(before, replace(before.value, ordinal=1)),), uncancelled=True)
    )
    cancelled = a_workflow(cancel=Cancel(UserName("bob"), LATER, "enough", force=True))
    stores.workflows.commit(a_commit(workflow_change=Change(1, a_workflow(), cancelled)))
    assert stores.workflows.workflow(HELLO) == Stored(cancelled, 2)

    now = stored(stores)
    with pytest.raises(Conflict):
        stores.workflows.commit(
            a_commit(groups=(a_change(now, replace(now.value, ordinal=2)),), uncancelled=True)
        )
    assert stored(stores) == now


def test_a_job_is_dropped_whether_or_not_it_is_there(stores: Stores) -> None:
    stores.workflows.create(a_creation(jobs=(a_job(),)))
    for number in (1, 2):
        now = stored(stores)
        change = a_change(now, replace(now.value, ordinal=number))
        stores.workflows.commit(a_commit(groups=(change,), jobs_dropped=(JobId("job-1"),)))

    assert stores.jobs.load(JobId("job-1")) is None
    assert stored(stores).value.ordinal == 2


def test_a_job_id_is_never_used_twice(stores: Stores) -> None:
    """[an old result deletes a new job]"""
    stores.workflows.create(a_creation(jobs=(a_job(),)))
    before = stored(stores)

    with pytest.raises(Conflict):
        stores.workflows.commit(
            a_commit(
                groups=(a_change(before, replace(before.value, message="x")),),
                jobs=(a_job(attempts=3),),
            )
        )
    assert stores.jobs.load(JobId("job-1")) == a_job()
    assert stored(stores) == before


def test_an_intent_is_kept_in_the_group_and_in_the_workflow(stores: Stores) -> None:
    stores.workflows.create(a_creation())
    before = stored(stores)
    ending = Ending(TaskStatus.COMPLETED, "Lead task finished", None)
    settling = Settling(JobId("job-7"), ending, tell=True, cursor=60)
    walking = a_workflow(sweeping=Sweeping(JobId("job-8"), "cancel", shard=3, after=GROUP))
    change = a_change(before, replace(before.value, settling=settling))
    stores.workflows.commit(
        a_commit(workflow_change=Change(1, a_workflow(), walking), groups=(change,))
    )

    assert stored(stores).value.settling == settling
    assert stores.workflows.workflow(HELLO).value == walking
    now = stored(stores)
    over = a_change(now, replace(now.value, settling=None))
    stores.workflows.commit(a_commit(groups=(over,)))
    assert stored(stores).value == before.value


def test_a_start_is_a_change_of_the_groups_row_alone(stores: Stores) -> None:
    tasks = tuple(a_task(f"t{number}", lead=number == 0) for number in range(90))
    stores.workflows.create(a_creation(a_group(tasks=tasks, waits_for=1)))
    for event in (UpstreamCompleted(), HandedOver()):
        before = stored(stores)
        after, _ = decide(before.value, event, LATER)
        commit = a_commit(groups=(a_change(before, after),))
        assert footprint.actions(commit) == 2, "its row and the audit"
        stores.workflows.commit(commit)
        assert stored(stores).value == after

    assert {(task.status, task.ordinal) for task in stored(stores).value.tasks} == {
        (TaskStatus.PROCESSING, 1)
    }


# Parked jobs -------------------------------------------------------------------------------------


def test_what_is_parked_is_not_due_and_is_shown(stores: Stores) -> None:
    stores.workflows.create(a_creation(jobs=(a_job("one"), a_job("two"))))
    parked = replace(a_job("one"), attempts=PARK_AFTER, last_error="no")

    assert stores.jobs.parked(limit=5) == []
    assert stores.jobs.update(parked, expected=a_job("one"))

    assert stores.jobs.parked(limit=5) == [parked]
    assert [job.id for job in stores.jobs.due(LATER, limit=5)] == ["two"]


def test_a_parked_job_that_gets_more_attempts_is_due_again(stores: Stores) -> None:
    parked = a_job(attempts=PARK_AFTER)
    stores.workflows.create(a_creation(jobs=(parked,)))

    again = replace(parked, park_at=2 * PARK_AFTER)
    assert stores.jobs.update(again, expected=parked)

    assert stores.jobs.parked(limit=5) == []
    assert stores.jobs.due(LATER, limit=5) == [again]


@pytest.mark.parametrize(
    "other", [{"attempts": 4}, {"park_at": 9}, {"next_ring_at": LATER}], ids=str
)
def test_a_late_write_un_parks_nothing(stores: Stores, other: dict[str, object]) -> None:
    parked = a_job(attempts=PARK_AFTER)
    stores.workflows.create(a_creation(jobs=(parked,)))
    late = replace(parked, **other)  # type: ignore[arg-type]  # fields of any type

    assert not stores.jobs.update(replace(late, park_at=99), expected=late)
    assert not stores.jobs.drop(late)
    assert stores.jobs.parked(limit=5) == [parked]


def test_only_what_is_parked_is_dropped(stores: Stores) -> None:
    parked, busy = a_job("parked", attempts=PARK_AFTER), a_job("busy", attempts=1)
    stores.workflows.create(a_creation(jobs=(parked, busy)))

    assert not stores.jobs.drop(busy)
    assert stores.jobs.drop(parked)
    assert not stores.jobs.drop(parked), "it is gone"
    assert stores.jobs.load(JobId("parked")) is None
    assert stores.jobs.load(JobId("busy")) == busy


@pytest.mark.parametrize(
    "work", [SettleGroup(HELLO, GROUP), SweepWorkflow(HELLO), RemoveWorkflow(HELLO)], ids=str
)
def test_jobs_of_intents_and_removals_are_never_parked_nor_dropped(
    stores: Stores, work: Work
) -> None:
    job = a_job(work=work, attempts=100)
    stores.workflows.create(a_creation(jobs=(job,)))

    assert stores.jobs.parked(limit=5) == []
    assert stores.jobs.due(LATER, limit=5) == [job]
    assert not stores.jobs.drop(job)


def test_a_job_that_no_commit_wants_comes_and_goes_by_itself(stores: Stores) -> None:
    job = a_job("merge", work=MergeLog(HELLO, GROUP, 1, TaskName("lead"), 0))

    stores.jobs.add(job)
    assert stores.jobs.load(job.id) == job
    assert stores.jobs.due(LATER, limit=5) == [job]

    stores.jobs.finish(job.id)
    stores.jobs.finish(job.id)
    assert stores.jobs.load(job.id) is None
    assert stores.jobs.due(LATER, limit=5) == []


# What explains attempts ---------------------------------------------------------------------------


def test_what_explains_an_attempt_is_kept_as_it_was_told(stores: Stores) -> None:
    detail = Detail(
        containers=(
            Container("lead", "terminated", "OOMKilled", "übel", 137, 2, NOON, LATER),
            Container("side", "waiting", "CreateContainerConfigError"),
        ),
        conditions=(UNSCHEDULABLE,),
        warnings=(PodWarning("FailedMount", "no volume", 3, LATER), PodWarning("Odd")),
    )
    told = a_task_detail("übung", retry=2, status=TaskStatus.FAILED, detail=detail)

    assert stores.workflows.keep_details(HELLO, [told]) == 1
    assert stores.workflows.details(HELLO, limit=10) == [told]
    assert stores.workflows.group_details(HELLO, GROUP, told.task, told.task) == [told]


def test_each_attempt_has_an_explanation_of_its_own(stores: Stores) -> None:
    other = GroupId("f" + "b" * 31)
    of_large = [
        a_task_detail("a"),
        a_task_detail("a", retry=1),
        a_task_detail("a-b"),
        a_task_detail("b", group=other),
    ]
    stores.workflows.keep_details(HELLO, of_large)
    stores.workflows.keep_details(WorkflowId("hello-2"), [a_task_detail("c")])

    found = stores.workflows.details(HELLO, shards=16, limit=10)
    assert sorted(found, key=lambda one: (one.task, one.retry)) == of_large
    assert len(stores.workflows.details(HELLO, shards=16, limit=3)) == 3
    for first, last, names in (("a", "a", "a a"), ("a", "b", "a a a-b"), ("a-b", "z", "a-b")):
        found = stores.workflows.group_details(HELLO, GROUP, TaskName(first), TaskName(last))
        assert " ".join(sorted(one.task for one in found)) == names


def test_what_was_told_earlier_comes_too_late(stores: Stores) -> None:
    waits = a_task_detail()
    failed = a_task_detail(status=TaskStatus.FAILED, told_at=LATER)
    stores.workflows.keep_details(HELLO, [waits])

    assert stores.workflows.keep_details(HELLO, [failed]) == 1
    assert stores.workflows.keep_details(HELLO, [waits]) == 0
    assert stores.workflows.details(HELLO, limit=10) == [failed]


def test_what_several_hear_at_once_is_written_once(stores: Stores) -> None:
    heard = [a_task_detail(told_at=at) for at in (NOON, NOON, LATER)]

    assert [stores.workflows.keep_details(HELLO, [one]) for one in heard] == [1, 0, 0]
    other = a_task_detail(detail=Detail(conditions=(UNSCHEDULABLE,), warnings=(PodWarning("Odd"),)))
    assert stores.workflows.keep_details(HELLO, [other]) == 1
    assert stores.workflows.details(HELLO, limit=10) == [other]


def test_what_explains_attempts_is_not_read_with_them(stores: Stores) -> None:
    stores.workflows.create(a_creation())
    before = stored(stores)
    stores.workflows.keep_details(HELLO, [a_task_detail()])

    assert stored(stores) == before
    assert [one.value for one in stores.workflows.groups(HELLO)] == [before.value]
    assert stores.workflows.audit(HELLO, limit=10) == stores.workflows.audit(HELLO, limit=1)
