import re
from pathlib import Path

from clients.local.embedded_aws.function_logs import FunctionLog, FunctionLogs, LineBuffer
from clients.local.embedded_aws.usage import Key, Meter, Usage


def test_each_line_has_its_time(tmp_path: Path) -> None:
    log = FunctionLog(tmp_path / "f.log")
    log.lines(b"one\ntwo\rthree\n")
    log.flush()

    lines = (tmp_path / "f.log").read_text().splitlines()

    assert [line.partition("Z ")[2] for line in lines] == ["one", "two", "three"]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", line) for line in lines)


def test_a_log_is_bounded_and_keeps_its_last_file(tmp_path: Path) -> None:
    log = FunctionLog(tmp_path / "f.log", limit=100)
    for text in ("first " * 20, "second " * 20, "third"):
        log.line(text)
        log.flush()

    assert "second" in (tmp_path / "f.log.1").read_text()
    assert "third" in (tmp_path / "f.log").read_text()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_function_has_one_log(tmp_path: Path) -> None:
    logs = FunctionLogs(tmp_path)

    assert logs("a") is logs("a")
    assert logs("a") is not logs("b")


def test_lines_are_passed_on_when_they_are_whole() -> None:
    buffer = LineBuffer()

    assert buffer.feed(b"on") == b""
    assert buffer.feed(b"e\ntwo\nth") == b"one\ntwo\n"
    assert buffer.rest() == b"th"
    assert buffer.rest() == b""


def test_a_line_without_an_end_is_passed_on_when_it_is_long() -> None:
    buffer = LineBuffer()

    assert buffer.feed(b"x" * LineBuffer.LONGEST) == b"x" * LineBuffer.LONGEST
    assert buffer.rest() == b""


def test_what_the_function_wrote_is_counted_and_the_platforms_lines_are_not(tmp_path: Path) -> None:
    usage = Usage()
    log = FunctionLogs(tmp_path, usage)("agent")

    log.line("START RequestId: 1")
    log.lines(b"one\ntwo\n")
    log.lines(b"without an end")

    counted = usage.read()[Key(Meter.LOG_BYTES, "agent", "application")]
    assert counted == len(b"one\ntwo\nwithout an end") + 3 * 26
