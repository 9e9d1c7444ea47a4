"""A follower sees each record once and in order, whatever becomes of what it is told."""

from itertools import pairwise

import pytest

from clients.sdk.following import (
    ENDING_SECONDS,
    LOOK_SECONDS,
    READ_AT_LEAST_SECONDS,
    READ_EVERY_SECONDS,
    Follower,
    Read,
)
from clients.sdk.models import LogPage
from tests.builders import HELLO
from tests.unit.clients.answers import a_record
from xylem.protocol.following import LogEnded, Said, SaidRecord, cursor_at

AT_NOON = "2026-11-24T12:00:00"


def said(offset: int, text: str | None = "x", *, task: str = "hello", retry: int = 0) -> Said:
    """A chunk of ten bytes; without text, one that is too large for a frame."""
    record = SaidRecord(task=task, retry=retry, stream="stdout", time=AT_NOON, text=text or "")
    return Said(
        workflow=HELLO,
        task=task,
        retry=retry,
        offset=offset,
        next=offset + 10,
        records=None if text is None else [record],
    )


def a_page(position: int, *texts: str, closed: bool = False, key: str = "hello#0") -> LogPage:
    records = [a_record(text) for text in texts]
    return LogPage(records=records, cursor=cursor_at({key: position}), closed=closed)


def caught_up(position: int = 0) -> Follower:
    """Subscribed, and it read to an empty page, at moment 0."""
    follower = Follower(cursor_at({"hello#0": position}), now=0)
    follower.subscribed(now=0)
    follower.read(a_page(position), now=0)
    return follower


def test_who_is_subscribed_reads_at_once_until_nothing_comes_any_more() -> None:
    follower = Follower("", now=0)
    follower.subscribed(now=5)

    assert follower.next_read(5) == Read(cursor_at({}), 0)
    follower.read(a_page(10, "a"), now=5)
    assert follower.next_read(5) == Read(cursor_at({"hello#0": 10}), 0)
    follower.read(a_page(10), now=5)
    assert follower.next_read(5) is None


def test_a_push_at_the_cursor_is_shown_without_a_read() -> None:
    follower = caught_up()

    assert [record.text for record in follower.told(said(0, "a"), now=1)] == ["a"]
    assert [record.text for record in follower.told(said(10, "b"), now=1)] == ["b"]
    assert follower.cursor == cursor_at({"hello#0": 20})
    assert follower.next_read(1) is None


def test_a_push_that_comes_twice_or_was_read_already_is_dropped() -> None:
    follower = caught_up(10)
    follower.told(said(10), now=1)

    assert follower.told(said(10), now=1) == ()
    assert follower.told(said(0), now=1) == ()
    assert follower.next_read(1) is None


def test_a_push_that_overtook_another_is_read_with_it_and_the_late_one_dropped() -> None:
    follower = caught_up()

    assert follower.told(said(10, "b"), now=1) == ()
    assert follower.next_read(1) == Read(cursor_at({"hello#0": 0}), 0)
    follower.read(a_page(20, "a", "b"), now=1)
    assert follower.told(said(0, "a"), now=1) == ()
    assert follower.next_read(1) is None, "all that was told was read"


def test_a_chunk_that_came_without_its_records_is_read() -> None:
    follower = caught_up()

    assert follower.told(said(0, None), now=1) == ()
    assert follower.next_read(1) == Read(cursor_at({"hello#0": 0}), 0)
    follower.read(a_page(10, "large"), now=1)
    assert follower.next_read(1) is None


def test_who_reads_less_than_was_told_looks_again_and_does_not_spin() -> None:
    follower = caught_up()
    follower.told(said(10, "b"), now=1)

    follower.read(a_page(0), now=1)

    assert follower.next_read(1 + LOOK_SECONDS * 0.9) is None
    assert follower.next_read(1 + LOOK_SECONDS) == Read(cursor_at({"hello#0": 0}), 0)


def test_a_line_whose_push_was_lost_is_found_by_the_next_read_of_a_quiet_task() -> None:
    follower = caught_up()

    assert follower.next_read(READ_EVERY_SECONDS * 0.99) is None
    read = follower.next_read(READ_EVERY_SECONDS)
    assert read == Read(cursor_at({"hello#0": 0}), 15)
    follower.read(a_page(10, "lost"), now=READ_EVERY_SECONDS)
    assert follower.next_read(READ_EVERY_SECONDS) is not None, "there may be more of it"
    follower.read(a_page(10), now=READ_EVERY_SECONDS)
    assert follower.next_read(2 * READ_EVERY_SECONDS * 0.99) is None


def test_who_is_told_of_every_attempt_all_the_time_reads_once_a_minute() -> None:
    follower = caught_up()
    moments = [moment for moment in range(1, 200) if told_and_read(follower, moment)]

    assert moments[0] == READ_AT_LEAST_SECONDS
    assert all(b - a >= READ_AT_LEAST_SECONDS for a, b in pairwise(moments))


def told_and_read(follower: Follower, moment: int) -> bool:
    """It is told of ten bytes each second; whether it reads then."""
    follower.told(said(10 * (moment - 1)), now=moment)
    read = follower.next_read(moment) is not None
    if read:
        follower.read(a_page(10 * moment), now=moment)
    return read


def test_an_attempt_that_is_quiet_is_read_every_fifteen_seconds_whatever_the_others_say() -> None:
    follower = caught_up()
    follower.told(said(0, task="quiet"), now=0)
    moments = [moment for moment in range(1, 100) if told_and_read(follower, moment)]

    assert all(b - a <= 2 * READ_EVERY_SECONDS for a, b in pairwise([0, *moments]))
    assert all(b - a <= READ_EVERY_SECONDS for a, b in pairwise(moments))


def test_each_attempt_has_a_cursor_of_its_own() -> None:
    follower = caught_up(30)

    assert follower.told(said(0, "b", task="other"), now=1)
    assert follower.told(said(0, "c", retry=1), now=1)
    assert follower.told(said(30, "a"), now=1)
    assert follower.next_read(1) is None


def test_after_an_end_it_looks_every_second_for_a_while_whether_that_was_all() -> None:
    follower = caught_up()

    follower.told(LogEnded(workflow=HELLO, task="hello", retry=0), now=1)

    assert follower.next_read(1) is None
    assert follower.next_read(1 + LOOK_SECONDS) == Read(cursor_at({"hello#0": 0}), 1)
    follower.read(a_page(0), now=2)
    assert follower.next_read(2 + LOOK_SECONDS) == Read(cursor_at({"hello#0": 0}), 1)
    later = 1 + ENDING_SECONDS
    follower.read(a_page(0), now=later)
    assert follower.next_read(later + LOOK_SECONDS) is None


def test_a_closed_log_is_read_no_more() -> None:
    follower = caught_up()

    follower.read(a_page(0, closed=True), now=1)

    assert follower.closed
    assert follower.next_read(10_000) is None


def test_a_page_never_moves_a_cursor_back() -> None:
    follower = caught_up(20)

    follower.read(a_page(10), now=1)

    assert follower.cursor == cursor_at({"hello#0": 20})


@pytest.mark.parametrize("cursor", ["x", "W10="])
def test_a_cursor_of_another_kind_is_told_apart(cursor: str) -> None:
    with pytest.raises(ValueError, match="not one of ours"):
        Follower(cursor, now=0)
