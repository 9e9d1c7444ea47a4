"""Logs as they are asked for (reference/kubectl: logs) out of the lines that a shim writes."""

import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.desk_cluster.errors import BadRequest
from operators.desk_cluster.kubelet.log_files import LogQuery, rendered, start_of_tail
from tests.unit.operators.desk_cluster.builders import NOON

TIME = b"2030-01-01T12:00:00.123456789Z"


def line(text: str = "hello", tag: str = "F", *, at: bytes = TIME) -> bytes:
    return at + f" stdout {tag} {text}".encode()


def test_a_reader_gets_what_was_written() -> None:
    assert rendered(line("hello  world "), LogQuery()) == b"hello  world \n"
    assert rendered(line(""), LogQuery()) == b"\n"


def test_a_part_of_a_line_goes_on_in_the_next() -> None:
    assert rendered(line("half", "P"), LogQuery()) == b"half"


def test_a_time_stands_before_each_line_if_asked() -> None:
    assert rendered(line(), LogQuery(timestamps=True)) == TIME + b" hello\n"


@pytest.mark.parametrize(
    ("since", "shown"),
    [
        ("2030-01-01T12:00:00Z", True),
        ("2030-01-01T12:00:00.123456Z", True),
        ("2030-01-01T12:00:00.2Z", False),
        ("2030-01-01T13:00:00+01:00", True),
        ("2030-01-01T13:00:01+01:00", False),
        ("2030-01-01T12:00:01Z", False),
    ],
)
def test_what_is_older_than_asked_for_is_not_shown(since: str, shown: bool) -> None:
    query = LogQuery.parse({"sinceTime": since}, NOON)

    assert bool(rendered(line(), query)) is shown


def test_seconds_are_counted_back_from_now() -> None:
    now = datetime(2030, 1, 1, 12, 0, 10, tzinfo=UTC)

    assert rendered(line(), LogQuery.parse({"sinceSeconds": "10"}, now))
    assert not rendered(line(), LogQuery.parse({"sinceSeconds": "9"}, now))


def test_a_query_is_parsed() -> None:
    query = {"container": "c", "follow": "true", "previous": "1", "timestamps": "false"}
    query |= {"tailLines": "5", "limitBytes": "100"}

    assert LogQuery.parse(query, NOON) == LogQuery("c", True, True, False, 5, "", 100)


@pytest.mark.parametrize("name", ["tailLines", "limitBytes", "sinceSeconds"])
@pytest.mark.parametrize("value", ["-1", "many", "1.5"])
def test_a_number_that_is_none_is_a_bad_request(name: str, value: str) -> None:
    with pytest.raises(BadRequest):
        LogQuery.parse({name: value}, NOON)


def test_a_moment_that_is_none_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        LogQuery.parse({"sinceTime": "yesterday"}, NOON)


def tail(content: bytes, lines: int) -> bytes:
    file = io.BytesIO(content)
    file.seek(start_of_tail(file, lines))
    shown = file.read().split(b"\n")[:-1]
    return b"".join(rendered(each, LogQuery()) for each in shown)


def test_the_last_lines_are_found() -> None:
    content = b"".join(line(str(number)) + b"\n" for number in range(10))

    assert tail(content, 0) == b""
    assert tail(content, 2) == b"8\n9\n"
    assert tail(content, 10) == tail(content, 11) == b"".join(b"%d\n" % n for n in range(10))
    assert tail(b"", 3) == b""


def test_the_parts_of_a_line_are_one_line() -> None:
    content = b"\n".join((line("a"), line("b", "P"), line("c", "P"), line("d"), line("e"), b""))

    assert tail(content, 1) == b"e\n"
    assert tail(content, 2) == b"bcd\ne\n"
    assert tail(content, 3) == b"a\nbcd\ne\n"


def test_a_last_line_without_its_end_is_a_line() -> None:
    content = b"\n".join((line("a"), line("b"), line("c", "P"), b""))

    assert tail(content, 1) == b"c"
    assert tail(content, 2) == b"b\nc"


@given(
    st.lists(st.tuples(st.sampled_from("FFP"), st.integers(0, 20_000)), max_size=30),
    st.integers(0, 12),
)
def test_the_last_lines_are_the_last_lines_however_long_they_are(
    parts: list[tuple[str, int]], lines: int
) -> None:
    """Longer than a block that is read at once, too."""
    texts = [("x" * size, tag) for tag, size in parts]
    content = b"".join(line(text, tag) + b"\n" for text, tag in texts)
    whole = "".join(text + ("\n" if tag == "F" else "") for text, tag in texts)
    unended = len(texts) > 0 and texts[-1][1] == "P"
    *ended, rest = whole.split("\n")
    expected = [each + "\n" for each in ended] + ([rest] if unended else [])

    assert tail(content, lines).decode() == "".join(
        expected[len(expected) - lines :] if lines < len(expected) else expected
    )
