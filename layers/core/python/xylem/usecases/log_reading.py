"""People read logs: a workflow's as one text, or what is new since they last asked.

    text      OSMO's lines, merged by time over the attempts, as far as they are there now
    follow    a page of lines after a cursor, held for a while when there is none

Memory is bounded by the number of attempts that are merged, not by the length of their logs. Both
are polls of rows; a push over the WebSocket comes in front of them later and changes neither.
"""

import base64
import heapq
import json
import re
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from xylem.domain.errors import InvalidRequest, UnknownTask
from xylem.domain.group import Group
from xylem.domain.ids import TaskName, WorkflowId
from xylem.domain.task import Task
from xylem.ports import Attempt, Blobs, Clock, Logs, Workflows
from xylem.protocol.logger import LONGEST_WAIT_SECONDS, LogPage, LogRecord
from xylem.protocol.spool import EPOCH, Stream
from xylem.usecases.attempts import attempts_of, ended_at, is_newest
from xylem.usecases.log_walk import LONGEST_PART, Line, Lines, Position, Source, Walk

MERGED_ATTEMPTS = 200
"""`docs/rows.md`: of a larger workflow the newest are merged; others are read by task."""

READING_TIME = timedelta(seconds=20)
"""An answer must leave before 25 s have passed, and a long one is stored first."""

LONGEST_TEXT = 100_000_000
"""Of one answer, so that it fits the function's memory twice. A longer log is read in pages."""

LINES_PER_LOOK = 256
"""Between two looks at the clock."""

POLL_SECONDS = 0.5
SLOW_POLL_SECONDS = 2.0
MANY_ATTEMPTS = 20
"""A poll costs two reads for each attempt that is still followed."""

PAGE_COST = 1024 * 1024
LINE_COST = 128
"""About what a line's JSON adds to its text. One record of 32 KB may be as many lines, which is how
far a page may go beyond its cost: 5 MB stay below Lambda's 6."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which attempts. None: all."""

    task: str | None = None
    retry: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """`live`: an attempt that is wanted has not ended, or others may come."""

    workflow: WorkflowId
    sources: Sequence[Source]
    live: bool


# As one text --------------------------------------------------------------------------------------


def text(
    workflow: str,
    wanted: Wanted,
    *,
    last_n_lines: int | None = None,
    query: str | None = None,
    workflows: Workflows,
    logs: Logs,
    store: Blobs,
    clock: Clock,
) -> Iterable[str]:
    """Lines without their ends. `query`: a regular expression that is searched for in each. Raises
    `UnknownWorkflow`, `UnknownTask`, `InvalidRequest`."""
    if last_n_lines is not None and last_n_lines < 1:
        raise InvalidRequest(
            f"last_n_lines is {last_n_lines}: it must be positive.", code="USER"
        )
    matches = _pattern(query)
    found = find(workflow, wanted, workflows=workflows)
    newest = sorted(found.sources, key=_begin, reverse=True)[:MERGED_ATTEMPTS]
    now = clock()
    walks = [
        _rendered(source, Walk(source, logs=logs, store=store), now)
        for source in found.sources
        if source in newest
    ]
    lines = (line for _, line in heapq.merge(*walks, key=lambda each: each[0]))
    if matches:
        lines = (line for line in lines if matches(line))
    words = _Words(found.workflow, now)
    limited = _limited(lines, last_n_lines, now + READING_TIME, words, clock)
    if len(newest) < len(found.sources):
        limited = [words.left_out(len(found.sources)), *limited]
    return limited


def render(task: str, retry: int, stream: Stream, micros: int, data: bytes) -> str:
    """`2026/06/01 12:00:00 [train retry-1] loss 0.3`, as OSMO writes it."""
    at = EPOCH + timedelta(microseconds=micros)
    who = f"{task} retry-{retry}" if retry else task
    control = "[osmo]" if stream is Stream.CONTROL else ""
    said = data.removesuffix(b"\r").decode(errors="replace")
    return f"{at:%Y/%m/%d %H:%M:%S} [{who}]{control} {said}"
