"""One log file for each function, `logs/<function>.log`, with the time before each line.

Stock ministack keeps a log stream in memory for every invocation, for ever. A file is readable with
any tool and bounded: at `LIMIT` it becomes `<function>.log.1`, in place of the one before.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import IO

LIMIT = 5 * 1024 * 1024


class FunctionLog:
    """The file of one function. All of its processes write through it, whole lines at a time."""

    def __init__(self, path: Path, *, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._file: IO[bytes] | None = None
        self._size = 0

    def line(self, text: str) -> None:
        self.lines(text.encode())

    def lines(self, text: bytes) -> None:
        stamp = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3].encode() + b"Z "
        # awslambdaric puts the lines of one traceback into one CloudWatch event with returns.
        entries = text.replace(b"\r", b"\n").splitlines()
        written = b"".join(stamp + entry + b"\n" for entry in entries)
        file = self._opened()
        file.write(written)
        self._size += len(written)
        if self._size >= self._limit:
            self.close()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab", buffering=0)
            self._size = self._file.tell()
        return self._file


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
