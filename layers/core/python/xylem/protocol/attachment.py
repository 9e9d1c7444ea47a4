"""One side of a session and its sockets, without the sockets: when it dials, attaches, renews its
peer token, moves to a new connection, and when it is over.

The owner of the sockets works it as it works a `Link`: `dial`, `opened`, `closed`, `received`,
`to_send`, `finished`, `wake_at`; what happens on the channels comes out of `received` and `ticked`
as events. `channels` is what our owner writes to.

* A connection attaches first, under the next number of this process. The one before is closed when
  the new one is attached; frames that still come over it are heard.
* Frames go out while there is a peer token. Who was told `peer_lost`, or has no token, renews:
  soon, then every 5 s; a token is renewed 40 s before its end.
* A successor is dialled before API Gateway ends a connection (`dialling`), and nobody notices.
* What is broken here is ended on the row, if there is still a way to say so: the other side must
  not go on alone. Nothing of this process is ever resumed after it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from xylem.protocol.channels import Broken, Channels, Event
from xylem.protocol.dialling import ROTATE_AFTER, Dialling, Pace
from xylem.protocol.message import Message
from xylem.protocol.session import (
    Attach,
    Attached,
    End,
    Ended,
    Frame,
    PeerLost,
    Renew,
    Side,
    router_message,
)

ATTACH_AGAIN = timedelta(seconds=5)
RENEW_BEFORE = timedelta(seconds=40)
PEER_LIFE = timedelta(seconds=120)
"""By our own clock, from when the token came; what the service says of it is by its clock."""

RENEW_SOON = timedelta(seconds=0.5)
RENEW_AGAIN = timedelta(seconds=5)
RETIRE_AFTER = timedelta(seconds=10)
PACE = Pace(first=timedelta(seconds=0.5), longest=timedelta(seconds=8))
"""Somebody waits in front of a terminal."""

FAREWELL = timedelta(seconds=3)
"""How long there is to say that it is over."""


@dataclass(frozen=True, slots=True)
class Over:
    """The session is over: nothing comes after it."""

    code: str
    message: str


@dataclass(slots=True)
class _Connection:
    attach_at: datetime | None
    end_at: datetime | None = None


class SessionSide:
    def __init__(
        self,
        sid: str,
        side: Side,
        token: str,
        nonce: str,
        *,
        random: Callable[[], float],
        now: datetime,
        rotate_after: timedelta = ROTATE_AFTER,
    ) -> None:
        """`random` draws from [0, 1)."""
        self.channels = Channels(sid, side, now.timestamp())
        self.over: Over | None = None
        self._sid = sid
        self._token = token
        self._nonce = nonce
        self._dialling = Dialling(PACE, random, now, rotate_after)
        self._connections: dict[int, _Connection] = {}
        self._peer: str | None = None
        self._peer_until: datetime | None = None
        self._renew_at: datetime | None = None
        self._farewell: list[Message] = []
        self._over_at: datetime | None = None
        self._sent = 0

    # Connections ---------------------------------------------------------------------------------

    def dial(self, now: datetime) -> int | None:
        """The number of a connection to be opened now, if one is due. Tell `opened` or `closed`."""
        return self._dialling.dial(now) if self.over is None else None

    def opened(self, number: int, now: datetime) -> None:
        self._connections[number] = _Connection(attach_at=now)

    def closed(self, number: int, now: datetime, *, retry_after: timedelta | None = None) -> None:
        self._connections.pop(number, None)
        if number == self._dialling.current:
            self._lost(None)
        self._dialling.closed(number, now, retry_after)

    def finished(self, number: int, now: datetime) -> bool:
        """Whether this socket should be closed from our side."""
        connection = self._connections.get(number)
        if connection is None or _reached(connection.end_at, now):
            return True
        said = not self._farewell or _reached(self._over_at, now)
        return self.over is not None and said

    @property
    def done(self) -> bool:
        """Over, and all sockets are closed."""
        return self.over is not None and not self._connections and self._dialling.coming is None

    # In ------------------------------------------------------------------------------------------

    def received(self, number: int, text: str, now: datetime) -> list[Event | Over]:
        try:
            message = router_message.validate_json(text)
        except ValidationError:
            return []
        if message.sid != self._sid or self.over is not None:
            return []
        match message:
            case Attached():
                self._attached(number, message, now)
                return []
            case PeerLost():
                if number == self._dialling.current:
                    self._lost(now + RENEW_SOON)
                return []
            case Ended(code=code, message=why):
                return self._ended(code, why, now)
            case Frame():
                return self._heard(self.channels.received(message, now.timestamp()), now)

    def ticked(self, now: datetime) -> list[Event | Over]:
        if _reached(self._peer_until, now):
            self._lost(now)
        return self._heard(self.channels.ticked(now.timestamp()), now)

    def _attached(self, number: int, message: Attached, now: datetime) -> None:
        before = self._dialling.current
        if self._dialling.settled(number, now):
            if before is not None:
                self._connections[before].end_at = now + RETIRE_AFTER
            self._connections[number].attach_at = None
        if number != self._dialling.current:
            return
        self._peer = message.peer
        if message.peer is None:
            self._lost(now + RENEW_AGAIN)
            return
        self._peer_until = now + PEER_LIFE
        self._renew_at = now + PEER_LIFE - RENEW_BEFORE
        self.channels.attached(message.generation, now.timestamp())

    def _lost(self, renew_at: datetime | None) -> None:
        self._peer, self._peer_until = None, None
        self._renew_at = renew_at
        self.channels.detached()

    def _heard(self, events: list[Event], now: datetime) -> list[Event | Over]:
        broken = next((one for one in events if isinstance(one, Broken)), None)
        if broken is None:
            return list(events)
        return [*events, *self._leave("broken", broken.why, now)]

    def _ended(self, code: str, message: str, now: datetime) -> list[Event | Over]:
        self.over = Over(code, message)
        self._over_at = now
        self._farewell.clear()
        self._lost(None)
        return [self.over]

    # What our owner does -------------------------------------------------------------------------

    def leave(self, code: str, message: str, now: datetime) -> None:
        """It is over for us: said to the service, and nothing is heard any more."""
        self._leave(code, message, now)

    def _leave(self, code: str, message: str, now: datetime) -> list[Event | Over]:
        if self.over is not None:
            return []
        self.over = Over(code, message)
        self._over_at = now + FAREWELL
        self._farewell.append(
            End(sid=self._sid, token=self._token, code=code, message=message[:1_000])
        )
        return [self.over]

    # Out -----------------------------------------------------------------------------------------

    def to_send(self, number: int, now: datetime) -> list[str]:
        connection = self._connections.get(number)
        if connection is None:
            return []
        messages: list[Message] = []
        if number in (self._dialling.current, self._dialling.coming) and self._farewell:
            messages, self._farewell = self._farewell, []
        elif self.over is None and _reached(connection.attach_at, now):
            connection.attach_at = now + ATTACH_AGAIN
            messages = [Attach(sid=self._sid, token=self._token, number=number, nonce=self._nonce)]
        elif self.over is None and number == self._dialling.current:
            messages = self._said(now)
        return [message.model_dump_json() for message in messages]

    def _said(self, now: datetime) -> list[Message]:
        messages: list[Message] = []
        if _reached(self._renew_at, now):
            self._renew_at = now + RENEW_AGAIN
            messages.append(Renew(sid=self._sid, token=self._token, sent=self._sent))
        if self._peer is not None:
            for frame in self.channels.to_send(now.timestamp()):
                self._sent += len(frame.data) * 3 // 4
                messages.append(frame.model_copy(update={"peer": self._peer}))
        return messages

    @property
    def wake_at(self) -> datetime | None:
        """When `dial`, `ticked`, `to_send` and `finished` have to be asked next."""
        if self.over is not None:
            return self._over_at if self._connections else None
        moments = [self._dialling.due_at, self._peer_until]
        for connection in self._connections.values():
            moments += [connection.attach_at, connection.end_at]
        if self._dialling.current is not None:
            moments.append(self._renew_at)
        at = self.channels.wake_at
        if at is not None:
            moments.append(datetime.fromtimestamp(at, UTC))
        return min((one for one in moments if one is not None), default=None)


def _reached(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and now >= moment
