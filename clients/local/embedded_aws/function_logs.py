"""One log file for each function, `logs/<function>.log`, with the time before each line.

Stock ministack keeps a log stream in memory for every invocation, for ever. A file is readable with
any tool and bounded: at `LIMIT` it becomes `<function>.log.1`, in place of the one before.

Lines are written a few times a second, not each for itself: three writes for each invocation were a
fifth of what it costs.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from clients.local.embedded_aws.usage import Usage

LIMIT = 5 * 1024 * 1024
FLUSH_SECONDS = 0.2


class FunctionLog:
    """The file of one function. All of its processes write through it, whole lines at a time."""

    def __init__(
        self,
        path: Path,
        *,
        limit: int = LIMIT,
        counted: Callable[[bytes, int], None] = lambda text, events: None,
    ) -> None:
        """`counted` is told what the function itself wrote, and how many lines that is."""
        self._path = path
        self._limit = limit
        self._counted = counted
        self._unwritten = bytearray()

    def line(self, text: str) -> None:
        """A line of the platform's."""
        self._write(text.encode())

    def lines(self, text: bytes) -> None:
        """Lines of the function's own."""
        self._counted(text, text.count(b"\n") + (not text.endswith(b"\n")))
        self._write(text)

    def _write(self, text: bytes) -> None:
        stamp = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3].encode() + b"Z "
        # awslambdaric puts the lines of one traceback into one CloudWatch event with returns.
        for entry in text.replace(b"\r", b"\n").splitlines():
            self._unwritten += stamp + entry + b"\n"

    def flush(self) -> None:
        if not self._unwritten:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(self._unwritten)
            size = file.tell()
        self._unwritten.clear()
        if size >= self._limit:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))


class FunctionLogs:
    """The log of each function, always the same object."""

    def __init__(self, folder: Path, usage: Usage | None = None) -> None:
        self._folder = folder
        self._usage = usage or Usage()
        self._logs: dict[str, FunctionLog] = {}

    def __call__(self, function: str) -> FunctionLog:
        if function not in self._logs:
            self._logs[function] = FunctionLog(
                self._folder / f"{function}.log",
                counted=lambda text, events: self._usage.log(function, text, events),
            )
        return self._logs[function]

    def flush(self) -> None:
        for log in self._logs.values():
            log.flush()

    async def flush_in_background(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self.flush()


class LineBuffer:
    """Makes whole lines of what a pipe delivers in pieces."""

    # A line that never ends is passed on when it is as large as a CloudWatch event may be.
    LONGEST = 256 * 1024

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The complete lines so far; empty when none is complete."""
        self._rest += data
        complete, newline, rest = self._rest.rpartition(b"\n")
        if not newline and len(rest) < self.LONGEST:
            return b""
        self._rest = rest if newline else b""
        return complete + newline or rest

    def rest(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest
