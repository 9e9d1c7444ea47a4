"""Records of an attempt as the lines that people read, and which of them they want.

    2026/06/01 12:00:00 [train retry-1] text            what the command wrote
    2026/06/01 12:00:00 [train][osmo] text              what the runtime says of it

A line has the time of its end, and stands where it ended: one that grows for an hour holds nobody
up. Time never goes back within an attempt, whatever its node's clock did.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import compress, islice
from typing import NamedTuple

from xylem.domain.errors import InvalidRequest, Unavailable
from xylem.domain.values import dataclass
from xylem.matching import BadPattern, matching
from xylem.ports.task_tokens import Attempt
from xylem.protocol import spool
from xylem.usecases.log_closing import Closing, missing
from xylem.usecases.log_walk import Piece


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a workflow's log. `last_n_lines` and `query` as in OSMO, where 0 lines are all;
    `retry` is of a task; `stream` is one of stdout, stderr and control; `since` is included,
    `until` is not."""

    task: str | None = None
    retry: int | None = None
    last_n_lines: int | None = None
    query: str | None = None
    stream: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Line(NamedTuple):
    """Ordered by time, then by where it stands in its attempt."""

    micros: int
    attempt: int
    position: int
    stream: spool.Stream
    text: str


LOOK_BACK = 20
"""Pieces in which the beginning of a line is looked for. A line whose stream says nothing for
longer in the middle of it is shown from where it went on, and one that was not finished at all is
not among the last lines then."""

LINES_AT_ONCE = 2_000

Choose = Callable[[Iterable[Line]], Iterator[Line]]


def choosing(wanted: Wanted) -> Choose:
    """Which of an attempt's lines are wanted; who reads them stops at `until`. Raises
    `InvalidRequest`."""
    if wanted.last_n_lines is not None and wanted.last_n_lines < 0:
        raise InvalidRequest("Users should specify positive value for flag -n.", code="USER")
    matching_lines = _matching(wanted.query)
    stream = _stream(wanted.stream)
    since = micros_of(wanted.since) if wanted.since else 0
    until = micros_of(wanted.until) if wanted.until else None

    def timely(lines: Iterable[Line]) -> Iterator[Line]:
        for line in lines:
            if until is not None and line.micros >= until:
                return
            if line.micros >= since and (stream is None or line.stream is stream):
                yield line

    return lambda lines: matching_lines(timely(lines))


def records(
    pieces: Iterable[Piece],
    closing: Closing,
    *,
    begin: int,
    over_at: datetime | None,
    to_the_end: bool = True,
) -> Iterator[spool.Record]:
    """Everything from `begin` on, with a word of the runtime in the place of what is missing; of
    what is missing at the end, where the pieces go `to_the_end`. Raises `Unavailable` where a part
    cannot be read of a log that is not closed."""
    reached = begin
    micros = micros_of(over_at) if over_at else 0
    for piece in pieces:
        if piece.raw is not None:
            for record in spool.decode(piece.raw):
                micros = record.micros
                yield record
        elif closing.closed:
            yield _word(micros, f"bytes {piece.offset} to {piece.end} of this log are lost")
        else:
            raise Unavailable(f"Bytes {piece.offset} to {piece.end} of a log are being moved.")
        reached = piece.end
    if to_the_end and (says := missing(closing, reached)):
        yield _word(micros, says)


def lines(number: int, attempt: Attempt, said: Iterable[spool.Record]) -> Iterator[Line]:
    """What is left without an end is a line, too."""
    begun: dict[spool.Stream, list[bytes]] = {}
    position = micros = 0
    for record in said:
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


def doubtful(pieces: Iterable[Piece]) -> set[spool.Stream]:
    """Streams whose first line here may have begun before; not those of which nothing was said in
    the first `LOOK_BACK` pieces."""
    first: dict[spool.Stream, int] = {}
    for index, piece in enumerate(pieces):
        for record in spool.decode(piece.raw or b""):
            first.setdefault(record.stream, index)
    return {stream for stream, index in first.items() if index < LOOK_BACK}


def micros_of(at: datetime) -> int:
    return (at - spool.EPOCH) // timedelta(microseconds=1)


def _word(micros: int, says: str) -> spool.Record:
    return spool.Record(spool.Stream.CONTROL, micros, f"{says}\n".encode())


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
    text = f"{at:%Y/%m/%d %H:%M:%S} [{who}]{control} {said}"
    return Line(micros, number, position, stream, text)


def _matching(query: str | None) -> Choose:
    """A user's expression may never end, so it is tried where it can be ended, on many lines at
    once: each time costs a fork. Raises `InvalidRequest`, then or while lines are chosen."""
    if query is None:
        return iter
    try:
        re.compile(query)
    except (re.error, OverflowError, RecursionError):
        raise InvalidRequest(f"Invalid regex: {query}", code="USER") from None

    def choose(lines: Iterable[Line]) -> Iterator[Line]:
        coming = iter(lines)
        while some := list(islice(coming, LINES_AT_ONCE)):
            try:
                found = matching(query, [line.text for line in some])
            except BadPattern as error:
                raise InvalidRequest(f"Invalid {error}", code="USER") from None
            yield from compress(some, found)

    return choose


def _stream(name: str | None) -> spool.Stream | None:
    if name is None:
        return None
    found = {stream.name.lower(): stream for stream in spool.Stream}.get(name)
    if found is None:
        raise InvalidRequest(f"There is no stream {name[:40]!r}: use stdout, stderr or control.")
    return found
