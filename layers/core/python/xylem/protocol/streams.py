"""One direction of a channel: numbered bytes, said until they are acknowledged, taken once.

    Outgoing   write ─ waiting ──(credit)──▶ unacknowledged ──(ack)──▶ gone
                          ▲──── again: after a while, or all of it on a new generation ────┘
    Incoming   taken in any order, twice, framed anew ──▶ given out once, in order

A byte has the same number and the same kind however it is framed, so a piece that overlaps what
was taken is trimmed. `open`, `fin` and `exit` are pieces of one number. Bytes need credit: none is
said at or beyond the right edge, `ack + window` of the peer, of which the largest seen counts. What
takes one number needs none, so an end is not held up by who does not read.

What stands outside of the stream (`Signals`) has numbers of its own, and is given out in their
order as well: two interrupts are two.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterator
from typing import Literal, NamedTuple

Numbered = Literal["open", "data", "err", "fin", "exit"]
Outside = Literal["signal", "resize", "rst"]

LEAST_WINDOW = 32 * 1024
"""Bytes that are taken of each channel before a word was said of it."""

SAY_AGAIN_SECONDS = 2.0
LONGEST_SAY_AGAIN_SECONDS = 16.0
ASK_SECONDS = 5.0
"""Who waits for credit asks: the frame that had it may be lost."""

EARLY_PIECES = 1_024
"""Kept for what comes before them; of single bytes no more than that many."""

OUTSIDE_PENDING = 64
"""Signals and sizes that nobody acknowledged; of more the oldest are no news."""

BYTES: frozenset[str] = frozenset({"data", "err"})
ENDS: frozenset[str] = frozenset({"fin", "exit"})


class Piece(NamedTuple):
    seq: int
    kind: Numbered
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data) if self.kind in BYTES else 1

    @property
    def end(self) -> int:
        return self.seq + self.size


def _behind(piece: Piece, number: int) -> Piece | None:
    """What of it has this number or a later one."""
    if piece.end <= number:
        return None
    if piece.seq >= number:
        return piece
    return Piece(number, piece.kind, piece.data[number - piece.seq :])


class Again:
    """When something unanswered is said again: after 2 s, then more and more rarely."""

    def __init__(self) -> None:
        self.at: float | None = None
        self._pause = SAY_AGAIN_SECONDS

    def said(self, now: float) -> None:
        if self.at is None:
            self.at = now + self._pause

    def answered(self, now: float, *, all_of_it: bool) -> None:
        self._pause = SAY_AGAIN_SECONDS
        self.at = None if all_of_it else now + self._pause

    def is_due(self, now: float) -> bool:
        """Whether it is time; the next time is later then."""
        if self.at is None or now < self.at:
            return False
        self.at = None
        self._pause = min(self._pause * 2, LONGEST_SAY_AGAIN_SECONDS)
        return True


class Outgoing:
    def __init__(self) -> None:
        self.last: Numbered | None = None
        """What it ends with, once that is written: a `fin` or an `exit`."""
        self._edge = LEAST_WINDOW
        self._next = 0
        self._waiting: deque[Piece] = deque()
        self._unacknowledged: deque[Piece] = deque()
        self._again = Again()
        self._ask_at: float | None = None
        self._oldest: float | None = None

    @property
    def pending(self) -> int:
        """Bytes, and what counts as one, that are not acknowledged."""
        return self._next - self._acknowledged

    @property
    def _acknowledged(self) -> int:
        for pieces in (self._unacknowledged, self._waiting):
            if pieces:
                return pieces[0].seq
        return self._next

    @property
    def since(self) -> float | None:
        """Since when the peer has acknowledged nothing of what it was told."""
        return self._oldest

    @property
    def done(self) -> bool:
        """Whether all was said and acknowledged, its end as well."""
        return self.last is not None and not self.pending

    def write(self, kind: Numbered, data: bytes, piece_bytes: int) -> None:
        """What follows an end is not said."""
        if self.last is not None:
            return
        if kind not in BYTES:
            self._put(Piece(self._next, kind, data))
            self.last = kind if kind in ENDS else None
            return
        last = self._waiting[-1] if self._waiting else None
        if last is not None and last.kind == kind and last.size < piece_bytes:
            room = piece_bytes - last.size
            self._waiting[-1] = Piece(last.seq, kind, last.data + data[:room])
            self._next += len(data[:room])
            data = data[room:]
        for start in range(0, len(data), piece_bytes):
            self._put(Piece(self._next, kind, data[start : start + piece_bytes]))

    def _put(self, piece: Piece) -> None:
        self._waiting.append(piece)
        self._next = piece.end

    def said(self, now: float) -> Iterator[Piece]:
        """What may be said now; each is counted as said when it is drawn."""
        if self._again.is_due(now):
            self.all_again()
        while self._waiting:
            first = self._waiting[0]
            if first.kind in BYTES:
                room = self._edge - first.seq
                if room <= 0:
                    break
                if room < first.size:
                    self._waiting[0] = Piece(first.seq + room, first.kind, first.data[room:])
                    first = Piece(first.seq, first.kind, first.data[:room])
                else:
                    self._waiting.popleft()
            else:
                self._waiting.popleft()
            self._unacknowledged.append(first)
            self._again.said(now)
            if self._oldest is None:
                self._oldest = now
            yield first

    def asks(self, now: float) -> bool:
        """Whether the peer is to be asked for credit now."""
        if not self._is_blocked:
            self._ask_at = None
            return False
        if self._ask_at is None:
            self._ask_at = now + ASK_SECONDS
        if now < self._ask_at:
            return False
        self._ask_at = now + ASK_SECONDS
        return True

    @property
    def _is_blocked(self) -> bool:
        first = self._waiting[0] if self._waiting and not self._unacknowledged else None
        return first is not None and first.kind in BYTES and first.seq >= self._edge

    def acknowledged(self, ack: int, edge: int, now: float) -> None:
        """By the peer; a number that was never given out is none of ours, and changes nothing."""
        if ack > self._next:
            return
        self._edge = max(self._edge, edge)
        if ack <= self._acknowledged:
            return
        for pieces in (self._unacknowledged, self._waiting):
            while pieces and pieces[0].seq < ack:
                rest = _behind(pieces.popleft(), ack)
                if rest is not None:
                    pieces.appendleft(rest)
        self._again.answered(now, all_of_it=not self._unacknowledged)
        self._oldest = now if self._unacknowledged else None

    def all_again(self) -> None:
        while self._unacknowledged:
            self._waiting.appendleft(self._unacknowledged.pop())

    @property
    def wake_at(self) -> float | None:
        moments = [self._again.at, self._ask_at if self._is_blocked else None]
        return min((one for one in moments if one is not None), default=None)


class Incoming:
    def __init__(self) -> None:
        self.next = 0
        self.edge = LEAST_WINDOW
        """The first number that is not taken. It never goes back."""
        self.last: Numbered | None = None
        """What it ended with, once that was given out to our owner."""
        self._consumed = 0
        self._early: list[Piece] = []
        self._early_bytes = 0

    @property
    def promised(self) -> int:
        """Bytes that the peer may yet say, or said and our owner did not consume."""
        return self.edge - self._consumed

    def widen(self, window: int) -> None:
        self.edge = max(self.edge, self._consumed + window)

    def take(self, piece: Piece) -> list[Piece]:
        """What can now be given out, in order. What lies beyond the edge is dropped: it is said
        again when there is room."""
        if self.last is not None or piece.size == 0 or piece.end <= self.next:
            return []
        if piece.kind in BYTES and piece.end > self.edge:
            return []
        if piece.seq > self.next:
            self._keep(piece)
            return []
        given = [self._given(piece)]
        while self._early and self._early[0].seq <= self.next and self.last is None:
            early = self._early.pop(0)
            self._early_bytes -= early.size
            if early.end > self.next:
                given.append(self._given(early))
        return given

    def _given(self, piece: Piece) -> Piece:
        rest = _behind(piece, self.next)
        assert rest is not None
        self.next = rest.end
        if rest.kind not in BYTES:
            self._consumed += 1
            self.last = rest.kind if rest.kind in ENDS else None
        return rest

    def _keep(self, piece: Piece) -> None:
        """The same bytes may come framed in many ways: no more is kept than a window holds."""
        bytes_too_many = self._early_bytes + piece.size > self.edge - self.next
        if bytes_too_many or len(self._early) == EARLY_PIECES or piece in self._early:
            return
        insort(self._early, piece)
        self._early_bytes += piece.size

    def consumed(self, count: int) -> None:
        """Our owner is done with so many bytes."""
        self._consumed = min(self._consumed + count, self.next)


class Signal(NamedTuple):
    number: int
    kind: Outside
    data: bytes


class Signals:
    """Both directions of what stands outside of the stream."""

    def __init__(self) -> None:
        self.seen = 0
        """The last of the peer's that was given out."""
        self._next = 1
        self._unseen: deque[Signal] = deque()
        self._to_say = 0
        """How many of these, at the end, are still to be said."""
        self._again = Again()

    @property
    def pending(self) -> int:
        return len(self._unseen)

    def write(self, kind: Outside, data: bytes) -> None:
        """A size that was not yet said gives way to a newer one."""
        last = self._unseen[-1] if self._to_say else None
        if last is not None and kind == last.kind == "resize":
            self._unseen[-1] = last._replace(data=data)
            return
        if len(self._unseen) == OUTSIDE_PENDING and kind != "rst":
            return
        self._unseen.append(Signal(self._next, kind, data))
        self._next += 1
        self._to_say += 1

    def said(self, now: float) -> Iterator[Signal]:
        if self._again.is_due(now):
            self.all_again()
        while self._to_say:
            signal = self._unseen[-self._to_say]
            self._to_say -= 1
            self._again.said(now)
            yield signal

    def acknowledged(self, seen: int, now: float) -> None:
        if seen >= self._next or not self._unseen or seen < self._unseen[0].number:
            return
        while self._unseen and self._unseen[0].number <= seen:
            self._unseen.popleft()
        self._to_say = min(self._to_say, len(self._unseen))
        self._again.answered(now, all_of_it=len(self._unseen) == self._to_say)

    def all_again(self) -> None:
        self._to_say = len(self._unseen)

    def take(self, number: int) -> bool:
        """Whether the peer's signal of this number is the next one, and to be heeded."""
        if number != self.seen + 1:
            return False
        self.seen = number
        return True

    @property
    def wake_at(self) -> float | None:
        return self._again.at
