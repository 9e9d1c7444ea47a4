"""Which bytes of the spool go out when, and that the Logger gets each of them once and in order.

The Logger of the simulation is the real use case on the fakes of its ports. Between the two lies a
network that loses what is asked, loses what is answered, brings it twice or long after the sidecar
gave it up. Moments are numbers: nothing waits.
"""

import random
import zlib
from collections.abc import Callable
from functools import partial
from typing import Literal

import pytest

from operators.task_runtime.logs import (
    BATCH_BYTES,
    FOLLOWED_SECONDS,
    GATHER_SECONDS,
    INTERVAL_SECONDS,
    LITTLE_BYTES,
    LONGEST_INTERVAL_SECONDS,
    LONGEST_LOOK_SECONDS,
    UNDECIDED_LOOK_SECONDS,
    Done,
    LogMismatch,
    SayEnd,
    Send,
    Shipper,
    Step,
    Wait,
)
from tests.builders import an_attempt
from xylem.memory.blobs import MemoryBlobs
from xylem.memory.logs import MemoryLogs
from xylem.protocol.runtime import Stored
from xylem.protocol.spool import Record, Stream, encode, whole
from xylem.usecases import logs

GZIP = 31
MANY = 10_000
LINE = len(encode(Record(Stream.STDOUT, 0, b"a line\n")))


def step(found: Step, kind: type[Step]) -> Step:
    """Steps are named tuples, and those are equal to others with the same values."""
    assert type(found) is kind, found
    return found


def a_send(found: Step) -> Send:
    assert isinstance(found, Send), found
    return found


# When ---------------------------------------------------------------------------------------------


def test_the_first_words_go_out_a_fifth_of_a_second_after_they_were_seen() -> None:
    shipper = Shipper()
    step(shipper.next(0, now=0.0), Wait)

    seen = shipper.next(LINE, now=1.0)

    assert isinstance(seen, Wait)
    assert 0 < seen.seconds <= GATHER_SECONDS
    step(shipper.next(LINE, now=1.0 + GATHER_SECONDS * 0.9), Wait)
    assert a_send(shipper.next(LINE, now=1.0 + GATHER_SECONDS)) == Send(0, BATCH_BYTES)


def test_a_full_batch_waits_for_nothing() -> None:
    assert a_send(Shipper().next(BATCH_BYTES, now=0.0)) == Send(0, BATCH_BYTES)


def test_after_a_batch_the_next_one_gathers_for_five_seconds() -> None:
    shipper = Shipper()
    shipper.next(LINE, now=0.0)
    shipper.stored(LITTLE_BYTES, closed=False, size=LITTLE_BYTES, now=10.0)

    step(shipper.next(LITTLE_BYTES + LINE, now=10.0), Wait)
    step(shipper.next(LITTLE_BYTES + LINE, now=9.99 + INTERVAL_SECONDS), Wait)
    step(shipper.next(LITTLE_BYTES + LINE, now=10.0 + INTERVAL_SECONDS), Send)


def gaps_between_batches(batches: int, size: int) -> list[float]:
    """Of a task that always has another `size` bytes to say."""
    shipper, now, total = Shipper(), 0.0, size
    sent_at: list[float] = []
    while len(sent_at) < batches:
        match shipper.next(total, now):
            case Wait(seconds):
                assert seconds > 0
                now += seconds
            case Send():
                sent_at.append(now)
                shipper.stored(total, closed=False, size=total, now=now)
                total += size
    return [later - earlier for earlier, later in zip(sent_at, sent_at[1:], strict=False)]


def test_who_says_little_every_time_is_listened_to_less_often_down_to_once_a_minute() -> None:
    gaps = gaps_between_batches(batches=30, size=LINE)

    assert gaps == pytest.approx(sorted(gaps))
    assert gaps[0] == pytest.approx(INTERVAL_SECONDS)
    assert gaps[-1] == pytest.approx(LONGEST_INTERVAL_SECONDS)
    assert gaps[12] == pytest.approx(LONGEST_INTERVAL_SECONDS)


def test_who_says_much_is_listened_to_every_five_seconds() -> None:
    gaps = gaps_between_batches(batches=30, size=LITTLE_BYTES)

    assert gaps == pytest.approx([INTERVAL_SECONDS] * 29)


def test_while_somebody_follows_there_is_a_batch_every_second_however_small() -> None:
    shipper = Shipper()
    for number in range(1, 30):
        size = number * LINE
        shipper.stored(size, closed=False, size=size, now=number * 1.0, followed=True)
        step(shipper.next(size + LINE, now=number * 1.0), Wait)
        step(shipper.next(size + LINE, now=number + FOLLOWED_SECONDS), Send)


def test_what_it_takes_to_tell_followers_is_within_their_second() -> None:
    shipper = Shipper()
    shipper.next(LINE, now=0.0)
    step(shipper.next(LINE, now=GATHER_SECONDS), Send)
    shipper.stored(LINE, closed=False, size=LINE, now=0.9, followed=True)
    shipper.next(2 * LINE, now=0.9)

    step(shipper.next(2 * LINE, now=GATHER_SECONDS + FOLLOWED_SECONDS - 0.01), Wait)
    step(shipper.next(2 * LINE, now=GATHER_SECONDS + FOLLOWED_SECONDS), Send)


def test_when_nobody_follows_any_more_it_is_every_five_seconds_again() -> None:
    shipper = Shipper()
    for number in range(1, 20):
        shipper.stored(LINE * number, closed=False, size=LINE * number, now=0.0)
    shipper.stored(LINE * 20, closed=False, size=LINE * 20, now=10.0, followed=True)
    shipper.stored(LINE * 21, closed=False, size=LINE * 21, now=20.0)
    shipper.next(LINE * 22, now=20.0)

    step(shipper.next(LINE * 22, now=20.0 + INTERVAL_SECONDS * 0.99), Wait)
    step(shipper.next(LINE * 22, now=20.0 + INTERVAL_SECONDS), Send)


def test_an_end_that_may_be_the_beginning_of_a_secret_is_looked_at_again_soon() -> None:
    shipper = Shipper()
    shipper.hurry()
    step(shipper.next(LINE, now=0.0), Send)

    shipper.undecided(now=0.0)

    step(shipper.next(LINE, now=UNDECIDED_LOOK_SECONDS * 0.9), Wait)
    step(shipper.next(LINE, now=UNDECIDED_LOOK_SECONDS), Send)


def test_a_batch_is_the_last_where_it_reaches_the_end_of_a_finished_spool() -> None:
    shipper = Shipper()
    assert not shipper.is_last(LINE)
    shipper.ended(2 * LINE)

    assert [shipper.is_last(end) for end in (LINE, 2 * LINE, 3 * LINE)] == [False, True, True]


def test_what_comes_after_a_long_silence_goes_out_at_once() -> None:
    shipper = Shipper()
    for number in range(1, 20):
        shipper.next(LINE * number, now=number * 100.0)
        shipper.stored(LINE * number, closed=False, size=LINE * number, now=number * 100.0)
    step(shipper.next(LINE * 20, now=5000.0), Wait)

    step(shipper.next(LINE * 20, now=5000.0 + GATHER_SECONDS), Send)


def test_a_quiet_spool_is_looked_at_more_and_more_rarely_down_to_once_a_second() -> None:
    shipper, now, looks = Shipper(), 0.0, []
    for _ in range(30):
        found = shipper.next(0, now)
        assert isinstance(found, Wait)
        looks.append(found.seconds)
        now += found.seconds

    assert looks == sorted(looks)
    assert looks[0] < 0.1
    assert looks[-1] == LONGEST_LOOK_SECONDS


def test_a_failed_request_is_said_again_later_and_ever_later() -> None:
    shipper, now = Shipper(), 0.0
    shipper.next(LINE, now=0.0)
    now += GATHER_SECONDS
    waited = []
    for _ in range(200):
        step(shipper.next(LINE, now), Send)
        shipper.failed(now)
        again = shipper.next(LINE, now)
        before = now
        if isinstance(again, Wait):
            now += again.seconds
        waited.append(now - before)

    assert max(waited[:3]) <= 1.0
    assert max(waited) > 10.0
    assert max(waited) <= 30.0


def test_a_good_answer_ends_the_patience_with_the_network() -> None:
    shipper = Shipper()
    for _ in range(20):
        shipper.failed(now=0.0)
    shipper.stored(LINE, closed=False, size=LINE, now=100.0)
    shipper.failed(now=200.0)

    again = shipper.next(BATCH_BYTES * 2, now=200.3)

    assert a_send(again) == Send(LINE, BATCH_BYTES)


def long_without_an_answer() -> Shipper:
    """Its next try is somewhere in the thirty seconds after moment 0."""
    while True:
        shipper = Shipper()
        for _ in range(20):
            shipper.failed(now=0.0)
        found = shipper.next(LINE, now=0.0)
        if isinstance(found, Wait) and found.seconds > 1.0:
            return shipper


def test_when_the_pod_is_to_end_what_there_is_goes_out_at_once_also_in_an_outage() -> None:
    shipper = long_without_an_answer()

    shipper.hurry()

    step(shipper.next(LINE, now=0.0), Send)


def test_in_a_hurry_patience_begins_anew_so_that_grace_is_used() -> None:
    shipper = long_without_an_answer()
    shipper.hurry()

    tries, now = 0, 0.0
    while now < 25.0:
        match shipper.next(LINE, now):
            case Wait(seconds):
                now += seconds
            case Send():
                tries += 1
                shipper.failed(now)

    assert tries >= 5


def test_a_finished_spool_waits_for_nothing_also_in_an_outage() -> None:
    shipper = long_without_an_answer()

    shipper.ended(LINE)

    step(shipper.next(LINE, now=0.0), Send)


def test_a_record_that_is_being_written_is_waited_for() -> None:
    shipper = Shipper()
    shipper.hurry()
    step(shipper.next(5, now=0.0), Send)

    shipper.nothing_whole(now=0.0)

    step(shipper.next(LINE, now=0.01), Wait)
    step(shipper.next(LINE, now=1.0), Send)


# What ---------------------------------------------------------------------------------------------


def test_the_end_is_said_when_all_is_stored_and_not_before() -> None:
    shipper = Shipper()
    shipper.ended(2 * LINE)

    assert a_send(shipper.next(2 * LINE, now=0.0)).offset == 0
    shipper.stored(LINE, closed=False, size=2 * LINE, now=0.0)
    assert a_send(shipper.next(2 * LINE, now=0.0)).offset == LINE
    shipper.stored(2 * LINE, closed=False, size=2 * LINE, now=0.0)
    assert step(shipper.next(2 * LINE, now=0.0), SayEnd) == SayEnd(2 * LINE)
    shipper.stored(2 * LINE, closed=True, size=2 * LINE, now=0.0)
    step(shipper.next(2 * LINE, now=0.0), Done)


def test_a_spool_without_a_byte_is_ended_without_a_batch() -> None:
    shipper = Shipper()
    shipper.ended(0)

    assert step(shipper.next(0, now=0.0), SayEnd) == SayEnd(0)


def test_what_was_said_after_the_end_and_sent_with_the_last_batch_belongs_to_the_log() -> None:
    shipper = Shipper()
    shipper.ended(LINE)
    shipper.next(2 * LINE, now=0.0)

    shipper.stored(2 * LINE, closed=False, size=2 * LINE, now=0.0)

    assert step(shipper.next(2 * LINE, now=0.0), SayEnd) == SayEnd(2 * LINE)


def test_a_sidecar_that_knows_nothing_goes_on_where_it_is_told() -> None:
    shipper = Shipper()
    assert a_send(shipper.next(BATCH_BYTES, now=0.0)).offset == 0

    shipper.stored(7 * LINE, closed=False, size=BATCH_BYTES, now=0.0)

    assert shipper.offset == 7 * LINE


def test_a_log_that_is_longer_than_the_spool_is_not_ours() -> None:
    with pytest.raises(LogMismatch):
        Shipper().stored(LINE + 1, closed=False, size=LINE, now=0.0)


def test_a_log_that_is_closed_is_closed_however_long_it_is() -> None:
    shipper = Shipper()

    shipper.stored(LINE + 1, closed=True, size=LINE, now=0.0)

    step(shipper.next(LINE, now=0.0), Done)


# All of it ----------------------------------------------------------------------------------------

Fate = Literal["answered", "asked in vain", "answered in vain", "late", "twice"]
FATES: tuple[Fate, ...] = ("answered", "asked in vain", "answered in vain", "late", "twice")


class World:
    """A spool that grows, a sidecar that may die, a network that does what it wants."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = 0.0
        self.spool = bytearray()
        self.torn = b""
        """What is still missing of the record that is being written at the end of the spool."""
        self.attempt = an_attempt()
        self.rows = MemoryLogs()
        self.store = MemoryBlobs()
        self.ends = logs.KnownEnds()
        self.travelling: list[Callable[[], Stored]] = []
        self.shipper = Shipper()
        self.records = self.dice.randrange(40)
        self.deaths = self.dice.randrange(3)
        self.ended_at: int | None = None
        self.trouble = self.dice.randrange(60)
        """How many requests may still have another fate than to be answered."""

    def live(self) -> None:
        for _ in range(MANY):
            self._go_on()
            match self.shipper.next(len(self.spool), self.now):
                case Wait(seconds):
                    assert seconds > 0
                    self.now += min(seconds, self.dice.uniform(0.01, 20.0))
                case Send(offset, limit):
                    self._send(offset, limit)
                case SayEnd(length):
                    self._ask(partial(self._logger_ends, length))
                case Done():
                    return
        raise AssertionError("the log was never closed")

    @property
    def logged(self) -> bytes:
        chunks = self.rows.chunks(self.attempt, limit=MANY)
        raw = b""
        for chunk in chunks:
            assert chunk.offset == len(raw)
            body = chunk.body if chunk.key is None else self.store.get(chunk.key)
            assert body is not None
            raw += zlib.decompress(body, wbits=GZIP)
            assert len(raw) == chunk.offset + chunk.length
        return raw

    @property
    def tail(self) -> int | None:
        end = self.rows.end(self.attempt)
        return None if end is None else end.length

    def _go_on(self) -> None:
        """What happens beside the sidecar between two of its steps."""
        if (self.records or self.torn) and self.dice.random() < 0.5:
            self._print()
        if not self.records and not self.torn and self.ended_at is None:
            self.ended_at = len(self.spool)
            self.shipper.ended(self.ended_at)
            if self.dice.random() < 0.3:
                self.spool += a_record(self.dice, 20)
        if self.deaths and self.dice.random() < 0.05:
            self.deaths -= 1
            self.shipper = Shipper()
            if self.ended_at is not None:
                self.ended_at = len(self.spool)
                self.shipper.ended(self.ended_at)
        if self.travelling and self.dice.random() < 0.3:
            self.travelling.pop(self.dice.randrange(len(self.travelling)))()

    def _print(self) -> None:
        if self.torn:
            self.spool += self.torn
            self.torn = b""
        else:
            self.records -= 1
            record = a_record(self.dice, self.dice.choice((0, 1, 20, 5_000, 32 * 1024)))
            written = len(record)
            if self.dice.random() < 0.2:
                written = self.dice.randrange(1, len(record))
            self.spool += record[:written]
            self.torn = record[written:]

    def _send(self, offset: int, limit: int) -> None:
        raw = bytes(self.spool[offset : offset + limit])
        raw = raw[: whole(raw)]
        if not raw:
            self.shipper.nothing_whole(self.now)
            return
        assert len(raw) <= limit
        self._ask(partial(self._logger_takes, offset, raw))

    def _ask(self, request: Callable[[], Stored]) -> None:
        fate: Fate = "answered"
        if self.trouble:
            self.trouble -= 1
            fate = self.dice.choice(FATES)
        self.now += self.dice.uniform(0.001, 15.0)
        match fate:
            case "answered":
                self._answered(request())
            case "twice":
                request()
                self._answered(request())
            case "asked in vain":
                self.shipper.failed(self.now)
            case "answered in vain":
                request()
                self.shipper.failed(self.now)
            case "late":
                self.travelling.append(request)
                self.shipper.failed(self.now)

    def _answered(self, stored: Stored) -> None:
        self.shipper.stored(stored.next, closed=stored.closed, size=len(self.spool), now=self.now)

    def _logger_takes(self, offset: int, raw: bytes) -> Stored:
        return logs.put(
            self.attempt,
            offset,
            zlib.compress(raw, wbits=GZIP),
            logs=self.rows,
            store=self.store,
            ids=lambda: str(self.dice.random()),
            ends=self.ends,
            became_long=lambda _: None,
        )

    def _logger_ends(self, length: int) -> Stored:
        return logs.end(self.attempt, length, logs=self.rows, ends=self.ends)


def a_record(dice: random.Random, size: int) -> bytes:
    return encode(
        Record(dice.choice(list(Stream)), dice.randrange(2**50), dice.randbytes(1) * size)
    )


@pytest.mark.parametrize("hundred", range(4))
def test_every_byte_is_stored_once_and_in_order_whatever_the_network_does(hundred: int) -> None:
    for seed in range(hundred * 100, hundred * 100 + 100):
        world = World(seed)

        world.live()
        for late in world.travelling:
            late()

        assert world.ended_at is not None
        assert world.tail == len(world.logged), seed
        assert world.spool.startswith(world.logged), seed
        assert len(world.logged) >= world.ended_at, seed
