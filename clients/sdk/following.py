"""What a follower of a log knows and does next: pages and pushes in, the next read out.

It is subscribed first and reads then, to an empty page, so that nothing is missed between. What it
is told counts only if it begins at the cursor: what lies before it was read already, and what lies
behind it, or came without its records, is read. A push may be lost, so it reads every 15 s as well,
where an answer of that age will do: a hundred followers cost the store no more than one
(`usecases/shared_pages`). A push at the cursor says what that read would: nothing of the attempt
was missed. While there are such of every attempt that it knows of, it reads once a minute, for
those that it does not know of. After the end of a task's log it looks every second whether that
was all, because the workflow's own end comes a moment later.

Moments are numbers; it has no clock and no socket (`live` has).
"""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from clients.sdk.models import LogPage, LogRecord
from xylem.protocol.following import (
    LogEnded,
    Said,
    ToFollower,
    attempt_key,
    cursor_at,
    positions_of,
)

READ_EVERY_SECONDS = 15.0
READ_AT_LEAST_SECONDS = 60.0
LOOK_SECONDS = 1.0
ENDING_SECONDS = 30.0


class Read(NamedTuple):
    """`age`: of an answer without records, at the most, in seconds."""

    cursor: str
    age: int


class Follower:
    def __init__(self, cursor: str, now: float) -> None:
        """Raises `ValueError` for a cursor that is of another service."""
        self.closed = False
        self._positions = positions_of(cursor)
        self._told: dict[str, int] = {}
        """How far the logs reach, as far as it was told."""
        self._heard: dict[str, float] = {}
        """When the last push at the cursor came, of each attempt; never again of one that ended."""
        self._catching_up = True
        self._read_at = now
        self._was_read_at = now
        self._ending_until = now

    @property
    def cursor(self) -> str:
        return cursor_at(self._positions)

    def subscribed(self, now: float) -> None:
        """From here on it is told; what came before is to be read."""
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
        self._was_read_at = now
        for key, position in positions_of(page.cursor).items():
            self._positions[key] = max(position, self._positions.get(key, 0))
        self.closed = page.closed
        # Records that nobody told of: there may be more of them.
        self._catching_up = bool(page.records) and (self._catching_up or not expected)
        if self._catching_up or (page.records and self._behind()):
            self._read_at = now
        elif self._behind() or now < self._ending_until:
            self._read_at = now + LOOK_SECONDS
        else:
            self._read_at = now + READ_EVERY_SECONDS

    def told(self, message: ToFollower, now: float) -> Sequence[LogRecord]:
        """What of it is new, and may be shown at once."""
        match message:
            case Said():
                return self._said(message, now)
            case LogEnded(task=task, retry=retry):
                self._heard[attempt_key(task, retry)] = inf
                self._ending_until = now + ENDING_SECONDS
                self._read_at = min(self._read_at, now + LOOK_SECONDS)
        return ()

    def _said(self, said: Said, now: float) -> Sequence[LogRecord]:
        key = attempt_key(said.task, said.retry)
        position = self._positions.get(key, 0)
        if said.offset < position:
            return ()
        self._told[key] = max(said.next, self._told.get(key, 0))
        if said.offset > position or said.records is None:
            self._read_at = now
            return ()
        self._positions[key] = said.next
        self._heard[key] = now
        if not self._catching_up and not self._behind() and self._hears_of_all(now):
            latest = self._was_read_at + READ_AT_LEAST_SECONDS
            self._read_at = max(self._read_at, min(now + READ_EVERY_SECONDS, latest))
        return [LogRecord.model_validate(record.model_dump()) for record in said.records]

    def _hears_of_all(self, now: float) -> bool:
        return now >= self._ending_until and all(
            now - self._heard.get(key, -inf) < READ_EVERY_SECONDS for key in self._positions
        )

    def _behind(self) -> bool:
        return any(end > self._positions.get(key, 0) for key, end in self._told.items())
