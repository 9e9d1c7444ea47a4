"""The spool as a file: what the wrapper writes, what we add to it, and what of it may be sent.

Both write each record under the file's lock (`xylem-exec.c`), so records never mix. Bytes are sent
only after they were synced: a node that lost power must not hold other bytes at an offset that the
Logger has stored already.
"""

import fcntl
import os
import time
from threading import Lock

from xylem.protocol.spool import HEADER, RECORD_BYTES, Record, Stream, encode, whole

FILE = "spool"

FULL_DISK_PATIENCE_SECONDS = 30.0
FULL_DISK_RETRY_SECONDS = 0.1
"""As the wrapper's: half a record must not be left for others to write behind."""


class Spool:
    def __init__(self, folder: str) -> None:
        path = f"{folder}/{FILE}"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        os.fchmod(self._file, 0o666)
        self._synced = 0
        self._exclusive = _Exclusive(self._file)

    def size(self) -> int:
        return os.fstat(self._file).st_size

    def say(self, text: str) -> None:
        """A line of the runtime's own in the task's log."""
        data = text.encode("utf-8", "replace")[: RECORD_BYTES - 1] + b"\n"
        with self._exclusive:
            self._append(encode(Record(Stream.CONTROL, time.time_ns() // 1000, data)))

    def read(self, offset: int, limit: int) -> bytes:
        """Whole records from `offset`, synced. Raises `ValueError` where there is no record."""
        raw = os.pread(self._file, limit, offset)
        raw = raw[: whole(raw)]
        if offset + len(raw) > self._synced:
            self._synced = self.size()
            os.fdatasync(self._file)
        return raw

    def mend(self, offset: int) -> None:
        """Fill up the record that the wrapper left torn at the end. `offset`: where a record
        begins. For when the wrapper is gone."""
        with self._exclusive:
            self._mend(offset)

    def _mend(self, offset: int) -> None:
        size = self.size()
        position = offset
        while position < size:
            header = os.pread(self._file, HEADER.size, position)
            missing = HEADER.size - len(header)
            _, _, length = HEADER.unpack(header + bytes(missing))
            if length > RECORD_BYTES:
                raise ValueError(f"no record begins at byte {position}")
            position += HEADER.size + length
            if position > size:
                self._append(bytes(missing) + b" " * (position - size - missing))

    def _append(self, data: bytes) -> None:
        give_up = time.monotonic() + FULL_DISK_PATIENCE_SECONDS
        while data:
            try:
                data = data[os.write(self._file, data) :]
            except OSError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(FULL_DISK_RETRY_SECONDS)


class _Exclusive:
    """The file's lock between the wrapper and us, and one between our threads: for the file's they
    are one and the same."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._threads = Lock()

    def __enter__(self) -> None:
        self._threads.acquire()
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()
