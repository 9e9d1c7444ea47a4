"""What is stored of one attempt's spool, piece by piece: forward, or from its end.

A piece is what one chunk holds. Its body lies in the chunk's row, in an object of its own, or with
its neighbours' in a merged object (`log_merging`). Bodies are moved while people read: who finds no
object where a row said that one is reads the row again, because it was moved in between. What a row
that stays the same does not lead to is lost, and only then (`Piece.raw` None).

Nothing is passed over: both ways end, or begin, at the first hole in the rows. The protocol leaves
none (`usecases.logs`), so beyond one there is nothing that anybody was told is stored.
"""

import gzip
from collections.abc import Iterator

from xylem.domain.values import dataclass
from xylem.ports.blobs import Blobs
from xylem.ports.logs import Chunk, Logs, Merged
from xylem.ports.task_tokens import Attempt
from xylem.protocol import spool

PAGE_CHUNKS = 100
FIRST_LAST_CHUNKS = 10
"""Of a walk from the end, which mostly ends soon; a chunk of 8 KB is in its row."""

LOST = b""
"""In the place of a body that was not there when its neighbours were merged."""

READS = 5
"""Of one chunk's row: a body is moved once."""


@dataclass(frozen=True, slots=True)
class Piece:
    """`length` bytes of the spool from `offset`; `raw`: the records that are kept of them. None:
    they were stored, and are lost."""

    offset: int
    length: int
    raw: bytes | None

    @property
    def end(self) -> int:
        return self.offset + self.length


class Walk:
    """Of one attempt. The merged object that was read last is kept: its neighbours are in it."""

    def __init__(self, attempt: Attempt, logs: Logs, store: Blobs) -> None:
        self._attempt = attempt
        self._logs = logs
        self._store = store
        self._merged: tuple[Merged, bytes] | None = None

    def forward(self, start: int = 0) -> Iterator[Piece]:
        reached = start
        while page := self._logs.chunks(self._attempt, start=reached, limit=PAGE_CHUNKS):
            for chunk in page:
                if chunk.offset != reached:
                    return
                yield self.piece(chunk)
                reached = chunk.end
            if len(page) < PAGE_CHUNKS:
                return

    def backward(self) -> Iterator[Piece | None]:
        """From the last one on. None: there is a hole, and what was given before is beyond it."""
        before: int | None = None
        limit = FIRST_LAST_CHUNKS
        while page := self._logs.last_chunks(self._attempt, before=before, limit=limit):
            for chunk in page:
                if before is not None and chunk.end != before:
                    yield None
                yield self.piece(chunk)
                before = chunk.offset
            limit = PAGE_CHUNKS
        if before:
            yield None

    def offset_at(self, micros: int, *, back: int) -> int:
        """Where to begin with what was said from then on: so many chunks before the last one that
        begins before it. By halves, for chunks are in the order of their times, where the node's
        clock was."""
        last = self._logs.last_chunks(self._attempt, limit=1)
        begin, low, high = 0, 0, last[0].end if last else 0
        while low < high:
            [chunk] = self._logs.last_chunks(self._attempt, before=(low + high) // 2 + 1, limit=1)
            if chunk.end <= low:
                break
            raw = self.piece(chunk).raw
            first = next(spool.decode(raw), None) if raw else None
            if first is not None and first.micros < micros:
                begin, low = chunk.offset, chunk.end
            else:
                high = chunk.offset
        earlier = self._logs.last_chunks(self._attempt, before=begin, limit=back)
        return earlier[-1].offset if earlier else 0

    def piece(self, chunk: Chunk) -> Piece:
        """As `chunk` was read, or is now."""
        now: Chunk | None = chunk
        for _ in range(READS):
            if now is None:
                break
            body = self._body(now)
            if body is not None:
                raw = None if body == LOST else gzip.decompress(body)
                return Piece(chunk.offset, chunk.length, raw)
            known, now = now, self._logs.chunk(self._attempt, chunk.offset)
            if now == known and not known.bare:
                break
        return Piece(chunk.offset, chunk.length, None)

    def _body(self, chunk: Chunk) -> bytes | None:
        if chunk.body is not None:
            return chunk.body
        if chunk.key is not None:
            return self._store.get(chunk.key)
        if self._merged is None or _part(*self._merged, chunk.offset) is None:
            self._merged = self._find(chunk.offset)
        return _part(*self._merged, chunk.offset) if self._merged else None

    def _find(self, offset: int) -> tuple[Merged, bytes] | None:
        for merged in self._logs.merged(self._attempt, until=offset):
            if any(offset == at for at, _, _ in merged.places()):
                body = self._store.get(merged.key)
                if body is not None:
                    return merged, body
        return None


def _part(merged: Merged, body: bytes, offset: int) -> bytes | None:
    for at, begin, end in merged.places():
        if at == offset:
            return body[begin:end]
    return None
