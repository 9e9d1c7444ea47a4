"""When a group is overdue, by OSMO's count, and who decides that: the answer to a question that was
asked after the time."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import GROUP, NOON, a_group, a_task
from xylem.domain.deadlines import deadline, deadlines, in_words, never_started
from xylem.domain.effects import CleanUp, GroupEnded, Observe
from xylem.domain.group import (
    AbsenceSeen,
    Cancelled,
    CreateAnswered,
    Group,
    GroupEvent,
    HandedOver,
    ObserveAnswered,
    StartParked,
    TimerDue,
)
from xylem.domain.ids import TaskName
from xylem.domain.plan import Limits, Retries
from xylem.domain.status import ExitCode, TaskStatus
from xylem.domain.task import PodSeen
from xylem.domain.transitions import decide, ready

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
QUEUE, START, RUN = 30 * MINUTE, 10 * MINUTE, HOUR
PROCESSING, WAITING = 2 * HOUR, 3 * HOUR
LIMITS = Limits(
    queue=QUEUE,
    start=START,
    execution=RUN,
    processing=PROCESSING,
    waiting=WAITING,
    retries=Retries(disrupted=0),
)
SCHEDULING, INITIALIZING, RUNNING = (
    TaskStatus.SCHEDULING,
    TaskStatus.INITIALIZING,
    TaskStatus.RUNNING,
)


def a_placed_group(*names: str, **fields: object) -> Group:
    """Handed over at noon, its pods made; nothing was seen of them."""
    tasks = tuple(a_task(name, lead=number == 0) for number, name in enumerate(names or ("lead",)))
    group, _ = ready(a_group(**{"tasks": tasks, "limits": LIMITS, **fields}), NOON)
    group, _ = decide(group, HandedOver(), NOON)
    group, _ = decide(group, CreateAnswered(1, "done"), NOON)
    return group


def seen(task: str, status: TaskStatus, code: int | None = None, **fields: object) -> PodSeen:
    known: dict[str, object] = {"incarnation": 0, "retry": 0, **fields}
    return PodSeen(task=TaskName(task), status=status, exit_code=code, **known)  # type: ignore[arg-type]  # fields of any type


def at(minutes: float, group: Group, *events: GroupEvent) -> Group:
    for event in events:
        group, _ = decide(group, event, NOON + minutes * MINUTE)
    return group


def asked(group: Group, minutes: float) -> tuple[Group, int]:
    """The timer rings: the number of the question."""
    group, effects = decide(group, TimerDue(), NOON + minutes * MINUTE)
    [effect] = effects
    assert isinstance(effect, Observe)
    return group, effect.ordinal


# From when, until when ---------------------------------------------------------------------------


def test_the_queue_counts_while_the_group_is_scheduling_and_no_longer() -> None:
    placed = a_placed_group()
    queued = at(2, placed, seen("lead", SCHEDULING))
    pulling = at(3, queued, seen("lead", INITIALIZING))

    assert deadline(placed) == NOON + PROCESSING
    assert deadline(queued) == NOON + 2 * MINUTE + QUEUE
    assert deadline(pulling) == NOON + 3 * MINUTE + START


def test_waiting_for_others_has_a_limit_where_one_is_set() -> None:
    waiting = a_group(waits_for=1, waiting_since=NOON, limits=LIMITS)
    patient = replace(waiting, limits=replace(LIMITS, waiting=None))

    assert deadline(waiting) == NOON + WAITING
    assert deadline(patient) is None


def test_a_run_counts_from_the_first_running_of_the_group() -> None:
    group = at(5, a_placed_group("lead", "side"), seen("side", RUNNING))
    later = at(20, group, seen("lead", RUNNING))

    assert deadline(group) == deadline(later) == NOON + 5 * MINUTE + RUN


def test_a_start_counts_for_each_task_that_is_initializing() -> None:
    group = at(1, a_placed_group("lead", "side"), seen("lead", INITIALIZING))
    both = at(4, group, seen("side", INITIALIZING))
    one = at(6, both, seen("lead", RUNNING))

    assert deadline(both) == NOON + 1 * MINUTE + START
    assert deadline(one) == NOON + 4 * MINUTE + START
    assert deadline(at(7, one, seen("side", RUNNING))) == NOON + 6 * MINUTE + RUN


def test_what_has_ended_has_no_deadline() -> None:
    group = at(5, a_placed_group(), seen("lead", RUNNING), seen("lead", TaskStatus.COMPLETED, 0))

    assert deadline(group) is None


def test_what_nobody_noted_the_begin_of_has_no_deadline() -> None:
    waiting = a_group(waits_for=1, limits=LIMITS)
    processing = replace(a_placed_group(), processing_at=None)
    queued = replace(at(0, a_placed_group(), seen("lead", SCHEDULING)), scheduling_since=None)
    pulling = at(0, a_placed_group(), seen("lead", INITIALIZING))
    pulling = replace(pulling, tasks=(replace(pulling.tasks[0], received_at=None),))

    for group in (waiting, processing, queued, pulling):
        assert deadline(group) is None


def test_a_limit_counts_only_in_the_status_that_it_is_of() -> None:
    times = {"waiting_since": NOON, "processing_at": NOON, "scheduling_since": NOON}
    counted = [
        list(deadlines(a_group(limits=LIMITS, status=status, **times)))
        for status in (TaskStatus.WAITING, TaskStatus.PROCESSING, SCHEDULING, INITIALIZING)
    ]

    assert counted == [
        [("waiting", NOON + WAITING)],
        [("processing", NOON + PROCESSING)],
        [("queue", NOON + QUEUE)],
        [],
    ]


def test_what_has_ended_counts_nothing_whatever_its_times_say() -> None:
    ended = a_group(status=TaskStatus.FAILED, running_since=NOON, limits=LIMITS)

    assert list(deadlines(ended)) == []


def test_a_group_that_may_wait_for_ever_was_not_seen_in_its_cluster() -> None:
    waiting = never_started(a_group(limits=LIMITS))
    patient = never_started(a_group(limits=replace(LIMITS, waiting=None)))
    processing = never_started(a_group(limits=LIMITS, status=TaskStatus.PROCESSING))

    assert waiting.message == "Task waited for tasks upstream longer than the set limit of 3 hours."
    assert patient == processing
    assert processing.message == (
        "Task was not seen in its cluster for longer than the set limit of 2 hours."
    )


@pytest.mark.parametrize(
    "claimed", [-600, -1, 0, 3, 5, 6, 600], ids=lambda minutes: f"{minutes} min"
)
def test_a_run_counts_from_when_we_heard_of_it_whatever_its_pods_clock_says(claimed: int) -> None:
    """A clock that is slow would end at once what waited in a queue for longer than it may run."""
    started = NOON + claimed * MINUTE

    group = at(5, a_placed_group(), seen("lead", RUNNING, started_at=started))

    assert deadline(group) == NOON + 5 * MINUTE + RUN


# A timer asks, an answer decides -----------------------------------------------------------------


def test_a_ring_before_its_time_does_nothing() -> None:
    group = at(0, a_placed_group(), seen("lead", SCHEDULING))

    assert decide(group, TimerDue(), NOON + QUEUE - timedelta(microseconds=1)) == (group, ())


def test_a_ring_of_a_group_without_a_deadline_does_nothing() -> None:
    running = at(0, a_placed_group(limits=Limits()), seen("lead", RUNNING))
    for group in (a_group(), replace(running, running_since=None)):
        assert decide(group, TimerDue(), NOON + 999 * HOUR) == (group, ())


def test_a_timer_that_is_due_asks_and_decides_nothing() -> None:
    group = at(0, a_placed_group(), seen("lead", SCHEDULING))

    ringing, effects = decide(group, TimerDue(), NOON + QUEUE)

    assert effects == (Observe(GROUP, 0, 2),)
    assert ringing.status is SCHEDULING


def test_while_a_question_of_after_the_time_is_open_no_second_one_is_asked() -> None:
    """The mailbox of a backend that is away does not grow."""
    group, _ = asked(at(0, a_placed_group(), seen("lead", SCHEDULING)), 30)

    for minutes in (30, 31, 600):
        assert decide(group, TimerDue(), NOON + minutes * MINUTE) == (group, ())


def test_a_question_of_before_the_time_does_not_count() -> None:
    group = at(10, at(0, a_placed_group(), seen("lead", SCHEDULING)), AbsenceSeen())

    answered = at(40, group, ObserveAnswered(2, (seen("lead", SCHEDULING),)))
    ringing, number = asked(group, 31)

    assert answered.status is SCHEDULING, "its answer may be older than the deadline"
    assert number == 3


def test_a_group_that_is_in_the_queue_still_ends_with_osmos_words() -> None:
    group, number = asked(at(0, a_placed_group("lead", "side"), seen("lead", SCHEDULING)), 30)

    ended, effects = decide(
        group,
        ObserveAnswered(number, (seen("lead", SCHEDULING), seen("side", SCHEDULING))),
        NOON + 31 * MINUTE,
    )

    assert ended.status is TaskStatus.FAILED_QUEUE_TIMEOUT
    assert ended.message == "Task stayed in queue longer than the set limit of 30 minutes."
    assert {task.message for task in ended.tasks} == {ended.message}
    assert effects == (
        CleanUp(GROUP, 0, number + 1),
        GroupEnded(GROUP, TaskStatus.FAILED_QUEUE_TIMEOUT),
    )


def test_a_group_that_runs_still_ends_with_osmos_words() -> None:
    group, number = asked(at(0, a_placed_group("lead", "side"), seen("lead", RUNNING)), 60)

    ended = at(
        61, group, ObserveAnswered(number, (seen("lead", RUNNING), seen("side", INITIALIZING)))
    )

    assert ended.status is TaskStatus.FAILED_EXEC_TIMEOUT
    assert ended.message == "Task ran longer than the set limit of 1 hours."
    assert {task.status for task in ended.tasks} == {TaskStatus.FAILED_EXEC_TIMEOUT}


def test_a_task_that_does_not_start_fails_alone_unless_it_leads() -> None:
    group = at(0, a_placed_group("lead", "side"), seen("lead", RUNNING), seen("side", INITIALIZING))
    group, number = asked(group, 10)

    answer = (seen("lead", RUNNING), seen("side", INITIALIZING))
    after = at(11, group, ObserveAnswered(number, answer))

    lead, side = after.tasks
    assert (after.status, lead.status) == (RUNNING, RUNNING)
    assert (side.status, side.exit_code, side.message) == (
        TaskStatus.FAILED_START_TIMEOUT,
        ExitCode.START_TIMEOUT,
        "Task took longer than 10 minutes to start.",
    )


def test_a_lead_that_does_not_start_fails_its_group() -> None:
    group, number = asked(at(0, a_placed_group("lead", "side"), seen("lead", INITIALIZING)), 10)

    after = at(11, group, ObserveAnswered(number, (seen("lead", INITIALIZING),)))

    assert after.status is TaskStatus.FAILED
    assert after.message == "Task took longer than 10 minutes to start."


@pytest.mark.parametrize(
    ("status", "code"), [(TaskStatus.COMPLETED, 0), (TaskStatus.FAILED, 7)], ids=str
)
def test_a_task_that_finished_in_time_has_finished(status: TaskStatus, code: int) -> None:
    """Its news was late, not the task."""
    group, number = asked(at(0, a_placed_group(), seen("lead", RUNNING)), 60)

    after = at(90, group, ObserveAnswered(number, (seen("lead", status, code),)))

    assert (after.status, after.tasks[0].exit_code) == (status, code)


def test_a_group_that_left_the_queue_in_time_is_not_overdue() -> None:
    group, number = asked(at(0, a_placed_group(), seen("lead", SCHEDULING)), 30)

    after = at(31, group, ObserveAnswered(number, (seen("lead", RUNNING),)))

    assert after.status is RUNNING
    assert deadline(after) == NOON + 31 * MINUTE + RUN


def test_an_answer_in_parts_times_the_group_out_with_its_last_part() -> None:
    group, number = asked(at(0, a_placed_group("lead", "side"), seen("lead", SCHEDULING)), 30)
    parts = [
        ObserveAnswered(number, (seen("side", SCHEDULING),), tasks=("m", "~")),
        ObserveAnswered(number, (seen("lead", SCHEDULING),), tasks=("", "lz")),
    ]

    half = at(31, group, parts[0])
    again = at(31, half, parts[0])
    whole = at(31, again, parts[1])

    assert (half.status, again) == (SCHEDULING, half)
    assert whole.status is TaskStatus.FAILED_QUEUE_TIMEOUT


def test_each_part_of_an_answer_decides_the_starts_of_its_own_tasks() -> None:
    """Else a gang of hundreds that do not start would be one change of hundreds of rows."""
    group = at(0, a_placed_group("lead", "s1", "s2"), seen("lead", RUNNING))
    group, number = asked(at(0, group, seen("s1", INITIALIZING), seen("s2", INITIALIZING)), 10)

    half = at(11, group, ObserveAnswered(number, (seen("s1", INITIALIZING),), tasks=("s1", "s1")))

    assert [task.status for task in half.tasks] == [
        RUNNING,
        TaskStatus.FAILED_START_TIMEOUT,
        INITIALIZING,
    ]
    assert half.awaits(number, "observe")


def test_a_task_that_was_lost_is_lost_and_not_late() -> None:
    group, number = asked(at(0, a_placed_group(), seen("lead", RUNNING)), 60)

    after = at(61, group, ObserveAnswered(number, ()))

    assert after.tasks[0].status is TaskStatus.FAILED_BACKEND_ERROR


def test_what_was_never_given_to_a_cluster_ends_without_asking_one() -> None:
    waiting = a_group(waits_for=1, waiting_since=NOON, limits=LIMITS)
    processing, _ = ready(a_group(limits=LIMITS), NOON)

    too_long, first = decide(waiting, TimerDue(), NOON + WAITING)
    not_started, second = decide(processing, TimerDue(), NOON + PROCESSING)

    assert first == second == (GroupEnded(GROUP, TaskStatus.FAILED_QUEUE_TIMEOUT),)
    assert too_long.message == (
        "Task waited for tasks upstream longer than the set limit of 3 hours."
    )
    assert not_started.message == (
        "Task was not seen in its cluster for longer than the set limit of 2 hours."
    )


def test_what_was_given_to_a_cluster_and_never_seen_ends_when_the_cluster_says_so() -> None:
    given, _ = ready(a_group(limits=LIMITS), NOON)
    group, number = asked(at(0, given, HandedOver()), PROCESSING / MINUTE)
    queued = seen("lead", SCHEDULING)

    there = at(130, group, ObserveAnswered(number, (queued,)))
    gone = at(130, group, ObserveAnswered(number, ()))

    assert there.status is SCHEDULING
    assert gone.status is TaskStatus.FAILED_QUEUE_TIMEOUT


# Cancelled, parked -------------------------------------------------------------------------------


def test_whoever_cancels_is_named_in_osmos_words() -> None:
    group = at(1, a_placed_group(), Cancelled("bob", "enough"))
    silent = at(1, a_placed_group(), Cancelled("bob"))

    assert group.status is TaskStatus.FAILED_CANCELED
    assert group.message == "Task was canceled by user: bob. enough"
    assert silent.message == "Task was canceled by user: bob."


def test_force_ends_the_grace_of_a_cleanup_that_is_on_its_way_once() -> None:
    gentle = at(1, a_placed_group(), Cancelled("bob"))

    forced, effects = decide(gentle, Cancelled("bob", force=True), NOON)
    again, no_more = decide(forced, Cancelled("bob", force=True), NOON)

    assert effects == (CleanUp(GROUP, 0, 3, force=True),)
    assert (again, no_more) == (forced, ())
    assert decide(gentle, Cancelled("bob"), NOON) == (gentle, ())


def test_a_group_of_which_no_cluster_holds_anything_is_cancelled_without_a_cleanup() -> None:
    waiting = a_group(waits_for=1)
    processing, _ = ready(a_group(), NOON)

    for group in (waiting, processing):
        cancelled, effects = decide(group, Cancelled("bob", force=True), NOON)
        assert (cancelled.status, effects) == (TaskStatus.FAILED_CANCELED, ())
        assert decide(cancelled, Cancelled("bob", force=True), NOON) == (cancelled, ())


def test_a_parked_start_is_told_to_a_group_that_waits_for_it_only() -> None:
    waiting, _ = ready(a_group(), NOON)
    parked, _ = decide(waiting, StartParked("an admin is asked"), NOON)
    placed = a_placed_group()

    assert (parked.status, parked.message) == (TaskStatus.PROCESSING, "an admin is asked")
    assert decide(placed, StartParked("late"), NOON)[0] == placed
    assert decide(parked, HandedOver(), NOON)[0].message == ""


# Words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (timedelta(days=60), "60 days"),
        (timedelta(hours=1), "1 hours"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(minutes=30), "30 minutes"),
        (timedelta(seconds=5), "5 seconds"),
        (timedelta(milliseconds=1500), "1500 milliseconds"),
        (timedelta(microseconds=1), "1 microseconds"),
    ],
)
def test_a_limit_is_spoken_in_the_largest_unit_that_divides_it(
    limit: timedelta, words: str
) -> None:
    assert in_words(limit) == words


# What holds whatever happens ---------------------------------------------------------------------


@given(
    claims=st.lists(
        st.tuples(
            st.sampled_from([SCHEDULING, INITIALIZING, RUNNING]),
            st.sampled_from(["lead", "side"]),
            st.integers(-10_000, 10_000),
            st.integers(0, 30),
        ),
        max_size=8,
    )
)
def test_no_pods_clock_moves_a_deadline_out_of_what_can_be_true(
    claims: list[tuple[TaskStatus, str, int, int]],
) -> None:
    group = a_placed_group("lead", "side")
    now: datetime = NOON
    for status, task, claimed, minutes in claims:
        now += minutes * MINUTE
        pod = seen(task, status, started_at=NOON + claimed * MINUTE)
        group, _ = decide(group, pod, now)
    due = deadline(group)

    if due is not None:
        assert NOON + START <= due <= now + PROCESSING
    assert replace(group, status=TaskStatus.FAILED).status.final
