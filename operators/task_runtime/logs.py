"""Which bytes of the spool are sent when: moments and answers in, the next thing to do out.

    Send(offset, limit)   whole records from there, at most so many bytes, never none
    SayEnd(length)        the spool is finished and all of it was sent
    Wait(seconds)         or until something happens
    Done                  the Logger has closed the log

One batch is in flight. The first goes 0.2 s after the first byte, so that a short task's words are
seen at once; then one every 5 s, or as soon as 256 KB wait. A task that says little every time is
listened to less and less often, down to once a minute: each batch costs a request and a row. What
comes after a long silence goes out at once. While somebody follows, which the Logger answers to
each batch, it is one every second.

The offset is 0 or what the Logger answered, never a sum of ours: after a timeout nobody knows what
was stored, and a sidecar that was started again knows nothing at all. It sends what lies at 0 and
is told where to go on.
"""

from typing import NamedTuple

from operators.shared.patience import backoff

BATCH_BYTES = 256 * 1024
"""`protocol/runtime.py` says the same; `tests/wire` compares them."""

GATHER_SECONDS = 0.2
INTERVAL_SECONDS = 5.0
FOLLOWED_SECONDS = 1.0
LONGEST_INTERVAL_SECONDS = 60.0
LITTLE_BYTES = 4 * 1024
LENGTHEN = 1.25
"""From 5 s to 60 s in eleven small batches: about four minutes."""

FIRST_LOOK_SECONDS = 0.05
UNDECIDED_LOOK_SECONDS = 0.25
"""A look at an end that may be the beginning of a secret is a read of up to a batch."""

LONGEST_LOOK_SECONDS = 1.0
"""A look is one stat of a file; it is cheap, not free: 20 us."""


class Send(NamedTuple):
    offset: int
    limit: int


class SayEnd(NamedTuple):
    length: int


class Wait(NamedTuple):
    seconds: float


class Done(NamedTuple):
    pass


Step = Send | SayEnd | Wait | Done


class LogMismatch(Exception):
    """The Logger's log and our spool are not the same."""


class Shipper:
    def __init__(self) -> None:
        self.offset = 0
        """Whole records begin here; everything before it is stored."""
        self._length: int | None = None
        self._closed = False
        self._hurried = False
        self._interval = INTERVAL_SECONDS
        self._not_before = 0.0
        self._sent_at = 0.0
        self._seen_at: float | None = None
        self._look = FIRST_LOOK_SECONDS
        self._tries = 0
        self._retry_at = 0.0

    def next(self, size: int, now: float) -> Step:
        """`size`: of the spool, at `now`."""
        if self._closed:
            return Done()
        if now < self._retry_at:
            return Wait(self._retry_at - now)
        waiting = (size if self._length is None else self._length) - self.offset
        if self._length is not None:
            if waiting > 0:
                return Send(self.offset, BATCH_BYTES)
            # What was said after the end was sent with the last batch: it belongs to the log.
            return SayEnd(max(self._length, self.offset))
        if waiting <= 0:
            return Wait(self._looked())
        if self._seen_at is None:
            self._seen_at = now
            self._look = FIRST_LOOK_SECONDS
        due = max(self._seen_at + GATHER_SECONDS, self._not_before)
        if self._hurried or now >= due or waiting >= BATCH_BYTES:
            self._sent_at = now
            return Send(self.offset, BATCH_BYTES)
        return Wait(min(due - now, self._looked()))

    def hurry(self) -> None:
        """The pod is to end: what there is goes out at once, and patience begins anew: after an
        outage it is longer than a pod's grace."""
        self._hurried = True
        self._retry_at = 0.0
        self._tries = 0

    def ended(self, length: int) -> None:
        """The spool is finished: nothing waits any longer, not even for a failed request."""
        self._length = length
        self._retry_at = 0.0

    def stored(
        self, next: int, *, closed: bool, size: int, now: float, followed: bool = False
    ) -> None:
        """The Logger's answer to a batch or to the end. Raises `LogMismatch`."""
        if not closed and next > size:
            raise LogMismatch(f"the Logger has {next} bytes of a log of {size}")
        self._tries = 0
        little = next - self.offset < LITTLE_BYTES
        if followed or not little:
            self._interval = INTERVAL_SECONDS
        # With many followers the Logger takes half a second to tell them: not on top of the second.
        self._not_before = self._sent_at + FOLLOWED_SECONDS if followed else now + self._interval
        if little and not followed:
            self._interval = min(LONGEST_INTERVAL_SECONDS, self._interval * LENGTHEN)
        self._seen_at = None
        self.offset = next
        self._closed = closed

    def failed(self, now: float) -> None:
        """No answer. The same again, later: what was stored of it is told then."""
        self._retry_at = now + backoff(self._tries)
        self._tries += 1

    def nothing_whole(self, now: float) -> None:
        """Where the next batch would begin, a record is being written."""
        self._retry_at = now + FIRST_LOOK_SECONDS

    def undecided(self, now: float) -> None:
        """What there is may be the beginning of a secret."""
        self._retry_at = now + UNDECIDED_LOOK_SECONDS

    def is_last(self, end: int) -> bool:
        """Whether nothing will follow what ends there."""
        return self._length is not None and end >= self._length

    def _looked(self) -> float:
        look = self._look
        self._look = min(LONGEST_LOOK_SECONDS, look * 1.5)
        return look
