"""One pool that takes a workflow or says why not; of several the one that starts it soonest."""

from dataclasses import replace
from typing import Any

import pytest

from tests.builders import BACKEND, NOON
from tests.builders_placement import a_node, a_pool, in_use
from tests.builders_spec import a_task, yaml_of
from xylem.domain.errors import InvalidRequest, InvalidSpec, UnknownPool
from xylem.domain.exits import ExitRule
from xylem.domain.ids import BackendName, ConnectionId, PoolName, UserName
from xylem.domain.node import Node
from xylem.domain.placement import Choice
from xylem.domain.plan import Resources
from xylem.domain.pool import GpuQuota, Platform, Pool, PoolLimits
from xylem.memory.backends import MemoryBackends
from xylem.memory.catalog import MemoryDatasetConfigs
from xylem.memory.configs import MemoryConfigs
from xylem.memory.credentials import MemoryCredentials
from xylem.memory.store import MemoryStore
from xylem.ports.backends import NodeFacts
from xylem.usecases import submit
from xylem.usecases.clusters import Clusters
from xylem.usecases.placing import MOST_POOLS
from xylem.usecases.submit import Checked, Request

FAR = BackendName("cluster-2")
ALICE = UserName("alice")


class Place:
    """Two clusters that are connected, and pools on them."""

    def __init__(self, *pools: Pool) -> None:
        self.pools = MemoryConfigs()
        for pool in pools:
            self.pools.put(pool, author=ALICE, now=NOON)
        self.backends = MemoryBackends(MemoryStore())
        for name in (BACKEND, FAR):
            connection = ConnectionId(f"c-{name}")
            self.backends.hello(
                name, cluster_uid=name, boot_id="b", version="1", connection=connection, now=NOON
            )

    def has(self, backend: BackendName, *nodes: Node) -> "Place":
        mine = tuple(replace(node, backend=backend) for node in nodes)
        self.backends.note_nodes(NodeFacts(backend, "b", 1, mine))
        return self

    def check(
        self, pool: str, *, gpu: int = 1, priority: str = "NORMAL", admin: bool = False, **more: Any
    ) -> Checked:
        text = yaml_of(a_task(), resources={"default": {"gpu": gpu}}, **more)
        return self.check_text(pool, text, priority=priority, admin=admin)

    def check_text(
        self, pool: str, text: str, *, priority: str = "NORMAL", admin: bool = False
    ) -> Checked:
        return submit.check(
            Request(text=text, user=ALICE, priority=priority),
            pool,
            pools=self.pools,
            configs=MemoryConfigs(),
            workflows=MemoryStore().workflows,
            credentials=MemoryCredentials(),
            dataset_configs=MemoryDatasetConfigs(),
            clusters=Clusters(self.backends, lambda: NOON),
            admin=admin,
        )


def refused(place: Place, pool: str, **more: Any) -> InvalidSpec:
    with pytest.raises(InvalidSpec) as error:
        place.check(pool, **more)
    return error.value


NEAR_POOL, FAR_POOL = a_pool("near"), a_pool("far", backend=FAR)


def test_a_pool_that_is_named_alone_takes_the_workflow_though_it_is_full() -> None:
    place = Place(NEAR_POOL).has(BACKEND, a_node(uses=(in_use(8),)))

    found = place.check("near", gpu=8)

    assert (found.pool.name, found.placement) == ("near", None)


def test_more_than_its_largest_node_has_is_refused_at_once() -> None:
    error = refused(Place(NEAR_POOL).has(BACKEND, a_node(gpu=6)), "near", gpu=8)

    assert "platform a100: largest node has 6 GPUs, task a wants 8 GPUs" in str(error)
    assert (error.code, error.workflow) == ("RESOURCE", "w")


def test_maintenance_refuses_all_but_administrators() -> None:
    place = Place(a_pool("near", maintenance=True))

    error = refused(place, "near")

    assert (error.code, error.workflow) == ("USAGE", None)
    assert str(error).startswith("Pool near is under maintenance")
    assert place.check("near", admin=True).pool.name == "near"


def test_of_several_the_one_with_room_is_chosen_and_the_numbers_are_kept() -> None:
    place = Place(NEAR_POOL, FAR_POOL)
    place.has(BACKEND, a_node(uses=(in_use(5),))).has(FAR, a_node())

    found = place.check("near, far", gpu=4)

    assert found.pool.name == "far"
    assert found.placement is not None
    chosen, other = found.placement.considered
    assert (chosen.pool, chosen.outcome, chosen.gpus_free, chosen.gpus_wanted) == (
        "far",
        "now",
        8,
        4,
    )
    assert (other.pool, other.outcome, other.gpus_free) == ("near", "queue", 3)
    assert other.reasons == ("platform a100: largest free node has 3 GPUs, task a wants 4 GPUs",)
    assert (found.placement.pool, found.placement.at) == ("far", NOON)


def test_a_pool_that_would_refuse_it_alone_is_no_candidate() -> None:
    strict = a_pool("near", gpu=GpuQuota(guarantee=2))
    place = Place(strict, FAR_POOL)
    place.has(BACKEND, a_node()).has(FAR, a_node(uses=(in_use(8),)))

    found = place.check("near,far", gpu=4)

    assert found.pool.name == "far"
    assert found.placement is not None
    assert found.placement.considered[1].outcome == "impossible"


def test_where_all_would_refuse_it_each_says_why() -> None:
    place = Place(NEAR_POOL, a_pool("far", maintenance=True)).has(BACKEND, a_node(gpu=1))

    error = refused(place, "near,far", gpu=4)

    assert str(error).splitlines()[0] == "None of the pools can run it."
    assert "pool near: workflow.resources.default: platform a100: largest node has 1" in str(error)
    assert "pool far: Pool far is under maintenance" in str(error)
    assert error.code == "RESOURCE"


def test_a_pool_whose_backend_is_away_is_the_last_choice() -> None:
    place = Place(a_pool("lost", backend=BackendName("nobody")), NEAR_POOL)
    place.has(BACKEND, a_node(uses=(in_use(8),)))

    assert place.check("lost,near", gpu=4).pool.name == "near"
    assert place.check("lost", gpu=4).pool.name == "lost"


def test_a_name_twice_is_one_pool_and_an_unknown_one_is_named() -> None:
    place = Place(NEAR_POOL)

    assert place.check("near,near").placement is None
    with pytest.raises(UnknownPool, match="Pool nope not found"):
        place.check("near,nope")
    with pytest.raises(InvalidRequest, match="name 8 at the most"):
        place.check(",".join(f"p{number}" for number in range(MOST_POOLS + 1)))


def test_what_a_pool_gives_by_default_is_written_into_the_plan() -> None:
    pool = a_pool(
        "near",
        platforms={"a100": Platform(defaults=Resources(cpu=8))},
        default_limits=PoolLimits(queue=NOON - NOON.replace(hour=10)),
    )

    plan = Place(pool).check("near").plan

    assert plan.groups[0].tasks[0].resources == Resources(8, 1, 1024**3, 1024**3, "a100")
    assert plan.limits.queue.total_seconds() == 7200


def test_what_the_pool_says_of_exit_codes_comes_after_what_the_task_says() -> None:
    rescheduled = ExitRule("reschedule", ((3006, 3006),))
    place = Place(a_pool("near", exit_rules=(rescheduled,)))
    text = yaml_of(a_task(exitActions={"COMPLETE": "7"}))

    [task] = place.check_text("near", text).plan.groups[0].tasks

    assert task.exit_rules == (ExitRule("complete", ((7, 7),)), rescheduled)


def test_the_choice_is_kept_in_few_bytes() -> None:
    pools = [a_pool(f"p{number}", gpu=GpuQuota(guarantee=0)) for number in range(MOST_POOLS - 1)]
    place = Place(NEAR_POOL, *pools).has(BACKEND, a_node())

    kept = place.check(",".join(["near", *(pool.name for pool in pools)])).placement

    assert isinstance(kept, Choice)
    assert kept.pool == PoolName("near")
    assert all(len("".join(one.reasons)) <= 200 for one in kept.considered)
