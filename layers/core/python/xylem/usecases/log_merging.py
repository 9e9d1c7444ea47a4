"""Bodies of chunks are put together in larger objects, while people write and read.

    1. an object with the bodies of consecutive chunks, under a name of its own
    2. its row, put on absence: from here on readers find the bodies there
    3. the chunks' rows lose their bodies, and then their objects go

Two may do this at once, and each may stop between any two of these. Whoever finds a row where it
wanted to put its own drops its own object and finishes what the other began; everybody finishes
what the newest row says before making another, so there is never more than one row that is
unfinished. A chunk without a body among those that are to be merged says that another has just
merged it.

Bodies are kept as they came, gzip after gzip, so each chunk is still read by itself, and a body
that was masked needs no length of its own. A log that is never as long as `MERGE_FROM` is not
merged: it is read with one query or two.

The job of a longer one is written by the Logger, with the chunk that makes it so long, and stays
until the log is closed and nothing is left to be collected: objects that no row names, because two
were faster than one, or somebody stopped half way.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from xylem.domain.values import dataclass
from xylem.ports.blobs import Blobs
from xylem.ports.jobs import Job, Jobs, MergeLog
from xylem.ports.logs import Chunk, Logs, LogTail, Member, Merged
from xylem.ports.task_tokens import Attempt
from xylem.ports.workflows import Workflows
from xylem.ports.world import Clock, Ids
from xylem.usecases.jobs import Held
from xylem.usecases.log_closing import CLOSED_AFTER, Span, closing
from xylem.usecases.log_download import make_whole
from xylem.usecases.log_reading import span_of
from xylem.usecases.log_walk import LOST
from xylem.usecases.long_logs import LOOK_AGAIN, prefix

PAGE_CHUNKS = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one merged object.

    `bytes`: of gzip, and a bit more where the last body is large: 20 to 60 MB of what people print.
    Who reads one line of it gets all of it, in some 50 ms. `chunks`: eight bytes each in the row,
    which is written for a unit a KB."""

    bytes: int = 4 * 1024 * 1024
    chunks: int = 500


LIMITS = Limits()

AT_WORK = timedelta(seconds=15)
"""Half of what a function has; what is left is for the next ring."""

COLLECTED_AT = timedelta(hours=24)
"""The age of an object that no row names, at which it goes. Whoever put it has long put its row, or
never will: a function lives for seconds."""

OBJECTS_A_PAGE = 1000
NAME = re.compile(r"(?P<merged>merged-)?(?P<offset>\d{20})-\w+")
"""Of an object of ours: which chunk it is the body of, or which it begins with."""


class Merging:
    """Of one attempt's log. `limits`: of an object; smaller ones are for tests."""

    def __init__(
        self, attempt: Attempt, logs: Logs, store: Blobs, ids: Ids, limits: Limits = LIMITS
    ) -> None:
        self._attempt = attempt
        self._logs = logs
        self._store = store
        self._ids = ids
        self._limits = limits

    def step(self, *, closed: bool) -> bool:
        """One object more, if there is enough for one, or the log is closed and something is left.
        Whether it is worth another step."""
        start = 0
        for newest in self._logs.merged(self._attempt, limit=1):
            self.finish(newest)
            start = newest.end
        bodies: list[bytes] = []
        members: list[Member] = []
        size = 0
        for chunk in islice(chunks_from(self._attempt, start, self._logs), self._limits.chunks):
            body = self.body_of(chunk)
            if body is None:
                return True
            if body == LOST and not closed:
                break
            bodies.append(body)
            members.append(Member(chunk.length, len(body)))
            size += len(body)
            if size >= self._limits.bytes:
                break
        full = size >= self._limits.bytes or len(bodies) == self._limits.chunks
        if len(bodies) < 2 or not (full or closed):
            return False
        key = f"{prefix(self._attempt)}merged-{start:020d}-{self._ids()}"
        self.publish(Merged(start, key, tuple(members)), b"".join(bodies))
        return True

    def body_of(self, chunk: Chunk) -> bytes | None:
        """None: it was merged meanwhile."""
        if chunk.bare:
            return None
        body = chunk.body if chunk.body is not None else self._store.get(chunk.key or "")
        if body is None and self._logs.chunk(self._attempt, chunk.offset) == chunk:
            return LOST
        return body

    def publish(self, mine: Merged, body: bytes) -> None:
        self._store.put(mine.key, body)
        stored = self._logs.put_merged(self._attempt, mine)
        if stored.key != mine.key:
            self._store.delete(mine.key)
        self.finish(stored)

    def finish(self, merged: Merged) -> None:
        for chunk in chunks_from(self._attempt, merged.offset, self._logs):
            if chunk.offset >= merged.end:
                return
            self.strip(chunk)

    def strip(self, chunk: Chunk) -> None:
        """The row first, so that nobody is led to an object that was dropped."""
        if not chunk.bare:
            self._logs.strip(self._attempt, chunk.offset)
        if chunk.key is not None:
            self._store.delete(chunk.key)


def chunks_from(attempt: Attempt, start: int, logs: Logs) -> Iterator[Chunk]:
    """Without a hole between them."""
    while page := logs.chunks(attempt, start=start, limit=PAGE_CHUNKS):
        for chunk in page:
            if chunk.offset != start:
                return
            yield chunk
            start = chunk.end
        if len(page) < PAGE_CHUNKS:
            return


# The job -----------------------------------------------------------------------------------------


def keep(
    job: Job,
    work: MergeLog,
    *,
    jobs: Jobs,
    workflows: Workflows,
    logs: Logs,
    store: Blobs,
    ids: Ids,
    clock: Clock,
) -> None:
    """Merge what there is, close what will never end, collect what was left. Raises `Held` until
    that is all done."""
    attempt = work.attempt
    span = _span(attempt, workflows)
    if span is None:
        jobs.finish(job.id)
        return
    now = clock()
    close = closing(logs.end(attempt), span, now)
    if close.state == "incomplete" and close.length is None:
        logs.put_end(attempt, LogTail(_reached(attempt, logs), complete=False))
    merging = Merging(attempt, logs, store, ids)
    while merging.step(closed=close.closed):
        if clock() - now > AT_WORK:
            raise Held("more of this log is to be merged", wait=timedelta())
    if span.over_at is None or not close.closed:
        raise Held("this log is not closed", wait=_next_look(span, now))
    make_whole(attempt.workflow, workflows=workflows, logs=logs, store=store, clock=clock)
    if now < span.over_at + CLOSED_AFTER:
        raise Held("objects may still be on their way", wait=span.over_at + CLOSED_AFTER - now)
    collect(attempt, logs=logs, store=store, now=now)
    jobs.finish(job.id)


def _span(attempt: Attempt, workflows: Workflows) -> Span | None:
    stored = workflows.group(attempt.workflow, attempt.group)
    task = stored.value.task(attempt.task) if stored else None
    return span_of(task, attempt.retry) if task else None


def _next_look(span: Span, now: datetime) -> timedelta:
    """A log that stays open after its attempt closes by its age."""
    if span.over_at is None or now - span.over_at < LOOK_AGAIN:
        return LOOK_AGAIN
    return max(span.over_at + CLOSED_AFTER - now, timedelta()) + timedelta(seconds=1)


def _reached(attempt: Attempt, logs: Logs) -> int:
    reached = max((newest.end for newest in logs.merged(attempt, limit=1)), default=0)
    for chunk in chunks_from(attempt, reached, logs):
        reached = chunk.end
    return reached


def collect(attempt: Attempt, *, logs: Logs, store: Blobs, now: datetime) -> int:
    """Objects of that age which no row names, by consistent reads after the list: how many went."""
    collected = 0
    cursor: str | None = ""
    while cursor is not None:
        page = store.list(prefix(attempt), cursor=cursor, limit=OBJECTS_A_PAGE)
        for blob in page.blobs:
            old = now - blob.written_at >= COLLECTED_AT
            if old and not _is_named(attempt, blob.key, logs):
                store.delete(blob.key)
                collected += 1
        cursor = page.cursor
    return collected


def _is_named(attempt: Attempt, key: str, logs: Logs) -> bool:
    """What has a name that is none of ours is let be."""
    named = NAME.fullmatch(key.removeprefix(prefix(attempt)))
    if named is None:
        return True
    offset = int(named["offset"])
    if named["merged"]:
        found = logs.merged(attempt, until=offset, limit=1)
        return bool(found) and found[0].key == key
    chunk = logs.chunk(attempt, offset)
    return chunk is not None and chunk.key == key
