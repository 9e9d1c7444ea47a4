"""What the names in a pool come to."""

from dataclasses import replace
from typing import Any

import pytest

from tests.builders_placement import a_node, a_pool, a_site
from tests.builders_spec import a_plan, a_planned_task
from xylem.domain.errors import UnknownPool
from xylem.domain.ids import BackendName
from xylem.domain.node import Amounts, Taint, Toleration
from xylem.domain.placement import gang, impossible, mismatch
from xylem.domain.plan import Resources
from xylem.domain.pool import SIDECAR, Assertion, Platform, Pool, Scheduler, scheduling
from xylem.domain.pool_book import (
    SHIPPED_VALIDATIONS,
    BackendConfig,
    PoolBook,
    found,
    with_pool,
)

NEVER = Assertion("LT", "{{USER_GPU}}", "0", "none")


def a_book(pool: Pool, **templates: Any) -> PoolBook:
    return with_pool(pool, PoolBook(pod_templates=templates))


def platform_of(pool: Pool, **templates: Any) -> Platform:
    """The pool's only one, its names looked up."""
    [platform] = found(pool.name, a_book(pool, **templates)).platforms.values()
    return platform


def a_pool_with(platform: Platform, **fields: Any) -> Pool:
    return replace(a_pool(), platforms={"default": platform}, default_platform="default", **fields)


def selecting(**labels: str) -> dict[str, Any]:
    return {"spec": {"nodeSelector": labels}}


def test_the_platforms_templates_come_after_the_pools() -> None:
    pool = a_pool_with(Platform(pod_templates=("third",)), pod_templates=("first", "second"))

    platform = platform_of(
        pool,
        first=selecting(a="1", b="1", c="1"),
        second=selecting(b="2", c="2"),
        third=selecting(c="3"),
    )

    assert platform.template == selecting(a="1", b="2", c="3")


def test_what_two_group_templates_say_of_one_object_is_one() -> None:
    def a_map(name: str, **data: str) -> dict[str, Any]:
        named = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        return {**named, "data": data}

    book = PoolBook(
        group_templates={
            "first": a_map("x", a="1", b="1"),
            "over": a_map("x", b="2"),
            "y": a_map("y"),
        }
    )
    pool = replace(a_pool(), group_templates=("first", "y", "over"))

    resolved = found(pool.name, with_pool(pool, book))

    assert resolved.group_objects == (a_map("x", a="1", b="2"), a_map("y"))


def test_where_pods_go_is_what_their_templates_say_too() -> None:
    tolerated = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    pool = a_pool_with(
        Platform(labels={"zone": "own"}, tolerations=(Toleration("own", "Exists"),)),
        pod_templates=("a100",),
    )

    platform = platform_of(
        pool,
        a100={"spec": {"nodeSelector": {"kind": "a100", "zone": "x"}, "tolerations": [tolerated]}},
    )

    assert platform.labels == {"kind": "a100", "zone": "own"}
    assert platform.tolerations == (
        Toleration("own", "Exists"),
        Toleration("gpu", "Exists", "", "NoSchedule"),
    )
    node = a_node("n", labels={"kind": "a100", "zone": "own"})
    tainted = replace(node, taints=(Taint("gpu", "NoSchedule"),))
    assert mismatch(platform, tainted) is None
    assert mismatch(platform, a_node("n")) is not None


def test_what_differs_from_task_to_task_chooses_no_nodes() -> None:
    varying = {
        "nodeSelector": {"team": "{{WF_SUBMITTED_BY}}"},
        "tolerations": [{"key": "{{WF_POOL}}", "operator": "Exists"}],
    }

    platform = platform_of(a_pool_with(Platform(), pod_templates=("t",)), t={"spec": varying})

    assert (platform.labels, platform.tolerations) == ({}, ())


def test_folders_that_a_template_mounts_are_mounted_anyway() -> None:
    containers = [
        {"name": "{{USER_CONTAINER_NAME}}", "volumeMounts": [{"name": "d", "mountPath": "/data"}]},
        {"name": "osmo-ctrl", "volumeMounts": [{"name": "c", "mountPath": "/ctrl"}]},
    ]

    platform = platform_of(
        a_pool_with(Platform(default_mounts=("/own",)), pod_templates=("t",)),
        t={"spec": {"containers": containers}},
    )

    assert platform.default_mounts == ("/own", "/data")


def test_what_a_pod_asks_for_beside_its_task_is_what_its_templates_say() -> None:
    sidecar = {"name": "osmo-ctrl", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}
    watcher = {"name": "watcher", "resources": {"requests": {"cpu": "250m"}}}
    varying = {"name": "osmo-ctrl", "resources": {"requests": {"cpu": "{{USER_CPU}}"}}}
    task = {"name": "{{USER_CONTAINER_NAME}}", "resources": {"requests": {"cpu": "8"}}}

    def beside(*containers: Any) -> Amounts:
        pool = a_pool_with(Platform(), pod_templates=("t",))
        return platform_of(pool, t={"spec": {"containers": list(containers)}}).beside

    assert beside() == beside(task) == beside(varying) == SIDECAR
    assert beside(sidecar, watcher, task) == Amounts(
        cpu=1250, memory=1024**3, storage=SIDECAR.storage
    )


def test_a_task_that_leaves_no_room_for_its_sidecar_fits_nowhere() -> None:
    sidecar = {"name": "osmo-ctrl", "resources": {"requests": {"cpu": "2"}}}
    task = a_planned_task(resources=Resources(cpu=7))
    node = a_node(cpu=8)

    def why(**templates: Any) -> list[str]:
        pool = a_pool_with(Platform(), pod_templates=tuple(templates))
        site = a_site(node, pool=found("default", a_book(pool, **templates)))
        return list(impossible(site, [gang(a_plan(task), site.pool)]).values())

    assert why() == []
    assert why(t={"spec": {"containers": [sidecar]}}) == [
        "platform default: largest node has 8 CPUs, task a wants 7 CPUs beside the runtime's own"
    ]


def test_conditions_are_looked_up_and_those_that_came_along_stand_for_all() -> None:
    looked_up = a_pool_with(
        Platform(resource_validations=("default_cpu",)), resource_validations=("default_memory",)
    )
    brought = a_pool_with(Platform(), resource_validations=("default_cpu",), assertions=(NEVER,))

    pool = found(looked_up.name, a_book(looked_up))
    assert pool.assertions == SHIPPED_VALIDATIONS["default_memory"]
    assert pool.platforms["default"].assertions == SHIPPED_VALIDATIONS["default_cpu"]
    assert found(brought.name, a_book(brought)).assertions == (NEVER,)


def test_a_pool_has_the_scheduler_of_its_backend() -> None:
    kai = Scheduler("kai", "kai-scheduler")
    pool = a_pool_with(Platform())
    book = replace(a_book(pool), backends={pool.backend: BackendConfig(scheduler=kai)})
    other = replace(book, backends={BackendName("other"): BackendConfig(scheduler=kai)})

    assert found(pool.name, book).scheduler == kai
    assert found(pool.name, other).scheduler.type == "default"


def test_a_pool_that_nobody_put_is_unknown() -> None:
    with pytest.raises(UnknownPool):
        found("nope", PoolBook())


def test_what_names_a_template_is_known_by_pool() -> None:
    first = replace(a_pool("a"), pod_templates=("t",), resource_validations=("v",))
    second = replace(
        a_pool("b"),
        platforms={"p": Platform(pod_templates=("t",), resource_validations=("v",))},
    )
    book = with_pool(second, with_pool(first, with_pool(a_pool("c"), PoolBook())))

    assert book.naming_template("t") == ["a", "b"]
    assert book.naming_validation("v") == ["a", "b"]
    assert book.naming_template("x") == []


def test_a_workflow_takes_along_what_its_platforms_put_onto_pods() -> None:
    pool = a_pool_with(
        Platform(variables={"B": 2}), pod_templates=("t",), variables={"A": 1, "B": 1}
    )

    [given] = scheduling(found(pool.name, a_book(pool, t=selecting(a="{{A}}")))).values()

    assert given.template == selecting(a="{{A}}")
    assert given.variables == {"A": 1, "B": 2}
