"""Logs are given out: as text, or page by page to somebody who follows.

Chunks are read in the order of their offsets, one walk for each attempt, and merged by time.
Nothing is shown twice: a follower's cursor holds one offset for each attempt. Nothing is passed
over: a walk ends where the next offset is missing, and goes on from there when it has come.
"""

import gzip
import heapq
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from xylem.domain.errors import InvalidRequest, UnknownTask
from xylem.domain.status import WorkflowStatus
from xylem.domain.task import Task
from xylem.domain.values import dataclass
from xylem.ports.blobs import Blobs
from xylem.ports.logs import Chunk, Logs, LogTail
from xylem.ports.task_tokens import Attempt
from xylem.ports.workflows import Workflows
from xylem.ports.world import Clock
from xylem.protocol import spool
from xylem.protocol.following import attempt_key, cursor_at, positions_of

PAGE_CHUNKS = 100
POLL_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 20
FOLLOW_RECORDS = 2_000
FOLLOW_BYTES = 256 * 1024
"""Of the spool, in one page of a follower, with one chunk beyond it. A byte becomes six in JSON
where it is no text (`\\u0000`), and Lambda answers 6 MB at the most."""

SILENT_END = timedelta(seconds=60)
"""A follower ends this long after an attempt that never closed its log."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a workflow's log. `last_n_lines` and `query` as in OSMO."""

    task: str | None = None
    retry: int | None = None
    last_n_lines: int | None = None
    query: str | None = None


class Line(NamedTuple):
    """Ordered by time, then by where it stands in its attempt."""

    micros: int
    attempt: int
    position: int
    text: str


def text(
    workflow: str, wanted: Wanted, *, workflows: Workflows, logs: Logs, store: Blobs
) -> Iterator[str]:
    """Lines as OSMO prints them. Raises `UnknownWorkflow`, `UnknownTask`, `InvalidRequest`."""
    if wanted.last_n_lines is not None and wanted.last_n_lines <= 0:
        raise InvalidRequest("Users should specify positive value for flag -n.", code="USER")
    matches = _pattern(wanted.query)
    attempts = [found.attempt for found in _attempts(workflow, wanted, workflows)]
    walks = [
        _lines(number, attempt, _records(attempt, 0, logs, store))
        for number, attempt in enumerate(attempts)
    ]
    lines = (line.text for line in heapq.merge(*walks))
    if matches:
        lines = (line for line in lines if matches(line))
    return iter(deque(lines, maxlen=wanted.last_n_lines)) if wanted.last_n_lines else lines


class Shown(NamedTuple):
    """A record as a follower gets it."""

    attempt: Attempt
    record: spool.Record


@dataclass(frozen=True, slots=True)
class Page:
    records: Sequence[Shown]
    cursor: str
    closed: bool


def follow(
    workflow: str,
    wanted: Wanted,
    cursor: str,
    seconds: float,
    *,
    workflows: Workflows,
    logs: Logs,
    store: Blobs,
    clock: Clock,
    wait: Callable[[float], None],
) -> Page:
    """What came after the cursor; held for up to `seconds` while that is nothing."""
    positions = _positions(cursor)
    left = min(seconds, LONGEST_WAIT_SECONDS)
    while True:
        page = _page(workflow, wanted, positions, workflows, logs, store, clock)
        if page.records or page.closed or left <= 0:
            return page
        pause = min(POLL_SECONDS, left)
        wait(pause)
        left -= pause


def _page(
    workflow: str,
    wanted: Wanted,
    positions: Mapping[str, int],
    workflows: Workflows,
    logs: Logs,
    store: Blobs,
    clock: Clock,
) -> Page:
    id = workflows.resolve(workflow)
    over = workflows.workflow(id).value.status not in _LIVE
    shown: list[Shown] = []
    moved = dict(positions)
    closed = over
    size = 0
    for found in _attempts(workflow, wanted, workflows):
        key = attempt_key(found.attempt.task, found.attempt.retry)
        start = positions.get(key, 0)
        # The end is read before the chunks: whoever sees it sees all that came before it.
        end = logs.end(found.attempt)
        for chunk in _chunks(found.attempt, logs, start):
            full = size > FOLLOW_BYTES or len(shown) >= FOLLOW_RECORDS
            if full or chunk.offset != moved.get(key, 0):
                break
            raw = _body(chunk, store)
            size += len(raw)
            shown += [Shown(found.attempt, record) for record in spool.decode(raw)]
            moved[key] = chunk.offset + chunk.length
        closed = closed and _is_closed(found, end, moved.get(key, 0), clock())
    shown.sort(key=lambda each: each.record.micros)
    return Page(shown, cursor_at(moved), closed)


def _is_closed(found: "_Found", end: LogTail | None, position: int, now: datetime) -> bool:
    if end is not None:
        return position >= end.length
    if not found.task.ordinal:
        return found.task.status.final
    ended = found.task.ended_at
    return ended is not None and now - ended > SILENT_END


_LIVE = {WorkflowStatus.PENDING, WorkflowStatus.RUNNING}


class _Found(NamedTuple):
    attempt: Attempt
    task: Task


def _attempts(workflow: str, wanted: Wanted, workflows: Workflows) -> list[_Found]:
    id = workflows.resolve(workflow)
    shards = workflows.workflow(id).value.shards
    groups = [stored.value for stored in workflows.groups(id, shards=shards)]
    found = [
        _Found(Attempt(id, group.id, group.incarnation, task.name, retry), task)
        for group in groups
        for task in group.tasks
        for retry in range(task.retry + 1)
        if wanted.task in (None, task.name) and wanted.retry in (None, retry)
    ]
    if not found and (wanted.task or wanted.retry is not None):
        raise UnknownTask(f"Task {wanted.task} of workflow {id} is not found.", workflow=None)
    return found


def _chunks(attempt: Attempt, logs: Logs, start: int) -> Iterator[Chunk]:
    while True:
        page = logs.chunks(attempt, start=start, limit=PAGE_CHUNKS)
        yield from page
        if len(page) < PAGE_CHUNKS:
            return
        start = page[-1].offset + 1


def _records(attempt: Attempt, start: int, logs: Logs, store: Blobs) -> Iterator[spool.Record]:
    reached = start
    for chunk in _chunks(attempt, logs, start):
        if chunk.offset != reached:
            return
        yield from spool.decode(_body(chunk, store))
        reached += chunk.length


def _body(chunk: Chunk, store: Blobs) -> bytes:
    body = chunk.body
    if body is None:
        body = store.get(chunk.key) if chunk.key else None
    if body is None:
        raise InvalidRequest("A part of this log has expired.", code="expired")
    return gzip.decompress(body)


def _lines(number: int, attempt: Attempt, records: Iterable[spool.Record]) -> Iterator[Line]:
    """Lines in the order, and with the time, of their ends: a line that grows for an hour holds
    nobody up. What is left without an end is a line, too."""
    begun: dict[spool.Stream, list[bytes]] = {}
    position = micros = 0
    for record in records:
        micros = max(micros, record.micros)
        *whole, rest = record.data.split(b"\n")
        for part in whole:
            parts = [*begun.pop(record.stream, ()), part]
            yield _line(number, position, attempt, record.stream, micros, parts)
            position += 1
        if rest:
            begun.setdefault(record.stream, []).append(rest)
    for stream, parts in begun.items():
        yield _line(number, position, attempt, stream, micros, parts)
        position += 1


def _line(
    number: int,
    position: int,
    attempt: Attempt,
    stream: spool.Stream,
    micros: int,
    parts: Sequence[bytes],
) -> Line:
    at = spool.EPOCH + timedelta(microseconds=micros)
    who = f"{attempt.task} retry-{attempt.retry}" if attempt.retry else attempt.task
    control = "[osmo]" if stream is spool.Stream.CONTROL else ""
    said = b"".join(parts).decode(errors="replace")
    return Line(micros, number, position, f"{at:%Y/%m/%d %H:%M:%S} [{who}]{control} {said}")


def _pattern(query: str | None) -> Callable[[str], object] | None:
    if query is None:
        return None
    try:
        return re.compile(query).search
    except (re.error, OverflowError, RecursionError):
        raise InvalidRequest(f"Invalid regex: {query}", code="USER") from None


def _positions(cursor: str) -> dict[str, int]:
    try:
        return positions_of(cursor)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
