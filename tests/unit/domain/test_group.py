"""A group, told as stories: given a state, when something happens, then this follows."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, a_group, a_task
from xylem.domain.deadlines import deadline
from xylem.domain.effects import (
    CleanUp,
    Effect,
    GroupEnded,
    Observe,
    Refused,
    Replaced,
    StartGroup,
)
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
    StartImpossible,
    StartParked,
    TimerDue,
    UpstreamCompleted,
    UpstreamFailed,
    bare,
    dressed,
)
from xylem.domain.ids import GroupId, TaskName
from xylem.domain.plan import Limits, Retries
from xylem.domain.status import ExitCode, TaskStatus
from xylem.domain.task import SHOWN, PodSeen
from xylem.domain.transitions import decide, ready

G = GroupId("0" + "a" * 31)
LEAD, SIDE = TaskName("lead"), TaskName("side")


ONCE = Limits(retries=Retries(disrupted=0))
"""Nothing is tried again."""


def a_started_group(*names: str, **fields: object) -> Group:
    """Handed over to its backend, and the create answered."""
    tasks = tuple(a_task(name, lead=number == 0) for number, name in enumerate(names or ("lead",)))
    group = a_group(id=G, tasks=tasks, **fields)
    group, _ = ready(group, NOON)
    group, _ = decide(group, HandedOver(), NOON)
    group, _ = decide(group, CreateAnswered(1, "done"), NOON)
    return group


def seen(task: str, status: TaskStatus, code: int | None = None, **fields: object) -> PodSeen:
    known: dict[str, object] = {"incarnation": 0, "retry": 0, "message": "", **fields}
    return PodSeen(task=TaskName(task), status=status, exit_code=code, **known)  # type: ignore[arg-type]


def after(group: Group, *events: GroupEvent) -> tuple[Group, list[Effect]]:
    effects: list[Effect] = []
    for event in events:
        group, more = decide(group, event, NOON)
        effects += more
    return group, effects


# From waiting to its cluster ---------------------------------------------------------------------


def test_a_group_that_waits_for_nothing_starts_at_once() -> None:
    group, effects = ready(a_group(id=G), NOON)

    assert group.status is TaskStatus.PROCESSING
    assert {task.status for task in group.tasks} == {TaskStatus.PROCESSING}
    assert effects == (StartGroup(G),)


def test_a_group_starts_when_the_last_of_its_upstream_groups_completed() -> None:
    waiting = a_group(id=G, waits_for=2)

    still, none = decide(waiting, UpstreamCompleted(), NOON)
    started, effects = decide(still, UpstreamCompleted(), NOON)

    assert (still.status, none) == (TaskStatus.WAITING, ())
    assert (started.status, effects) == (TaskStatus.PROCESSING, (StartGroup(G),))


def test_a_group_whose_upstream_failed_ends_with_3000_and_leaves_nothing_to_clean_up() -> None:
    group, effects = decide(a_group(id=G, waits_for=2), UpstreamFailed(), NOON)

    assert group.status is TaskStatus.FAILED_UPSTREAM
    assert {task.exit_code for task in group.tasks} == {ExitCode.UPSTREAM}
    assert effects == (GroupEnded(G, TaskStatus.FAILED_UPSTREAM),)
    assert group.cleanup is Cleanup.DONE


def test_a_second_upstream_that_completes_does_not_wake_a_group_that_failed() -> None:
    failed, _ = decide(a_group(id=G, waits_for=2), UpstreamFailed(), NOON)

    assert decide(failed, UpstreamCompleted(), NOON) == (failed, ())


def test_every_attempt_is_handed_over_once() -> None:
    group, _ = ready(a_group(id=G), NOON)

    handed, _ = decide(group, HandedOver(), NOON)
    again, effects = decide(handed, HandedOver(), NOON)

    assert {task.ordinal for task in handed.tasks} == {1}
    assert [row.kind for row in handed.pending] == ["create"]
    assert again == handed
    assert isinstance(effects[0], Refused)


def test_a_create_that_failed_fails_the_group_with_3002_and_is_cleaned_up() -> None:
    group, _ = ready(a_group(id=G), NOON)
    group, _ = decide(group, HandedOver(), NOON)

    failed, effects = decide(group, CreateAnswered(1, "failed", "no such secret"), NOON)

    assert failed.status is TaskStatus.FAILED_SERVER_ERROR
    assert failed.tasks[0].exit_code == ExitCode.SERVER_ERROR
    assert failed.message == "CreateGroup job failed: no such secret"
    assert effects == (CleanUp(G, 0, 2), GroupEnded(G, TaskStatus.FAILED_SERVER_ERROR))


def test_an_answer_that_comes_twice_counts_once() -> None:
    group = a_started_group()

    assert decide(group, CreateAnswered(1, "failed", "late"), NOON) == (group, ())


def test_a_group_that_cannot_be_rendered_ends_without_a_cleanup() -> None:
    group, _ = ready(a_group(id=G), NOON)

    failed, effects = decide(group, StartImpossible("the spec is gone"), NOON)

    assert failed.status is TaskStatus.FAILED_SERVER_ERROR
    assert effects == (GroupEnded(G, TaskStatus.FAILED_SERVER_ERROR),)


# What its pods say -------------------------------------------------------------------------------


def test_a_group_follows_its_pods_up_to_the_end() -> None:
    group = a_started_group()
    way = []
    for status in (TaskStatus.SCHEDULING, TaskStatus.INITIALIZING, TaskStatus.RUNNING):
        group, effects = decide(group, seen("lead", status), NOON)
        way.append((group.status, effects))
    group, effects = decide(group, seen("lead", TaskStatus.COMPLETED, 0), NOON)

    assert way == [
        (TaskStatus.SCHEDULING, ()),
        (TaskStatus.INITIALIZING, ()),
        (TaskStatus.RUNNING, ()),
    ]
    assert group.status is TaskStatus.COMPLETED
    assert effects == (CleanUp(G, 0, 2), GroupEnded(G, TaskStatus.COMPLETED))


def test_news_may_skip_what_was_never_seen() -> None:
    group, effects = decide(a_started_group(), seen("lead", TaskStatus.FAILED, 7), NOON)

    assert (group.status, group.tasks[0].exit_code) == (TaskStatus.FAILED, 7)
    assert effects[-1] == GroupEnded(G, TaskStatus.FAILED)


def test_news_that_comes_late_or_twice_changes_nothing() -> None:
    running, _ = decide(a_started_group(), seen("lead", TaskStatus.RUNNING), NOON)

    for status in (TaskStatus.SCHEDULING, TaskStatus.INITIALIZING, TaskStatus.RUNNING):
        assert decide(running, seen("lead", status), NOON) == (running, ())


def test_what_is_over_stays_over() -> None:
    over, _ = decide(a_started_group(), seen("lead", TaskStatus.COMPLETED, 0), NOON)

    assert decide(over, seen("lead", TaskStatus.FAILED, 137), NOON) == (over, ())


@pytest.mark.parametrize("status", sorted(set(TaskStatus) - SHOWN))
def test_what_no_pod_can_show_is_refused(status: TaskStatus) -> None:
    """An operator that says RESCHEDULED would have the task tried again without a budget."""
    group = a_started_group()

    assert decide(group, seen("lead", status), NOON) == (
        group,
        (Refused(f"task lead: no pod shows {status}"),),
    )


def test_news_of_an_earlier_attempt_changes_nothing() -> None:
    group = a_started_group()
    group = replace(group, tasks=(replace(group.tasks[0], retry=1),))

    assert decide(group, seen("lead", TaskStatus.FAILED, 1), NOON) == (group, ())


def test_news_of_an_earlier_incarnation_changes_nothing() -> None:
    group = replace(a_started_group(), incarnation=1)

    assert decide(group, seen("lead", TaskStatus.FAILED, 1), NOON) == (group, ())


@pytest.mark.parametrize(
    "claim",
    [{"retry": 1}, {"incarnation": 1}, {"task": "nobody"}],
    ids=["retry", "incarnation", "task"],
)
def test_news_of_an_attempt_that_was_never_started_is_refused(claim: dict[str, object]) -> None:
    group = a_started_group()
    event = replace(seen("lead", TaskStatus.RUNNING), **claim)  # type: ignore[arg-type]

    same, effects = decide(group, event, NOON)

    assert same == group
    assert isinstance(effects[0], Refused)


def test_times_are_the_pods_own_with_the_time_of_receipt_beside_them() -> None:
    start = NOON - timedelta(seconds=3)
    group, _ = decide(a_started_group(), seen("lead", TaskStatus.RUNNING, started_at=start), NOON)

    assert (group.tasks[0].started_at, group.tasks[0].received_at) == (start, NOON)
    assert group.started_at == start


# Lead and others ---------------------------------------------------------------------------------


def test_a_lead_that_completes_ends_the_others_with_it() -> None:
    group, effects = after(
        a_started_group("lead", "side"),
        seen("side", TaskStatus.RUNNING),
        seen("lead", TaskStatus.COMPLETED, 0),
    )

    assert group.status is TaskStatus.COMPLETED
    side = group.task(SIDE)
    assert side is not None
    assert (side.status, side.exit_code, side.message) == (
        TaskStatus.COMPLETED,
        None,
        "Lead task finished",
    )
    assert effects == [CleanUp(G, 0, 2), GroupEnded(G, TaskStatus.COMPLETED)]


def test_a_lead_that_fails_fails_the_group() -> None:
    group, _ = decide(a_started_group("lead", "side"), seen("lead", TaskStatus.FAILED, 1), NOON)

    assert group.status is TaskStatus.FAILED
    assert {task.status for task in group.tasks} == {TaskStatus.FAILED}


def test_a_failure_beside_the_lead_is_only_noted() -> None:
    group, effects = after(
        a_started_group("lead", "side"),
        seen("lead", TaskStatus.RUNNING),
        seen("side", TaskStatus.FAILED, 3),
    )
    done, _ = decide(group, seen("lead", TaskStatus.COMPLETED, 0), NOON)

    assert (group.status, effects) == (TaskStatus.RUNNING, [])
    assert done.status is TaskStatus.COMPLETED


def test_a_failure_beside_the_lead_fails_a_strict_group() -> None:
    group, _ = after(
        a_started_group("lead", "side", ignore_nonlead_status=False),
        seen("lead", TaskStatus.RUNNING),
        seen("side", TaskStatus.FAILED, 3),
    )

    lead = group.task(LEAD)
    assert lead is not None
    assert (group.status, lead.message) == (TaskStatus.FAILED, "Task side Failed.")


def test_a_lead_that_was_evicted_gives_the_group_its_status() -> None:
    group, _ = decide(
        a_started_group("lead", "side"), seen("lead", TaskStatus.FAILED_EVICTED, 3004), NOON
    )

    assert group.status is TaskStatus.FAILED_EVICTED


# Cleaning up -------------------------------------------------------------------------------------


def test_a_cleanup_takes_the_create_that_was_not_answered_out_of_the_mailbox() -> None:
    group, _ = ready(a_group(id=G), NOON)
    group, _ = decide(group, HandedOver(), NOON)

    _, effects = decide(group, seen("lead", TaskStatus.FAILED, 1), NOON)

    assert effects[0] == CleanUp(G, 0, 2, superseded=(1,))


def test_a_cleanup_is_asked_for_until_it_is_answered_and_then_no_more() -> None:
    ended, _ = decide(a_started_group(), seen("lead", TaskStatus.COMPLETED, 0), NOON)
    cleaned, effects = decide(ended, CleanupAnswered(2), NOON)

    assert (ended.cleanup, cleaned.cleanup, effects) == (Cleanup.ASKED, Cleanup.DONE, ())
    assert cleaned.pending == ()
    assert decide(cleaned, CleanupAnswered(2), NOON) == (cleaned, ())


def test_an_anchor_that_outlived_its_cleanup_is_cleaned_up_again() -> None:
    ended, _ = decide(a_started_group(), seen("lead", TaskStatus.COMPLETED, 0), NOON)
    cleaned, _ = decide(ended, CleanupAnswered(2), NOON)

    again, effects = decide(cleaned, AnchorSeen(0), NOON)

    assert effects == (CleanUp(G, 0, 3),)
    assert decide(again, AnchorSeen(0), NOON) == (again, ()), "one is on its way"


def test_the_anchor_of_a_live_group_is_as_it_should_be() -> None:
    group = a_started_group()

    assert decide(group, AnchorSeen(0), NOON) == (group, ())


# Lost, or only unseen ----------------------------------------------------------------------------


def test_an_absence_decides_nothing_and_asks_once() -> None:
    asked, effects = decide(a_started_group(), AbsenceSeen(), NOON)

    assert (asked.status, effects) == (TaskStatus.PROCESSING, (Observe(G, 0, 2),))
    assert decide(asked, AbsenceSeen(), NOON) == (asked, ())


def test_a_pod_that_is_not_made_yet_is_not_asked_for() -> None:
    group, _ = ready(a_group(id=G), NOON)
    group, _ = decide(group, HandedOver(), NOON)

    assert decide(group, AbsenceSeen(), NOON) == (group, ())


def test_a_task_is_lost_when_the_answer_to_an_observe_has_no_pod_of_it() -> None:
    group, effects = after(
        a_started_group(limits=ONCE),
        seen("lead", TaskStatus.RUNNING),
        AbsenceSeen(),
        ObserveAnswered(2, ()),
    )

    assert group.status is TaskStatus.FAILED
    assert group.tasks[0].status is TaskStatus.FAILED_BACKEND_ERROR
    assert group.tasks[0].exit_code == ExitCode.BACKEND_ERROR
    assert effects[-1] == GroupEnded(G, TaskStatus.FAILED)


def test_an_answer_that_shows_the_pod_is_news_of_it() -> None:
    group, _ = after(
        a_started_group(),
        AbsenceSeen(),
        ObserveAnswered(2, (seen("lead", TaskStatus.RUNNING),)),
    )

    assert (group.status, group.pending) == (TaskStatus.RUNNING, ())


def test_an_answer_says_nothing_of_pods_that_were_made_after_the_question() -> None:
    group = a_started_group("lead", "side")
    asked, _ = decide(group, AbsenceSeen(), NOON)
    later = replace(asked, tasks=(asked.tasks[0], replace(asked.tasks[1], retry=1, ordinal=3)))

    answered, _ = decide(later, ObserveAnswered(2, (seen("lead", TaskStatus.RUNNING),)), NOON)

    side = answered.task(SIDE)
    assert side is not None
    assert not side.status.final


def test_a_part_of_an_answer_loses_no_task_that_is_in_another_part() -> None:
    group = a_started_group("lead", "side", limits=ONCE)
    asked, _ = decide(group, AbsenceSeen(), NOON)
    first = ObserveAnswered(2, (seen("lead", TaskStatus.RUNNING),), tasks=("", "r~"))
    last = ObserveAnswered(2, (), tasks=("s", "~"))

    half, _ = decide(asked, first, NOON)
    whole, _ = decide(half, last, NOON)

    assert half.awaits(2, "observe"), "the question stays open until every task was covered"
    assert [task.status for task in half.tasks] == [TaskStatus.RUNNING, TaskStatus.PROCESSING]
    assert whole.awaits(2) is None
    assert [task.status for task in whole.tasks][1] is TaskStatus.FAILED_BACKEND_ERROR


# What holds whatever happens ---------------------------------------------------------------------

statuses = st.sampled_from([s for s in TaskStatus if s.rank >= TaskStatus.SCHEDULING.rank])
pods = st.builds(
    PodSeen,
    incarnation=st.sampled_from([0, 0, 0, 1]),
    task=st.sampled_from([LEAD, SIDE, TaskName("nobody")]),
    retry=st.sampled_from([0, 0, 0, 1]),
    status=statuses,
    exit_code=st.sampled_from([None, 0, 1, 3, 137]),
    disrupted=st.booleans(),
)
RULES = (ExitRule("reschedule", ((3, 3),)), ExitRule("complete", ((137, 137),)))
events: st.SearchStrategy[GroupEvent] = st.one_of(
    pods,
    st.just(UpstreamCompleted()),
    st.just(UpstreamFailed()),
    st.just(HandedOver()),
    st.builds(StartImpossible, st.just("no")),
    st.builds(StartParked, st.just("an admin is asked")),
    st.builds(Cancelled, st.just("alice"), force=st.booleans()),
    st.just(TimerDue()),
    st.builds(CreateAnswered, st.integers(1, 4), st.sampled_from(["done", "failed", "superseded"])),
    st.builds(CleanupAnswered, st.integers(1, 4)),
    st.builds(
        ObserveAnswered,
        st.integers(1, 4),
        st.tuples(pods),
        st.sampled_from([None, ("", "m"), ("n", "~")]),
    ),
    st.just(AbsenceSeen()),
    st.builds(AnchorSeen, st.sampled_from([0, 1])),
)


@given(
    waits_for=st.integers(0, 2),
    strict=st.booleans(),
    happened=st.lists(st.tuples(events, st.integers(0, 45)), max_size=30),
)
def test_whatever_happens_a_group_only_moves_up_and_ends_once(
    waits_for: int, strict: bool, happened: list[tuple[GroupEvent, int]]
) -> None:
    tasks = (a_task("lead", lead=True, exit_rules=RULES), a_task("side", exit_rules=RULES))
    limits = Limits(retries=Retries(disrupted=1, asked=2))
    group = a_group(
        id=G, tasks=tasks, waits_for=waits_for, ignore_nonlead_status=not strict, limits=limits
    )
    now = NOON
    group, effects = ready(group, now)
    ends = 0
    cancelled = False
    for event, minutes in happened:
        before = group
        now += timedelta(minutes=minutes)
        group, effects = decide(group, event, now)
        ends += sum(isinstance(effect, GroupEnded) for effect in effects)

        assert group.status.rank >= before.status.rank
        ended = [effect.attempt for effect in effects if isinstance(effect, Replaced)]
        for old, new in zip(before.tasks, group.tasks, strict=True):
            replaced = [attempt for attempt in ended if attempt.name == old.name]
            assert new.retry == old.retry + len(replaced)
            assert all(attempt.status is TaskStatus.RESCHEDULED for attempt in replaced)
            assert new.disruptions + new.asked_again == new.retry
            assert new.disruptions <= 1
            assert new.asked_again <= 2
            if not replaced:
                assert new.status.rank >= old.status.rank
            assert not old.status.final or new == old
        if before.status.final:
            assert group.status is before.status
        elif isinstance(event, Cancelled):
            cancelled = True
        if any(isinstance(effect, Refused) for effect in effects) and len(effects) == 1:
            assert not isinstance(event, PodSeen) or group == before
        assert not group.status.final or deadline(group) is None
        assert len({row.ordinal for row in group.pending}) == len(group.pending)
        assert all(dressed(group, bare(group, task)) == task for task in group.tasks)
    assert ends == (group.status.final and not cancelled), "who cancels all tells nobody"
    if group.status.final and group.cleanup is not Cleanup.DONE:
        assert any(row.kind == "cleanup" for row in group.pending), "it will be cleaned up"
