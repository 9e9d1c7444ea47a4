"""When an operator dials, which of its connections it speaks on, and when it gives one up.

Two may be open at once: API Gateway ends each after two hours, so a successor is dialled between
100 and 110 minutes, and the old one is only closed once it has been welcomed. All is said on the
newest welcomed connection; jobs and acknowledgements are heard on both.

After a loss the first try is uniform over 10 s, then full jitter up to 60 s
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/): a fleet that was cut
off at once does not come back at once. What the server asked for moves and widens the window.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from xylem.protocol.limits import HEARTBEAT, OFFLINE_AFTER

HELLO_AGAIN = timedelta(seconds=10)
HELLO_TRIES = 3
RETIRE_AFTER = timedelta(seconds=45)
"""Below the 60 s after which the service drops the frames of a connection with a successor."""

ROTATE_AFTER = timedelta(minutes=100)
ROTATE_SPREAD = timedelta(minutes=10)
"""API Gateway ends a connection after 2 h; the spread keeps operators from rotating together."""

FIRST_TRY_WITHIN = timedelta(seconds=10)
"""500 operators that are cut at once come back as 50 connections a second; AWS allows 500."""

TRY_WITHIN = timedelta(seconds=60)
LONGEST_HINT = timedelta(minutes=10)


@dataclass(slots=True)
class Connection:
    """What is known of one that is open. `hello_due`: when hello is to be said, until a welcome."""

    hello_due: datetime | None = None
    hellos: int = 0
    welcomed: bool = False
    bundles: bool = False
    """Whether its service takes news and answers in one frame."""
    spoke_at: datetime | None = None
    unanswered_since: datetime | None = None
    rotate_at: datetime | None = None
    end_at: datetime | None = None
    """When the socket is to be closed from our side."""


class Connections:
    def __init__(self, random: Callable[[], float], now: datetime) -> None:
        self.current: int | None = None
        self._random = random
        self._open: dict[int, Connection] = {}
        self._dialled = 0
        self._dialling: int | None = None
        self._dial_at: datetime | None = now
        self._failures = 0

    def get(self, number: int) -> Connection | None:
        return self._open.get(number)

    def dial(self, now: datetime) -> int | None:
        """The number of a connection to be opened now, if one is due. Tell `opened` or `closed`."""
        if self._dialling is not None or not self._wants_connection(now):
            return None
        self._dialled += 1
        self._dialling = self._dialled
        self._dial_at = None
        return self._dialled

    def opened(self, number: int, now: datetime) -> None:
        self._open[number] = Connection(hello_due=now)

    def closed(self, number: int, now: datetime, *, retry_after: timedelta | None = None) -> None:
        connection = self._open.pop(number, None)
        if number == self._dialling:
            self._dialling = None
            self._failures += 1
        elif number == self.current:
            self.current = None
        replaced = connection is not None and connection.welcomed and self.current is not None
        if not replaced and self._dialling is None and self._dial_at is None:
            self._dial_at = now + self._delay(retry_after)

    def finished(self, number: int, now: datetime) -> bool:
        """Whether this socket should be closed from our side."""
        connection = self._open.get(number)
        if connection is None:
            return True
        if _reached(connection.end_at, now):
            return True
        since = connection.unanswered_since
        return since is not None and now >= since + OFFLINE_AFTER

    def welcomed(self, number: int, now: datetime) -> bool:
        """Whether it is a new one, on which all is said from now on."""
        if number != self._dialling:
            return False
        self._dialling = None
        self._failures = 0
        if self.current is not None:
            self._open[self.current].end_at = now + RETIRE_AFTER
        self.current = number
        connection = self._open[number]
        connection.welcomed = True
        connection.spoke_at = now
        connection.hello_due = None
        connection.rotate_at = now + ROTATE_AFTER + ROTATE_SPREAD * self._random()
        return True

    def says_hello(self, number: int, now: datetime) -> bool:
        """Whether hello is to be said on it now; after the last try in vain it is given up."""
        connection = self._open[number]
        if not _reached(connection.hello_due, now):
            return False
        if connection.hellos == HELLO_TRIES:
            connection.hello_due, connection.end_at = None, now
            return False
        connection.hellos += 1
        connection.hello_due = now + HELLO_AGAIN
        return True

    @property
    def wake_at(self) -> datetime | None:
        moments = [self._dial_at]
        for number, connection in self._open.items():
            moments += [connection.hello_due, connection.end_at]
            if connection.unanswered_since is not None:
                moments.append(connection.unanswered_since + OFFLINE_AFTER)
            if number == self.current:
                if self._dialling is None and self._dial_at is None:
                    moments.append(connection.rotate_at)
                if connection.spoke_at is not None:
                    moments.append(connection.spoke_at + HEARTBEAT)
        return min(filter(None, moments), default=None)

    def _wants_connection(self, now: datetime) -> bool:
        if self._dial_at is not None:
            return now >= self._dial_at
        return self.current is not None and _reached(self._open[self.current].rotate_at, now)

    def _delay(self, retry_after: timedelta | None) -> timedelta:
        """Full jitter: the first try uniform over 10 s, then up to 60 s. A hint moves the
        window."""
        doublings: int = 2 ** min(self._failures, 8)
        window = min(FIRST_TRY_WITHIN * doublings, TRY_WITHIN)
        if retry_after is None:
            return window * self._random()
        hint = min(max(retry_after, timedelta(0)), LONGEST_HINT)
        return hint + max(hint, window) * self._random()


def _reached(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and now >= moment
