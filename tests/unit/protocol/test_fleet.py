"""Five hundred operators that are cut off at once: their real links under one virtual clock."""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from random import Random

import pytest

from xylem.domain.ids import BackendName, GroupId, TaskName, WorkflowId
from xylem.domain.status import TaskStatus
from xylem.protocol.agent import (
    Ack,
    Bundle,
    Hello,
    News,
    PodObservation,
    Welcome,
    operator_message,
)
from xylem.protocol.link import Link, Order, Settled, TakeInventory

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OPERATORS = 500
CUT = 60.0
"""Seconds after noon; by then all are connected."""

BACK_WITHIN = 120.0
MOST_A_SECOND = 100


class Fleet:
    """What pumps the links, and the service that they dial: welcomes, and acknowledges news."""

    def __init__(self, seed: int, *, away: float = 0.0, hint: timedelta | None = None) -> None:
        self.random = Random(seed)
        self.seconds = 0.0
        self.dialled: list[float] = []
        self.back: dict[int, float] = {}
        self.settled: set[str] = set()
        self.learnt: set[str] = set()
        self._away_until = CUT + away
        self._hint = hint
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._open: set[tuple[int, int]] = set()
        self._waking: dict[int, float] = {}
        self.links = [
            Link(_hello(each), random=self.random.random, now=NOON) for each in range(OPERATORS)
        ]
        for each in range(OPERATORS):
            self.after(self.random.uniform(0, 20), partial(self.pump, each))

    @property
    def now(self) -> datetime:
        return NOON + self.seconds * SECOND

    def at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (moment, next(self._numbers), act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self.at(self.seconds + seconds, act)

    def run(self, until: float) -> None:
        while self._heap and self._heap[0][0] <= until:
            self.seconds, _, act = heapq.heappop(self._heap)
            act()
        self.seconds = until

    def cut_all(self) -> None:
        for each, number in sorted(self._open):
            self.links[each].closed(number, self.now)
        self._open.clear()
        for each in range(OPERATORS):
            self.pump(each)

    def report(self, each: int, uid: str) -> None:
        self.links[each].report(_an_end(each, uid), self.now)
        self.pump(each)

    # As `operators.shared.link_io` does it -------------------------------------------------------

    def pump(self, each: int) -> None:
        link = self.links[each]
        self._take(each, link.ticked(self.now))
        number = link.dial(self.now)
        if number is not None:
            self.dialled.append(self.seconds)
            self.after(self._travel(), lambda: self._connected(each, number))
        for mine in [number for of, number in self._open if of == each]:
            for text in link.to_send(mine, self.now):
                self.after(self._travel(), partial(self._heard, each, mine, text))
        wake_at = link.wake_at
        if wake_at is not None:
            due = max((wake_at - NOON) / SECOND, self.seconds + 0.02)
            if due < self._waking.get(each, float("inf")) or self._waking[each] <= self.seconds:
                self._waking[each] = due
                self.at(due, lambda: self.pump(each))

    def _connected(self, each: int, number: int) -> None:
        if CUT <= self.seconds < self._away_until:
            self.links[each].closed(number, self.now, retry_after=self._hint)
        else:
            self.links[each].opened(number, self.now)
            self._open.add((each, number))
        self.pump(each)

    def _take(self, each: int, orders: list[Order]) -> None:
        for order in orders:
            match order:
                case Settled(uid):
                    assert uid in self.learnt, "released before it was durable"
                    self.settled.add(uid)
                case TakeInventory(number):
                    self.links[each].inventory(number, [], [])

    # The service ---------------------------------------------------------------------------------

    def _heard(self, each: int, number: int, text: str) -> None:
        """A frame that was on its way when its connection was cut is lost, like its answer."""
        if (each, number) not in self._open:
            return
        match operator_message.validate_json(text):
            case Hello():
                self._answer(each, number, Welcome(epoch=1, bundles=True).model_dump_json())
            case News(boot_id=boot, events=events) | Bundle(boot_id=boot, events=events):
                self.learnt |= {event.pod.uid for event in events}
                ranges = [(event.seq, event.seq) for event in events]
                self._answer(each, number, Ack(boot_id=boot, ranges=ranges).model_dump_json())

    def _answer(self, each: int, number: int, text: str) -> None:
        def arrive() -> None:
            if (each, number) in self._open:
                self._take(each, self.links[each].received(number, text, self.now))
                if self.seconds > CUT and self.links[each].welcomed:
                    self.back.setdefault(each, self.seconds)
                self.pump(each)

        self.after(self._travel(), arrive)

    def _travel(self) -> float:
        return self.random.uniform(0.02, 0.3)


def _hello(each: int) -> Hello:
    backend = BackendName(f"cluster-{each}")
    return Hello(backend=backend, cluster_uid=f"uid-{each}", boot_id=f"boot-{each}", version="1")


def _an_end(each: int, uid: str) -> PodObservation:
    return PodObservation(
        workflow=WorkflowId(f"hello-{each}"),
        group=GroupId("a" * 32),
        incarnation=0,
        task=TaskName(uid),
        retry=0,
        uid=uid,
        status=TaskStatus.COMPLETED,
        exit_code=0,
        bound=True,
    )


def most_in_a_second(moments: list[float]) -> int:
    """In any second, wherever it begins."""
    moments = sorted(moments)
    first = most = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("away", "hint"),
    [(0.0, None), (30.0, None), (30.0, 20 * SECOND)],
    ids=["at once", "after half a minute of refusals", "with a hint when to come back"],
)
def test_all_come_back_within_two_minutes_never_a_hundred_a_second_and_lose_nothing(
    away: float, hint: timedelta | None, seed: int
) -> None:
    fleet = Fleet(seed, away=away, hint=hint)
    uids = [(each, f"pod-{each}-{number}") for each in range(OPERATORS) for number in range(3)]
    for each, uid in uids:
        moment = fleet.random.uniform(CUT - 1, CUT + 20)
        fleet.at(moment, partial(fleet.report, each, uid))
    fleet.run(CUT)
    assert all(link.welcomed for link in fleet.links)

    fleet.cut_all()
    fleet.run(CUT + 300)

    dialled = [moment for moment in fleet.dialled if moment > CUT]
    assert len(fleet.back) == OPERATORS
    assert max(fleet.back.values()) - CUT <= BACK_WITHIN
    assert most_in_a_second(dialled) <= MOST_A_SECOND
    assert fleet.settled == {uid for _, uid in uids}, "every end is durable, and acknowledged"


def test_the_first_tries_are_uniform_over_ten_seconds() -> None:
    fleet = Fleet(7)
    fleet.run(CUT)
    fleet.cut_all()
    fleet.run(CUT + 15)

    tries = [moment - CUT for moment in fleet.dialled if moment >= CUT]
    assert len(tries) == OPERATORS
    assert max(tries) <= 10.1
    for tenth in range(10):
        assert 25 <= sum(tenth <= moment < tenth + 1 for moment in tries) <= 75
