"""Procedures are driven to their end; hands perform their calls in threads."""

import asyncio
from typing import Any

import pytest

from operators.shared.calls import (
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
