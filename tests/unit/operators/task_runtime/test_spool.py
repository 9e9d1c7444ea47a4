"""The spool as a file: two processes write it, a third reads it, and none of them may be trusted to
live."""

import fcntl
import os
from pathlib import Path
from threading import Thread

import pytest

from operators.task_runtime.spool import FILE, Spool
from xylem.protocol.spool import HEADER, RECORD_BYTES, Record, Stream, decode, encode

HELLO = encode(Record(Stream.STDOUT, 1_000_000, b"hello\n"))
WORLD = encode(Record(Stream.STDERR, 2_000_000, b"world\n"))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(str(tmp_path))


def printed(folder: Path, *parts: bytes) -> None:
    """As the wrapper does it, without its care."""
    with (folder / FILE).open("ab") as file:
        for part in parts:
            file.write(part)


def records(folder: Path) -> list[Record]:
    return list(decode((folder / FILE).read_bytes()))


def test_a_spool_is_there_for_everybody_in_the_pod(tmp_path: Path, spool: Spool) -> None:
    assert spool.size() == 0
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o666


def test_a_spool_that_is_there_is_kept(tmp_path: Path) -> None:
    printed(tmp_path, HELLO)

    assert Spool(str(tmp_path)).size() == len(HELLO)


def test_what_the_runtime_says_is_a_line_of_its_own_stream(tmp_path: Path, spool: Spool) -> None:
    printed(tmp_path, HELLO)

    spool.say("Downloading input 0")

    assert [(record.stream, record.data) for record in records(tmp_path)] == [
        (Stream.STDOUT, b"hello\n"),
        (Stream.CONTROL, b"Downloading input 0\n"),
    ]


def test_what_cannot_be_said_in_utf8_is_said_as_well_as_it_goes(
    tmp_path: Path, spool: Spool
) -> None:
    spool.say("a\udcffb")

    assert records(tmp_path)[0].data == b"a?b\n"


def test_a_line_that_is_too_long_for_a_record_is_cut(tmp_path: Path, spool: Spool) -> None:
    spool.say("x" * RECORD_BYTES)

    assert records(tmp_path)[0].data == b"x" * (RECORD_BYTES - 1) + b"\n"


def test_whole_records_are_read_and_nothing_of_the_next(tmp_path: Path, spool: Spool) -> None:
    printed(tmp_path, HELLO, WORLD)

    for limit in range(len(HELLO), len(HELLO + WORLD)):
        assert spool.read(0, limit) == HELLO
    assert spool.read(0, len(HELLO + WORLD)) == HELLO + WORLD
    assert spool.read(len(HELLO), 1000) == WORLD


def test_a_record_that_is_being_written_is_not_read_yet(tmp_path: Path, spool: Spool) -> None:
    for cut in range(len(WORLD)):
        (tmp_path / FILE).write_bytes(HELLO + WORLD[:cut])

        assert spool.read(0, 1000) == HELLO
        assert spool.read(len(HELLO), 1000) == b""


def test_where_no_record_begins_nothing_is_read(tmp_path: Path, spool: Spool) -> None:
    printed(tmp_path, HELLO)

    with pytest.raises(ValueError, match="no record begins"):
        spool.read(3, 1000)


@pytest.mark.parametrize("cut", range(1, len(WORLD)))
def test_a_torn_record_is_filled_up_wherever_it_was_torn(
    tmp_path: Path, spool: Spool, cut: int
) -> None:
    printed(tmp_path, HELLO, WORLD[:cut])

    spool.mend(0)
    spool.say("behind it")

    first, torn, said = records(tmp_path)
    kept = max(0, cut - HEADER.size)
    assert first.data == b"hello\n"
    assert torn.data[:kept] == b"world\n"[:kept]
    assert torn.data[kept:].strip() == b""
    assert said.data == b"behind it\n"


@pytest.mark.parametrize("offset", [0, len(HELLO), len(HELLO + WORLD)])
def test_a_whole_spool_is_left_alone(tmp_path: Path, spool: Spool, offset: int) -> None:
    printed(tmp_path, HELLO, WORLD)

    spool.mend(offset)

    assert (tmp_path / FILE).read_bytes() == HELLO + WORLD


def test_what_is_no_spool_is_not_mended(tmp_path: Path, spool: Spool) -> None:
    printed(tmp_path, b"\xff" * 100)

    with pytest.raises(ValueError, match="no record begins at byte 0"):
        spool.mend(0)


def test_a_torn_record_keeps_its_stream_and_time(tmp_path: Path, spool: Spool) -> None:
    printed(tmp_path, WORLD[: HEADER.size])

    spool.mend(0)

    [torn] = records(tmp_path)
    assert (torn.stream, torn.micros, torn.data) == (Stream.STDERR, 2_000_000, b" " * 6)


class Watched(Spool):
    """Whenever it writes, somebody else asks for the lock."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.left_open = 0
        self.kept_closed = 0

    def _append(self, data: bytes) -> None:
        with Path(f"/proc/self/fd/{self._file}").open("ab") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.left_open += 1
            except BlockingIOError:
                self.kept_closed += 1
        super()._append(data)


def test_nobody_else_writes_while_the_runtime_speaks_or_mends(tmp_path: Path) -> None:
    spool = Watched(str(tmp_path))
    printed(tmp_path, WORLD[:15])

    spool.mend(0)
    spool.say("me")

    assert (spool.left_open, spool.kept_closed) == (0, 2)


class Shallow(Spool):
    """Its disk takes three bytes at a time."""

    def _append(self, data: bytes) -> None:
        for start in range(0, len(data), 3):
            super()._append(data[start : start + 3])
            os.sched_yield()


def test_threads_that_speak_at_once_do_not_mix_what_they_say(tmp_path: Path) -> None:
    spool = Shallow(str(tmp_path))
    lines = [f"line {number} " * 50 for number in range(8)]
    threads = [Thread(target=spool.say, args=(line,)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    said = sorted(record.data.decode() for record in records(tmp_path))
    assert said == sorted(f"{line}\n" for line in lines)
