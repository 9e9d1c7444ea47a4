"""A log is written, merged, collected and read by several at once, each of whom may stop anywhere.

What is promised: whoever reads gets each byte of the spool once and in order, as far as it was
stored; when all are done there is nothing that is stored twice, and nothing that nobody needs. Each
rule that this takes is left out once, and the test notices.
"""

import gzip
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import NOON, an_attempt
from tests.builders_logs import record
from tests.interleaving import Stage
from xylem.domain.errors import XylemError
from xylem.memory.blobs import MemoryBlobs
from xylem.memory.logs import MemoryLogs
from xylem.memory.time import FakeIds
from xylem.ports.logs import Chunk, Logs, LogTail, Merged
from xylem.ports.task_tokens import Attempt
from xylem.protocol import spool
from xylem.usecases import logs as logger
from xylem.usecases.log_closing import Closing, Span, closing
from xylem.usecases.log_lines import records
from xylem.usecases.log_merging import COLLECTED_AT, Limits, Merging, collect
from xylem.usecases.log_walk import Piece, Walk
from xylem.usecases.long_logs import prefix

if TYPE_CHECKING:
    from xylem.ports.blobs import Blobs

ATTEMPT = an_attempt()
RECORDS = [record(f"line {number}\n", second=number) for number in range(7)]
SPOOL = b"".join(RECORDS)
STORED = 3
"""Records that are stored before anybody does anything: one a chunk, the second in an object."""

SMALL = Limits(bytes=10**6, chunks=3)
SMALLER = Limits(bytes=10**6, chunks=2)
"""Of another release: what two merge from the same offset on differs."""


NOTICED = (AssertionError, XylemError, OSError, ValueError)
"""What a broken log comes to, for whom it concerns: nothing of it is an error of the test."""


class Log:
    """One attempt's log, and everybody who does something with it."""

    merging: type[Merging] = Merging
    walk: type[Walk] = Walk
    logs_kind: type[MemoryLogs] = MemoryLogs
    collector_is_patient = True
    end_is_checked = True

    def __init__(self) -> None:
        self.stage = Stage()
        self.now = NOON - 2 * COLLECTED_AT
        self.plain_store = MemoryBlobs(clock=lambda: self.now)
        self.plain_logs = self.logs_kind()
        self.store: Blobs = self.stage.port(self.plain_store)
        self.logs: Logs = self.stage.port(self.plain_logs)
        self.ids = FakeIds()
        self.seen: list[bytes] = []
        for number in range(STORED):
            self._store_chunk(number)
        self.plain_store.put(f"{prefix(ATTEMPT)}{0:020d}-orphan", b"of a batch that came second")
        self.now = NOON

    def _store_chunk(self, number: int) -> None:
        offset, body = len(b"".join(RECORDS[:number])), gzip.compress(RECORDS[number])
        if number % 2 == 0:
            chunk = Chunk(offset, len(RECORDS[number]), body=body)
        else:
            chunk = Chunk(offset, len(RECORDS[number]), key=f"{prefix(ATTEMPT)}{offset:020d}-old")
            self.plain_store.put(chunk.key or "", body)
        self.plain_logs.put_chunk(ATTEMPT, chunk)

    # Actors ----------------------------------------------------------------------------------

    def writes(self) -> None:
        """The sidecar: a record a batch, then the end."""
        ends = logger.KnownEnds()
        at = len(b"".join(RECORDS[:STORED]))
        while at < len(SPOOL):
            batch = next(r for n, r in enumerate(RECORDS) if len(b"".join(RECORDS[:n])) == at)
            at = self._put(at, batch, ends)
        assert self._end(ends)

    def writes_late(self) -> None:
        """A request that travelled: more records than the one that came first at this offset."""
        self._put(0, b"".join(RECORDS[:2]), logger.KnownEnds())

    def closes_early(self) -> None:
        """An end that is said before everything was stored is not taken."""
        self._end(logger.KnownEnds())

    def merges(self, limits: Limits = SMALL) -> None:
        merging = self.merging(ATTEMPT, self.logs, self.store, self.ids, limits)
        while merging.step(closed=self.logs.end(ATTEMPT) is not None):
            pass

    def collects(self) -> None:
        now = NOON if self.collector_is_patient else NOON + 2 * COLLECTED_AT
        collect(ATTEMPT, logs=self.logs, store=self.store, now=now)

    def reads(self) -> None:
        """By pages, as who follows does: from where the page before ended."""
        at = 0
        for _ in range(3):
            close = closing(self.logs.end(ATTEMPT), Span(handed=True), NOON)
            pieces = list(self.walk(ATTEMPT, self.logs, self.store).forward(at))
            said = records(pieces, close, begin=at, over_at=None)
            self.seen += [spool.encode(record) for record in said]
            at = pieces[-1].end if pieces else at
            if close.length == at:
                break

    def _put(self, offset: int, batch: bytes, ends: logger.KnownEnds) -> int:
        return logger.put(
            ATTEMPT,
            offset,
            gzip.compress(batch),
            logs=self.logs,
            store=self.store,
            ids=self.ids,
            ends=ends,
            became_long=lambda _: None,
        ).next

    def _end(self, ends: logger.KnownEnds) -> bool:
        if not self.end_is_checked:
            return self.logs.put_end(ATTEMPT, LogTail(len(SPOOL))).complete
        return logger.end(ATTEMPT, len(SPOOL), logs=self.logs, ends=ends).closed

    # What has to be true ---------------------------------------------------------------------

    def plays(self, schedule: list[str]) -> None:
        actors: dict[str, Callable[[], None]] = {
            "writer": self.writes,
            "late": self.writes_late,
            "early": self.closes_early,
            "one": self.merges,
            "two": partial(self.merges, SMALLER),
            "collector": self.collects,
            "reader": self.reads,
        }
        in_play = {said.rpartition(" ")[2] for said in schedule}
        errors = self.stage.run(
            {name: act for name, act in actors.items() if name in in_play}, schedule
        )
        for error in errors.values():
            if error is not None and not isinstance(error, NOTICED):
                raise error
        assert not any(errors.values()), errors
        read = b"".join(self.seen)
        assert SPOOL.startswith(read), f"read {read!r}"
        self._is_whole()

    def _is_whole(self) -> None:
        """Whoever comes later finishes what was left, and reads all of it."""
        self.writes()
        self.merges()
        self.now = NOON + 2 * COLLECTED_AT
        collect(ATTEMPT, logs=self.plain_logs, store=self.plain_store, now=self.now)
        whole = Closing("complete", len(SPOOL))
        pieces = Walk(ATTEMPT, self.plain_logs, self.plain_store).forward()
        said = records(pieces, whole, begin=0, over_at=None)
        assert b"".join(map(spool.encode, said)) == SPOOL
        chunks = self.plain_logs.chunks(ATTEMPT)
        named = {chunk.key for chunk in chunks} | {
            merged.key for merged in self.plain_logs.merged(ATTEMPT)
        }
        assert set(self.plain_store.keys()) == named - {None}, "neither more nor less"
        assert all(chunk.bare for chunk in chunks[:6]), "what was merged is kept once"


# Every schedule in which few take over from each other ----------------------------------------

CALLS = 40
"""More than any actor makes."""


def pairs() -> Iterator[list[str]]:
    """One dies before a call of its; or it stops there, and another goes on for so many calls."""
    for name, after in product(("one", "collector", "writer", "late"), range(26)):
        yield [name] * after + [f"kill {name}"]
    for first, second in (
        ("one", "two"),
        ("two", "one"),
        ("reader", "one"),
        ("writer", "one"),
        ("collector", "one"),
        ("one", "collector"),
        ("late", "one"),
        ("one", "writer"),
        ("reader", "collector"),
    ):
        for before, other in product(range(0, 26), (2, 5, 8, 9, 10, 11, 12, 14, 17, CALLS)):
            yield [first] * before + [second] * other + [first] * CALLS + [second]


def test_two_at_once_neither_lose_nor_repeat_a_byte() -> None:
    for schedule in pairs():
        Log().plays(schedule)


NAMES = ("writer", "late", "early", "one", "two", "collector", "reader")
turns = st.tuples(st.sampled_from(NAMES), st.integers(1, 12)).map(lambda turn: [turn[0]] * turn[1])
deaths = st.sampled_from([f"kill {name}" for name in NAMES if name != "reader"]).map(
    lambda death: [death]
)
schedules = st.lists(st.one_of(turns, turns, turns, deaths), max_size=14).map(
    lambda parts: [said for part in parts for said in part]
)


@settings(max_examples=150, deadline=None)
@given(schedules)
def test_many_at_once_neither_lose_nor_repeat_a_byte(schedule: list[str]) -> None:
    Log().plays(schedule)


# Defects -----------------------------------------------------------------------------------------


class RowBeforeObject(Merging):
    def publish(self, mine: Merged, body: bytes) -> None:
        stored = self._logs.put_merged(self._attempt, mine)
        self._store.put(mine.key, body)
        self.finish(stored)


class StripsFirst(Merging):
    def publish(self, mine: Merged, body: bytes) -> None:
        self._store.put(mine.key, body)
        self.finish(mine)
        self._logs.put_merged(self._attempt, mine)


class FinishesItsOwn(Merging):
    """Who came second believes that its own object counts."""

    def publish(self, mine: Merged, body: bytes) -> None:
        self._store.put(mine.key, body)
        self._logs.put_merged(self._attempt, mine)
        self.finish(mine)


class DropsObjectsFirst(Merging):
    def strip(self, chunk: Chunk) -> None:
        if chunk.key is not None:
            self._store.delete(chunk.key)
        self._logs.strip(self._attempt, chunk.offset)


class LeavesWhatAnotherBegan(Merging):
    mine: str = ""

    def publish(self, mine: Merged, body: bytes) -> None:
        self.mine = mine.key
        super().publish(mine, body)

    def finish(self, merged: Merged) -> None:
        if merged.key == self.mine:
            super().finish(merged)


class ReadsOnce(Walk):
    def piece(self, chunk: Chunk) -> Piece:
        body = self._body(chunk)
        return Piece(chunk.offset, chunk.length, gzip.decompress(body) if body else None)


class LastComesThrough(MemoryLogs):
    """The chunk's row is put without a condition."""

    def put_chunk(self, attempt: Attempt, chunk: Chunk) -> Chunk:
        self._chunks[attempt][chunk.offset] = chunk
        return chunk


class LastMergedComesThrough(MemoryLogs):
    def put_merged(self, attempt: Attempt, merged: Merged) -> Merged:
        self._merged[attempt][merged.offset] = merged
        return merged


class ForgetsKeys(MemoryLogs):
    """Closing and merging drop rows rather than bodies."""

    def strip(self, attempt: Attempt, offset: int) -> None:
        self._chunks[attempt].pop(offset, None)


class LagsBehind(MemoryLogs):
    """Merged objects are read as they were a while ago."""

    def merged(
        self, attempt: Attempt, *, until: int | None = None, limit: int = 10
    ) -> list[Merged]:
        return super().merged(attempt, until=until, limit=limit)[1:]


class Collects(Log):
    collector_is_patient = False


class Ends(Log):
    end_is_checked = False


def with_(**parts: object) -> type[Log]:
    return type("Defective", (Log,), parts)


DEFECTS: dict[str, type[Log]] = {
    "the row before the object": with_(merging=RowBeforeObject),
    "bodies are stripped first": with_(merging=StripsFirst),
    "who came second strips by its own row": with_(merging=FinishesItsOwn),
    "objects are dropped before rows say so": with_(merging=DropsObjectsFirst),
    "nobody finishes what another began": with_(merging=LeavesWhatAnotherBegan),
    "a reader does not read again": with_(walk=ReadsOnce),
    "the last chunk at an offset counts": with_(logs_kind=LastComesThrough),
    "the last merged row counts": with_(logs_kind=LastMergedComesThrough),
    "keys go with their bodies": with_(logs_kind=ForgetsKeys),
    "reads lag behind": with_(logs_kind=LagsBehind),
    "an object goes as soon as no row names it": Collects,
    "the end is taken unseen": Ends,
}


def every_schedule() -> Iterator[list[str]]:
    for before in range(12):
        yield ["writer"] * before + ["early"] * CALLS + ["writer"] * CALLS
    yield from pairs()


@pytest.mark.parametrize("defect", DEFECTS, ids=str)
def test_a_rule_that_is_left_out_is_noticed(defect: str) -> None:
    def is_noticed(schedule: list[str]) -> bool:
        try:
            DEFECTS[defect]().plays(schedule)
        except NOTICED:
            return True
        return False

    assert any(is_noticed(schedule) for schedule in every_schedule())
