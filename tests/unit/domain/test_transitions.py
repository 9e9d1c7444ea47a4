"""What the rows of the table do in the corners: of answers that come late, in parts, or about what
is no longer so."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.builders import GROUP, NOON, a_group, a_task
from xylem.domain.effects import CleanUp, Effect, GroupEnded, Observe, Refused, Replaced
from xylem.domain.exits import ExitRule
from xylem.domain.group import (
    AbsenceSeen,
    AnchorSeen,
    Cancelled,
    Cleanup,
    CleanupAnswered,
    CreateAnswered,
    Group,
    GroupEvent,
    HandedOver,
    ObserveAnswered,
    Pending,
    StartImpossible,
    StartParked,
    TimerDue,
    UpstreamCompleted,
    UpstreamFailed,
)
from xylem.domain.ids import TaskName
from xylem.domain.plan import Limits, Retries
from xylem.domain.status import TaskStatus
from xylem.domain.task import PodSeen, Task
from xylem.domain.transitions import TABLE, decide, ready

MINUTE = timedelta(minutes=1)
ONCE = Limits(
    queue=30 * MINUTE,
    start=10 * MINUTE,
    execution=60 * MINUTE,
    processing=120 * MINUTE,
    retries=Retries(disrupted=0),
)
AGAIN = replace(ONCE, retries=Retries(disrupted=2))


def a_given_group(*names: str, **fields: object) -> Group:
    """Handed over to its cluster at noon, which has not answered. The first of its tasks leads."""
    tasks = tuple(a_task(name, lead=number == 0) for number, name in enumerate(names or ("lead",)))
    group, _ = ready(a_group(**{"tasks": tasks, "limits": ONCE, **fields}), NOON)
    return at(0, group, HandedOver())


def a_made_group(*names: str, **fields: object) -> Group:
    return at(0, a_given_group(*names, **fields), CreateAnswered(1, "done"))


def a_running_group(*names: str, **fields: object) -> Group:
    group = a_made_group(*names, **fields)
    return at(0, group, *(seen(task.name, TaskStatus.RUNNING) for task in group.tasks))


def seen(task: str, status: TaskStatus, code: int | None = None, **fields: object) -> PodSeen:
    known: dict[str, object] = {"incarnation": 0, "retry": 0, **fields}
    return PodSeen(task=TaskName(task), status=status, exit_code=code, **known)  # type: ignore[arg-type]  # fields of any type


def lost(task: str, retry: int = 0) -> PodSeen:
    """Its node went."""
    return seen(task, TaskStatus.FAILED_BACKEND_ERROR, 3001, retry=retry, disrupted=True)


def at(minutes: float, group: Group, *events: GroupEvent) -> Group:
    for event in events:
        group, _ = decide(group, event, NOON + minutes * MINUTE)
    return group


def effects(group: Group, event: GroupEvent, minutes: float = 0) -> tuple[Effect, ...]:
    return decide(group, event, NOON + minutes * MINUTE)[1]


def task(group: Group, name: str) -> Task:
    found = group.task(TaskName(name))
    assert found is not None
    return found


# Creates -----------------------------------------------------------------------------------------


def test_a_new_group_that_waits_for_others_stays_as_it_is() -> None:
    waiting = a_group(waits_for=1)

    assert ready(waiting, NOON) == (waiting, ())


def test_a_create_that_a_later_row_superseded_made_nothing_and_failed_nothing() -> None:
    group = a_given_group()

    answered, none = decide(group, CreateAnswered(1, "superseded"), NOON)

    assert (answered.status, none) == (TaskStatus.PROCESSING, ())
    assert (answered.pending, answered.created) == ((), 0)


def test_a_create_that_fails_after_the_end_changes_nothing() -> None:
    ended = at(0, a_given_group(), seen("lead", TaskStatus.COMPLETED, 0))

    assert decide(ended, CreateAnswered(1, "failed", "late"), NOON) == (ended, ())


def test_an_answer_to_another_kind_of_question_is_no_answer() -> None:
    group = at(0, a_made_group(), AbsenceSeen())

    assert decide(group, CreateAnswered(2, "done"), NOON) == (group, ())
    assert decide(group, CleanupAnswered(2), NOON) == (group, ())
    assert decide(a_given_group(), ObserveAnswered(1, ()), NOON) == (a_given_group(), ())


def test_creates_that_are_answered_out_of_order_are_all_remembered() -> None:
    group = at(0, a_running_group("lead", "side", limits=AGAIN), lost("side"), HandedOver())
    group = at(0, group, lost("side", retry=1), HandedOver())

    answered = at(0, group, CreateAnswered(3, "done"), CreateAnswered(2, "done"))

    assert (answered.created, answered.pending) == (3, ())


def test_a_create_that_is_not_answered_holds_back_all_that_came_after_it() -> None:
    group = at(0, a_running_group("lead", "a", "b", limits=AGAIN), lost("a"), HandedOver())
    group = at(0, group, lost("b"), HandedOver(), lost("b", retry=1), HandedOver())
    group = at(0, group, CreateAnswered(4, "done"), AbsenceSeen())

    [asked] = [row for row in group.pending if row.kind == "observe"]
    assert asked.created == 1, "2 and 3 may still be on their way"


def test_only_the_attempts_of_a_create_that_failed_end_with_it() -> None:
    group = at(0, a_running_group("lead", "side", limits=AGAIN), lost("side"), HandedOver())

    failed, effects = decide(group, CreateAnswered(2, "failed", "no room"), NOON)

    assert task(failed, "lead") == task(group, "lead")
    assert [type(effect) for effect in effects] == [Replaced]


# Cleanups and anchors ----------------------------------------------------------------------------


def an_incarnation(number: int, group: Group) -> Group:
    """As after another start of all of its tasks."""
    return replace(group, incarnation=number)


def test_what_an_earlier_incarnation_left_is_cleaned_up_while_this_one_lives() -> None:
    group = an_incarnation(1, a_running_group())

    asked, effects = decide(group, AnchorSeen(0), NOON)
    answered = at(0, asked, CleanupAnswered(2))

    assert effects == (CleanUp(GROUP, 0, 2),)
    assert (answered.pending, answered.cleanup) == ((), Cleanup.NONE), "of this one nothing is"


def test_an_anchor_that_was_never_ours_is_left_alone() -> None:
    ended = at(0, a_running_group(), seen("lead", TaskStatus.COMPLETED, 0), CleanupAnswered(2))

    assert ended.cleanup is Cleanup.DONE
    assert decide(ended, AnchorSeen(1), NOON) == (ended, ())


def test_an_anchor_is_left_alone_while_its_cleanup_is_on_its_way() -> None:
    ended = at(0, a_running_group(), seen("lead", TaskStatus.COMPLETED, 0))

    assert decide(ended, AnchorSeen(0), NOON) == (ended, ())
    assert decide(an_incarnation(1, ended), AnchorSeen(0), NOON)[1] == ()


def test_a_cleanup_takes_no_other_cleanup_out_of_the_mailbox() -> None:
    group = at(0, an_incarnation(1, a_running_group()), AnchorSeen(0), AbsenceSeen())

    ended, effects = decide(group, Cancelled("bob"), NOON)

    assert effects == (CleanUp(GROUP, 1, 4, superseded=(3,)),)
    assert [(row.kind, row.incarnation) for row in ended.pending] == [
        ("cleanup", 0),
        ("cleanup", 1),
    ]


def test_a_cleanup_of_the_same_incarnation_is_never_taken_out_either() -> None:
    asked = Pending(0, 2, "cleanup", 1, NOON)
    group = replace(a_running_group(), ordinal=2, pending=(asked,))

    ended, effects = decide(group, Cancelled("bob"), NOON)

    assert effects == (CleanUp(GROUP, 0, 3),)
    assert ended.pending[0] is asked


def test_a_cleanup_takes_nothing_of_another_incarnation_out_of_the_mailbox() -> None:
    group = an_incarnation(1, at(0, a_running_group(), AbsenceSeen()))

    ended, effects = decide(group, Cancelled("bob"), NOON)

    assert effects == (CleanUp(GROUP, 1, 3),)
    assert [row.kind for row in ended.pending] == ["observe", "cleanup"]


def test_force_hurries_nothing_that_was_cleaned_up() -> None:
    cleaned = at(0, a_running_group(), Cancelled("bob"), CleanupAnswered(2))

    assert decide(cleaned, Cancelled("bob", force=True), NOON) == (cleaned, ())


def test_a_cancel_by_force_gives_no_grace_and_needs_no_second_one() -> None:
    forced, effects = decide(a_running_group(), Cancelled("bob", force=True), NOON)

    assert effects == (CleanUp(GROUP, 0, 2, force=True),)
    assert decide(forced, Cancelled("bob", force=True), NOON) == (forced, ())


# Questions ---------------------------------------------------------------------------------------


def test_an_attempt_that_was_not_handed_over_again_is_not_missed() -> None:
    group = at(0, a_running_group("lead", "side", limits=AGAIN), lost("side"), AbsenceSeen())

    answered, effects = decide(group, ObserveAnswered(2, (seen("lead", TaskStatus.RUNNING),)), NOON)

    assert effects == ()
    assert (task(answered, "side").retry, task(answered, "side").ordinal) == (1, 0)


def test_a_pod_of_an_earlier_incarnation_is_not_the_one_that_is_looked_for() -> None:
    group = an_incarnation(1, a_running_group())
    group = at(0, group, AbsenceSeen())

    answered = at(0, group, ObserveAnswered(2, (seen("lead", TaskStatus.RUNNING),)))

    assert task(answered, "lead").status is TaskStatus.FAILED_BACKEND_ERROR


def test_a_question_of_an_earlier_incarnation_ends_nothing_of_this_one() -> None:
    group = at(61, a_running_group(), TimerDue())
    group = an_incarnation(1, group)
    still = seen("lead", TaskStatus.RUNNING, incarnation=1)

    answered = at(62, group, ObserveAnswered(2, (still,)))

    assert (answered.status, answered.pending) == (TaskStatus.RUNNING, ())


def test_a_question_that_is_open_hides_no_pod_that_was_made_meanwhile() -> None:
    group = at(0, a_running_group("lead", "side", limits=AGAIN), AbsenceSeen(), lost("side"))
    group = at(0, group, HandedOver(), CreateAnswered(3, "done"))
    group = at(60, group, TimerDue())
    there = seen("lead", TaskStatus.RUNNING)

    first, of_before = decide(group, ObserveAnswered(2, (there,)), NOON + 60 * MINUTE)
    of_now = effects(first, ObserveAnswered(4, (there,)), 60)

    assert of_before == (), "it was asked before that attempt was made"
    assert [effect.attempt.retry for effect in of_now if isinstance(effect, Replaced)] == [1]


def test_a_timer_asks_though_another_row_is_under_way() -> None:
    group = at(60, a_running_group("lead", "side", limits=AGAIN), lost("side"), HandedOver())

    assert effects(group, TimerDue(), 60) == (Observe(GROUP, 0, 3),)


def test_a_part_of_an_answer_leaves_the_other_rows_alone() -> None:
    group = at(0, a_running_group("lead", "side", limits=AGAIN), lost("side"), HandedOver())
    group = at(0, group, AbsenceSeen())
    part = ObserveAnswered(3, (seen("lead", TaskStatus.RUNNING),), tasks=("a", "m"))

    answered = at(0, group, part, part)

    create, observe = answered.pending
    assert create == group.pending[0]
    assert observe == replace(group.pending[1], covered=(("a", "m"),))


def test_what_an_answer_shows_of_a_group_that_waits_or_has_ended_moves_nothing() -> None:
    question = Pending(0, 1, "observe", 0, NOON)
    waiting = a_group(waits_for=1, pending=(question,))
    ended = at(0, a_running_group(), seen("lead", TaskStatus.COMPLETED, 0))
    ended = replace(ended, pending=(question,))

    for group in (waiting, ended):
        answered, effects = decide(group, ObserveAnswered(1, ()), NOON)
        assert (answered, effects) == (replace(group, pending=()), ())


# What is overdue ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "minutes"),
    [(None, 120), (TaskStatus.SCHEDULING, 30), (TaskStatus.RUNNING, 60)],
    ids=["processing", "queue", "execution"],
)
def test_a_group_is_overdue_once_all_of_the_answer_says_so(
    status: TaskStatus | None, minutes: int
) -> None:
    group = a_given_group("lead", "side")
    if status is not None:
        group = at(0, group, CreateAnswered(1, "done"), seen("lead", status), seen("side", status))
    group = at(minutes, group, TimerDue())
    number = group.ordinal

    half = at(minutes, group, ObserveAnswered(number, pods(status, "lead"), tasks=("a", "m")))
    whole = at(minutes, half, ObserveAnswered(number, pods(status, "side"), tasks=("n", "z")))

    assert half.status is group.status
    assert whole.status.failed


def pods(status: TaskStatus | None, name: str) -> tuple[PodSeen, ...]:
    return () if status is None else (seen(name, status),)


def test_a_task_has_its_own_time_to_start() -> None:
    group = at(0, a_made_group("lead", "slow", "late"), seen("lead", TaskStatus.RUNNING))
    group = at(0, group, seen("slow", TaskStatus.INITIALIZING))
    group = at(5, group, seen("late", TaskStatus.INITIALIZING))
    group = at(10, group, TimerDue())
    answer = tuple(seen(one.name, one.status) for one in group.tasks)

    answered = at(10, group, ObserveAnswered(2, answer))

    assert [one.status for one in answered.tasks] == [
        TaskStatus.RUNNING,
        TaskStatus.FAILED_START_TIMEOUT,
        TaskStatus.INITIALIZING,
    ]


def test_what_is_over_in_an_answer_was_over_before_its_group_ran_too_long() -> None:
    group = at(0, a_running_group("lead", "side"), AbsenceSeen())
    too_long = seen("lead", TaskStatus.FAILED_EXEC_TIMEOUT)
    done = seen("side", TaskStatus.COMPLETED, 0)

    for answer in ((too_long, done), (done, too_long)):
        ended = at(0, group, ObserveAnswered(2, answer))
        assert ended.status is TaskStatus.FAILED_EXEC_TIMEOUT
        assert task(ended, "side").status is TaskStatus.COMPLETED


# News of a pod -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("", "Task ran longer than the set limit of 1 hours."),
        ("DeadlineExceeded", "DeadlineExceeded"),
    ],
)
def test_a_pod_that_ran_too_long_says_why_or_we_do(told: str, said: str) -> None:
    group = a_running_group("lead", "side")

    ended = at(0, group, seen("side", TaskStatus.FAILED_EXEC_TIMEOUT, message=told))

    assert task(ended, "side").message == said
    assert {one.status for one in ended.tasks} == {TaskStatus.FAILED_EXEC_TIMEOUT}
    assert task(ended, "lead").message == "Task ran longer than the set limit of 1 hours."


def test_a_pod_that_fails_without_a_word_has_none_put_into_its_mouth() -> None:
    ended = at(0, a_running_group(), seen("lead", TaskStatus.FAILED, 1))

    assert task(ended, "lead").message == ""


def test_an_end_that_is_told_twice_is_judged_once() -> None:
    rules = (ExitRule("reschedule", ((3, 3),)),)
    group = a_running_group("lead", "side")
    group = replace(group, tasks=(group.tasks[0], replace(group.tasks[1], exit_rules=rules)))
    news = seen("side", TaskStatus.FAILED, 3)

    ended = at(0, group, news)

    assert task(ended, "side").message == "No exit action applied due to retry limit 0."
    assert decide(ended, news, NOON) == (ended, ())


def test_a_pod_that_is_about_to_be_disrupted_still_runs() -> None:
    group = a_made_group(limits=AGAIN)

    running, effects = decide(group, seen("lead", TaskStatus.RUNNING, disrupted=True), NOON)

    assert (running.status, effects) == (TaskStatus.RUNNING, ())


@pytest.mark.parametrize("strict", [False, True])
def test_a_task_that_completes_beside_the_lead_ends_nobody_else(strict: bool) -> None:
    group = a_running_group("lead", "side", ignore_nonlead_status=not strict)

    done = at(0, group, seen("side", TaskStatus.COMPLETED, 0))

    assert (done.status, task(done, "lead").status) == (TaskStatus.RUNNING, TaskStatus.RUNNING)


def test_a_lead_that_failed_says_so_to_the_others() -> None:
    ended = at(0, a_running_group("lead", "side"), seen("lead", TaskStatus.FAILED, 1))

    assert task(ended, "side").message == "Lead task failed."


@pytest.mark.parametrize(
    "claim",
    [{"incarnation": 1}, {"retry": 1}, {"incarnation": 1, "retry": 1}],
    ids=str,
)
def test_news_of_what_was_never_started_is_refused(claim: dict[str, object]) -> None:
    group = a_running_group()

    same, effects = decide(group, seen("lead", TaskStatus.FAILED, 1, **claim), NOON)

    assert same == group
    assert [type(effect) for effect in effects] == [Refused]


def test_news_of_an_attempt_that_was_not_handed_over_is_refused() -> None:
    group, _ = ready(a_group(), NOON)

    same, effects = decide(group, seen("lead", TaskStatus.RUNNING), NOON)

    assert same == group
    assert [type(effect) for effect in effects] == [Refused]


def test_who_ends_is_told_once() -> None:
    ended, effects = decide(a_running_group(), seen("lead", TaskStatus.FAILED, 1), NOON)

    assert effects == (CleanUp(GROUP, 0, 2), GroupEnded(GROUP, TaskStatus.FAILED))
    assert ended.pending[0].kind == "cleanup"


# What a group is, by its tasks -------------------------------------------------------------------

LATER = NOON + 5 * MINUTE


def test_a_group_has_the_first_time_of_each_status_and_keeps_it() -> None:
    """Another attempt, which is scheduled again later, changes none of them."""
    times: dict[str, Any] = {
        "scheduled_at": NOON + MINUTE,
        "initializing_at": NOON + 2 * MINUTE,
        "started_at": NOON + 3 * MINUTE,
    }
    group = at(
        4, a_made_group("lead", "side", limits=AGAIN), seen("side", TaskStatus.RUNNING, **times)
    )
    later: dict[str, Any] = {name: time + MINUTE for name, time in times.items()}

    both = at(5, group, seen("lead", TaskStatus.RUNNING, **later))
    again = at(6, both, lost("side"), HandedOver(), CreateAnswered(2, "done"))
    ended = at(9, again, seen("lead", TaskStatus.COMPLETED, 0))

    for one in (group, both, again, ended):
        assert (one.scheduling_at, one.initializing_at, one.started_at) == tuple(times.values())


def test_a_group_has_a_time_of_its_own_for_what_was_not_told() -> None:
    queued = at(1, a_made_group(), seen("lead", TaskStatus.SCHEDULING))
    pulling = at(2, queued, seen("lead", TaskStatus.INITIALIZING))
    running = at(3, pulling, seen("lead", TaskStatus.RUNNING))

    assert (queued.scheduling_at, queued.initializing_at) == (NOON + MINUTE, None)
    assert (pulling.initializing_at, pulling.started_at) == (NOON + 2 * MINUTE, None)
    assert (running.scheduling_at, running.initializing_at, running.started_at) == (
        NOON + MINUTE,
        NOON + 2 * MINUTE,
        NOON + 3 * MINUTE,
    )
    assert (queued.scheduling_since, running.scheduling_since) == (NOON + MINUTE, NOON + MINUTE)
    assert (pulling.running_since, running.running_since) == (None, NOON + 3 * MINUTE)


def test_news_that_moves_one_task_and_not_its_group_writes_nothing_else_of_it() -> None:
    group = at(0, a_made_group("lead", "side"), seen("lead", TaskStatus.RUNNING))

    same = at(5, group, seen("side", TaskStatus.INITIALIZING))

    assert same == replace(group, tasks=same.tasks)


def test_another_attempt_takes_no_group_back_to_the_queue() -> None:
    group = at(0, a_running_group(limits=AGAIN), lost("lead"), HandedOver())

    queued = at(5, group, seen("lead", TaskStatus.SCHEDULING, retry=1))

    assert task(queued, "lead").status is TaskStatus.SCHEDULING
    assert queued == replace(group, tasks=queued.tasks)


def test_a_group_is_as_far_as_the_furthest_of_its_tasks() -> None:
    group = a_made_group("lead", "side")
    queued = at(0, group, seen("side", TaskStatus.SCHEDULING))
    pulling = at(0, queued, seen("lead", TaskStatus.INITIALIZING))
    running = at(5, pulling, seen("lead", TaskStatus.RUNNING))

    assert [one.status for one in (queued, pulling, running)] == [
        TaskStatus.SCHEDULING,
        TaskStatus.INITIALIZING,
        TaskStatus.RUNNING,
    ]


def test_a_group_that_is_first_seen_running_counts_from_then() -> None:
    running = at(5, a_made_group(), seen("lead", TaskStatus.RUNNING, started_at=NOON))

    assert (running.scheduling_since, running.running_since) == (LATER, LATER)


def test_what_a_group_learns_at_its_end_is_the_first_of_its_tasks_times() -> None:
    group = at(0, a_made_group("lead", "late", "early"), seen("lead", TaskStatus.RUNNING))
    group = at(5, group, seen("late", TaskStatus.INITIALIZING))
    early = seen("early", TaskStatus.INITIALIZING, initializing_at=NOON + MINUTE)

    ended = at(6, group, early, seen("lead", TaskStatus.COMPLETED, 0))

    assert (group.initializing_at, ended.initializing_at) == (None, NOON + MINUTE)


def test_a_group_of_which_a_task_ended_runs_from_when_we_heard_of_it() -> None:
    group = at(5, a_made_group("lead", "side"), seen("side", TaskStatus.FAILED, 1))

    assert (group.status, group.running_since) == (TaskStatus.RUNNING, LATER)


def test_a_run_counts_from_now_where_nobody_noted_when_it_was_handed_over() -> None:
    group = replace(a_made_group(), processing_at=None)

    running = at(5, group, seen("lead", TaskStatus.RUNNING, started_at=NOON))

    assert running.running_since == LATER


def test_a_group_ends_with_the_last_of_its_tasks() -> None:
    group = at(1, a_running_group("lead", "side"), seen("side", TaskStatus.COMPLETED, 0))
    early = seen("lead", TaskStatus.COMPLETED, 0, ended_at=NOON)

    assert at(5, group, early).ended_at == NOON + MINUTE
    assert at(5, group, replace(early, ended_at=None)).ended_at == LATER


@pytest.mark.parametrize(
    ("side", "strict", "group"),
    [
        ("COMPLETED", False, "COMPLETED"),
        ("FAILED", False, "COMPLETED"),
        ("FAILED_EVICTED", False, "COMPLETED"),
        ("FAILED_IMAGE_PULL", False, "COMPLETED"),
        ("FAILED_PREEMPTED", False, "FAILED_PREEMPTED"),
        ("FAILED_SERVER_ERROR", False, "FAILED_SERVER_ERROR"),
        ("FAILED_UPSTREAM", False, "FAILED_UPSTREAM"),
        ("FAILED_QUEUE_TIMEOUT", False, "FAILED_QUEUE_TIMEOUT"),
        ("FAILED_EXEC_TIMEOUT", False, "FAILED_EXEC_TIMEOUT"),
        ("FAILED_CANCELED", False, "FAILED_CANCELED"),
        ("COMPLETED", True, "COMPLETED"),
        ("FAILED", True, "FAILED"),
        ("FAILED_EVICTED", True, "FAILED_EVICTED"),
        ("FAILED_IMAGE_PULL", True, "FAILED"),
    ],
)
def test_a_group_whose_lead_completes_is_by_osmos_rules_what_its_tasks_are(
    side: str, strict: bool, group: str
) -> None:
    ended = a_task("side", TaskStatus(side), ordinal=1, ended_at=NOON)
    before = a_running_group("lead", "side", ignore_nonlead_status=not strict)
    before = replace(before, tasks=(before.tasks[0], ended))

    after = at(0, before, seen("lead", TaskStatus.COMPLETED, 0))

    assert after.status == group


def test_of_what_a_group_failed_by_the_worst_counts() -> None:
    worst_last = [
        "FAILED_PREEMPTED",
        "FAILED_SERVER_ERROR",
        "FAILED_UPSTREAM",
        "FAILED_QUEUE_TIMEOUT",
        "FAILED_EXEC_TIMEOUT",
        "FAILED_CANCELED",
    ]
    before = a_running_group("lead", "side", "other")
    for better, worse in zip(worst_last, worst_last[1:], strict=False):
        sides = [
            a_task(name, TaskStatus(status), ordinal=1, ended_at=NOON)
            for name, status in (("side", better), ("other", worse))
        ]
        after = replace(before, tasks=(before.tasks[0], *sides))
        assert at(0, after, seen("lead", TaskStatus.COMPLETED, 0)).status == worse


# What is said of a failure -----------------------------------------------------------------------


def failed(name: str, code: int | None, message: str) -> Task:
    return a_task(
        name, TaskStatus.FAILED, ordinal=1, exit_code=code, message=message, ended_at=NOON
    )


@pytest.mark.parametrize(
    ("side", "lead", "said"),
    [
        (failed("side", 1, "the side's"), (1, "the lead's"), "the lead's"),
        (failed("side", 1, "the side's"), (None, "the lead's"), "the side's"),
        (failed("side", None, "the side's"), (None, "the lead's"), "the lead's"),
        (failed("side", 1, "the side's"), (1, ""), "the side's"),
        (failed("side", 1, ""), (1, ""), ""),
        (
            a_task("side", TaskStatus.COMPLETED, ordinal=1, message="fine", ended_at=NOON),
            (1, ""),
            "",
        ),
    ],
)
def test_a_group_that_failed_says_what_its_lead_says_if_that_came_first(
    side: Task, lead: tuple[int | None, str], said: str
) -> None:
    before = a_running_group("lead", "side")
    before = replace(before, tasks=(before.tasks[0], side))
    code, message = lead

    turned = replace(before, tasks=before.tasks[::-1])

    for group in (before, turned):
        after = at(0, group, seen("lead", TaskStatus.FAILED, code, message=message))
        assert (after.status, after.message) == (TaskStatus.FAILED, said)


def test_a_group_that_completed_says_nothing_of_a_failure_beside_its_lead() -> None:
    group = at(0, a_running_group("lead", "side"), seen("side", TaskStatus.FAILED, 1, message="no"))

    assert at(0, group, seen("lead", TaskStatus.COMPLETED, 0)).message == ""


# Rows of the table -------------------------------------------------------------------------------


def test_who_waits_for_nobody_is_woken_by_nobody() -> None:
    idle = a_group(waits_for=0)

    same, effects = decide(idle, UpstreamCompleted(), NOON)

    assert same == idle
    assert [type(effect) for effect in effects] == [Refused]


def test_a_group_that_was_given_to_a_cluster_is_not_given_up_without_asking_it() -> None:
    assert effects(a_given_group(), TimerDue(), 120) == (Observe(GROUP, 0, 2),)


EVENTS: tuple[GroupEvent, ...] = (
    UpstreamCompleted(),
    UpstreamFailed(),
    HandedOver(),
    StartImpossible("no such secret"),
    StartParked("an admin is asked"),
    Cancelled("bob"),
    TimerDue(),
    seen("lead", TaskStatus.RUNNING),
    CreateAnswered(9, "done"),
    CleanupAnswered(9),
    ObserveAnswered(9, ()),
    AbsenceSeen(),
    AnchorSeen(0),
)
NEW = a_group(waits_for=1)
STARTED, _ = ready(a_group(limits=ONCE), NOON)
OVER = at(0, a_running_group(), seen("lead", TaskStatus.COMPLETED, 0))
CANCELLED = at(0, NEW, Cancelled("bob"))
"""No cluster ever had anything of it."""


def test_every_event_has_its_rows() -> None:
    assert {type(event) for event in EVENTS} == set(TABLE)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
@pytest.mark.parametrize("group", [OVER, at(1, OVER, CleanupAnswered(2))], ids=["over", "cleaned"])
def test_whatever_is_told_of_what_has_ended_is_late_news(group: Group, event: GroupEvent) -> None:
    same, effects = decide(group, event, NOON + 999 * MINUTE)

    if event == AnchorSeen(0) and group.cleanup is Cleanup.DONE:
        assert effects == (CleanUp(GROUP, 0, 3),)
    else:
        assert (same, effects) == (group, ())


@pytest.mark.parametrize(
    ("group", "refused"),
    [
        (NEW, {"handed_over", "start_impossible", "start_parked", "pod_seen"}),
        (STARTED, {"upstream_completed", "upstream_failed", "pod_seen"}),
        (
            a_given_group(),
            {"upstream_completed", "upstream_failed", "handed_over", "start_parked"},
        ),
        (
            a_running_group(),
            {"upstream_completed", "upstream_failed", "handed_over", "start_parked"},
        ),
        (OVER, set()),
        (CANCELLED, set()),
    ],
    ids=["waits", "started", "given", "runs", "over", "cancelled"],
)
def test_what_cannot_happen_to_a_group_is_refused(group: Group, refused: set[str]) -> None:
    found = {
        event.kind
        for event in EVENTS
        if any(isinstance(effect, Refused) for effect in decide(group, event, NOON)[1])
    }

    assert found == refused


@pytest.mark.parametrize(
    "group",
    [
        STARTED,
        a_given_group(),
        at(0, a_made_group(), seen("lead", TaskStatus.SCHEDULING)),
        at(0, a_made_group(), seen("lead", TaskStatus.INITIALIZING)),
        a_running_group(),
    ],
    ids=lambda group: group.status,
)
def test_a_start_may_turn_out_to_be_impossible_until_the_end(group: Group) -> None:
    ended = at(0, group, StartImpossible("the spec is gone"))

    assert ended.status is TaskStatus.FAILED_SERVER_ERROR
    assert ended.message == "the spec is gone"


@pytest.mark.parametrize(
    "group", [NEW, STARTED, a_given_group(), a_running_group()], ids=lambda group: group.status
)
def test_whatever_lives_can_be_cancelled_and_tells_nobody_downstream(group: Group) -> None:
    ended, effects = decide(group, Cancelled("bob"), NOON)

    assert ended.status is TaskStatus.FAILED_CANCELED
    assert [type(effect) for effect in effects] == [CleanUp] * bool(group.ordinal)
