"""One attempt's log, read from a position on: records first, then lines.

Rules that were model-checked: the end is read before the chunks, so whoever sees it sees all that
came before it; a body that is missing is read again through its row (it may have been merged
meanwhile); and only a closed log makes a gap: in one that is still written, what is missing may
come.

A follower's cursor is no plain offset. A line may spread over chunks while the other stream prints
whole ones, so the cursor names the record in which the oldest unfinished line began, and how many
lines of each stream after it were shown already.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from xylem.ports import Attempt, Blobs, Chunk, Logs
from xylem.protocol.spool import HEADER, Record, Stream, decode
from xylem.usecases.logs import unpack

PAGE_CHUNKS = 16
"""Bodies of 8 KB and less come with their rows; a walk holds one page of them."""

SILENT_END = timedelta(seconds=60)
"""An attempt that ended this long ago, without an end of its log, is not waited for."""

LONGEST_PART = 256 * 1024
"""What a follower keeps back of a line that does not end."""


@dataclass(frozen=True, slots=True)
class Source:
    """An attempt as its group's row knows it. `started`: it ran, so it should have a log.
    `ended_at` None: it lives."""

    attempt: Attempt
    handed_over: bool
    started: bool
    ended_at: datetime | None


class Position(NamedTuple):
    """A chunk, and a byte of its unpacked body. Not an offset of the spool: what is stored may
    differ from what was sent in its length, once secrets are masked."""

    offset: int = 0
    byte: int = 0


class Piece(NamedTuple):
    record: Record
    begin: Position
    end: Position


class Line(NamedTuple):
    """`micros`: when its end was printed."""

    micros: int
    stream: Stream
    data: bytes


class Walk:
    """`done`: the log has ended, or is not waited for any longer."""

    def __init__(
        self, source: Source, *, logs: Logs, store: Blobs, start: Position = Position()
    ) -> None:
        self.position = start
        self.done = False
        self._source = source
        self._logs = logs
        self._store = store
        self._micros = 0

    def pieces(self, now: datetime) -> Iterator[Piece]:
        """What is stored from here on, then a word of ours where something is missing."""
        if self.done:
            return
        if not self._source.handed_over:
            self.done = self._source.ended_at is not None
            return
        tail = self._logs.end(self._source.attempt)
        for chunk in self._chunks():
            body = self._body(chunk)
            following = Position(chunk.offset + chunk.length)
            if body is not None:
                yield from self._records(chunk, body)
            elif tail is not None:
                yield self._word(
                    f"Bytes {chunk.offset} to {following.offset} of the log are missing."
                )
            else:
                return
            self.position = following
        if tail is not None:
            self.done = True
            if not tail.complete or self.position.offset < tail.length:
                yield self._word(
                    f"The log is incomplete: what came after byte {self.position.offset} of it "
                    "never arrived."
                )
        elif self._silent(now):
            self.done = True
            if self._source.started or self.position.offset:
                yield self._word(
                    f"The log is incomplete so far: {self.position.offset} bytes of it arrived."
                )

    def _chunks(self) -> Iterator[Chunk]:
        """From our position on, as far as they reach without a hole."""
        reached = self.position.offset
        while page := self._logs.chunks(self._source.attempt, start=reached, limit=PAGE_CHUNKS):
            for chunk in page:
                if chunk.offset != reached:
                    return
                yield chunk
                reached += chunk.length
            if len(page) < PAGE_CHUNKS:
                return

    def _body(self, chunk: Chunk) -> bytes | None:
        packed = self._packed(chunk)
        if packed is None:
            again = self._logs.chunks(self._source.attempt, start=chunk.offset, limit=1)
            packed = self._packed(again[0]) if again else None
        return unpack(packed) if packed is not None else None

    def _packed(self, chunk: Chunk) -> bytes | None:
        if chunk.body is not None:
            return chunk.body
        return self._store.get(chunk.key) if chunk.key else None

    def _records(self, chunk: Chunk, body: bytes) -> Iterator[Piece]:
        begin = Position(chunk.offset, self.position.byte)
        for record in decode(body[begin.byte :]):
            end = Position(chunk.offset, begin.byte + HEADER.size + len(record.data))
            self._micros = record.micros
            self.position = end
            yield Piece(record, begin, end)
            begin = end

    def _silent(self, now: datetime) -> bool:
        ended = self._source.ended_at
        return ended is not None and now - ended >= SILENT_END

    def _word(self, text: str) -> Piece:
        record = Record(Stream.CONTROL, self._micros, text.encode() + b"\n")
        return Piece(record, self.position, self.position)


class Lines:
    """Records of one attempt in, lines out. `skip`: so many of each stream were shown already."""

    def __init__(self, skip: Sequence[int] = ()) -> None:
        self._skip = dict(zip(Stream, skip, strict=False))
        self._begun: dict[Stream, _Begun] = {}
        self._since: deque[_Fed] = deque()
        self.kept_back = 0
        """Bytes since the oldest line that has not ended began."""
        self._end = Position()

    def feed(self, piece: Piece) -> list[Line]:
        record, stream = piece.record, piece.record.stream
        self._end = piece.end
        *ended, rest = record.data.split(b"\n")
        shown: list[Line] = []
        if ended:
            begun = self._begun.pop(stream, None)
            if begun is not None:
                ended[0] = b"".join((*begun.parts, ended[0]))
            skipped = min(self._skip.get(stream, 0), len(ended))
            self._skip[stream] = self._skip.get(stream, 0) - skipped
            shown = [Line(record.micros, stream, data) for data in ended[skipped:]]
        if rest:
            self._begun.setdefault(stream, _Begun(piece.begin, [])).parts.append(rest)
        self._since.append(_Fed(piece.begin, stream, len(ended), len(record.data)))
        self.kept_back += len(record.data)
        self._forget()
        return shown

    def rest(self, micros: int) -> list[Line]:
        """What has begun and not ended, as lines."""
        parts = [
            Line(micros, stream, b"".join(begun.parts)) for stream, begun in self._begun.items()
        ]
        self._begun.clear()
        self._forget()
        return parts

    def resume(self) -> tuple[Position, list[int]]:
        """Where to begin again, and how many lines of each stream to skip from there."""
        if not self._since:
            return self._end, []
        counts = dict.fromkeys(Stream, 0)
        for fed in self._since:
            counts[fed.stream] += fed.ended
        return self._since[0].begin, list(counts.values())

    def _forget(self) -> None:
        oldest = min((begun.begin for begun in self._begun.values()), default=None)
        while self._since and (oldest is None or self._since[0].begin < oldest):
            self.kept_back -= self._since.popleft().size


class _Begun(NamedTuple):
    begin: Position
    parts: list[bytes]


class _Fed(NamedTuple):
    begin: Position
    stream: Stream
    ended: int
    size: int
