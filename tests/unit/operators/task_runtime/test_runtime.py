"""The life of a task as its sidecar sees it: every life there can be, met by every event.

Lives are not written down but reached: all that `begin` gives, and whatever `decide` makes of them
with any event at any moment, until nothing new comes. What was ordered on the way is kept beside
each, so a promise is a sentence about all ways there are.

Events and orders are named tuples, and all empty tuples are equal: they are compared by what they
are called.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from operators.task_runtime.runtime import (
    Abandon,
    CloseLog,
    Code,
    CommandEnded,
    CommandStopped,
    Download,
    Downloaded,
    Event,
    Failed,
    Go,
    GraceOver,
    Hurry,
    Leave,
    Life,
    LogClosed,
    LogFailed,
    Meet,
    Met,
    Order,
    Phase,
    Restart,
    Restarted,
    Say,
    Stop,
    Terminated,
    Upload,
    Uploaded,
    begin,
    decide,
)

NO_DOWNLOAD = Failed(Code.DOWNLOAD, "no download")
NO_BARRIER = Failed(Code.BARRIER, "no barrier")
NO_UPLOAD = Failed(Code.UPLOAD, "no upload")
NO_LOG = LogFailed(Code.TOKEN)

EVENTS: tuple[Event, ...] = (
    Downloaded(),
    Met(0),
    Met(1),
    Restarted(1),
    CommandStopped(),
    CommandEnded(0),
    CommandEnded(3),
    CommandEnded(None),
    Uploaded(),
    NO_DOWNLOAD,
    NO_BARRIER,
    NO_UPLOAD,
    LogClosed(),
    NO_LOG,
    Terminated(),
    GraceOver(),
)
STEPS = (Download, Meet, Upload)


REMEMBERED = {Failed, Terminated, GraceOver, LogClosed, LogFailed}
"""Of what happened on a way; each more doubles the ways."""


class Way(NamedTuple):
    """A life, and of the way to it what promises are about."""

    life: Life
    ordered: frozenset[type[Order]]
    happened: frozenset[type[Event]]


class Turn(NamedTuple):
    before: Way
    event: Event
    orders: tuple[Order, ...]
    after: Way

    @property
    def kinds(self) -> list[type[Order]]:
        return [type(order) for order in self.orders]


def every_beginning() -> Iterator[Way]:
    for inputs in (False, True):
        for barrier in (False, True):
            life, orders = begin(inputs=inputs, barrier=barrier, waits=inputs or barrier)
            yield Way(life, frozenset(map(type, orders)), frozenset())


def every_turn() -> list[Turn]:
    ways = list(every_beginning())
    known = set(ways)
    turns = []
    while ways:
        before = ways.pop()
        for event in EVENTS:
            life, orders = decide(before.life, event)
            after = Way(
                life,
                before.ordered | set(map(type, orders)),
                before.happened | ({type(event)} & REMEMBERED),
            )
            turns.append(Turn(before, event, orders, after))
            if after not in known:
                known.add(after)
                ways.append(after)
    return turns


TURNS = every_turn()


def test_every_phase_is_met_by_every_event() -> None:
    met = {(turn.before.life.phase, repr(turn.event)) for turn in TURNS}

    assert met == {(phase, repr(event)) for phase in Phase for event in EVENTS}


def test_no_event_is_missing_here() -> None:
    assert {type(event) for event in EVENTS} == set(Event.__args__)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", EVENTS)
def test_also_a_life_that_nobody_reaches_is_decided(phase: Phase, event: Event) -> None:
    for number in range(32):
        barrier, waits, terminated, log_closed, failed = (
            bool(number >> bit & 1) for bit in range(5)
        )
        code = Code.UPLOAD if failed else Code.FINE
        life, orders = decide(Life(phase, barrier, waits, 1, terminated, log_closed, code), event)

        assert isinstance(life, Life)
        assert all(isinstance(order, Order) for order in orders)


def turns_back(turn: Turn) -> bool:
    """From a barrier that is no longer the newest."""
    life, event = turn.before.life, turn.event
    return isinstance(event, Met) and life.phase is Phase.MEETING and event.restarts < life.restarts


def test_an_event_that_comes_twice_changes_nothing_the_second_time() -> None:
    for turn in TURNS:
        life = turn.after.life
        if turns_back(turn):
            assert decide(life, turn.event) == (life, turn.orders), turn
            continue

        assert decide(life, turn.event) == (life, ()), turn


def test_news_of_a_phase_that_is_over_changes_nothing() -> None:
    in_time: dict[type[Event], set[Phase]] = {
        Downloaded: {Phase.DOWNLOADING},
        Met: {Phase.MEETING},
        Uploaded: {Phase.UPLOADING},
        Failed: {Phase.DOWNLOADING, Phase.MEETING, Phase.UPLOADING},
        CommandEnded: {Phase.DOWNLOADING, Phase.MEETING, Phase.RUNNING, Phase.STOPPING},
        CommandStopped: {Phase.STOPPING},
    }
    for turn in TURNS:
        phases = in_time.get(type(turn.event))
        if phases is not None and turn.before.life.phase not in phases:
            assert (turn.after.life, turn.orders) == (turn.before.life, ()), turn


def test_a_phase_is_never_gone_back_to_but_by_a_command_that_begins_anew() -> None:
    for turn in TURNS:
        if isinstance(turn.event, CommandStopped) and not turn.before.life.terminated:
            anew = Phase.MEETING if turn.before.life.barrier else Phase.RUNNING
            assert turn.after.life.phase in (turn.before.life.phase, anew), turn
            continue
        assert turn.before.life.phase.value <= turn.after.life.phase.value, turn


def test_it_leaves_once_and_nothing_comes_after() -> None:
    for turn in TURNS:
        leaves = turn.kinds.count(Leave)
        if turn.before.life.phase is Phase.LEFT:
            assert turn.orders == (), turn
        else:
            assert leaves == (turn.after.life.phase is Phase.LEFT), turn
            assert Leave not in turn.kinds[:-1], turn


def test_it_leaves_with_the_code_of_its_life() -> None:
    for turn in TURNS:
        if Leave in turn.kinds:
            assert repr(turn.orders[-1]) == repr(Leave(turn.after.life.code)), turn


def test_the_command_never_starts_after_something_failed_or_was_terminated() -> None:
    for turn in TURNS:
        if Go in turn.kinds:
            assert not turn.before.happened & {Terminated, GraceOver, LogFailed}, turn
            # A step that fails is a command that never ran, or that did until it was to begin anew.
            assert Failed not in turn.before.happened or Restart in turn.before.ordered, turn
            assert Stop not in turn.before.ordered, turn


def test_the_command_is_told_to_go_once_for_each_restart_and_never_after_a_stop() -> None:
    for turn in TURNS:
        told = [kind for kind in turn.kinds if kind in (Go, Stop)]
        if told:
            assert len(told) == 1, turn
            assert Stop not in turn.before.ordered, turn
        if turn.before.ordered & {Go} and Restart not in turn.before.ordered:
            assert not told, turn


def test_a_command_goes_for_the_restart_that_its_life_knows_of() -> None:
    for turn in TURNS:
        for order in turn.orders:
            if isinstance(order, Go | Meet | Restart):
                assert order.restarts == turn.after.life.restarts, turn


def test_a_restart_is_known_to_whoever_hears_of_it_and_never_forgotten() -> None:
    for turn in TURNS:
        before, after = turn.before.life, turn.after.life
        if isinstance(turn.event, Restarted) and before.phase is not Phase.LEFT:
            assert after.restarts == max(before.restarts, turn.event.restarts), turn
        else:
            assert after.restarts == before.restarts, turn


def test_only_a_command_that_runs_is_ended_to_begin_anew() -> None:
    for turn in TURNS:
        life = turn.before.life
        runs = life.phase is Phase.RUNNING and not life.terminated
        newer = isinstance(turn.event, Restarted) and turn.event.restarts > life.restarts
        assert (Restart in turn.kinds) == (runs and newer), turn
        assert (turn.after.life.phase is Phase.STOPPING) == (
            Restart in turn.kinds
            or (life.phase is Phase.STOPPING and not leaves_stopping(turn.event))
        ), turn


def leaves_stopping(event: Event) -> bool:
    return isinstance(event, CommandStopped | CommandEnded | LogFailed | GraceOver)


def test_a_command_that_waits_for_files_it_will_not_get_is_stopped() -> None:
    for turn in TURNS:
        waiting = turn.before.life.phase in (Phase.DOWNLOADING, Phase.MEETING)
        if waiting and isinstance(turn.event, Failed):
            said = turn.orders[:2]
            assert repr(said) == repr((Say(turn.event.message), Stop(turn.event.code))), turn


def test_outputs_are_uploaded_however_the_command_ended() -> None:
    for turn in TURNS:
        life = turn.before.life
        ran = life.phase in (Phase.RUNNING, Phase.STOPPING)
        ended = isinstance(turn.event, CommandEnded) and ran
        assert (Upload in turn.kinds) == (ended and not life.terminated), turn


def test_nothing_is_uploaded_once_terminated() -> None:
    for turn in TURNS:
        if turn.before.life.terminated:
            assert Upload not in turn.kinds, turn
            assert turn.before.life.phase is not Phase.UPLOADING, turn


def test_a_step_under_way_is_abandoned_when_the_pod_is_to_end() -> None:
    for turn in TURNS:
        in_a_step = turn.before.life.phase in (Phase.DOWNLOADING, Phase.MEETING, Phase.UPLOADING)
        if in_a_step and isinstance(turn.event, Terminated):
            assert Abandon in turn.kinds, turn


def test_whoever_is_in_a_step_has_ordered_it() -> None:
    step_of: dict[Phase, type[Order]] = {
        Phase.DOWNLOADING: Download,
        Phase.MEETING: Meet,
        Phase.UPLOADING: Upload,
        Phase.CLOSING: CloseLog,
    }
    for turn in TURNS:
        step = step_of.get(turn.after.life.phase)
        assert step is None or step in turn.after.ordered, turn


def test_each_step_is_ordered_at_most_once_but_a_meeting_for_each_restart() -> None:
    for turn in TURNS:
        for kind in (*STEPS, CloseLog, Hurry):
            if kind is Meet and (isinstance(turn.event, CommandStopped) or turns_back(turn)):
                continue
            assert turn.kinds.count(kind) + (kind in turn.before.ordered) <= 1, turn


def test_the_log_is_closed_before_leaving_unless_grace_or_the_log_is_over() -> None:
    for turn in TURNS:
        if Leave in turn.kinds:
            assert turn.after.happened & {LogClosed, LogFailed, GraceOver}, turn
            excused = isinstance(turn.event, GraceOver | LogFailed)
            assert excused or LogClosed in turn.after.happened, turn


def test_what_is_said_is_said_before_the_log_is_closed() -> None:
    for turn in TURNS:
        if Say in turn.kinds:
            assert CloseLog not in turn.before.ordered, turn
            assert CloseLog not in turn.kinds[: turn.kinds.index(Say)], turn


def test_whoever_is_closing_leaves_with_the_logs_next_word() -> None:
    closing = [turn.after.life for turn in TURNS if turn.after.life.phase is Phase.CLOSING]

    assert closing
    for life in closing:
        left, [order] = decide(life, LogClosed())
        assert left == life._replace(phase=Phase.LEFT)
        assert repr(order) == repr(Leave(life.code))


def test_once_terminated_it_leaves_when_grace_is_over_and_not_as_if_all_was_fine() -> None:
    for turn in TURNS:
        there = turn.before.life.phase is not Phase.LEFT
        if there and turn.before.life.terminated and isinstance(turn.event, GraceOver):
            assert turn.after.life.phase is Phase.LEFT, turn
            assert turn.after.life.code != Code.FINE, turn


def called(*moments: tuple[Order, ...]) -> list[str]:
    return [repr(orders) for orders in moments]


def live(life: Life, *events: Event) -> list[str]:
    said = []
    for event in events:
        life, orders = decide(life, event)
        said.append(orders)
    return called(*said)


def test_a_task_that_needs_nothing_runs_at_once_and_is_not_told_to() -> None:
    life, orders = begin(inputs=False, barrier=False, waits=False)

    assert (life.phase, called(orders)) == (Phase.RUNNING, called(()))
    assert live(life, CommandEnded(0), Uploaded(), LogClosed()) == called(
        (Upload(),),
        (CloseLog(),),
        (Leave(Code.FINE),),
    )


def test_a_task_with_inputs_and_a_barrier_goes_when_it_has_both() -> None:
    life, orders = begin(inputs=True, barrier=True, waits=True)

    assert called(orders) == called((Download(),))
    assert live(life, Downloaded(), Met(0), CommandEnded(3), Uploaded(), LogClosed()) == called(
        (Meet(0),),
        (Go(0),),
        (Upload(),),
        (CloseLog(),),
        (Leave(Code.FINE),),
    )


def test_a_task_begins_anew_at_the_barrier_when_another_one_is_tried_again() -> None:
    life, _ = begin(inputs=False, barrier=True, waits=True)
    said = Say("Another task of the group is tried again: the command begins anew.")

    assert live(life, Met(0), Restarted(1), CommandStopped(), Met(1), CommandEnded(0)) == called(
        (Go(0),),
        (said, Restart(1)),
        (Meet(1),),
        (Go(1),),
        (Upload(),),
    )


def test_without_a_barrier_it_begins_anew_at_once_though_it_did_not_wait_at_first() -> None:
    life, _ = begin(inputs=False, barrier=False, waits=False)

    [_, again] = live(life, Restarted(1), CommandStopped())

    assert again == repr((Go(1),))


def test_a_restart_that_the_pod_was_made_for_is_none() -> None:
    life, _ = begin(inputs=False, barrier=False, waits=False, restarts=2)

    assert live(life, Restarted(1), Restarted(2)) == called((), ())


def test_who_waits_at_the_barrier_when_the_group_begins_anew_goes_with_the_others() -> None:
    life, _ = begin(inputs=False, barrier=True, waits=True)

    assert live(life, Restarted(1), Met(1)) == called((), (Go(1),))


def test_who_hears_of_a_restart_on_the_way_from_a_barrier_meets_at_the_next_one() -> None:
    life, _ = begin(inputs=False, barrier=True, waits=True)

    assert live(life, Restarted(1), Met(0), Met(1)) == called((), (Meet(1),), (Go(1),))


def test_a_command_that_ended_before_it_was_stopped_has_ended() -> None:
    life, _ = begin(inputs=False, barrier=False, waits=False)

    [_, ended] = live(life, Restarted(1), CommandEnded(0))

    assert ended == repr((Upload(),))


def test_a_task_whose_upload_fails_says_so_and_leaves_with_its_code() -> None:
    life, _ = begin(inputs=False, barrier=False, waits=False)

    assert live(life, CommandEnded(0), NO_UPLOAD, LogClosed()) == called(
        (Upload(),),
        (Say("no upload"), CloseLog()),
        (Leave(Code.UPLOAD),),
    )


def test_a_wrapper_that_was_killed_is_told_of_in_the_log() -> None:
    life, _ = begin(inputs=False, barrier=False, waits=False)

    _, orders = decide(life, CommandEnded(None))

    assert [type(order) for order in orders] == [Say, Upload]


def test_what_a_terminated_command_prints_on_its_way_out_is_waited_for() -> None:
    life, _ = begin(inputs=False, barrier=False, waits=False)

    assert live(life, Terminated(), CommandEnded(143), LogClosed()) == called(
        (Hurry(),),
        (CloseLog(),),
        (Leave(Code.TERMINATED),),
    )


def test_a_log_that_the_logger_closed_early_is_not_waited_for() -> None:
    life, _ = begin(inputs=False, barrier=False, waits=False)

    assert live(life, LogClosed(), CommandEnded(0), Uploaded()) == called(
        (),
        (Upload(),),
        (Leave(Code.FINE),),
    )


def test_a_command_that_ends_before_it_was_told_to_go_ends_the_wait() -> None:
    life, _ = begin(inputs=True, barrier=False, waits=True)

    assert live(life, CommandEnded(143), LogClosed()) == called(
        (Abandon(), CloseLog()),
        (Leave(Code.FINE),),
    )
