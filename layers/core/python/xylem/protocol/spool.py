"""The spool: framed records of one attempt's output, as the wrapper writes them and the log keeps
them.

A record is a 13 byte header and up to `RECORD_BYTES` of raw output:

    offset 0   1 byte    stream: 1 stdout, 2 stderr, 3 control (the runtime's own words)
    offset 1   8 bytes   when it was read, microseconds since the epoch, big endian
    offset 9   4 bytes   length of the bytes that follow, big endian

Offsets and lengths of the log protocol are those of these bytes. The module imports nothing but the
standard library: the sidecar starts in every pod and has 100 ms of CPU for all of it.
`operators/native/xylem-exec.c` writes the same format.
"""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

HEADER = struct.Struct(">BQI")
RECORD_BYTES = 32 * 1024
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Stream(IntEnum):
    STDOUT = 1
    STDERR = 2
    CONTROL = 3


class Record(NamedTuple):
    stream: Stream
    micros: int
    data: bytes

    @property
    def at(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.micros)


def encode(record: Record) -> bytes:
    """Raises `ValueError` when the data is longer than a record may be."""
    if len(record.data) > RECORD_BYTES:
        raise ValueError(f"a record holds at most {RECORD_BYTES} bytes, not {len(record.data)}")
    return HEADER.pack(record.stream, record.micros, len(record.data)) + record.data


def decode(raw: bytes) -> Iterator[Record]:
    """The records of whole-record bytes. Raises `ValueError` where they are not."""
    position = 0
    while position < len(raw):
        stream, micros, length = _header(raw, position)
        start = position + HEADER.size
        if start + length > len(raw):
            raise ValueError(f"the record at byte {position} is cut short")
        yield Record(stream, micros, raw[start : start + length])
        position = start + length


def whole(raw: bytes) -> int:
    """How many of these bytes are whole records: where a batch ends."""
    position = 0
    while position + HEADER.size <= len(raw):
        _, _, length = _header(raw, position)
        end = position + HEADER.size + length
        if end > len(raw):
            break
        position = end
    return position


def _header(raw: bytes, position: int) -> tuple[Stream, int, int]:
    if position + HEADER.size > len(raw):
        raise ValueError(f"the header at byte {position} is cut short")
    stream, micros, length = HEADER.unpack_from(raw, position)
    known = _STREAMS.get(stream)
    if length > RECORD_BYTES or known is None:
        raise ValueError(f"no record begins at byte {position}")
    return known, micros, length


_STREAMS = {int(stream): stream for stream in Stream}
"""Looking one up is a tenth of what `Stream(number)` takes, of each record of each page."""
