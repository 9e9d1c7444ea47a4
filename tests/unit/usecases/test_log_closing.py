"""A log that is closed shows what it lacks; one that is open never does."""

import gzip
from datetime import timedelta

import pytest

from tests.builders import NOON, a_creation, a_group, a_task, a_workflow
from tests.builders_logs import Desk, record
from xylem.domain.errors import Unavailable
from xylem.domain.ids import TaskName
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.memory.logs import MemoryLogs
from xylem.memory.store import MemoryStore
from xylem.ports.logs import Chunk, LogTail
from xylem.ports.task_tokens import Attempt
from xylem.usecases.log_closing import CLOSED_AFTER, QUIET_AFTER, Closing, Span, closing, missing
from xylem.usecases.runtime import RENEWABLE_AFTER_END, TOKEN_LIFE

LIVE = Span(handed=True)
OVER = Span(handed=True, over_at=NOON)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("tail", "span", "after", "state"),
    [
        (LogTail(9), LIVE, SECOND, Closing("complete", 9)),
        (LogTail(9, complete=False), OVER, SECOND, Closing("incomplete", 9)),
        (None, LIVE, 100 * CLOSED_AFTER, Closing("open")),
        (None, OVER, QUIET_AFTER, Closing("open")),
        (None, OVER, QUIET_AFTER + SECOND, Closing("quiet")),
        (None, OVER, CLOSED_AFTER, Closing("quiet")),
        (None, OVER, CLOSED_AFTER + SECOND, Closing("incomplete")),
        (None, Span(handed=False, over_at=NOON), SECOND, Closing("complete", 0)),
        (None, Span(handed=False), SECOND, Closing("open")),
    ],
    ids=str,
)
def test_a_log_closes_by_its_end_or_by_its_age(
    tail: LogTail | None, span: Span, after: timedelta, state: Closing
) -> None:
    assert closing(tail, span, NOON + after) == state


def test_no_token_of_an_attempt_is_good_any_more_when_its_log_closes_by_age() -> None:
    assert CLOSED_AFTER > RENEWABLE_AFTER_END + TOKEN_LIFE


@pytest.mark.parametrize(
    ("state", "reached", "says"),
    [
        (Closing("open"), 5, ""),
        (Closing("complete", 5), 5, ""),
        (Closing("complete", 9), 5, "incomplete after 5 bytes"),
        (Closing("incomplete", 5), 5, "incomplete after 5 bytes"),
        (Closing("incomplete"), 5, "incomplete after 5 bytes"),
        (Closing("quiet"), 5, "incomplete so far, after 5 bytes"),
    ],
    ids=str,
)
def test_what_is_missing_is_said_and_nothing_else_is(
    state: Closing, reached: int, says: str
) -> None:
    assert missing(state, reached).startswith(says)
    assert bool(missing(state, reached)) == bool(says)


# What readers show -------------------------------------------------------------------------------


def said(lines: list[str]) -> list[str]:
    return [line.split("] ", 1)[-1].removeprefix("[osmo] ") for line in lines]


def test_the_log_of_a_lost_node_ends_with_its_gap_a_day_later() -> None:
    desk, one = Desk(), record("one\n")
    desk.put(0, one)

    desk.now += CLOSED_AFTER + SECOND

    gap = f"incomplete after {len(one)} bytes: the rest of this log never arrived"
    assert [line.partition("] ")[2] for line in desk.text()][0] == "one"
    assert desk.text()[1].endswith(f"[lead][osmo] {gap}")
    assert desk.text(last_n_lines=1)[0].endswith(gap)


def test_a_log_that_was_closed_incomplete_says_so_to_who_follows_once() -> None:
    desk, one = Desk(), record("one\n")
    desk.put(0, one)
    desk.logs.put_end(desk.attempt, LogTail(len(one), complete=False))

    first = desk.follow()
    second = desk.follow(first.cursor)

    assert [shown.record.data[:17] for shown in first.records] == [b"one\n", b"incomplete after "]
    assert (first.closed, second.closed) == (True, True)


def test_a_follower_whose_attempt_ended_without_last_words_is_told_so_and_ends() -> None:
    desk = Desk()
    desk.now += QUIET_AFTER + SECOND
    desk.put(0, record("late\n"))

    first = desk.follow()
    second = desk.follow(first.cursor)
    third = desk.follow(second.cursor)

    texts = [[shown.record.data[:17] for shown in page.records] for page in (first, second, third)]
    assert texts == [[b"late\n"], [b"incomplete so far"], []], "a chunk came since: not yet"
    assert [page.closed for page in (first, second, third)] == [False, True, True]


def test_an_attempt_that_no_cluster_had_is_closed_and_nobody_looks_for_its_rows() -> None:
    class Untouched(MemoryLogs):
        def chunks(self, attempt: Attempt, *, start: int = 0, limit: int = 100) -> list[Chunk]:
            raise AssertionError("there are no rows of it")

    desk = Desk()
    desk.logs = Untouched()
    rows = MemoryStore()
    desk.workflows = rows.workflows
    task = a_task(status=TaskStatus.FAILED_CANCELED, ended_at=NOON, lead=True)
    group = a_group(tasks=(task,), status=TaskStatus.FAILED_CANCELED)
    over = a_workflow(status=WorkflowStatus.FAILED_CANCELED)
    rows.workflows.create(a_creation(group, workflow=over))

    page = desk.follow()

    assert (page.records, page.closed) == ([], True)


def test_an_attempt_that_was_replaced_closes_by_the_time_of_the_next_one() -> None:
    desk = Desk()
    rows = MemoryStore()
    desk.workflows = rows.workflows
    task = a_task(status=TaskStatus.RUNNING, ordinal=3, retry=1, lead=True, processing_at=NOON)
    group = a_group(tasks=(task,), status=TaskStatus.RUNNING)
    rows.workflows.create(a_creation(group, workflow=a_workflow(status=WorkflowStatus.RUNNING)))
    desk.put(0, record("the first\n"))

    desk.now += CLOSED_AFTER + SECOND

    assert [line.startswith("2026") for line in desk.text(retry=0)] == [True, True]
    assert "incomplete after" in desk.text(retry=0)[1]
    assert desk.text(retry=1) == [], "this one runs"


# Objects that are not there ----------------------------------------------------------------------


class Moved(MemoryLogs):
    """A chunk's body is moved between the reading of its row and that of its object."""

    def __init__(self, later: Chunk) -> None:
        super().__init__()
        self._later = later

    def chunk(self, attempt: Attempt, offset: int) -> Chunk | None:
        return self._later


def test_an_object_that_is_not_there_is_looked_for_where_the_row_now_says() -> None:
    one = record("one\n")
    desk = Desk()
    desk.logs = Moved(Chunk(0, len(one), key="there"))
    desk.logs.put_chunk(desk.attempt, Chunk(0, len(one), key="gone"))
    desk.store.put("there", gzip.compress(one))

    assert said(desk.text()) == ["one"]


def test_a_lost_object_is_a_gap_of_a_closed_log_and_never_of_an_open_one() -> None:
    one, two = record("one\n"), record("two\n")
    open_, closed = Desk(ended=False), Desk()
    for desk in (open_, closed):
        desk.logs.put_chunk(desk.attempt, Chunk(0, len(one), key="gone"))
        desk.put(len(one), two)
    closed.end(len(one) + len(two))

    assert said(closed.text()) == [f"bytes 0 to {len(one)} of this log are lost", "two"]
    with pytest.raises(Unavailable, match="are being moved"):
        open_.text()
    with pytest.raises(Unavailable):
        open_.follow()


def test_a_task_by_another_name_has_a_log_of_its_own() -> None:
    desk = Desk()
    other = Attempt(
        desk.attempt.workflow, desk.attempt.group, desk.attempt.incarnation, TaskName("other"), 0
    )
    desk.logs.put_chunk(other, Chunk(0, 1, body=b"x"))

    assert desk.text() == []
