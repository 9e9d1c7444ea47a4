"""Pools, quotas and resources as OSMO's clients get them, as they were recorded."""

from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.builders import NOON
from tests.builders_placement import GIB, a_node, in_use
from tests.stories.world import BACKEND, USER, World
from tests.unit.functions.core_service.test_api import a_client, submit
from tests.unit.spec.test_pools import OSMO
from xylem.domain.node import Amounts, Node, Taint
from xylem.domain.pool import SIDECAR
from xylem.domain.role import Policy, Role, with_role
from xylem.ports.backends import NodeFacts

RECORDED = Amounts(cpu=16_000, gpu=8, memory=64 * GIB, storage=200 * GIB)
CONFIG = {"backend": "cluster-1", "default_platform": "default", "platforms": {"default": {}}}


def has(world: World, *nodes: Node) -> World:
    mine = tuple(replace(node, backend=BACKEND) for node in nodes)
    world.backends.note_nodes(NodeFacts(BACKEND, "boot", 1, mine))
    return world


def admin(world: World) -> TestClient:
    return a_client(world, roles="osmo-admin")


def put(world: World, name: str = "default", **fields: Any) -> World:
    config = {**CONFIG, "backend": BACKEND, **fields}
    answer = admin(world).put(f"/api/configs/pool/{name}", json={"configs": config})
    assert answer.status_code == 200, answer.text
    return world


def get(world: World, path: str, **query: Any) -> Any:
    answer = a_client(world).get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_config_is_put_and_reads_back_as_osmo_writes_it() -> None:
    world = put(World(), **{**OSMO, "backend": BACKEND})

    found = admin(world).get("/api/configs/pool").json()["pools"]["default"]

    assert found == {**OSMO, "backend": BACKEND}
    assert admin(world).get("/api/configs/pool/default").json() == found


def test_the_pool_of_a_list_is_minimal() -> None:
    world = put(World(), **{**OSMO, "backend": BACKEND})

    found = get(world, "/api/pool")["pools"]["default"]

    assert set(found) == {
        "name",
        "description",
        "status",
        "download_type",
        "enable_maintenance",
        "backend",
        "default_platform",
        "default_exec_timeout",
        "default_queue_timeout",
        "max_exec_timeout",
        "max_queue_timeout",
        "default_exit_actions",
        "resources",
        "topology_keys",
        "platforms",
    }
    assert found["platforms"]["default"] == {
        "description": "",
        "host_network_allowed": False,
        "privileged_allowed": False,
        "allowed_mounts": [],
        "default_mounts": [],
    }


def test_what_does_not_fit_together_is_a_400_with_its_paths() -> None:
    config = {
        "backend": "b",
        "platforms": {"a": {"allowed_mounts": ["x"]}},
        "max_exec_timeout": "y",
    }

    answer = admin(World()).put("/api/configs/pool/p", json={"configs": config})

    assert (answer.status_code, answer.json()["error_code"]) == (400, "USAGE")
    assert len(answer.json()["message"].splitlines()) == 2


def test_a_pool_under_maintenance_says_so_and_takes_nothing_but_from_admins() -> None:
    world = put(World(), enable_maintenance=True)

    assert get(world, "/api/pool")["pools"]["default"]["status"] == "MAINTENANCE"
    refused = submit(a_client(world))
    assert (refused.status_code, refused.json()["error_code"]) == (400, "USAGE")
    assert submit(admin(world)).status_code == 200


# Quotas -------------------------------------------------------------------------------------------


def test_the_quota_is_osmos_in_text() -> None:
    node = a_node(allocatable=RECORDED, others=Amounts(gpu=1))

    found = get(has(World(), node), "/api/pool_quota")

    usage = {
        "quota_used": "0",
        "quota_free": "8",
        "quota_limit": "8",
        "total_usage": "0",
        "total_capacity": "8",
        "total_free": "7",
    }
    [of] = found["node_sets"]
    [pool] = of["pools"]
    assert pool["resource_usage"] == found["resource_sum"] == usage
    assert pool["resources"] == {"gpu": {"guarantee": -1, "maximum": -1, "weight": 1}}


def test_low_work_counts_as_usage_but_not_against_the_guarantee() -> None:
    node = a_node(uses=(in_use(2), in_use(3, priority="LOW")))
    world = put(has(World(), node), resources={"gpu": {"guarantee": 4}})

    usage = get(world, "/api/pool_quota")["resource_sum"]

    assert usage == {
        "quota_used": "2",
        "quota_free": "2",
        "quota_limit": "4",
        "total_usage": "5",
        "total_capacity": "8",
        "total_free": "3",
    }


def test_pools_that_share_nodes_are_one_set_whose_nodes_count_once() -> None:
    world = has(World(), a_node("a", labels={"k": "a"}), a_node("b", labels={"k": "b"}))
    put(world, "default", platforms={"default": {"labels": {"k": "a"}}})
    put(world, "second", platforms={"default": {"labels": {"k": "b"}}})
    put(world, "third", platforms={"default": {"labels": {"k": "b"}}})

    found = get(world, "/api/pool_quota")

    sets = [{pool["name"] for pool in one["pools"]} for one in found["node_sets"]]
    assert sorted(sets, key=len) == [{"default"}, {"second", "third"}]
    assert found["resource_sum"]["total_capacity"] == "16"


def test_a_name_that_no_pool_has_is_an_empty_answer_and_none_at_all_is_refused() -> None:
    found = get(World(), "/api/pool_quota", pools=["nope"])

    assert found["node_sets"] == []
    assert set(found["resource_sum"].values()) == {"0"}
    refused = a_client(World()).get("/api/pool_quota", params={"all_pools": False})
    assert (refused.status_code, refused.json()["message"]) == (400, "No pool selected!")


# Resources ----------------------------------------------------------------------------------------


def test_a_resource_is_what_osmo_shows_of_it() -> None:
    node = a_node(
        "node1", allocatable=RECORDED, uses=(in_use(1),), taints=(Taint("x", "NoExecute"),)
    )
    world = put(
        has(World(), node),
        platforms={"default": {"tolerations": [{"operator": "Exists"}], "allowed_mounts": ["/d"]}},
    )

    [found] = get(world, "/api/resources/node1")["resources"]

    assert found["exposed_fields"] == {
        "node": "node1",
        "pool/platform": ["default/default"],
        "storage": "200",
        "cpu": "16",
        "memory": "64",
        "gpu": "8",
    }
    assert found["usage_fields"] == {
        "storage": str(GIB),
        "cpu": "1",
        "memory": "1048576Ki",
        "gpu": "1",
    }
    assert found["allocatable_fields"] == {
        "storage": "214748364800",
        "cpu": "16",
        "memory": "67108864Ki",
        "gpu": "8",
    }
    room = RECORDED.minus(SIDECAR)
    assert found["platform_allocatable_fields"] == {
        "default": {
            "default": {
                "storage": room.storage,
                "cpu": 15,
                "memory": f"{room.memory // 1024}Ki",
                "gpu": 8,
            }
        }
    }
    assert found["platform_available_fields"]["default"]["default"]["gpu"] == 7
    assert found["config_fields"]["default"]["default"]["allowed_mounts"] == ["/d"]
    assert "capacity_fields" not in found
    assert found["taints"] == [{"key": "x", "value": None, "effect": "NoExecute"}]
    assert (found["resource_type"], found["pool_platform_labels"]) == (
        "RESERVED",
        {"default": ["default"]},
    )


def test_a_node_shows_what_the_whole_machine_has_where_its_operator_tells() -> None:
    world = put(has(World(), a_node("node1", capacity=RECORDED)))

    [found] = get(world, "/api/resources/node1")["resources"]

    assert (found["capacity_fields"]["cpu"], found["capacity_fields"]["gpu"]) == ("16", "8")


def test_a_node_is_shared_reserved_or_unused() -> None:
    world = has(
        World(), a_node("a", labels={"k": "a"}), a_node("b", labels={"k": "b"}), a_node("c")
    )
    both = {"one": {"labels": {"k": "a"}}, "two": {"labels": {"k": "a"}}}
    put(world, platforms={"default": {"labels": {"k": "b"}}, **both})

    found = get(world, "/api/resources")["resources"]

    assert [(one["hostname"], one["resource_type"]) for one in found] == [
        ("a", "SHARED"),
        ("b", "RESERVED"),
        ("c", "UNUSED"),
    ]
    of_two = get(world, "/api/resources", pools=["default"], platforms=["two"])["resources"]
    assert [one["hostname"] for one in of_two] == ["a"]


def test_concise_is_one_entry_for_each_platform() -> None:
    world = has(World(), a_node(allocatable=RECORDED, uses=(in_use(1),)))

    [found] = get(world, "/api/resources", all_pools=True, concise=True)["pools"]

    assert found == {
        "pool": "default",
        "platform": "default",
        "status": "ONLINE",
        "usage_fields": {"storage": 1.0, "cpu": 1.0, "memory": 1.0, "gpu": 1.0},
        "allocatable_fields": {"storage": 200.0, "cpu": 16.0, "memory": 64.0, "gpu": 8.0},
        "backend": BACKEND,
    }


@pytest.mark.parametrize("name", ["nobody", "n" * 3000])
def test_an_unknown_resource_is_a_400(name: str) -> None:
    answer = a_client(World()).get(f"/api/resources/{name}")

    assert (answer.status_code, answer.json()["error_code"]) == (400, "DATABASE")


def test_a_workflow_that_named_several_pools_shows_how_its_pool_was_chosen() -> None:
    world = put(has(World(), a_node()), "second", enable_maintenance=True)
    text = "workflow:\n  name: w\n  tasks:\n  - {name: a, image: i, command: [run]}\n"
    team = Role("team", "", (Policy(("workflow:Create",), ("pool/second",)),))
    world.configs.change_roles(lambda roles: with_role(team, roles), author=USER, now=NOON)
    client = a_client(world, roles="osmo-user,team")

    made = client.post("/api/pool/second,default/workflow", json={"file": text})
    shown = client.get(f"/api/workflow/{made.json()['name']}").json()

    assert shown["pool"] == shown["placement"]["pool"] == "default"
    assert [one["outcome"] for one in shown["placement"]["considered"]] == ["now", "impossible"]
