"""Procedures are driven to their end; hands perform their calls in threads."""

import asyncio
from typing import Any

import pytest

from operators.shared.calls import (
    THROTTLED_TRIES,
    Call,
    Hands,
    Pause,
    Procedure,
    Read,
    Say,
    drive,
    listing,
    read,
    together,
)
from operators.shared.resources import (
    CONFIG_MAP,
    POD,
    Expired,
    Json,
    Kind,
    NotFound,
    Page,
    Throttled,
    Unreachable,
)
from tests.fakes.kube import FakeKube, run
from tests.unit.operators.jobs import a_pod


def hands(kube: FakeKube, said: bool = True) -> Hands:
    return Hands(kube, lambda pod: said)


def test_a_procedure_gets_results_and_errors_where_it_asked() -> None:
    kube = FakeKube()
    kube.create(POD, a_pod())

    def story() -> Procedure[list[str]]:
        found = yield from read(POD, "main-r0-1")
        try:
            yield from read(POD, "nobody")
        except NotFound as missing:
            return [found["metadata"]["name"], str(missing)]
        return []

    told = asyncio.run(drive(story(), hands(kube).perform))

    assert told == ["main-r0-1", "pods nobody not found"]


def test_what_is_done_together_is_answered_one_by_one() -> None:
    kube = FakeKube()
    kube.create(POD, a_pod())

    def story() -> Procedure[list[Any]]:
        return (yield from together([Read(POD, "main-r0-1"), Read(POD, "nobody")]))

    found, missing = asyncio.run(drive(story(), hands(kube).perform))

    assert found["metadata"]["name"] == "main-r0-1"
    assert isinstance(missing, NotFound)


def test_what_a_procedure_does_not_catch_reaches_its_driver() -> None:
    with pytest.raises(NotFound):
        asyncio.run(drive(read(POD, "nobody"), hands(FakeKube()).perform))


def test_a_pause_ends_when_something_happens_to_the_group() -> None:
    async def story() -> None:
        resting = hands(FakeKube())

        async def stir() -> None:
            resting.stir("group-1")

        async with asyncio.TaskGroup() as group:
            group.create_task(drive(pause(), resting.perform))
            await asyncio.sleep(0)
            group.create_task(stir())

    def pause() -> Procedure[None]:
        yield Pause(3600, group="group-1")

    asyncio.run(story())


def test_to_say_a_pod_is_not_the_clusters_business() -> None:
    def story() -> Procedure[bool]:
        return bool((yield Say(a_pod())))

    assert asyncio.run(drive(story(), hands(FakeKube(), said=True).perform))


class Forgetful(FakeKube):
    """Its list expires before the second page is asked for."""

    def page(self, kind: Kind, selector: str, following: str | None = None) -> Page:
        if following is not None:
            raise Expired(410, "the continue token is too old")
        return Page([a_pod()], "1", "more")


def test_a_list_that_expires_half_way_is_no_list() -> None:
    with pytest.raises(Unreachable):
        run(Forgetful(), listing(POD, "x"))


def test_an_empty_together_asks_nobody() -> None:
    asked: list[Call] = []

    async def perform(call: Call) -> Json:
        asked.append(call)
        return {}

    assert asyncio.run(drive(together([]), perform)) == []
    assert asked == []
    assert CONFIG_MAP.root == "/api/v1"


class Busy(FakeKube):
    """Says "not now, in two seconds" to so many requests."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals
        self.asked: list[str] = []

    def read(self, kind: Kind, name: str) -> Json:
        self.asked.append(name)
        if self.refusals:
            self.refusals -= 1
            raise Throttled("too many requests", after=2.0)
        return super().read(kind, name)


class Watch:
    """A clock that runs only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self.asleep = asyncio.Event()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.asleep.set()
        await asyncio.sleep(0)
        self.now += seconds


def patient(kube: FakeKube, watch: Watch) -> Hands:
    return Hands(kube, lambda pod: True, clock=watch.clock, sleep=watch.sleep)


def test_an_api_server_that_is_asked_too_much_is_left_alone_for_as_long_as_it_says() -> None:
    kube, watch = Busy(refusals=2), Watch()
    kube.create(POD, a_pod())

    asyncio.run(patient(kube, watch).perform(Read(POD, "main-r0-1")))

    assert kube.asked == ["main-r0-1"] * 3
    assert watch.slept == [2.0, 2.0]


def test_nobody_else_asks_meanwhile() -> None:
    kube, watch = Busy(refusals=1), Watch()
    kube.create(POD, a_pod())
    kube.create(POD, a_pod("other"))
    hands = patient(kube, watch)

    async def another() -> None:
        await watch.asleep.wait()
        await hands.perform(Read(POD, "other-r0-1"))

    async def both() -> None:
        await asyncio.gather(hands.perform(Read(POD, "main-r0-1")), another())

    asyncio.run(both())

    assert watch.slept == [2.0, 2.0]
    assert kube.asked[0] == "main-r0-1"
    assert sorted(kube.asked[1:]) == ["main-r0-1", "other-r0-1"]


def test_a_server_that_stays_busy_puts_the_procedure_off() -> None:
    kube, watch = Busy(refusals=99), Watch()

    with pytest.raises(Unreachable):
        asyncio.run(patient(kube, watch).perform(Read(POD, "main-r0-1")))

    assert len(kube.asked) == THROTTLED_TRIES
