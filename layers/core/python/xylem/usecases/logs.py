"""The Logger takes a log: batches of the spool in, at offsets that it answered, then the end.

    put       a chunk's row is put on condition that there is none at its offset: the only arbiter
    end       accepted when the rows reach the length of the finished spool without a hole

An offset is 0 or the end of the rows, so chunks never overlap and never leave a hole; whoever sends
another one (a request that travelled long, a sidecar that was started again) stores nothing and is
told where to go on. How far the rows reach is remembered from one request to the next (rows stay
where they are, so what was once true of them is true for ever) and read from there: a process that
knows nothing reads all rows once.

A sidecar sends records that it masked, and says how many raw bytes they stand for: offsets and
lengths are those of the spool. What a sidecar let through is masked here again, where it lies in
one batch.

A body of more than 8 KB is an object, written before the row under a name of its own: the row never
names what is not there.
"""

import zlib
from collections import OrderedDict
from collections.abc import Callable

from xylem.domain.errors import InvalidRequest, TooLarge
from xylem.ports.blobs import Blobs
from xylem.ports.logs import Chunk, Logs, LogTail
from xylem.ports.task_tokens import Attempt
from xylem.ports.world import Ids
from xylem.protocol.runtime import MAX_BATCH_BYTES, Stored
from xylem.protocol.spool import whole

INLINE_BYTES = 8 * 1024
PAGE_CHUNKS = 100
REMEMBERED_ATTEMPTS = 10_000
GZIP = 31
"""zlib's `wbits` for a gzip header and trailer."""


class BadBatch(InvalidRequest):
    """Not whole records, or none at all. A sidecar of ours never sends it."""

    default_code = "bad_batch"


class KnownEnds:
    """How far the rows of an attempt reach, at least. One for a process."""

    def __init__(self) -> None:
        self._ends: OrderedDict[Attempt, int] = OrderedDict()

    def of(self, attempt: Attempt) -> int:
        return self._ends.get(attempt, 0)

    def reached(self, attempt: Attempt, offset: int) -> None:
        self._ends[attempt] = max(offset, self._ends.pop(attempt, 0))
        if len(self._ends) > REMEMBERED_ATTEMPTS:
            self._ends.popitem(last=False)


def put(
    attempt: Attempt,
    offset: int,
    body: bytes,
    *,
    logs: Logs,
    store: Blobs,
    ids: Ids,
    ends: KnownEnds,
    length: int | None = None,
    mask: Callable[[bytes], bytes] = bytes,
) -> Stored:
    """`body`: gzip of whole records, which stand for `length` bytes of the spool; of a sidecar that
    masks nothing, for as many as they are. `mask`: of such records. Raises `BadBatch`,
    `TooLarge`."""
    records = _checked(body)
    length = _checked_length(length, records)
    if ends.of(attempt) < offset:
        _look_further(attempt, logs, ends)
    tail = logs.end(attempt)
    if tail is not None:
        return Stored(next=tail.length, closed=True)
    if offset != ends.of(attempt):
        return Stored(next=ends.of(attempt))
    chunk = _chunk(attempt, offset, length, _masked(body, records, mask), store, ids)
    stored = logs.put_chunk(attempt, chunk)
    ends.reached(attempt, stored.offset + stored.length)
    if stored != chunk:
        _look_further(attempt, logs, ends)
    return Stored(next=ends.of(attempt))


def end(attempt: Attempt, length: int, *, logs: Logs, ends: KnownEnds) -> Stored:
    """The spool is finished and has this length."""
    tail = logs.end(attempt)
    if tail is None:
        if ends.of(attempt) < length:
            _look_further(attempt, logs, ends)
        if ends.of(attempt) != length:
            return Stored(next=ends.of(attempt))
        tail = logs.put_end(attempt, LogTail(length))
    return Stored(next=tail.length, closed=True)


def unpack(body: bytes, *, limit: int = MAX_BATCH_BYTES) -> bytes:
    """Raises `BadBatch`, `TooLarge`; never makes more than `limit` bytes of a few."""
    unpacker = zlib.decompressobj(wbits=GZIP)
    try:
        raw = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadBatch(f"The batch is not gzip: {error}.") from None
    if len(raw) > limit:
        raise TooLarge(f"A batch holds at most {limit} bytes.")
    if not unpacker.eof or unpacker.unused_data:
        raise BadBatch("The batch is not one whole gzip stream.")
    return raw


def _checked(body: bytes) -> bytes:
    raw = unpack(body)
    try:
        complete = whole(raw)
    except ValueError as error:
        raise BadBatch(f"The batch is not records of a spool: {error}.") from None
    if not raw:
        raise BadBatch("The batch is empty: send at least one record.")
    if complete != len(raw):
        raise BadBatch("The batch does not end at the end of a record.")
    return raw


def _checked_length(length: int | None, records: bytes) -> int:
    if length is None:
        return len(records)
    if not 0 < length <= MAX_BATCH_BYTES:
        raise BadBatch(f"length is {length}: a batch is 1 to {MAX_BATCH_BYTES} bytes of the spool.")
    return length


def _masked(body: bytes, records: bytes, mask: Callable[[bytes], bytes]) -> bytes:
    masked = mask(records)
    if masked == records:
        return body
    packer = zlib.compressobj(wbits=GZIP)
    return packer.compress(masked) + packer.flush()


def _look_further(attempt: Attempt, logs: Logs, ends: KnownEnds) -> None:
    position = ends.of(attempt)
    while page := logs.chunks(attempt, start=position, limit=PAGE_CHUNKS):
        for chunk in page:
            if chunk.offset != position:
                break
            position += chunk.length
        else:
            if len(page) == PAGE_CHUNKS:
                continue
        break
    ends.reached(attempt, position)


def _chunk(
    attempt: Attempt, offset: int, length: int, body: bytes, store: Blobs, ids: Ids
) -> Chunk:
    if len(body) <= INLINE_BYTES:
        return Chunk(offset, length, body=body)
    key = (
        f"logs/{attempt.workflow}/{attempt.task}/{attempt.retry}/{attempt.incarnation}/"
        f"{offset:020d}-{ids()}"
    )
    store.put(key, body)
    return Chunk(offset, length, key=key)
