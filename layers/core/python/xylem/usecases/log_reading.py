"""Logs are given out: as text, or page by page to somebody who follows.

Each attempt is one walk in the order of its offsets (`log_walk`); text is merged of them by time.
The last lines are read from the end: of each attempt as much as it takes, in steps that double.
Nothing is shown twice: a follower's cursor holds one offset for each attempt, and a page ends with
a chunk, so there is no position within one. Nothing is passed over: a walk ends where the next
offset is missing, and goes on from there when it has come; of a log that is closed, a word of the
runtime stands where bytes are missing (`log_closing`).
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from xylem.domain.errors import InvalidRequest, UnknownTask
from xylem.domain.ids import WorkflowId
from xylem.domain.status import WorkflowStatus
from xylem.domain.task import Task
from xylem.domain.values import dataclass
from xylem.domain.workflow import Workflow
from xylem.ports.blobs import Blobs
from xylem.ports.logs import Logs
from xylem.ports.task_tokens import Attempt
from xylem.ports.workflows import Workflows
from xylem.ports.world import Clock
from xylem.protocol import spool
from xylem.protocol.following import attempt_key, cursor_at, positions_of
from xylem.usecases.log_closing import Span, closing
from xylem.usecases.log_lines import (
    LOOK_BACK,
    Choose,
    Line,
    Wanted,
    choosing,
    doubtful,
    lines,
    micros_of,
    records,
)
from xylem.usecases.log_walk import Piece, Walk

POLL_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 20
FOLLOW_RECORDS = 2_000
FOLLOW_BYTES = 256 * 1024
"""Of the spool, in one page of a follower, with one chunk beyond it. A byte becomes seven in JSON
within JSON where it is no text (`\\\\u0000`), and Lambda answers 6 MB at the most."""

MERGED_ATTEMPTS = 200
"""Of a whole workflow's text, the newest: each is a query or more, and 30 s are all there is. Who
names a task has all of its attempts."""


def text(
    workflow: str, wanted: Wanted, *, workflows: Workflows, logs: Logs, store: Blobs, clock: Clock
) -> Iterator[str]:
    """Lines as OSMO prints them. Raises `UnknownWorkflow`, `UnknownTask`, `InvalidRequest`, and
    `Unavailable` while it is read."""
    found = attempts(workflow, wanted, workflows)
    choose = choosing(wanted)
    left_out = 0
    if wanted.task is None and len(found) > MERGED_ATTEMPTS:
        left_out = len(found) - MERGED_ATTEMPTS
        found = sorted(found, key=_begun)[left_out:]
    read = _Reading(choose, wanted.since, logs, store, clock())
    said = _last(found, wanted.last_n_lines, read) if wanted.last_n_lines else _all(found, read)
    note = f"The newest {MERGED_ATTEMPTS} attempts; name a task to read the other {left_out}."
    return chain([note] if left_out else [], (line.text for line in said))


@dataclass(frozen=True, slots=True)
class _Reading:
    choose: Choose
    since: datetime | None
    logs: Logs
    store: Blobs
    now: datetime


def _all(found: Sequence["Found"], read: _Reading) -> Iterator[Line]:
    return heapq.merge(*(_from_the_start(number, one, read) for number, one in enumerate(found)))


def _from_the_start(number: int, found: "Found", read: _Reading) -> Iterator[Line]:
    # The end is read before the chunks: whoever sees it sees all that came before it.
    close = closing(read.logs.end(found.attempt), found.span, read.now)
    walk = Walk(found.attempt, read.logs, read.store)
    begin = walk.offset_at(micros_of(read.since), back=LOOK_BACK) if read.since else 0
    said = records(walk.forward(begin), close, begin=begin, over_at=found.span.over_at)
    return read.choose(lines(number, found.attempt, said))


def _last(found: Sequence["Found"], count: int, read: _Reading) -> Iterator[Line]:
    """The last of all are among the last of each."""
    tails = [_last_of(number, one, count, read) for number, one in enumerate(found)]
    return iter(deque(heapq.merge(*tails), maxlen=count))


def _last_of(number: int, found: "Found", count: int, read: _Reading) -> Sequence[Line]:
    close = closing(read.logs.end(found.attempt), found.span, read.now)
    pieces: deque[Piece] = deque()
    enough = 1

    def so_far() -> tuple[Sequence[Line], bool]:
        """And whether reading more would change nothing."""
        begin = pieces[0].offset if pieces else 0
        said = records(pieces, close, begin=begin, over_at=found.span.over_at)
        known = list(lines(number, found.attempt, said))
        chosen = list(read.choose(known))[-count:]
        cut = max((_first(stream, known) for stream in doubtful(pieces)), default=-1)
        return chosen, len(chosen) == count and chosen[0].position > cut

    for piece in Walk(found.attempt, read.logs, read.store).backward():
        if piece is None:
            pieces.clear()
            continue
        pieces.appendleft(piece)
        if len(pieces) >= enough:
            enough = 2 * len(pieces)
            last, sure = so_far()
            if sure:
                return last
    return so_far()[0]


def _first(stream: spool.Stream, known: Sequence[Line]) -> int:
    return next((line.position for line in known if line.stream is stream), -1)


class Shown(NamedTuple):
    """A record as a follower gets it."""

    attempt: Attempt
    record: spool.Record


@dataclass(frozen=True, slots=True)
class Page:
    records: Sequence[Shown]
    cursor: str
    closed: bool


def nobody(workflow: WorkflowId, cursor: str, closed: bool) -> None:
    """Is told how far a reader got."""


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
    tell: Callable[[WorkflowId, str, bool], None] = nobody,
) -> Page:
    """What came after the cursor; held for up to `seconds` while that is nothing. `tell`: who
    follows the same how far it goes."""
    positions = _positions(cursor)
    id = workflows.resolve(workflow)
    left = min(seconds, LONGEST_WAIT_SECONDS)
    while True:
        page = _page(id, wanted, positions, workflows, logs, store, clock)
        if page.records or page.closed or left <= 0:
            tell(id, page.cursor, page.closed)
            return page
        pause = min(POLL_SECONDS, left)
        wait(pause)
        left -= pause


def _page(
    id: WorkflowId,
    wanted: Wanted,
    positions: Mapping[str, int],
    workflows: Workflows,
    logs: Logs,
    store: Blobs,
    clock: Clock,
) -> Page:
    now = clock()
    workflow = workflows.workflow(id).value
    found = _attempts(workflow, wanted, workflows)
    over = workflow.status not in _LIVE
    shown: list[Shown] = []
    moved = dict(positions)
    closed = over
    room = 1.0
    for one in found:
        key = attempt_key(one.attempt.task, one.attempt.retry)
        reached, told = positions.get(key, 0), f"{key}!"
        # The end is read before the chunks: whoever sees it sees all that came before it.
        close = closing(logs.end(one.attempt), one.span, now)
        if reached == close.length:
            continue
        walk = Walk(one.attempt, logs, store).forward(reached)
        pieces: list[Piece] = []
        while room > 0 and (piece := next(walk, None)):
            pieces.append(piece)
            room -= _share(piece)
            moved[key] = piece.end
        whole = room > 0
        # What is only quiet is not done with while something still comes.
        done = whole and (close.closed or (close.state == "quiet" and not pieces))
        says = done and told not in positions
        said = records(pieces, close, begin=reached, over_at=one.span.over_at, to_the_end=says)
        shown += [Shown(one.attempt, record) for record in said]
        if says:
            moved[told] = 1
        closed = closed and done
    shown.sort(key=lambda each: each.record.micros)
    return Page(shown, cursor_at(moved), closed)


def _share(piece: Piece) -> float:
    """How much of a page it takes, by what it has most of."""
    raw = piece.raw or b""
    count = sum(1 for _ in spool.decode(raw))
    return max(len(raw) / FOLLOW_BYTES, count / FOLLOW_RECORDS)


_LIVE = {WorkflowStatus.PENDING, WorkflowStatus.RUNNING}


def _positions(cursor: str) -> dict[str, int]:
    try:
        return positions_of(cursor)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None


# Attempts ----------------------------------------------------------------------------------------


class Found(NamedTuple):
    attempt: Attempt
    task: Task
    """Its task's newest attempt."""
    span: Span


def attempts(workflow: str, wanted: Wanted, workflows: Workflows) -> list[Found]:
    """In the order of the spec; none of a retry that there is not. Raises `UnknownWorkflow`,
    `UnknownTask`."""
    return _attempts(workflows.workflow(workflows.resolve(workflow)).value, wanted, workflows)


def _attempts(workflow: Workflow, wanted: Wanted, workflows: Workflows) -> list[Found]:
    every = _all_attempts(workflow, workflows)
    found = [one for one in every if wanted.task in (None, one.task.name)]
    if wanted.task is not None and not found:
        raise UnknownTask(f"Task {wanted.task} of workflow {workflow.id} is not found.")
    return [one for one in found if wanted.retry in (None, one.attempt.retry)]


def _all_attempts(workflow: Workflow, workflows: Workflows) -> Iterator[Found]:
    for stored in workflows.groups(workflow.id, shards=workflow.shards):
        group = stored.value
        for task in group.tasks:
            for retry in range(task.retry + 1):
                attempt = Attempt(workflow.id, group.id, group.incarnation, task.name, retry)
                yield Found(attempt, task, span_of(task, retry))


def span_of(task: Task, retry: int) -> Span:
    """Of an attempt, from its task's newest: the others had ended when that began."""
    if retry < task.retry:
        return Span(handed=True, over_at=task.processing_at)
    over_at = (task.ended_at or spool.EPOCH) if task.status.final else None
    return Span(handed=bool(task.ordinal), over_at=over_at)


def _begun(found: Found) -> int:
    return micros_of(found.task.processing_at) if found.task.processing_at else 0
