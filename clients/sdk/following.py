"""What a follower of a log knows and does next: pages and pushes in, the next read out.

It is subscribed first and reads then, to an empty page, so that nothing is missed between. What it
is told counts only if it begins at the cursor: what lies before it was read already, and what lies
behind it, or came without its records, is read. A push may be lost, so it reads every 15 s as well,
where an answer of that age will do. A push at the cursor says what that read would: nothing of the
attempt was missed. While there are such of every attempt that it knows of, it reads once a minute,
for those that it does not know of. After the end of a task's log it looks every second whether that
was all, because the workflow's own end comes a moment later.

Of many who follow the same, one reads, and the others are told what it found (`Reached`): as good
as a read of their own. So each waits a random while longer, nearly all of them long and the first a
moment, and seldom two read at once: a hundred followers cost the store no more than one.

Moments are numbers; it has no clock, no chance and no socket (`live` has).
"""

import base64
import gzip
import zlib
from collections.abc import Callable, Sequence
from math import expm1, inf, log, log1p
from typing import NamedTuple

from clients.sdk.models import LogPage, LogRecord
from xylem.protocol.following import (
    LogEnded,
    Reached,
    Said,
    SaidPart,
    SaidRecord,
    ToFollower,
    attempt_key,
    cursor_at,
    positions_of,
    said_record,
)
from xylem.protocol.spool import decode

READ_EVERY_SECONDS = 15.0
READ_AT_LEAST_SECONDS = 60.0
LOOK_SECONDS = 1.0
ENDING_SECONDS = 30.0

SPREAD_SECONDS = 30.0
LOOK_SPREAD_SECONDS = 5.0
"""Beyond that, at the most, where several follow: the longer, the fewer of them read before the
first has read and the others were told, which takes half a second."""


class Read(NamedTuple):
    """`age`: of an answer without records, at the most, in seconds."""

    cursor: str
    age: int


class Follower:
    def __init__(self, cursor: str, now: float, chance: Callable[[], float]) -> None:
        """`chance`: from 0 to 1. Raises `ValueError` for a cursor that is of another service."""
        self.closed = False
        self._positions = positions_of(cursor)
        self._told: dict[str, int] = {}
        """How far the logs reach, as far as it was told."""
        self._heard: dict[str, float] = {}
        """When the last push at the cursor came, of each attempt; never again of one that ended."""
        self._parts: dict[str, tuple[int, dict[int, str]]] = {}
        """Of each attempt's newest chunk that comes in parts: its offset, and those that came."""
        self._chance = chance
        self._others = 0
        self._catching_up = True
        self._read_at = now
        self._latest = now + READ_AT_LEAST_SECONDS
        """When it reads whatever it is told."""
        self._ending_until = now

    @property
    def cursor(self) -> str:
        return cursor_at(self._positions)

    def subscribed(self, now: float, *, followers: int) -> None:
        """From here on it is told, as one of so many; what came before is to be read."""
        self._others = max(0, followers - 1)
        self._catching_up = True
        self._read_at = now

    def wake_at(self) -> float:
        return self._read_at

    def next_read(self, now: float) -> Read | None:
        if self.closed or now < self._read_at:
            return None
        if self._catching_up or self._behind():
            return Read(self.cursor, 0)
        every = LOOK_SECONDS if now < self._ending_until else READ_EVERY_SECONDS
        return Read(self.cursor, int(every))

    def read(self, page: LogPage, now: float) -> None:
        expected = self._behind()
        for key, position in positions_of(page.cursor).items():
            self._positions[key] = max(position, self._positions.get(key, 0))
        self.closed = page.closed
        # Records that nobody told of: there may be more of them.
        self._catching_up = bool(page.records) and (self._catching_up or not expected)
        self._looked(now)
        if self._catching_up or (page.records and self._behind()):
            self._read_at = now
        elif self._behind():
            self._read_at = now + LOOK_SECONDS

    def told(self, message: ToFollower, now: float) -> Sequence[LogRecord]:
        """What of it is new, and may be shown at once."""
        match message:
            case Said(records=records):
                shown = None if records is None else [_as_read(record) for record in records]
                return self._said(message, shown, now)
            case SaidPart():
                return self._said_part(message, now)
            case LogEnded(task=task, retry=retry):
                self._heard[attempt_key(task, retry)] = inf
                self._ending_until = now + ENDING_SECONDS
                self._look_soon(now)
            case Reached():
                self._reached(message, now)
        return ()

    def _said(
        self, said: Said | SaidPart, records: Sequence[LogRecord] | None, now: float
    ) -> Sequence[LogRecord]:
        key = attempt_key(said.task, said.retry)
        position = self._positions.get(key, 0)
        if said.offset < position:
            return ()
        self._told[key] = max(said.next, self._told.get(key, 0))
        if said.offset > position or records is None:
            self._read_at = now
            return ()
        self._positions[key] = said.next
        self._heard[key] = now
        if not self._catching_up and not self._behind() and self._hears_of_all(now):
            later = now + READ_EVERY_SECONDS + self._spread(SPREAD_SECONDS)
            self._read_at = max(self._read_at, min(later, self._latest))
        return records

    def _said_part(self, said: SaidPart, now: float) -> Sequence[LogRecord]:
        """What it lacks of a chunk it reads, when it is told of it without records."""
        key = attempt_key(said.task, said.retry)
        offset, parts = self._parts.get(key, (-1, {}))
        if said.offset != offset:
            parts = {}
        parts[said.part] = said.packed
        self._parts[key] = (said.offset, parts)
        if len(parts) < said.parts or said.offset != self._positions.get(key, 0):
            return ()
        del self._parts[key]
        packed = "".join(text for _, text in sorted(parts.items()))
        return self._said(said, _unpacked(said, packed), now)

    def _reached(self, reached: Reached, now: float) -> None:
        self._others = reached.followers - 1
        if self._catching_up or self._behind():
            return
        try:
            positions = positions_of(reached.cursor)
        except ValueError:
            return
        if all(self._positions.get(key, 0) >= end for key, end in positions.items()):
            self.closed = reached.closed
            self._looked(now)
        else:  # it missed a push, or one is on its way
            self._look_soon(now)

    def _looked(self, now: float) -> None:
        """It, or another one for it, and nothing is to be read now."""
        if now < self._ending_until:
            self._read_at = now + LOOK_SECONDS + self._spread(LOOK_SPREAD_SECONDS)
        else:
            self._read_at = now + READ_EVERY_SECONDS + self._spread(SPREAD_SECONDS)
        self._latest = now + READ_AT_LEAST_SECONDS + self._spread(SPREAD_SECONDS)

    def _look_soon(self, now: float) -> None:
        look = now + LOOK_SECONDS + self._spread(LOOK_SPREAD_SECONDS)
        self._read_at = min(self._read_at, look)

    def _spread(self, longest: float) -> float:
        """Truncated exponential, as receivers of a multicast wait who would all ask for the same
        (RFC 5740, appendix A: RandomBackoff)."""
        if not self._others:
            return 0.0
        steep = log(self._others + 1) + 1
        return longest / steep * log1p(self._chance() * expm1(steep))

    def _hears_of_all(self, now: float) -> bool:
        return now >= self._ending_until and all(
            now - self._heard.get(key, -inf) < READ_EVERY_SECONDS for key in self._positions
        )

    def _behind(self) -> bool:
        return any(end > self._positions.get(key, 0) for key, end in self._told.items())


def _as_read(record: SaidRecord) -> LogRecord:
    return LogRecord.model_validate(record.model_dump())


def _unpacked(said: SaidPart, packed: str) -> list[LogRecord] | None:
    """None: it is not what it should be, so it is read."""
    try:
        raw = gzip.decompress(base64.b64decode(packed))
        return [_as_read(said_record(said.task, said.retry, record)) for record in decode(raw)]
    except (ValueError, OSError, EOFError, zlib.error):
        return None
