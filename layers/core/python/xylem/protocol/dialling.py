"""When whoever keeps a connection to the service dials: an operator for its link, and each side of
a session.

Two may be open at once: API Gateway ends each after two hours, so a successor is dialled between
100 and 110 minutes, and what is said is said on the old one until the new one is settled.

After a loss, or a try in vain, the next try is drawn from a window that doubles (full jitter,
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/): what was cut off at once
does not come back at once. What the server asked for moves and widens the window.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

ROTATE_AFTER = timedelta(minutes=100)
ROTATE_SPREAD = ROTATE_AFTER / 10
"""API Gateway ends a connection after 2 h; the spread keeps operators from rotating together."""

LONGEST_HINT = timedelta(minutes=10)
DOUBLINGS = 8


@dataclass(frozen=True, slots=True)
class Pace:
    """The window of the first try, and the longest there is."""

    first: timedelta
    longest: timedelta


class Dialling:
    def __init__(
        self,
        pace: Pace,
        random: Callable[[], float],
        now: datetime,
        rotate_after: timedelta = ROTATE_AFTER,
    ) -> None:
        """`random` draws from [0, 1)."""
        self.current: int | None = None
        """The connection that is settled last."""
        self.coming: int | None = None
        """One that was dialled, and is not settled yet."""
        self._pace = pace
        self._random = random
        self._rotate_after = rotate_after
        self._dialled = 0
        self._dial_at: datetime | None = now
        self._rotate_at: datetime | None = None
        self._failures = 0

    def dial(self, now: datetime) -> int | None:
        """The number of a connection to be opened now, if one is due."""
        if self.coming is not None or self.due_at is None or now < self.due_at:
            return None
        self._dialled += 1
        self.coming = self._dialled
        self._dial_at = None
        return self._dialled

    def settled(self, number: int, now: datetime) -> bool:
        """Whether it is a new one, which is the current one from now on."""
        if number != self.coming:
            return False
        self.current, self.coming = number, None
        self._failures = 0
        self._rotate_at = now + self._rotate_after * (1 + self._random() / 10)
        return True

    def closed(self, number: int, now: datetime, retry_after: timedelta | None) -> None:
        in_vain = number == self.coming
        if in_vain:
            self.coming = None
            self._failures += 1
        elif number == self.current:
            self.current = None
        missed = in_vain or self.current is None
        if missed and self.coming is None and self._dial_at is None:
            self._dial_at = now + self._delay(retry_after)

    @property
    def due_at(self) -> datetime | None:
        """When `dial` has to be asked next."""
        if self.coming is not None:
            return None
        if self._dial_at is not None:
            return self._dial_at
        return self._rotate_at if self.current is not None else None

    def _delay(self, retry_after: timedelta | None) -> timedelta:
        doublings: int = 2 ** min(self._failures, DOUBLINGS)
        window = min(self._pace.first * doublings, self._pace.longest)
        if retry_after is None:
            return window * self._random()
        hint = min(max(retry_after, timedelta(0)), LONGEST_HINT)
        return hint + max(hint, window) * self._random()
