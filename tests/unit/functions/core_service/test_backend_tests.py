"""Backend tests and rules of conditions as OSMO's clients set and read them."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from tests.builders import NOON
from tests.builders_placement import a_node
from tests.stories.world import BACKEND, World
from tests.unit.functions.core_service.test_api import a_client
from tests.unit.functions.core_service.test_templates import POOL, get, put
from xylem.domain.ids import ConnectionId
from xylem.ports.backends import NodeFacts

RECORDED = {
    "name": "bt1",
    "description": "d",
    "cron_schedule": "0 2 * * *",
    "node_conditions": ["X"],
    "common_pod_template": ["default_user"],
}
"""As OSMO took it, of which no pod could come."""

PROBE = {
    "spec": {
        "nodeSelector": {"kind": "a100"},
        "containers": [{"name": "{{USER_CONTAINER_NAME}}", "image": "registry.test/probe:1"}],
    }
}
GPU = {**RECORDED, "name": "gpu", "node_conditions": ["gpu"], "common_pod_template": ["probe"]}


@pytest.fixture
def world() -> World:
    world = World()
    world.backends.hello(
        BACKEND,
        cluster_uid="uid",
        boot_id="boot",
        version="0.1.0",
        connection=ConnectionId("c"),
        now=NOON,
    )
    return world


@pytest.fixture
def admin(world: World) -> TestClient:
    admin = a_client(world, roles="osmo-admin")
    assert put(admin, "pod_template/probe", PROBE) == ""
    return admin


def say(admin: TestClient, **configs: Any) -> Response:
    """Of the backend."""
    return admin.post(f"/api/configs/backend/{BACKEND}", json={"configs": configs})


def refused(answer: Response) -> str:
    assert answer.status_code == 400, answer.text
    return str(answer.json()["message"])


def test_a_test_is_set_read_and_deleted(admin: TestClient) -> None:
    assert get(admin, "backend_test") == {}
    assert put(admin, "backend_test/gpu", GPU) == ""
    assert put(admin, "backend_test", {"bt1": RECORDED}) == ""

    found = get(admin, "backend_test/gpu")

    assert found == {
        **GPU,
        "test_timeout": "300s",
        "parsed_pod_template": {
            "spec": {
                "nodeSelector": {"kind": "a100"},
                "containers": [{"name": "gpu", "image": "registry.test/probe:1"}],
            }
        },
    }
    assert put(admin, "backend_test/gpu", found) == ""
    assert set(get(admin, "backend_test")) == {"gpu", "bt1"}
    gone = admin.request("DELETE", "/api/configs/backend_test/gpu", json={"description": "d"})
    assert (gone.status_code, gone.json()) == (200, None)
    assert refused(admin.get("/api/configs/backend_test/gpu")) == (
        "Backend Test gpu does not exist."
    )
    assert refused(admin.delete("/api/configs/backend_test/gpu")) == (
        "Backend Test gpu does not exist."
    )


def test_a_bad_schedule_gets_osmos_recorded_answer(admin: TestClient) -> None:
    wrong = {**RECORDED, "name": "bt2", "cron_schedule": "x"}

    answer = admin.put("/api/configs/backend_test/bt2", json={"configs": wrong})

    assert (answer.status_code, answer.json()["error_code"]) == (400, "USER")
    assert answer.json()["message"] == (
        "Invalid cron schedule format 'x'. Expected 5 fields: minute hour day month weekday "
        "(e.g., '0 2 * * *')"
    )


def test_what_is_wrong_is_told_with_its_path_all_at_once(admin: TestClient) -> None:
    wrong = {**GPU, "common_pod_template": ["probe", "none"], "cron_schedule": "0 2 * * 9"}

    refusal = put(admin, "backend_test", {"other": wrong})

    assert refusal.splitlines() == [
        "configs.other.name: is gpu, but this is the config of other.",
        "Invalid cron schedule '0 2 * * 9': '9' is no weekday. Write *, a number from 0 to 6 (or "
        "sun to sat), a range like 0-6, or either of them with a step like */5.",
        "configs.other.common_pod_template[1]: none is not known: known are default_ctrl, "
        "default_user, probe.",
    ]
    assert get(admin, "backend_test") == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"node_conditions": []},
        {"node_conditions": ["osmo.nvidia.com/gpu"]},
        {"common_pod_template": []},
        {"test_timeout": "soon"},
        {"test_timeout": "0s"},
        {"cron": "0 2 * * *"},
    ],
)
def test_a_value_that_can_mean_nothing_is_malformed(
    admin: TestClient, changes: dict[str, Any]
) -> None:
    answer = admin.put("/api/configs/backend_test/gpu", json={"configs": {**GPU, **changes}})

    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["GPU", "g.p", "g" * 42])
def test_a_test_has_a_name_that_a_cron_job_can_have(admin: TestClient, name: str) -> None:
    answer = admin.put(f"/api/configs/backend_test/{name}", json={"configs": {**GPU, "name": name}})

    assert answer.status_code == 422


def test_a_patch_changes_what_it_names(admin: TestClient) -> None:
    put(admin, "backend_test/gpu", GPU)

    def patch(**changes: Any) -> Response:
        return admin.patch("/api/configs/backend_test/gpu", json={"configs_dict": changes})

    answer = patch(node_conditions=["nvlink"], test_timeout="10m")

    assert answer.status_code == 200
    assert answer.json() == get(admin, "backend_test/gpu")
    assert answer.json()["node_conditions"] == ["nvlink"]
    assert answer.json()["description"] == "d"
    assert patch(node_conditions=[]).status_code == 422
    assert "configs_dict.name" in refused(patch(name="other"))
    assert get(admin, "backend_test/gpu") == answer.json()


def test_a_backend_names_only_tests_that_are_there_and_keeps_them(admin: TestClient) -> None:
    put(admin, "backend_test/gpu", GPU)

    assert refused(say(admin, tests=["gpu", "nfs"])) == (
        "configs.tests[1]: nfs is not known: known are gpu."
    )
    assert say(admin, tests=["gpu", "gpu"]).status_code == 200
    assert say(admin, description="in the east").status_code == 200

    assert get(admin, f"backend/{BACKEND}")["tests"] == ["gpu"]
    assert refused(admin.delete("/api/configs/backend_test/gpu")) == (
        f"Backend Test gpu is used by backends: {BACKEND}. Take it out of their tests first."
    )
    assert refused(admin.delete("/api/configs/pod_template/probe")) == (
        "Pod Template probe is used by backend tests: gpu. Take it out of them first."
    )
    assert say(admin, tests=[]).status_code == 200
    assert admin.delete("/api/configs/backend_test/gpu").status_code == 200
    assert admin.delete("/api/configs/pod_template/probe").status_code == 200


def test_a_test_of_which_no_pod_comes_is_named_by_no_backend(admin: TestClient) -> None:
    put(admin, "backend_test/bt1", RECORDED)
    put(admin, "backend_test/gpu", GPU)

    assert refused(say(admin, tests=["bt1"])) == (
        "backend test bt1: container bt1 of its pod templates has no image."
    )
    assert say(admin, tests=["gpu"]).status_code == 200
    broken: dict[str, Any] = {"spec": {}}
    assert put(admin, "pod_template/probe", broken) == (
        "backend test gpu: its pod templates have no container: name one that says what to run."
    )
    assert put(admin, "backend_test/gpu", {**GPU, "common_pod_template": ["default_user"]}) == (
        "backend test gpu: container gpu of its pod templates has no image."
    )


def test_rules_of_conditions_read_back_and_decide_which_nodes_are_used(
    admin: TestClient, world: World
) -> None:
    ill = {"Ready": "True", "osmo.nvidia.com/gpu": "False"}
    world.backends.note_nodes(
        NodeFacts(BACKEND, "boot", 1, (a_node("a", conditions=ill), a_node("b")))
    )
    put(admin, "pool/default", POOL)
    usual = {"rules": {"Ready": "True"}, "prefix": "osmo.nvidia.com/"}

    def conditions() -> dict[str, Any]:
        found = admin.get("/api/resources", params={"all_pools": True}).json()["resources"]
        return {one["hostname"]: one["conditions"] for one in found}

    assert get(admin, f"backend/{BACKEND}")["node_conditions"] == usual
    assert conditions() == {"a": None, "b": None}
    rules = {"rules": {"osmo.nvidia.com/.*": "True|Unknown"}, "prefix": "ml.osmo.nvidia.com/"}
    assert say(admin, node_conditions=rules).status_code == 200

    assert get(admin, f"backend/{BACKEND}")["node_conditions"] == rules
    assert conditions() == {"a": ["osmo.nvidia.com/gpu is False"], "b": None}
    assert say(admin, node_conditions={"rules": None}).status_code == 200
    assert get(admin, f"backend/{BACKEND}")["node_conditions"] == usual


@pytest.mark.parametrize(
    ("rules", "wrong"),
    [
        ({"(": "True"}, "( is no regular expression"),
        ({"Ready": "["}, "[ is no regular expression"),
        ({"Ready": "true"}, "true permits no status: one is True, False, Unknown"),
        ({"": "True"}, "it is empty"),
        ({"x" * 201: "True"}, "it has 201 characters"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(
    admin: TestClient, rules: dict[str, str], wrong: str
) -> None:
    refusal = refused(say(admin, node_conditions={"rules": rules}))

    assert refusal.startswith("configs.node_conditions.rules.")
    assert wrong in refusal


@pytest.mark.parametrize("prefix", ["osmo.nvidia.com", "/", "A/", "a b/", "x" * 260 + "/"])
def test_a_prefix_is_a_domain_and_a_slash(admin: TestClient, prefix: str) -> None:
    assert say(admin, node_conditions={"prefix": prefix}).status_code == 422


def test_tests_are_an_admins_to_read(world: World) -> None:
    alice = a_client(world)

    assert alice.get("/api/configs/backend_test").status_code == 403
    assert alice.get("/api/configs/backend_test/gpu").status_code == 403
    assert alice.put("/api/configs/backend_test/gpu", json={"configs": GPU}).status_code == 403
    patched = alice.patch("/api/configs/backend_test/gpu", json={"configs_dict": {}})
    assert patched.status_code == 403
    assert alice.delete("/api/configs/backend_test/gpu").status_code == 403
