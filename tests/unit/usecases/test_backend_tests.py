"""An operator learns its tests: at once if it can, else when it says which it has."""

from typing import Any

import pytest

from tests.builders import NOON
from tests.stories.world import BACKEND, BOOT, CONNECTION, USER, World
from xylem.domain.backend_test import BackendTest
from xylem.domain.errors import InvalidRequest
from xylem.domain.node_conditions import NodeConditions
from xylem.domain.pool_book import BackendConfig, PoolBook
from xylem.domain.values import replace
from xylem.protocol.agent import BackendTests, Jobs, Nodes, agent_message
from xylem.protocol.limits import FRAME_BYTES
from xylem.protocol.queues import NodesOf
from xylem.spec.backend_tests import TESTS_BYTES, require_pods
from xylem.usecases import backend_tests

PROBE = {"spec": {"containers": [{"name": "probe", "image": "probe"}]}}
GPU = BackendTest("0 2 * * *", conditions=("gpu",), pod_templates=("probe",), timeout="1m30s")
PREFIX = "ml.osmo.nvidia.com/"


def naming(*names: str, image: str = "probe") -> Any:
    """A change of the configs: the backend names these tests."""
    probe = {"spec": {"containers": [{"name": "probe", "image": image}]}}
    config = BackendConfig(node_conditions=NodeConditions(prefix=PREFIX), tests=names)

    def into(book: PoolBook) -> PoolBook:
        return replace(
            book,
            pod_templates={"probe": probe},
            backend_tests={"gpu": GPU, "nfs": replace(GPU, conditions=("nfs",))},
            backends={BACKEND: config},
        )

    return into


def change(world: World, into: Any) -> None:
    backend_tests.change(
        into,
        pools=world.pools,
        backends=world.backends,
        links=world.links,
        author=USER,
        now=NOON,
    )


def told(world: World) -> list[BackendTests]:
    """What was pushed of tests since the last look."""
    messages = [(to, agent_message.validate_json(text)) for to, text in world.links.take()]
    assert {to for to, _ in messages} <= {CONNECTION}
    return [one.tests for _, one in messages if isinstance(one, Jobs) and one.tests is not None]


def says(world: World, digest: str | None) -> bool:
    """The operator, of the tests that it has. Whether it was told others."""
    said = Nodes(boot_id=BOOT, number=1, whole=("", "~"), tests=digest)
    message = NodesOf(backend=BACKEND, connection=CONNECTION, nodes=said)
    return backend_tests.tell_changed(message, pools=world.pools, links=world.links)


def test_who_changes_a_backends_tests_tells_its_operator_at_once() -> None:
    world = World()
    change(world, naming("nfs", "gpu"))

    [tests] = told(world)

    assert [one.model_dump() for one in tests.tests] == [
        {
            "name": name,
            "schedule": "0 2 * * *",
            "timeout_seconds": 90,
            "conditions": [PREFIX + name],
            "template": PROBE,
        }
        for name in ("gpu", "nfs")
    ]


def test_a_template_of_a_test_that_is_changed_is_a_change_of_the_test() -> None:
    world = World()
    change(world, naming("gpu"))
    [first] = told(world)

    change(world, naming("gpu", image="probe:2"))
    change(world, naming("gpu", image="probe:2"))

    [second] = told(world)
    assert second.digest != first.digest
    assert second.tests[0].template["spec"]["containers"][0]["image"] == "probe:2"


def test_an_operator_that_has_others_is_told_and_one_that_has_them_is_not() -> None:
    world = World()
    change(world, naming("gpu"))
    [tests] = told(world)

    assert [says(world, digest) for digest in ("", "of yesterday", tests.digest, None)] == [
        True,
        True,
        False,
        False,
    ]
    assert told(world) == [tests, tests]


def test_an_operator_of_a_backend_without_tests_is_told_that_there_are_none() -> None:
    world = World()

    assert says(world, "")
    [none] = told(world)
    assert none.tests == []
    assert not says(world, none.digest)


def test_an_operator_that_is_away_learns_it_when_it_is_back() -> None:
    world = World()
    world.backends.disconnected(BACKEND, CONNECTION)

    change(world, naming("gpu"))

    assert told(world) == []
    assert says(world, "")


def test_tests_that_no_frame_holds_are_refused_when_they_are_named() -> None:
    fits = naming("gpu", image="x" * (TESTS_BYTES - 600))(PoolBook())
    require_pods(fits)
    frame = Jobs(jobs=[], tests=backend_tests.tests_of(BACKEND, fits)).model_dump_json()

    assert TESTS_BYTES - 600 < len(frame.encode()) <= FRAME_BYTES
    with pytest.raises(InvalidRequest, match=f"The tests of backend {BACKEND} come to"):
        require_pods(naming("gpu", image="x" * TESTS_BYTES)(PoolBook()))
