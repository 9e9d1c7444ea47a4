"""A log is read from where one wants it: its last lines, a stream, a time, or all of it."""

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import HELLO, NOON, a_creation, a_group, a_task, a_workflow, an_attempt
from tests.builders_logs import Desk, record
from xylem.domain.errors import InvalidRequest, TooLarge
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.memory.logs import MemoryLogs
from xylem.memory.store import MemoryStore
from xylem.ports.logs import Chunk
from xylem.ports.task_tokens import Attempt
from xylem.protocol.spool import Stream
from xylem.usecases import log_errors
from xylem.usecases.log_download import ANSWER_BYTES, TEXT_BYTES, Download, download, whole_key
from xylem.usecases.log_errors import ERROR_LINES, error_text
from xylem.usecases.log_lines import LOOK_BACK, Wanted
from xylem.usecases.log_reading import MERGED_ATTEMPTS

CHUNKS = 200
SECOND = timedelta(seconds=1)


class Counted(MemoryLogs):
    """`read`: offsets of the chunks that were given out."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[int] = []

    def _note(self, chunks: list[Chunk]) -> list[Chunk]:
        self.read += [chunk.offset for chunk in chunks]
        return chunks

    def chunks(self, attempt: Attempt, *, start: int = 0, limit: int = 100) -> list[Chunk]:
        return self._note(super().chunks(attempt, start=start, limit=limit))

    def last_chunks(
        self, attempt: Attempt, *, before: int | None = None, limit: int = 100
    ) -> list[Chunk]:
        return self._note(super().last_chunks(attempt, before=before, limit=limit))


def a_long_log() -> Desk:
    """A chunk a second, of two lines each: one that ends in the chunk, one that ends in the next;
    and a line of stderr in every tenth."""
    desk = Desk()
    desk.logs = Counted()
    at = 0
    for number in range(CHUNKS):
        raw = record(f" of {number - 1}\n{number} whole\nbegin", second=number)
        if number % 10 == 0:
            raw += record(f"oops {number}\n", second=number, stream=Stream.STDERR)
        at = desk.put(at, raw).next
    desk.end(at)
    desk.logs.read.clear()
    return desk


def reads(desk: Desk) -> int:
    assert isinstance(desk.logs, Counted)
    return len(desk.logs.read)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 19, 20, 21, 150, 400, 1000])
def test_the_last_lines_are_those_that_a_reader_of_all_sees_last(count: int) -> None:
    desk = a_long_log()

    assert desk.text(last_n_lines=count) == desk.text()[-count:]


def test_the_last_lines_are_read_from_the_end() -> None:
    desk = a_long_log()

    desk.text(last_n_lines=3)

    assert reads(desk) == 10, "one page of chunks, of which few are opened"


def test_the_last_line_of_a_stream_that_says_little_is_not_looked_for_in_all_of_the_log() -> None:
    desk = Desk()
    desk.logs = Counted()
    at = 0
    for number in range(1000):
        at = desk.put(at, record(f"{number}\n", second=number)).next
    desk.end(desk.put(at, record("oops\n", second=1000, stream=Stream.STDERR)).next)
    desk.logs.read.clear()

    assert [line.split("] ")[1] for line in desk.text(last_n_lines=2)] == ["999", "oops"]
    assert reads(desk) == 110


pieces = st.lists(
    st.lists(
        st.tuples(st.sampled_from(Stream), st.text("ab\n", max_size=4)), min_size=1, max_size=3
    ),
    max_size=LOOK_BACK,
)


@settings(max_examples=200, deadline=None)
@given(pieces, st.integers(1, 8), st.sampled_from([None, "a", "b$"]), st.integers(0, 20))
def test_whatever_was_written_its_end_is_the_end_of_all_of_it(
    written: list[list[tuple[Stream, str]]], count: int, query: str | None, since: int
) -> None:
    """Where every line was finished: one that never is stands behind all, and is among the last
    ones if it was begun lately."""
    desk = Desk()
    at = 0
    finished = [(stream, "\n") for stream in Stream]
    for second, batch in enumerate([*written, finished]):
        raw = b"".join(record(said, second=second, stream=stream) for stream, said in batch)
        at = desk.put(at, raw).next
    desk.end(at)
    begin = NOON + since * SECOND
    whole = desk.text(query=query)

    assert desk.text(query=query, last_n_lines=count) == whole[-count:]
    later = [line for line in whole if line[:19] >= f"{begin:%Y/%m/%d %H:%M:%S}"]
    assert desk.text(query=query, since=begin) == later
    assert desk.text(query=query, since=begin, last_n_lines=count) == later[-count:]


def test_the_last_lines_of_what_is_narrowed_down_are_as_many() -> None:
    desk = a_long_log()
    wanted = {"stream": "stderr", "query": "oops 1?[0-9]0$"}

    assert desk.text(**wanted, last_n_lines=4) == desk.text(**wanted)[-4:]
    assert len(desk.text(**wanted, last_n_lines=4)) == 4
    assert desk.text(query="nowhere", last_n_lines=4) == []


def test_the_last_lines_of_several_attempts_are_merged_by_time() -> None:
    desk = a_long_log()
    rows = MemoryStore()
    desk.workflows = rows.workflows
    tasks = tuple(
        a_task(name, TaskStatus.COMPLETED, ordinal=1, lead=name == "lead", ended_at=NOON)
        for name in ("lead", "other")
    )
    group = a_group(tasks=tasks, status=TaskStatus.COMPLETED)
    rows.workflows.create(a_creation(group, workflow=a_workflow(status=WorkflowStatus.COMPLETED)))
    desk.attempt = an_attempt("other")
    desk.ends = type(desk.ends)()
    desk.end(desk.put(0, record("between\n", second=CHUNKS - 1.5)).next)

    assert desk.text(last_n_lines=5) == desk.text()[-5:]
    assert "[other] between" in "\n".join(desk.text(last_n_lines=5))


def test_a_stream_is_read_alone() -> None:
    desk = a_long_log()

    assert [line.split("] ")[1] for line in desk.text(stream="stderr")] == [
        f"oops {number}" for number in range(0, CHUNKS, 10)
    ]
    with pytest.raises(InvalidRequest, match="use stdout, stderr or control"):
        desk.text(stream="stdin")


@pytest.mark.parametrize(("since", "until"), [(0, 1), (50, 60), (199, 300), (-5, 3), (77.5, 78)])
def test_a_time_is_what_a_reader_of_all_sees_of_it(since: float, until: float) -> None:
    desk = a_long_log()
    begin, end = NOON + since * SECOND, NOON + until * SECOND
    within = [
        line
        for line in desk.text()
        if f"{begin:%Y/%m/%d %H:%M:%S.%f}" <= f"{line[:19]}.000000" < f"{end:%Y/%m/%d %H:%M:%S.%f}"
    ]

    assert desk.text(since=begin, until=end) == within


def test_a_time_is_looked_for_by_halves() -> None:
    desk = a_long_log()

    assert len(desk.text(since=NOON + 198 * SECOND)) == 5
    assert reads(desk) <= 2 * LOOK_BACK + 20


def test_of_very_many_attempts_the_newest_are_shown_and_the_others_named() -> None:
    desk = Desk()
    rows = MemoryStore()
    desk.workflows = rows.workflows
    task = a_task(
        status=TaskStatus.RUNNING,
        ordinal=1,
        lead=True,
        retry=MERGED_ATTEMPTS + 2,
        processing_at=NOON,
    )
    group = a_group(tasks=(task,), status=TaskStatus.RUNNING)
    rows.workflows.create(a_creation(group, workflow=a_workflow(status=WorkflowStatus.RUNNING)))
    for retry in (0, 2, 3, MERGED_ATTEMPTS):
        desk.attempt = an_attempt(retry=retry)
        desk.put(0, record(f"of {retry}\n"))

    shown = desk.text()

    assert shown[0] == "The newest 200 attempts; name a task to read the other 3."
    assert [line.split("] ")[1] for line in shown[1:]] == ["of 3", f"of {MERGED_ATTEMPTS}"]
    assert len(desk.text(task="lead")) == 4


# Errors ------------------------------------------------------------------------------------------


def errors(desk: Desk, **wanted: object) -> str:
    return error_text(
        HELLO,
        Wanted(**wanted),  # type: ignore[arg-type]  # a test names its fields
        workflows=desk.workflows,
        logs=desk.logs,
        store=desk.store,
        clock=lambda: desk.now,
    )


def test_the_error_log_of_a_failed_task_is_what_it_said_last() -> None:
    desk = a_long_log()
    rows = MemoryStore()
    desk.workflows = rows.workflows
    failed = a_task(status=TaskStatus.FAILED, ordinal=2, retry=1, lead=True, ended_at=NOON)
    well = a_task("well", TaskStatus.COMPLETED, ordinal=1, ended_at=NOON)
    group = a_group(tasks=(failed, well), status=TaskStatus.FAILED)
    rows.workflows.create(a_creation(group, workflow=a_workflow(status=WorkflowStatus.FAILED)))
    said = desk.text(task="lead", retry=0)

    first, _, rest = errors(desk).partition("\n\n")
    assert first == "Specify task for error logs."
    assert json.loads(rest) == {
        "lead retry-0": f"/api/workflow/{HELLO}/error_logs?task_name=lead&retry_id=0",
        "lead retry-1": f"/api/workflow/{HELLO}/error_logs?task_name=lead&retry_id=1",
        "well retry-0": None,
    }
    assert errors(desk, task="lead", retry=0).splitlines() == said[-ERROR_LINES:]
    assert errors(desk, task="lead", retry=0, last_n_lines=2).splitlines() == said[-2:]
    assert errors(desk, task="lead") == "", "the newest attempt, which said nothing"
    assert errors(desk, task="well") == ""


# All of it ---------------------------------------------------------------------------------------


def downloaded(desk: Desk, **wanted: object) -> Download:
    return download(
        HELLO,
        Wanted(**wanted),  # type: ignore[arg-type]  # a test names its fields
        workflows=desk.workflows,
        logs=desk.logs,
        store=desk.store,
        clock=lambda: desk.now,
        ids=desk.ids,
    )


def fill(desk: Desk, size: int) -> int:
    at = 0
    raw = b"".join(record("x" * 32_000 + "\n") for _ in range(8))
    while at < size:
        at = desk.put(at, raw).next
    return at


def objects(desk: Desk) -> list[str]:
    """Apart from those of chunks, which lie deeper."""
    keys = sorted(desk.store.keys())
    return [key for key in keys if key.endswith(".txt")]


def test_a_small_log_is_its_answer() -> None:
    desk = Desk()
    desk.end(desk.put(0, record("one\n")).next)

    assert downloaded(desk) == Download(b"2026/06/01 12:00:00 [lead] one\n")


def test_a_large_log_that_is_closed_is_one_object_for_all_who_ask() -> None:
    desk = Desk()
    desk.end(fill(desk, ANSWER_BYTES))

    first, second = downloaded(desk), downloaded(desk)

    assert first == second
    assert first.url is not None
    assert objects(desk) == [whole_key(HELLO)]
    assert desk.store.get(whole_key(HELLO)) == "".join(f"{line}\n" for line in desk.text()).encode()


def test_a_log_that_is_open_is_no_object_that_anybody_else_is_led_to() -> None:
    """What is said later would be missing there for ever."""
    desk = Desk()
    at = fill(desk, ANSWER_BYTES)
    early = downloaded(desk)
    desk.end(desk.put(at, record("the last words\n")).next)
    late = downloaded(desk)

    assert early.url != late.url
    assert [key.split("/")[0] for key in objects(desk)] == ["logs", "views"]
    assert (desk.store.get(whole_key(HELLO)) or b"").endswith(b"the last words\n")


def test_a_part_of_a_large_log_is_an_object_of_its_own() -> None:
    desk = Desk()
    desk.end(fill(desk, ANSWER_BYTES))

    downloaded(desk, stream="stdout")

    assert [key.split("/")[0] for key in objects(desk)] == ["views"]


@pytest.mark.parametrize("letter", ["\0", "日", "\ufffd"])
def test_a_log_is_an_object_where_its_answer_would_be_too_large_as_json(letter: str) -> None:
    desk = Desk()
    line = letter * (30_000 // len(letter.encode())) + "\n"
    at = 0
    while at < ANSWER_BYTES * 2 // 3:
        at = desk.put(at, record(line) * 8).next
    desk.end(at)

    assert downloaded(desk, stream="stdout").url is not None
    assert downloaded(desk).url is not None
    assert [key.split("/")[0] for key in objects(desk)] == ["logs", "views"]


def test_an_error_log_of_long_lines_is_an_object() -> None:
    desk = Desk()
    rows = MemoryStore()
    desk.workflows = rows.workflows
    failed = a_task(status=TaskStatus.FAILED, ordinal=1, lead=True, ended_at=NOON)
    group = a_group(tasks=(failed,), status=TaskStatus.FAILED)
    rows.workflows.create(a_creation(group, workflow=a_workflow(status=WorkflowStatus.FAILED)))
    line = record("x" * 32_000) * 4 + record("\n")
    at = 0
    while at < 2 * ANSWER_BYTES:
        at = desk.put(at, line).next
    desk.end(at)

    found = log_errors.download(
        HELLO,
        Wanted(task="lead"),
        workflows=desk.workflows,
        logs=desk.logs,
        store=desk.store,
        clock=lambda: desk.now,
        ids=desk.ids,
    )

    assert found.url is not None
    assert [key.split("/")[0] for key in objects(desk)] == ["views"]


def test_a_log_of_more_than_is_made_at_once_says_what_to_ask_for() -> None:
    desk = Desk()
    chunk = record("x" * 32_000 + "\n")
    at = 0
    raw = chunk * 15
    while at < TEXT_BYTES:
        at = desk.put(at, raw).next

    with pytest.raises(TooLarge, match="more than 128 MB: ask for a task, for since and until"):
        downloaded(desk)
    assert len(downloaded(desk, last_n_lines=1).body) > 32_000
