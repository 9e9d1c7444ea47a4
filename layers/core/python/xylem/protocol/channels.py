"""Either side of an interactive session, without sockets or clock: many channels over one pair of
connections, exactly once and in order whatever happens to them.

The owner of the sockets tells `attached`, `received` and `detached`, sends all of `to_send`, and is
told in events what the other side did. The client opens channels; either side writes, ends, resets,
sends signals. What is promised (`docs/session-protocol.md` has all of it):

* bytes arrive once and in order, an end after all that was written before it; an exit is the last;
* what is not acknowledged is said again, after a while, and at once when a peer token names a new
  generation: then the receiver repeats as well what it has and takes. So a frame that is lost with
  or without a cut stops nothing;
* each side says something every 20 s; when nothing came for 60 s, or nothing of what was said was
  acknowledged for as long, the session is broken, for good;
* a frame of a channel that is over is answered, so that nobody says it for ever: with the last
  acknowledgement where all was taken, else with `rst`; an `rst` never is answered by one;
* nothing grows with what a peer does: of each channel 32 KB are taken and up to 1 MB where few are
  open, so 16 MB of a session at the most, and 256 channels.

Times are seconds of any clock that only goes forward.

Rejected: acknowledgements of single frames (a resend that is framed anew would not fit them); one
window for the session (a channel that nobody reads would stop the others).
"""

import base64
import binascii
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from xylem.protocol.session import BULK_BYTES, PAYLOAD_BYTES, Frame, Kind, Side
from xylem.protocol.session_ids import SessionId
from xylem.protocol.streams import (
    BYTES,
    LEAST_WINDOW,
    Incoming,
    Numbered,
    Outgoing,
    Outside,
    Piece,
    Signals,
)

CHANNELS = 256
"""Open at a time."""

WINDOW = 1024 * 1024
"""Of a channel. With 80 ms there and back through API Gateway that is 13 MB/s."""

SESSION_BYTES = 16 * 1024 * 1024
"""Unacknowledged of ours, or promised to the peer, over all channels."""

SPARE_BYTES = SESSION_BYTES - CHANNELS * LEAST_WINDOW
"""For the windows of those that are open, beyond what each gets in any case."""

ALIVE_SECONDS = 20.0
SILENCE_SECONDS = 60.0

ACK_SECONDS = 0.1
"""An acknowledgement waits so long for a frame that goes there anyway: each is paid for."""

FRAMES_AT_ONCE = 64
"""Of one `to_send`, so that who sends them hears in between."""

REMEMBERED = 1_024
"""Channels that are over, and how."""


# What the other side did -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    channel: int
    what: bytes


@dataclass(frozen=True, slots=True)
class Bytes:
    """Tell `consumed` when they are written on."""

    channel: int
    data: bytes
    err: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """No more bytes come on this channel; ours may still go."""

    channel: int


@dataclass(frozen=True, slots=True)
class Exited:
    channel: int
    how: bytes


@dataclass(frozen=True, slots=True)
class Signalled:
    channel: int
    kind: Outside
    data: bytes


@dataclass(frozen=True, slots=True)
class Reset:
    """The channel is over, and what was on its way may be lost."""

    channel: int
    why: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """The session is over without its end."""

    why: str


Event = Opened | Bytes | Finished | Exited | Signalled | Reset | Broken


@dataclass(slots=True)
class _Channel:
    out: Outgoing = field(default_factory=Outgoing)
    into: Incoming = field(default_factory=Incoming)
    signals: Signals = field(default_factory=Signals)
    ack_at: float | None = None
    told: int = LEAST_WINDOW
    """The edge that the peer was last told."""
    given_up: bool = False
    """Reset by us, until the peer has seen that."""


@dataclass(frozen=True, slots=True)
class _Over:
    """A channel that is over: what its peer is answered."""

    ack: int
    seen: int
    whole: bool


class Channels:
    def __init__(self, sid: SessionId, side: Side, now: float) -> None:
        self.broken: str | None = None
        self.reordered = 0
        """Frames that came before one that was said before them."""
        self._sid = sid
        self._side = side
        self._open: OrderedDict[int, _Channel] = OrderedDict()
        self._over: OrderedDict[int, _Over] = OrderedDict()
        self._answers: dict[int, Frame] = {}
        self._highest = 0
        self._payload = PAYLOAD_BYTES
        """The largest piece that the peer is known to take."""
        self._forgotten = 0
        """All channels up to this one are over."""
        self._generation = 0
        self._connected = False
        self._heard_at = now
        self._spoke_at = now

    # The connection ------------------------------------------------------------------------------

    def attached(self, generation: int, now: float) -> None:
        """A peer token is there, that names this generation."""
        if generation > self._generation:
            self._generation = generation
            for channel in self._open.values():
                channel.out.all_again()
                channel.signals.all_again()
                channel.ack_at = now
        self._connected = True

    def detached(self) -> None:
        """There is no peer token: nothing is said until there is one."""
        self._connected = False

    # What our owner does -------------------------------------------------------------------------

    def open(self, what: bytes) -> int | None:
        """A new channel, None where there are too many. `what` says the other side what for."""
        if len(self._open) == CHANNELS or self.broken is not None:
            return None
        self._highest += 1
        self._open[self._highest] = channel = _Channel()
        channel.out.write("open", what[:PAYLOAD_BYTES], PAYLOAD_BYTES)
        return self._highest

    def room(self, channel: int) -> int:
        """How many bytes `write` takes now: what is unacknowledged is bounded."""
        found = self._open.get(channel)
        if found is None or found.out.last is not None or found.given_up:
            return 0
        whole = SESSION_BYTES - sum(one.out.pending for one in self._open.values())
        return max(0, min(whole, 2 * WINDOW - found.out.pending))

    def write(self, channel: int, data: bytes, *, err: bool = False) -> int:
        """How many of them were taken; the others wait for `room`."""
        taken = data[: self.room(channel)]
        if taken:
            self._open[channel].out.write("err" if err else "data", taken, self._payload)
        return len(taken)

    def finish(self, channel: int) -> None:
        """Nothing more is written. The other direction goes on."""
        self._end(channel, "fin", b"")

    def exit(self, channel: int, how: bytes) -> None:
        """The last of a channel, for both directions."""
        self._end(channel, "exit", how)

    def _end(self, channel: int, kind: Numbered, data: bytes) -> None:
        found = self._open.get(channel)
        if found is not None and not found.given_up:
            found.out.write(kind, data[:PAYLOAD_BYTES], PAYLOAD_BYTES)

    def signal(self, channel: int, kind: Outside, data: bytes) -> None:
        """A signal or a size. It overtakes bytes that nobody reads."""
        found = self._open.get(channel)
        if found is not None and not found.given_up:
            found.signals.write(kind, data)

    def reset(self, channel: int, why: bytes) -> None:
        """Over at once, in both directions."""
        found = self._open.get(channel)
        if found is not None and not found.given_up:
            found.given_up = True
            found.out = Outgoing()
            found.signals.write("rst", why[:PAYLOAD_BYTES])

    def consumed(self, channel: int, count: int) -> None:
        found = self._open.get(channel)
        if found is not None:
            found.into.consumed(count)

    @property
    def is_idle(self) -> bool:
        """Whether no channel is open, and nothing is left to be said of any."""
        return not self._open

    # In ------------------------------------------------------------------------------------------

    def received(self, frame: Frame, now: float) -> list[Event]:
        """A frame of this session, from the other side."""
        if self.broken is not None or frame.sid != self._sid:
            return []
        self._heard_at = now
        self._payload = max(self._payload, min(frame.most, BULK_BYTES))
        try:
            data = base64.b64decode(frame.data, validate=True)
        except (binascii.Error, ValueError):
            return []
        if frame.channel == 0:
            return []
        channel = self._open.get(frame.channel)
        if channel is None:
            channel = self._begun(frame)
        if channel is None:
            self._answer_for(frame)
            return []
        channel.out.acknowledged(frame.ack, frame.ack + frame.window, now)
        channel.signals.acknowledged(frame.seen, now)
        events = self._taken(frame, data, channel, now)
        self._close_if_done(frame.channel, channel)
        return events

    def _begun(self, frame: Frame) -> _Channel | None:
        """The client's frames may overtake the one that opens their channel."""
        new = frame.channel not in self._over and frame.channel > self._forgotten
        if self._side == "client" or not new or frame.kind in ("ack", "ask", "rst"):
            return None
        if len(self._open) == CHANNELS:
            return None
        self._open[frame.channel] = channel = _Channel()
        return channel

    def _answer_for(self, frame: Frame) -> None:
        """A frame for what is not open. An `ack` wants no answer, and an `rst` none but that."""
        if frame.kind == "ack":
            return
        over = self._over.get(frame.channel, _Over(0, 0, whole=False))
        seen = max(over.seen, frame.seq) if frame.kind == "rst" else over.seen
        self._answers[frame.channel] = Frame(
            sid=self._sid,
            channel=frame.channel,
            kind="ack" if over.whole or frame.kind == "rst" else "rst",
            ack=over.ack,
            seen=seen,
        )

    def _taken(self, frame: Frame, data: bytes, channel: _Channel, now: float) -> list[Event]:
        number = frame.channel
        match frame.kind:
            case "ask":
                channel.ack_at = now
                return []
            case "rst":
                self._put_away(number, channel, whole=True)
                self._answer_for(frame)
                known = channel.given_up or channel.out.last == "exit"
                return [] if known else [Reset(number, data)]
            case "signal" | "resize" as kind:
                channel.ack_at = now
                heeded = channel.signals.take(frame.seq) and not channel.given_up
                return [Signalled(number, kind, data)] if heeded else []
            case "open" | "data" | "err" | "fin" | "exit" as kind:
                opens = self._side == "operator" and frame.seq == 0
                if opens != (kind == "open"):
                    return []
                return self._read(number, channel, Piece(frame.seq, kind, data), now)
            case _:
                return []

    def _read(self, number: int, channel: _Channel, piece: Piece, now: float) -> list[Event]:
        self.reordered += piece.seq > channel.into.next
        given = channel.into.take(piece)
        waits = given and piece.kind in BYTES
        due = now + ACK_SECONDS if waits else now
        channel.ack_at = due if channel.ack_at is None else min(channel.ack_at, due)
        if channel.given_up:
            channel.into.consumed(sum(each.size for each in given))
            return []
        return [_event(number, each) for each in given]

    def _close_if_done(self, number: int, channel: _Channel) -> None:
        if number not in self._open:
            return
        if channel.given_up:
            if not channel.signals.pending:
                self._put_away(number, channel, whole=False)
            return
        exited = channel.into.last == "exit"
        both = channel.out.done and channel.into.last is not None
        left = channel.out.done and channel.out.last == "exit"
        if exited or both or left:
            self._put_away(number, channel, whole=True)
            if not left:
                self._answer_for(Frame(sid=self._sid, channel=number, kind="ask"))

    def _put_away(self, number: int, channel: _Channel, *, whole: bool) -> None:
        del self._open[number]
        self._over[number] = _Over(channel.into.next, channel.signals.seen, whole)
        if len(self._over) > REMEMBERED:
            oldest, _ = self._over.popitem(last=False)
            self._forgotten = max(self._forgotten, oldest)

    # Out -----------------------------------------------------------------------------------------

    def to_send(self, now: float) -> list[Frame]:
        """Frames for the other side, to be sent in any order; the owner adds the peer token."""
        if not self._connected or self.broken is not None:
            return []
        frames = list(self._answers.values())
        self._answers = {}
        for number in list(self._open):
            if len(frames) >= FRAMES_AT_ONCE:
                break
            for frame in self._said(number, self._open[number], now):
                frames.append(frame)
                if len(frames) >= FRAMES_AT_ONCE:
                    break
            self._open.move_to_end(number)
        if not frames and now >= self._spoke_at + ALIVE_SECONDS:
            frames = [Frame(sid=self._sid, kind="alive")]
        if frames:
            self._spoke_at = now
        return frames

    def _said(self, number: int, channel: _Channel, now: float) -> Iterator[Frame]:
        self._widen(channel)
        for signal in channel.signals.said(now):
            yield self._frame(number, channel, signal.kind, signal.number, signal.data)
        for piece in channel.out.said(now):
            yield self._frame(number, channel, piece.kind, piece.seq, piece.data)
        if channel.out.asks(now):
            yield self._frame(number, channel, "ask", 0, b"")
        wider = channel.into.edge - channel.told >= max(LEAST_WINDOW, channel.into.promised) // 4
        if wider or (channel.ack_at is not None and now >= channel.ack_at):
            yield self._frame(number, channel, "ack", 0, b"")

    def _widen(self, channel: _Channel) -> None:
        """What others leave of the spare bytes is there for this one."""
        extra = sum(max(0, one.into.promised - LEAST_WINDOW) for one in self._open.values())
        own = max(0, channel.into.promised - LEAST_WINDOW)
        channel.into.widen(min(WINDOW, LEAST_WINDOW + max(0, SPARE_BYTES - extra + own)))

    def _frame(self, number: int, channel: _Channel, kind: Kind, seq: int, data: bytes) -> Frame:
        channel.ack_at = None
        channel.told = channel.into.edge
        return Frame(
            sid=self._sid,
            channel=number,
            kind=kind,
            seq=seq,
            ack=channel.into.next,
            window=channel.into.edge - channel.into.next,
            seen=channel.signals.seen,
            most=BULK_BYTES,
            data=base64.b64encode(data).decode(),
        )

    # Time ----------------------------------------------------------------------------------------

    def ticked(self, now: float) -> list[Event]:
        if self.broken is not None:
            return []
        if now >= self._heard_at + SILENCE_SECONDS:
            return self._broke(f"the other side has been silent for {SILENCE_SECONDS:.0f} s")
        unheard = [one.out.since for one in self._open.values() if one.out.since is not None]
        if now >= min(unheard, default=now) + SILENCE_SECONDS:
            return self._broke(f"nothing was acknowledged for {SILENCE_SECONDS:.0f} s")
        return []

    @property
    def wake_at(self) -> float | None:
        """When `ticked` and `to_send` have to be asked next, where nothing else happens."""
        if self.broken is not None:
            return None
        moments = [self._heard_at + SILENCE_SECONDS]
        unheard = [one.out.since for one in self._open.values() if one.out.since is not None]
        moments += [since + SILENCE_SECONDS for since in unheard]
        if self._connected:
            moments.append(self._spoke_at + ALIVE_SECONDS)
            for one in self._open.values():
                found = (one.ack_at, one.out.wake_at, one.signals.wake_at)
                moments += [each for each in found if each is not None]
        return min(moments)

    def _broke(self, why: str) -> list[Event]:
        self.broken = why
        self._open.clear()
        return [Broken(why)]


def _event(number: int, piece: Piece) -> Event:
    match piece.kind:
        case "open":
            return Opened(number, piece.data)
        case "data" | "err":
            return Bytes(number, piece.data, err=piece.kind == "err")
        case "fin":
            return Finished(number)
        case "exit":
            return Exited(number, piece.data)
