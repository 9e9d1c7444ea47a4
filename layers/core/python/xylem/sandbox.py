"""Work that may never end, done where it can be ended: in a forked child.

A template is a program of the user's. Jinja's sandbox keeps it from our objects, but not from
`{{ 10 ** 10 ** 10 }}` or `{{ "x" * 10 ** 10 }}`: one C call that no Python signal interrupts. The
kernel can: the child gets half a second of CPU time, 100 MiB of memory and a deadline, and is
killed beyond them. A fork costs some 5 ms. Kept processes, as OSMO has two, are frozen and thawed
with a Lambda, deadlines included; a fresh interpreter takes 60 ms to import Jinja.

OSMO's half second is time on the wall. Ours is time on the CPU, so that a busy machine refuses
nobody's template; the deadline is only for a child that gets no CPU at all.

The child runs one thread, writes to one pipe and leaves by `os._exit`: no lock, no buffer and no
exit handler of the parent is touched.
"""

import gc
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Never

from xylem.domain.values import dataclass

_READ_BYTES = 1 << 16
_NO_MEMORY = 3
_FAILED = 4


class Bound(StrEnum):
    TIME = "time"
    MEMORY = "memory"
    OUTPUT = "output"


class Exceeded(Exception):
    def __init__(self, bound: Bound) -> None:
        super().__init__(bound)
        self.bound = bound


@dataclass(frozen=True, slots=True)
class Limits:
    """What the child may use. OSMO's `max_time` and memory limit of its template sandbox; the
    output is as long as a spec may be."""

    cpu_seconds: float = 0.5
    wall_seconds: float = 5.0
    memory_bytes: int = 100 * 1024 * 1024
    output_bytes: int = 4 * 1024 * 1024


def in_child(work: Callable[[], bytes], limits: Limits) -> bytes:
    """What `work` returns, done in a child. Raises `Exceeded`; an exception that escapes from
    `work` is a bug in it and becomes a `RuntimeError` here."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work_and_leave(work, writing, limits)
    os.close(writing)
    try:
        output = _read(reading, limits)
    except Exceeded:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.close(reading)
        _, status = os.waitpid(child, 0)
    return _judged(output, status)


def _work_and_leave(work: Callable[[], bytes], writing: int, limits: Limits) -> Never:
    status = _FAILED
    gc.disable()  # it would look at all that the parent has, and so copy each page of it
    try:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)
        most = _address_space() + limits.memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        output = work()
        while output:
            output = output[os.write(writing, output) :]
        status = os.EX_OK
    except MemoryError:
        status = _NO_MEMORY
    finally:
        os._exit(status)


def _address_space() -> int:
    """What this process has mapped already: a child begins with all that its parent has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _read(reading: int, limits: Limits) -> bytearray:
    """Until the child closes its end."""
    output = bytearray()
    deadline = time.monotonic() + limits.wall_seconds
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        if poll.poll(left * 1000):
            data = os.read(reading, _READ_BYTES)
            if not data:
                return output
            output += data
            if len(output) > limits.output_bytes:
                raise Exceeded(Bound.OUTPUT)
    raise Exceeded(Bound.TIME)


def _judged(output: bytearray, status: int) -> bytes:
    if os.WIFSIGNALED(status):
        killed = os.WTERMSIG(status)
        raise Exceeded(Bound.TIME if killed == signal.SIGPROF else Bound.MEMORY)
    if os.WEXITSTATUS(status) == _NO_MEMORY:
        raise Exceeded(Bound.MEMORY)
    if os.WEXITSTATUS(status) != os.EX_OK:
        raise RuntimeError("the work in the child raised an exception")
    return bytes(output)
