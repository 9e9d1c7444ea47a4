"""A log is taken without a loss and shown without a repetition."""

import gzip
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import NOON, a_creation, a_group, a_task, a_workflow, an_attempt
from tests.builders_logs import Desk, record
from xylem.domain.errors import InvalidRequest, TooLarge, UnknownTask
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.memory.store import MemoryStore
from xylem.ports.logs import LogTail
from xylem.protocol.masking import Masker
from xylem.protocol.runtime import MAX_BATCH_BYTES, Stored
from xylem.protocol.spool import Stream
from xylem.usecases import log_reading, logs

# Writing -----------------------------------------------------------------------------------------


def test_the_answer_to_a_batch_is_where_the_next_one_begins() -> None:
    desk, one = Desk(), record("one\n")

    assert desk.put(0, one) == Stored(next=len(one))
    assert desk.put(len(one), one) == Stored(next=2 * len(one))


def test_a_batch_that_comes_twice_is_stored_once() -> None:
    desk, one = Desk(), record("one\n")
    desk.put(0, one)

    assert desk.put(0, one, ends=logs.KnownEnds()) == Stored(next=len(one))
    assert [line[-3:] for line in desk.text()] == ["one"]


def test_a_batch_beyond_the_end_is_sent_back_to_where_the_rows_end() -> None:
    desk = Desk()

    assert desk.put(999, record("late\n")) == Stored(next=0)
    assert desk.logs.chunks(desk.attempt) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"no gzip", gzip.compress(b""), gzip.compress(record("x")[:-1]), gzip.compress(b"junk!")],
    ids=["nothing", "no gzip", "empty", "cut short", "no records"],
)
def test_what_is_no_batch_of_whole_records_is_refused(body: bytes) -> None:
    desk = Desk()

    with pytest.raises(InvalidRequest):
        logs.put(
            desk.attempt,
            0,
            body,
            logs=desk.logs,
            store=desk.store,
            ids=desk.ids,
            ends=desk.ends,
            became_long=desk.long.append,
        )


def test_a_masked_batch_stands_for_the_part_of_the_spool_that_it_was() -> None:
    desk, masked = Desk(), record("[MASKED]\n")

    assert desk.put(0, masked, length=1_000) == Stored(next=1_000)
    assert desk.put(1_000, masked) == Stored(next=1_000 + len(masked))
    assert desk.end(1_000 + len(masked)).closed
    assert [line[-8:] for line in desk.text()] == ["[MASKED]", "[MASKED]"]


@pytest.mark.parametrize("length", [-1, 0, MAX_BATCH_BYTES + 1])
def test_a_batch_of_an_impossible_length_is_refused(length: int) -> None:
    desk = Desk()

    with pytest.raises(logs.BadBatch, match="length"):
        desk.put(0, record("x"), length=length)
    assert desk.put(0, record("x")).next == len(record("x"))


def test_what_a_sidecar_let_through_is_masked_when_it_is_stored() -> None:
    desk, raw = Desk(), record("token: hunter2-marlin\n")

    assert desk.put(0, raw, mask=Masker(["hunter2-marlin"]).complete) == Stored(next=len(raw))
    assert [line[-15:] for line in desk.text()] == ["token: [MASKED]"]


def test_a_small_body_that_unpacks_to_a_large_one_is_refused() -> None:
    with pytest.raises(TooLarge):
        Desk().put(0, b"\0" * (MAX_BATCH_BYTES + 1))


def test_the_end_is_accepted_when_the_rows_reach_it_and_then_the_log_is_closed() -> None:
    desk, one = Desk(), record("one\n")
    desk.put(0, one)

    assert desk.end(len(one) + 1) == Stored(next=len(one))
    assert desk.end(len(one)) == Stored(next=len(one), closed=True)
    assert desk.end(len(one)) == Stored(next=len(one), closed=True), "said twice"
    assert desk.put(len(one), one) == Stored(next=len(one), closed=True), "a late batch"


def test_an_attempt_without_output_closes_with_length_0() -> None:
    assert Desk().end(0) == Stored(next=0, closed=True)


# Reading -----------------------------------------------------------------------------------------


def test_a_log_reads_as_osmo_prints_it() -> None:
    desk = Desk()
    raw = record("hello\n") + record("note\n", second=1, stream=Stream.CONTROL)
    desk.put(0, raw)

    assert desk.text() == [
        "2026/06/01 12:00:00 [lead] hello",
        "2026/06/01 12:00:01 [lead][osmo] note",
    ]


def test_a_retry_says_which_it_is() -> None:
    desk = Desk(retry=2)
    desk.put(0, record("again\n"))

    assert desk.text() == ["2026/06/01 12:00:00 [lead retry-2] again"]


def test_a_line_over_several_records_is_one_line_and_streams_do_not_mix() -> None:
    desk = Desk()
    raw = record("begin ") + record("error\n", second=1, stream=Stream.STDERR)
    desk.put(0, raw + record("end\nlast", second=2))

    assert [line.split("] ")[1] for line in desk.text()] == ["error", "begin end", "last"]


def test_the_last_lines_and_a_pattern_narrow_what_is_read() -> None:
    desk = Desk()
    desk.put(0, b"".join(record(f"line {n}\n", second=n) for n in range(20)))

    assert [line[-7:] for line in desk.text(last_n_lines=2)] == ["line 18", "line 19"]
    assert len(desk.text(query="line 1[0-4]")) == 5


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"query": "("}, "Invalid regex: \\("),
        ({"last_n_lines": -1}, "positive"),
    ],
)
def test_a_bad_question_is_refused(wanted: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Desk().text(**wanted)


def test_a_task_that_is_not_there_is_said_not_to_be() -> None:
    with pytest.raises(UnknownTask):
        Desk().text(task="nobody")


def test_a_hole_is_not_read_past() -> None:
    desk, one = Desk(), record("one\n")
    desk.put(0, one)
    chunk = desk.logs.chunks(desk.attempt)[0]
    desk.logs.put_chunk(desk.attempt, type(chunk)(5 * len(one), len(one), body=chunk.body))

    assert len(desk.text()) == 1


# Following ---------------------------------------------------------------------------------------


def test_a_follower_sees_each_record_once_and_ends_with_the_log() -> None:
    desk, one, two = Desk(), record("one\n"), record("two\n", second=1)
    desk.put(0, one)
    first = desk.follow()
    desk.put(len(one), two)
    desk.end(len(one) + len(two))
    second = desk.follow(first.cursor)
    third = desk.follow(second.cursor)

    said = [[shown.record.data for shown in page.records] for page in (first, second, third)]
    assert said == [[b"one\n"], [b"two\n"], []]
    assert [page.closed for page in (first, second, third)] == [False, True, True]


def test_a_follower_of_a_running_task_waits_and_does_not_end() -> None:
    desk = Desk(ended=False)

    page = desk.follow(seconds=10)

    assert (page.records, page.closed) == ([], False)
    assert desk.now - NOON == timedelta(seconds=10)


def test_a_log_that_never_closes_ends_its_followers_a_minute_after_the_attempt() -> None:
    desk = Desk()
    desk.put(0, record("one\n"))
    cursor = desk.follow().cursor

    desk.now += timedelta(seconds=61)

    assert desk.follow(cursor).closed


@pytest.mark.parametrize("cursor", ["x", "W10=", "bm8="])
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        Desk().follow(cursor)


def test_an_incomplete_log_is_what_came_of_it() -> None:
    desk = Desk()
    desk.put(0, record("one\n"))
    desk.logs.put_end(desk.attempt, LogTail(len(record("one\n")), complete=False))

    assert desk.follow().closed


def test_a_page_of_many_logs_fits_an_answer_and_the_next_ones_have_the_rest() -> None:
    desk = Desk()
    rows = MemoryStore()
    desk.workflows = rows.workflows
    names = [f"t{number}" for number in range(20)]
    tasks = tuple(
        a_task(name, TaskStatus.COMPLETED, ordinal=1, lead=name == "t0", ended_at=NOON)
        for name in names
    )
    group = a_group(tasks=tasks, status=TaskStatus.COMPLETED)
    over = a_workflow(status=WorkflowStatus.COMPLETED)
    rows.workflows.create(a_creation(group, workflow=over))
    large = b"".join(record("x" * 30_000, second=second) for second in range(8))
    for name in names:
        desk.attempt = an_attempt(name)
        desk.put(0, large)
        desk.end(len(large))

    pages = [desk.follow()]
    while not pages[-1].closed:
        pages.append(desk.follow(pages[-1].cursor))

    sizes = [sum(len(shown.record.data) for shown in page.records) for page in pages]
    assert max(sizes) <= log_reading.FOLLOW_BYTES + MAX_BATCH_BYTES
    shown = [(one.attempt.task, one.record.micros) for page in pages for one in page.records]
    assert len(shown) == len(set(shown)) == 20 * 8


def test_a_page_of_very_many_records_ends_with_the_chunk_that_is_too_many() -> None:
    desk = Desk()
    batch = b"".join(
        record("x", second=number) for number in range(log_reading.FOLLOW_RECORDS // 2)
    )
    at = 0
    for _ in range(5):
        at = desk.put(at, batch).next
    desk.end(at)

    pages = [desk.follow()]
    while not pages[-1].closed:
        pages.append(desk.follow(pages[-1].cursor))

    assert [len(page.records) for page in pages] == [2_000, 2_000, 1_000]


def test_the_log_of_a_refused_submission_is_empty_and_ends() -> None:
    desk = Desk()
    rows = MemoryStore()
    refused = a_workflow(status=WorkflowStatus.FAILED_SUBMISSION, refusal="no image")
    rows.workflows.create(replace(a_creation(workflow=refused), groups=()))
    desk.workflows = rows.workflows

    page = desk.follow()

    assert (page.records, page.closed) == ([], True)
