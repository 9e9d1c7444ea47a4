"""What nobody waits for is done all the same, a few at a time."""

import asyncio
from functools import partial

from operators.shared.calls import THREADS, Call, Read, read
from operators.shared.errands import AT_ONCE, Errands
from operators.shared.resources import POD, Refused, Unreachable


class Cluster:
    """Answers none until as many are in flight as can be; counts them."""

    def __init__(self, expected: int, wanted: set[str], silent: set[str]) -> None:
        self.done: list[str] = []
        self.most = 0
        self.all_done = asyncio.Event()
        self._expected = min(AT_ONCE, expected)
        self._wanted = wanted
        self._silent = silent
        self._flying = 0
        self._open = asyncio.Event()

    async def perform(self, call: Call) -> object:
        if not isinstance(call, Read):
            return None  # a pause
        self._flying += 1
        self.most = max(self.most, self._flying)
        if self._flying == self._expected:
            self._open.set()
        await self._open.wait()
        self._flying -= 1
        if call.name in self._silent:
            self._silent.discard(call.name)
            raise Unreachable("silence")
        if call.name == "refused":
            raise Refused(403, "no")
        self.done.append(call.name)
        if set(self.done) == self._wanted:
            self.all_done.set()
        return {}


async def _done(cluster: Cluster, names: tuple[str, ...]) -> None:
    errands = Errands(cluster.perform)

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            errands.start(group)

    for name in names:
        errands.add(partial(read, POD, name), "look", name)
    assert errands.waiting == len(names)
    working = asyncio.create_task(work())
    async with asyncio.timeout(10):
        await cluster.all_done.wait()
    working.cancel()
    await asyncio.wait({working})


def done(*names: str, silent: tuple[str, ...] = ()) -> Cluster:
    cluster = Cluster(len(names), set(names) - {"refused"}, set(silent))
    asyncio.run(_done(cluster, names))
    return cluster


def test_all_of_a_gang_that_ends_is_let_go_of_and_jobs_find_hands_meanwhile() -> None:
    names = [f"pod-{number}" for number in range(10 * AT_ONCE)]

    cluster = done(*names)

    assert sorted(cluster.done) == sorted(names)
    assert cluster.most == AT_ONCE < THREADS


def test_one_that_is_refused_ends_none_of_the_others() -> None:
    assert sorted(done("a", "refused", "b").done) == ["a", "b"]


def test_what_was_not_answered_is_asked_again() -> None:
    assert sorted(done("a", "b", silent=("a",)).done) == ["a", "b"]
