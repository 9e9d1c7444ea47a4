"""What followers of one log read at one cursor is read once, and nobody is given less than is."""

from datetime import datetime, timedelta

from tests.builders import HELLO, NOON, an_attempt
from xylem.protocol.following import cursor_at
from xylem.protocol.spool import Record, Stream
from xylem.usecases.log_lines import Wanted
from xylem.usecases.log_reading import Page, Shown
from xylem.usecases.shared_pages import MOST_AGE, RECORD_COST, SharedPages

FOLLOWERS = 100


def a_page(*texts: str, cursor: str = "", closed: bool = False) -> Page:
    shown = [Shown(an_attempt(), Record(Stream.STDOUT, 0, text.encode())) for text in texts]
    return Page(shown, cursor, closed)


class Reader:
    """Pages of a log as they are now; `reads` counts how often the store was asked."""

    def __init__(self, *pages: Page, remembered: int = 1_000_000) -> None:
        self.pages = SharedPages(remembered)
        self.now = NOON
        self.reads = 0
        self.there = pages

    def ask(self, cursor: str = "", *, age: float = 0) -> Page:
        return self.pages.page(
            (HELLO, Wanted(), cursor), age=timedelta(seconds=age), now=self.now, read=self._read
        )

    def _read(self) -> Page:
        self.reads += 1
        return self.there[min(self.reads, len(self.there)) - 1]

    def wait(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def test_a_page_with_records_is_read_once_for_all() -> None:
    reader = Reader(a_page("hello"))

    assert [reader.ask() for _ in range(FOLLOWERS)] == [a_page("hello")] * FOLLOWERS
    reader.wait(3600)
    reader.ask()
    assert reader.reads == 1


def test_the_end_is_read_once_for_all() -> None:
    reader = Reader(a_page(closed=True))

    assert all(reader.ask().closed for _ in range(FOLLOWERS))
    assert reader.reads == 1


def test_an_end_may_turn_out_to_be_none_when_a_silent_pod_sends_again() -> None:
    reader = Reader(a_page(closed=True), a_page("late", closed=True))
    assert not reader.ask().records

    reader.wait(MOST_AGE.seconds)

    assert reader.ask().records


def test_a_hundred_that_look_now_and_then_read_as_often_as_one() -> None:
    counts = {}
    for followers in (1, FOLLOWERS):
        reader = Reader(a_page())
        for _ in range(10):
            for _ in range(followers):
                reader.ask(age=15)
                reader.wait(15 / followers)
        counts[followers] = reader.reads

    assert counts[FOLLOWERS] <= counts[1]


def test_who_knows_that_there_is_something_is_not_told_that_there_was_nothing() -> None:
    reader = Reader(a_page(), a_page("hello"))
    reader.ask()

    assert reader.ask().records
    assert [reader.ask() for _ in range(FOLLOWERS)] == [a_page("hello")] * FOLLOWERS
    assert reader.reads == 2


def test_nothing_is_older_than_it_was_said_that_it_may_be_nor_than_it_ever_may() -> None:
    reader = Reader(a_page())
    reader.ask()
    reader.wait(5)
    reader.ask(age=4)
    assert reader.reads == 2
    reader.wait(MOST_AGE.seconds + 1)
    reader.ask(age=3600)
    assert reader.reads == 3


def test_where_nothing_came_nothing_came_further_on_either() -> None:
    """Followers that were told of ten chunks meanwhile are at other cursors."""
    reader = Reader(a_page(cursor=cursor_at({"lead#0": 10})))
    reader.ask(cursor_at({"lead#0": 10}))

    for position in range(10, 100, 10):
        ahead = cursor_at({"lead#0": position, "other#0": 5})
        assert reader.ask(ahead, age=15) == Page((), ahead, closed=False)
    assert reader.reads == 1


def test_who_is_behind_where_nothing_came_reads_what_lies_between() -> None:
    reader = Reader(a_page(cursor=cursor_at({"lead#0": 10, "other#0": 5})), a_page("hello"))
    reader.ask(cursor_at({"lead#0": 10, "other#0": 5}))

    assert reader.ask(cursor_at({"lead#0": 90}), age=15).records


def test_a_cursor_that_is_not_ours_is_left_to_who_reads() -> None:
    reader = Reader(a_page(cursor=""), a_page("hello"))
    reader.ask()

    assert reader.ask("not one of ours", age=15).records


def test_each_cursor_has_its_own_page() -> None:
    reader = Reader(a_page("one"), a_page("two"))

    assert reader.ask("a") == a_page("one")
    assert reader.ask("b") == a_page("two")


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    reader = Reader(a_page("x" * 100), remembered=3 * (2 * RECORD_COST + 100))
    for cursor in ("a", "b", "c", "a", "d"):
        reader.ask(cursor)
    assert reader.reads == 4

    reader.ask("a")
    assert reader.reads == 4, "it was asked for last"
    reader.ask("b")
    assert reader.reads == 5
