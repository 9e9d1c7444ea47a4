"""Virtual time: what is to happen, in order, and one source of chance for all of it."""

import heapq
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from random import Random

from tests.builders import NOON

Act = Callable[[], object]

TRACE = 40
MOST_EVENTS = 400_000
"""Of one schedule. Beyond, something goes round in circles."""

DEEPEST = 2
"""A Lambda that waits at a port lets others run; these may wait, too, this deep."""


class Violation(BaseException):
    """A promise that was not kept. Not an `Exception`: the handlers under test catch those."""

    def __init__(self, promise: str, story: str) -> None:
        super().__init__(f"{promise}: {story}")
        self.promise = promise
        self.story = story

    def __reduce__(self) -> tuple[type["Violation"], tuple[str, str]]:
        """A worker process hands it on whole."""
        return Violation, (self.promise, self.story)


class Schedule:
    """`faults` counts by kind what was done to the system."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.seconds = 0.0
        self.events = 0
        self.faults: Counter[str] = Counter()
        self.trace: deque[tuple[float, str]] = deque(maxlen=TRACE)
        self._now: tuple[float, datetime] = (0.0, NOON)
        self._heap: list[tuple[float, int, str, Act]] = []
        self._numbers = count()
        self._depth = 0
        self._allowed: int | None = None
        self._stop: Act = lambda: None

    def now(self) -> datetime:
        if self._now[0] != self.seconds:
            self._now = self.seconds, NOON + timedelta(seconds=self.seconds)
        return self._now[1]

    def after(self, seconds: float, what: str, act: Act) -> None:
        """`what` is for the trace; empty: too dull for it."""
        heapq.heappush(self._heap, (self.seconds + seconds, next(self._numbers), what, act))

    def between(self, least: float, most: float) -> float:
        return least + (most - least) * self.random.random()

    def chance(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def say(self, what: str) -> None:
        self.trace.append((self.seconds, what))

    def allow(self, most: int | None, stop: Act) -> None:
        """So many faults, then `stop`; None: as many as there are."""
        self._allowed, self._stop = most, stop
        if most == 0:
            stop()

    def fault(self, kind: str, what: str = "") -> None:
        self.faults[kind] += 1
        if self._allowed is not None:
            self._allowed -= 1
            if self._allowed <= 0:
                self._stop()
        self.say(f"! {kind} {what}")

    def step(self) -> None:
        at, _, what, act = heapq.heappop(self._heap)
        self.seconds = max(self.seconds, at)
        self.events += 1
        if self.events > MOST_EVENTS:
            raise Violation("S6", f"{MOST_EVENTS} events, and no end of it")
        if what:
            self.trace.append((self.seconds, what))
        act()

    def run(self, until: float) -> None:
        while self._heap and self._heap[0][0] <= until:
            self.step()
        self.seconds = max(self.seconds, until)

    def let_others_run(self, within: float, most: int) -> None:
        """What is due soon happens now, in the middle of whoever waits."""
        if self._depth >= DEEPEST:
            return
        self._depth += 1
        try:
            until = self.seconds + within
            for _ in range(most):
                if not self._heap or self._heap[0][0] > until:
                    break
                self.step()
        finally:
            self._depth -= 1

    def story(self) -> str:
        return "\n".join(f"{at:10.3f}  {what}" for at, what in self.trace)
