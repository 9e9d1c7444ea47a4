"""When a task is tried again, by whose word, how often, and what that means to its group."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import GROUP, NOON, a_group, a_task
from xylem.domain.effects import CleanUp, Effect, GroupEnded, Replaced
from xylem.domain.exits import ExitRule
from xylem.domain.group import (
    AbsenceSeen,
    CreateAnswered,
    Group,
    GroupEvent,
    HandedOver,
    ObserveAnswered,
    StartParked,
    TimerDue,
    bare,
    dressed,
    to_make,
    to_start,
)
from xylem.domain.ids import TaskName
from xylem.domain.plan import Limits, Retries
from xylem.domain.retries import judged
from xylem.domain.status import ExitCode, TaskStatus
from xylem.domain.task import PodSeen, Task
from xylem.domain.transitions import decide, ready

RUNNING, COMPLETED, FAILED, RESCHEDULED, PROCESSING = (
    TaskStatus.RUNNING,
    TaskStatus.COMPLETED,
    TaskStatus.FAILED,
    TaskStatus.RESCHEDULED,
    TaskStatus.PROCESSING,
)
AGAIN_ON_3 = (ExitRule("reschedule", ((3, 3),)),)
TWICE = Limits(retries=Retries(disrupted=2, asked=2))


def a_running_group(*names: str, rules: tuple[ExitRule, ...] = (), **fields: object) -> Group:
    """All of its tasks RUNNING; the first leads."""
    tasks = tuple(
        a_task(name, lead=number == 0, exit_rules=rules)
        for number, name in enumerate(names or ("lead",))
    )
    group, _ = ready(a_group(**{"tasks": tasks, "limits": TWICE, **fields}), NOON)
    group, _ = after(group, HandedOver(), CreateAnswered(1, "done"))
    return after(group, *(pod(group, task.name, RUNNING) for task in tasks))[0]


def pod(
    group: Group, task: str, status: TaskStatus, code: int | None = None, **fields: object
) -> PodSeen:
    """Of the newest attempt."""
    known = group.task(TaskName(task))
    assert known is not None
    given = {"incarnation": group.incarnation, "task": known.name, "retry": known.retry}
    return PodSeen(status=status, exit_code=code, **{**given, **fields})  # type: ignore[arg-type]  # fields of any type


def after(group: Group, *events: GroupEvent) -> tuple[Group, list[Effect]]:
    effects: list[Effect] = []
    for event in events:
        group, more = decide(group, event, NOON)
        effects += more
    return group, effects


def newest(group: Group, task: str = "lead") -> Task:
    found = group.task(TaskName(task))
    assert found is not None
    return found


def preempted(group: Group, task: str = "lead") -> PodSeen:
    return pod(group, task, TaskStatus.FAILED_PREEMPTED, ExitCode.PREEMPTED, disrupted=True)


# What an end comes to ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "action", "comes_to"),
    [
        (FAILED, 16, "complete", COMPLETED),
        (COMPLETED, 0, "complete", COMPLETED),
        (COMPLETED, 0, "fail", FAILED),
        (FAILED, 16, "fail", FAILED),
        (TaskStatus.FAILED_EVICTED, ExitCode.EVICTED, "fail", TaskStatus.FAILED_EVICTED),
        (FAILED, 16, "reschedule", RESCHEDULED),
        (COMPLETED, 0, "reschedule", RESCHEDULED),
    ],
)
def test_a_rule_that_names_the_code_says_what_it_comes_to(
    status: TaskStatus, code: int, action: str, comes_to: TaskStatus
) -> None:
    rules = (ExitRule(action, ((code, code),)),)  # type: ignore[arg-type]  # one of its three words
    ended = a_task(status=status, exit_code=code, exit_rules=rules)

    found = judged(ended, disrupted=False, retries=Retries(asked=1))

    assert (found.status, found.exit_code) == (comes_to, code)


def test_a_rule_overrules_a_disruption() -> None:
    rules = (ExitRule("fail", ((ExitCode.PREEMPTED, ExitCode.PREEMPTED),)),)
    ended = a_task(
        status=TaskStatus.FAILED_PREEMPTED, exit_code=ExitCode.PREEMPTED, exit_rules=rules
    )

    assert judged(ended, disrupted=True, retries=Retries()) == ended


def test_an_end_without_a_code_is_what_it_is() -> None:
    ended = a_task(status=TaskStatus.FAILED_EXEC_TIMEOUT, exit_rules=AGAIN_ON_3)

    assert judged(ended, disrupted=False, retries=Retries(asked=9)) == ended


def test_a_rule_without_a_budget_leaves_the_end_and_says_why() -> None:
    ended = a_task(status=FAILED, exit_code=3, message="Exit code 3.", exit_rules=AGAIN_ON_3)

    found = judged(ended, disrupted=False, retries=Retries(asked=0))

    assert found.status is FAILED
    assert found.message == "Exit code 3. No exit action applied due to retry limit 0."


@pytest.mark.parametrize(("disruptions", "comes_to"), [(1, RESCHEDULED), (2, FAILED)])
def test_each_cause_has_a_budget_of_its_own(disruptions: int, comes_to: TaskStatus) -> None:
    ended = a_task(status=FAILED, exit_code=1, disruptions=disruptions, asked_again=9)

    found = judged(ended, disrupted=True, retries=Retries(disrupted=2, asked=0))

    assert found.status is comes_to


# Another attempt ---------------------------------------------------------------------------------


def test_the_next_attempt_begins_anew_and_the_group_goes_on() -> None:
    group = a_running_group(rules=AGAIN_ON_3)

    again, effects = after(group, pod(group, "lead", FAILED, 3, message="no luck"))

    [replaced] = effects
    assert isinstance(replaced, Replaced)
    assert (replaced.attempt.status, replaced.attempt.exit_code) == (RESCHEDULED, 3)
    assert replaced.attempt.message == "no luck"
    task = newest(again)
    assert (task.retry, task.status, task.ordinal, task.asked_again) == (1, PROCESSING, 0, 1)
    assert (task.started_at, task.uid, task.exit_rules) == (None, None, AGAIN_ON_3)
    assert (task.lead, task.processing_at) == (True, NOON)
    assert again.status is RUNNING
    assert again.running_since == group.running_since, "its limits go on counting"
    assert to_start(again)


def test_the_next_attempt_is_the_next_ordinal_of_the_same_incarnation() -> None:
    group = a_running_group("lead", "side", rules=AGAIN_ON_3)
    group, _ = after(group, pod(group, "side", FAILED, 3))

    given, effects = after(group, HandedOver())

    assert effects == []
    assert [task.ordinal for task in given.tasks] == [1, 2]
    assert (given.incarnation, given.ordinal, given.placed) == (0, 2, 1)
    assert not to_start(given)
    assert given.awaits(2, "create") is not None
    assert all(dressed(given, bare(given, task)) == task for task in given.tasks)


def test_news_of_the_attempt_before_is_late_news() -> None:
    group = a_running_group(rules=AGAIN_ON_3)
    late = pod(group, "lead", FAILED, 3)
    again, _ = after(group, late)

    assert after(again, late, replace(late, exit_code=9)) == (again, [])


def test_an_attempt_that_follows_can_complete_its_group() -> None:
    group, _ = after(a_running_group(), preempted(a_running_group()))
    group, _ = after(group, HandedOver(), CreateAnswered(2, "done"))
    group, _ = after(group, pod(group, "lead", RUNNING))

    done, effects = after(group, pod(group, "lead", COMPLETED, 0))

    assert done.status is COMPLETED
    assert effects == [CleanUp(GROUP, 0, 3), GroupEnded(GROUP, COMPLETED)]


def test_when_the_budget_is_spent_the_end_stands() -> None:
    group = a_running_group()
    for ordinal in (2, 3):
        group, _ = after(group, preempted(group), HandedOver(), CreateAnswered(ordinal, "done"))
        assert group.status is RUNNING

    ended, _ = after(group, preempted(group))

    assert ended.status is TaskStatus.FAILED_PREEMPTED
    assert newest(ended).retry == 2


def test_a_pod_that_disappeared_is_made_again_as_another_attempt() -> None:
    group = a_running_group()
    asked, _ = decide(group, TimerDue(), NOON + Limits().execution)
    asked = replace(asked, running_since=NOON + timedelta(days=1))

    again, effects = after(asked, ObserveAnswered(2, ()))

    assert [type(effect) for effect in effects] == [Replaced]
    assert (newest(again).retry, newest(again).disruptions) == (1, 1)


def test_an_attempt_that_could_not_be_made_costs_a_retry_and_not_the_group() -> None:
    group = a_running_group("lead", "side")
    group, _ = after(group, preempted(group, "side"), HandedOver())

    again, effects = after(group, CreateAnswered(2, "failed", "no such namespace"))

    [replaced] = effects
    assert isinstance(replaced, Replaced)
    assert replaced.attempt.exit_code == ExitCode.BACKEND_ERROR
    assert replaced.attempt.message == "RescheduleTask job failed: no such namespace"
    assert (again.status, newest(again, "side").retry, newest(again).retry) == (RUNNING, 2, 0)


def test_a_start_that_waits_for_an_admin_is_said_for_a_retry_too() -> None:
    group = a_running_group()
    group, _ = after(group, preempted(group))

    parked, _ = after(group, StartParked("an admin is asked"))

    assert parked.message == "an admin is asked"
    assert after(parked, HandedOver())[0].message == ""


# Who begins anew with it -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "strict", "restarts"),
    [("lead", False, 1), ("lead", True, 1), ("side", False, 0), ("side", True, 1)],
)
def test_the_others_begin_anew_where_the_group_needs_them_together(
    task: str, strict: bool, restarts: int
) -> None:
    group = a_running_group("lead", "side", ignore_nonlead_status=not strict)

    again, _ = after(group, preempted(group, task))

    assert again.restarts == restarts
    [other] = [one for one in again.tasks if one.name != task]
    assert (other.status, other.retry) == (RUNNING, 0), "in their pods, as the same attempt"


def test_a_single_task_has_nobody_to_begin_anew_with() -> None:
    group = a_running_group()

    assert after(group, preempted(group))[0].restarts == 0


def test_a_side_task_that_is_tried_again_leaves_the_others_alone_and_ends_with_the_lead() -> None:
    group = a_running_group("lead", "side")
    group, _ = after(group, preempted(group, "side"))

    done, _ = after(group, pod(group, "lead", COMPLETED, 0))

    assert done.status is COMPLETED
    assert newest(done, "side").message == "Lead task finished"
    assert to_make(done) == []


# Several creates at once -------------------------------------------------------------------------


def test_an_attempt_is_not_lost_while_its_own_create_is_under_way() -> None:
    """That of another one, which was asked for later, was answered before."""
    group = a_running_group("lead", "other")
    group, _ = after(group, preempted(group), HandedOver())
    group, _ = after(group, preempted(group, "other"), HandedOver(), CreateAnswered(3, "done"))
    group, _ = after(group, AbsenceSeen())
    there = pod(group, "other", RUNNING)

    group, effects = after(group, ObserveAnswered(4, (there,)))

    assert newest(group).retry == 1
    assert newest(group).status is PROCESSING
    assert effects == []


def test_an_attempt_whose_create_was_answered_late_is_lost_by_the_next_question() -> None:
    group = a_running_group("lead", "other")
    group, _ = after(group, preempted(group), HandedOver())
    group, _ = after(group, preempted(group, "other"), HandedOver())
    group, _ = after(group, CreateAnswered(3, "done"), CreateAnswered(2, "done"), AbsenceSeen())
    there = pod(group, "other", RUNNING)

    group, _ = after(group, ObserveAnswered(4, (there,)))

    assert newest(group).retry == 2
