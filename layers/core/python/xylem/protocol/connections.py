"""An operator's connections: which it speaks on, and when it gives one up. `dialling` says when
another one is opened.

All is said on the newest welcomed connection; jobs and acknowledgements are heard on both. The
first try after a loss is uniform over 10 s, then up to 60 s: a fleet comes back slowly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from xylem.protocol.dialling import Dialling, Pace
from xylem.protocol.limits import HEARTBEAT, OFFLINE_AFTER

HELLO_AGAIN = timedelta(seconds=10)
HELLO_TRIES = 3
RETIRE_AFTER = timedelta(seconds=45)
"""Below the 60 s after which the service drops the frames of a connection with a successor."""

PACE = Pace(first=timedelta(seconds=10), longest=timedelta(seconds=60))
"""500 operators that are cut at once come back as 50 connections a second; AWS allows 500."""


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
    end_at: datetime | None = None
    """When the socket is to be closed from our side."""


class Connections:
    def __init__(self, random: Callable[[], float], now: datetime) -> None:
        self._open: dict[int, Connection] = {}
        self._dialling = Dialling(PACE, random, now)

    @property
    def current(self) -> int | None:
        return self._dialling.current

    def get(self, number: int) -> Connection | None:
        return self._open.get(number)

    def dial(self, now: datetime) -> int | None:
        """The number of a connection to be opened now, if one is due. Tell `opened` or `closed`."""
        return self._dialling.dial(now)

    def opened(self, number: int, now: datetime) -> None:
        self._open[number] = Connection(hello_due=now)

    def closed(self, number: int, now: datetime, *, retry_after: timedelta | None = None) -> None:
        self._open.pop(number, None)
        self._dialling.closed(number, now, retry_after)

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
        before = self.current
        if not self._dialling.settled(number, now):
            return False
        if before is not None:
            self._open[before].end_at = now + RETIRE_AFTER
        connection = self._open[number]
        connection.welcomed = True
        connection.spoke_at = now
        connection.hello_due = None
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
        moments = [self._dialling.due_at]
        for number, connection in self._open.items():
            moments += [connection.hello_due, connection.end_at]
            if connection.unanswered_since is not None:
                moments.append(connection.unanswered_since + OFFLINE_AFTER)
            if number == self.current and connection.spoke_at is not None:
                moments.append(connection.spoke_at + HEARTBEAT)
        return min(filter(None, moments), default=None)


def _reached(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and now >= moment
