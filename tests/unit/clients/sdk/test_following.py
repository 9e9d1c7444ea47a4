"""A follower sees each record once and in order, whatever becomes of what it is told."""

import base64
import gzip
import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from clients.sdk.following import (
    ENDING_SECONDS,
    LOOK_SECONDS,
    READ_AT_LEAST_SECONDS,
    READ_EVERY_SECONDS,
    SPREAD_SECONDS,
    Follower,
    Read,
)
from clients.sdk.models import LogPage, LogRecord
from tests.builders import HELLO
from tests.unit.clients.answers import a_record
from xylem.protocol.following import LogEnded, Reached, Said, SaidPart, SaidRecord, cursor_at
from xylem.protocol.spool import Record, Stream, encode

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


def caught_up(position: int = 0, *, followers: int = 1, chance: float = 0.5) -> Follower:
    """Subscribed, and it read to an empty page, at moment 0."""
    follower = Follower(cursor_at({"hello#0": position}), now=0, chance=lambda: chance)
    follower.subscribed(now=0, followers=followers)
    follower.read(a_page(position), now=0)
    return follower


def test_who_is_subscribed_reads_at_once_until_nothing_comes_any_more() -> None:
    follower = Follower("", now=0, chance=lambda: 0.5)
    follower.subscribed(now=5, followers=1)

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


# Chunks in parts ---------------------------------------------------------------------------------


def parts(text: str, offset: int = 0) -> list[SaidPart]:
    raw = encode(Record(Stream.STDOUT, 0, text.encode()))
    packed = base64.b64encode(gzip.compress(raw)).decode()
    half = len(packed) // 2
    return [
        SaidPart(
            workflow=HELLO,
            task="hello",
            retry=0,
            offset=offset,
            next=offset + 10,
            part=part,
            parts=2,
            packed=piece,
        )
        for part, piece in enumerate((packed[:half], packed[half:]))
    ]


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0, 1), (1, 0, 1)])
def test_a_chunk_in_parts_is_shown_without_a_read_however_they_come(order: Sequence[int]) -> None:
    follower = caught_up()
    of_chunk = parts("all of it")

    shown = [text for part in order for text in texts(follower.told(of_chunk[part], now=1))]
    follower.told(said(0, None), now=1)

    assert shown == ["all of it"]
    assert follower.cursor == cursor_at({"hello#0": 10})
    assert follower.next_read(1) is None


def test_a_chunk_that_lacks_a_part_is_read() -> None:
    follower = caught_up()

    assert follower.told(parts("all of it")[1], now=1) == ()
    follower.told(said(0, None), now=1)

    assert follower.next_read(1) == Read(cursor_at({"hello#0": 0}), 0)


def test_parts_of_two_chunks_are_never_mixed() -> None:
    follower = caught_up()
    first, second = parts("one"), parts("two", offset=10)

    assert follower.told(first[0], now=1) == ()
    assert follower.told(second[1], now=1) == ()
    assert follower.told(first[1], now=1) == ()
    follower.told(said(0, None), now=1)

    assert follower.next_read(1) is not None


def test_parts_that_are_nonsense_are_read() -> None:
    follower = caught_up()
    for part in parts("one"):
        assert follower.told(part.model_copy(update={"packed": "no gzip!"}), now=1) == ()

    assert follower.next_read(1) is not None


def texts(records: Sequence[LogRecord]) -> list[str]:
    return [record.text for record in records]


# Many who follow the same ------------------------------------------------------------------------


def reached(position: int, *, closed: bool = False, followers: int = 100) -> Reached:
    cursor = cursor_at({"hello#0": position})
    return Reached(workflow=HELLO, cursor=cursor, closed=closed, followers=followers)


def test_what_another_one_found_is_as_good_as_a_read() -> None:
    follower = caught_up(10)

    follower.told(reached(10), now=14)

    assert follower.next_read(14 + READ_EVERY_SECONDS * 0.99) is None
    assert follower.next_read(14 + READ_EVERY_SECONDS + SPREAD_SECONDS) is not None


def test_who_is_further_than_another_one_found_is_as_well_off() -> None:
    follower = caught_up(20)

    follower.told(reached(10), now=14)

    assert follower.next_read(14 + READ_EVERY_SECONDS * 0.99) is None


def test_who_missed_what_another_one_found_reads_it_a_moment_later() -> None:
    follower = caught_up(0)

    follower.told(reached(10, followers=1), now=5)

    assert follower.next_read(5) is None, "its push may be on its way"
    assert follower.next_read(5 + LOOK_SECONDS) is not None


def test_the_end_of_a_log_is_seen_by_one_for_all_who_saw_everything() -> None:
    done, missed = caught_up(10), caught_up(0)

    for follower in (done, missed):
        follower.told(reached(10, closed=True), now=5)

    assert (done.closed, missed.closed) == (True, False)


def test_a_word_of_how_far_it_goes_that_is_none_changes_nothing() -> None:
    follower = caught_up(10)

    follower.told(reached(10).model_copy(update={"cursor": "nonsense"}), now=14)

    assert follower.next_read(READ_EVERY_SECONDS) is not None


def test_of_many_each_waits_another_while() -> None:
    early, late = caught_up(followers=30, chance=0.0), caught_up(followers=30, chance=1.0)

    assert early.next_read(READ_EVERY_SECONDS) is not None
    assert late.next_read(READ_EVERY_SECONDS + SPREAD_SECONDS - 0.1) is None
    assert late.next_read(READ_EVERY_SECONDS + SPREAD_SECONDS + 0.1) is not None


def test_who_follows_alone_waits_for_nobody() -> None:
    follower = caught_up(followers=1, chance=1.0)

    assert follower.next_read(READ_EVERY_SECONDS) is not None


@pytest.mark.parametrize("chunk_every", [None, 1.0], ids=["quiet", "talking"])
@pytest.mark.parametrize("seed", range(3))
def test_a_hundred_read_the_store_hardly_more_than_one(
    seed: int, chunk_every: float | None
) -> None:
    """Each answered by a process of its own."""
    of_one = reads_of(1, seed, chunk_every)
    of_many = reads_of(100, seed, chunk_every)

    assert of_one > 10
    assert of_many <= 1.2 * of_one


def reads_of(count: int, seed: int, chunk_every: float | None) -> int:
    """In a quarter of an hour, where all is half a second late: pushes and answers."""
    dice = random.Random(seed)
    followers = [Follower("", now=0, chance=dice.random) for _ in range(count)]
    for follower in followers:
        follower.subscribed(now=0, followers=count)
        follower.read(a_page(0), now=0)
    waiting: list[tuple[float, Said | Reached | None, Follower | None]] = []
    position = reads = 0
    for tick in range(1, 9_000):
        now = tick / 10
        due = [one for one in waiting if one[0] <= now]
        waiting = [one for one in waiting if one[0] > now]
        for _, message, reader in due:
            if reader is not None:
                reader.read(a_page(position), now)
            elif message is not None:
                for follower in followers:
                    follower.told(message, now)
        reading = {id(reader) for _, _, reader in waiting if reader is not None}
        for follower in followers:
            if id(follower) not in reading and follower.next_read(now) is not None:
                reads += 1
                waiting.append((now + 0.5, None, follower))
                if count > 1:
                    waiting.append((now + 0.5, reached(position, followers=count), None))
        if chunk_every and now % chunk_every < 0.1:
            waiting.append((now + 0.5, said(position), None))
            position += 10
    return reads


@pytest.mark.parametrize("cursor", ["x", "W10="])
def test_a_cursor_of_another_kind_is_told_apart(cursor: str) -> None:
    with pytest.raises(ValueError, match="not one of ours"):
        Follower(cursor, now=0, chance=lambda: 0.5)
