import os
import signal
from pathlib import Path

import pytest

from xylem.sandbox import Bound, Exceeded, Limits, in_child


def test_the_answer_of_the_child_comes_back_whole() -> None:
    assert in_child(lambda: b"x" * 1_000_000, Limits()) == b"x" * 1_000_000


def test_the_child_is_another_process() -> None:
    assert in_child(lambda: str(os.getpid()).encode(), Limits()) != str(os.getpid()).encode()


def test_work_that_burns_the_cpu_is_ended() -> None:
    def burn() -> bytes:
        while True:
            pass

    with pytest.raises(Exceeded) as exceeded:
        in_child(burn, Limits(cpu_seconds=0.05))
    assert exceeded.value.bound is Bound.TIME


def test_work_that_waits_for_ever_is_ended_by_the_clock() -> None:
    def wait() -> bytes:
        signal.pause()
        return b""

    with pytest.raises(Exceeded) as exceeded:
        in_child(wait, Limits(wall_seconds=0.05))
    assert exceeded.value.bound is Bound.TIME


def test_work_that_is_killed_for_its_memory_is_told_apart() -> None:
    with pytest.raises(Exceeded) as exceeded:
        in_child(lambda: b"x" * 500_000_000, Limits())
    assert exceeded.value.bound is Bound.MEMORY


def test_an_exception_in_the_child_is_a_bug_here() -> None:
    def fail() -> bytes:
        raise KeyError("x")

    with pytest.raises(RuntimeError, match="raised an exception"):
        in_child(fail, Limits())


def test_no_child_and_no_open_file_stays_behind() -> None:
    before = set(map(str, Path("/proc/self/fd").iterdir()))

    child = int(in_child(lambda: str(os.getpid()).encode(), Limits()))
    with pytest.raises(Exceeded):
        in_child(lambda: b"x" * 2, Limits(output_bytes=1))

    assert set(map(str, Path("/proc/self/fd").iterdir())) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)
