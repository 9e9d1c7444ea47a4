"""Pod templates, resource validations and backends as OSMO's clients set and read them."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.builders import NOON
from tests.stories.world import BACKEND, World
from tests.unit.functions.core_service.test_api import a_client
from tests.unit.spec.test_pod_templates import SHARED_MEMORY
from xylem.domain.ids import ConnectionId

RECORDED: dict[str, Any] = {
    "default_ctrl": {
        "spec": {
            "containers": [
                {
                    "name": "osmo-ctrl",
                    "resources": {
                        "limits": {
                            "cpu": "{{USER_CPU}}",
                            "memory": "{{USER_MEMORY}}",
                            "ephemeral-storage": "{{USER_STORAGE}}",
                        },
                        "requests": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"},
                    },
                }
            ]
        }
    },
    "default_user": {
        "spec": {
            "containers": [
                {
                    "name": "{{USER_CONTAINER_NAME}}",
                    "resources": {
                        "limits": {
                            "cpu": "{{USER_CPU}}",
                            "memory": "{{USER_MEMORY}}",
                            "nvidia.com/gpu": "{{USER_GPU}}",
                            "ephemeral-storage": "{{USER_STORAGE}}",
                        },
                        "requests": {
                            "cpu": "{{USER_CPU}}",
                            "memory": "{{USER_MEMORY}}",
                            "nvidia.com/gpu": "{{USER_GPU}}",
                            "ephemeral-storage": "{{USER_STORAGE}}",
                        },
                    },
                }
            ]
        }
    },
}
"""What OSMO answers of a new installation, as it was recorded."""

CONDITION = {
    "operator": "LE",
    "left_operand": "{{USER_GPU}}",
    "right_operand": "4",
    "assert_message": "{{USER_GPU}} GPUs are too many",
}
POOL = {"backend": BACKEND, "default_platform": "a", "platforms": {"a": {}}}


@pytest.fixture
def admin() -> TestClient:
    return a_client(World(), roles="osmo-admin")


def put(admin: TestClient, path: str, configs: Any, key: str = "configs") -> str:
    """The refusal, empty when it was taken."""
    answer = admin.put(f"/api/configs/{path}", json={key: configs})
    if answer.status_code == 200:
        assert answer.json() is None
        return ""
    assert answer.status_code == 400, answer.text
    return str(answer.json()["message"])


def get(admin: TestClient, path: str) -> Any:
    answer = admin.get(f"/api/configs/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_new_installation_has_what_osmos_has(admin: TestClient) -> None:
    assert get(admin, "pod_template") == RECORDED
    assert list(get(admin, "resource_validation")) == [
        "default_cpu",
        "default_memory",
        "default_storage",
    ]


def test_a_template_is_set_read_named_and_deleted_when_nobody_names_it(admin: TestClient) -> None:
    named = {**POOL, "common_pod_template": ["shm"], "common_default_variables": {"SHM": "2Gi"}}

    assert put(admin, "pod_template/shm", SHARED_MEMORY) == ""
    assert get(admin, "pod_template/shm") == SHARED_MEMORY
    assert put(admin, "pool/p", named) == ""
    used = admin.request("DELETE", "/api/configs/pod_template/shm", json={"description": "d"})
    assert (used.status_code, used.json()["error_code"]) == (400, "USER")
    assert put(admin, "pool/p", POOL) == ""
    gone = admin.request("DELETE", "/api/configs/pod_template/shm", json={})
    assert (gone.status_code, gone.json()) == (200, None)
    missing = admin.get("/api/configs/pod_template/shm")
    assert (missing.status_code, missing.json()["message"], missing.json()["error_code"]) == (
        400,
        "Pod Template shm does not exist.",
        "USER",
    )


def test_a_group_template_is_set_read_named_and_deleted(admin: TestClient) -> None:
    template = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    named = {**POOL, "common_group_templates": ["gt1"]}

    assert get(admin, "group_template") == {}
    assert "gt1 is not known" in put(admin, "pool/p", named)
    assert put(admin, "group_template/gt1", template) == ""
    assert "configs.apiVersion" in put(admin, "group_template/gt2", {"a": 1})
    assert "configs.two.kind" in put(admin, "group_template", {"one": template, "two": {"a": 1}})
    assert get(admin, "group_template") == {"gt1": template}
    assert get(admin, "group_template/gt1") == template
    assert put(admin, "pool/p", named) == ""
    assert get(admin, "pool/p")["common_group_templates"] == ["gt1"]
    assert admin.delete("/api/configs/group_template/gt1").status_code == 400
    assert put(admin, "pool/p", POOL) == ""
    assert admin.delete("/api/configs/group_template/gt1").status_code == 200
    assert admin.get("/api/configs/group_template/gt1").status_code == 400


def test_several_templates_are_set_at_once_or_none_of_them(admin: TestClient) -> None:
    bad = {"one": {"spec": {}}, "two": {"spec": {"nodeName": "n"}}}

    assert "configs.two.spec.nodeName" in put(admin, "pod_template", bad)
    assert put(admin, "pod_template", {"three": {"spec": {}}}) == ""
    assert list(get(admin, "pod_template")) == ["default_ctrl", "default_user", "three"]


def test_a_pool_names_only_what_is_there(admin: TestClient) -> None:
    refusal = put(admin, "pool/p", {**POOL, "common_resource_validations": ["few_gpus"]})

    assert "configs.common_resource_validations[0]: few_gpus is not known" in refusal
    assert put(admin, "resource_validation/few_gpus", [CONDITION]) == ""
    assert put(admin, "pool/p", {**POOL, "common_resource_validations": ["few_gpus"]}) == ""


def test_validations_are_set_together_under_osmos_other_key(admin: TestClient) -> None:
    given = {"few_gpus": [CONDITION]}

    assert put(admin, "resource_validation", given, key="configs_dict") == ""
    assert get(admin, "resource_validation/few_gpus") == [CONDITION]


def test_a_condition_that_means_nothing_is_named_by_its_path(admin: TestClient) -> None:
    wrong = {**CONDITION, "left_operand": "{{USER_TPU}}"}

    assert "configs[1].left_operand: {{USER_TPU}} is not known" in put(
        admin, "resource_validation/v", [CONDITION, wrong]
    )
    together = put(admin, "resource_validation", {"v": [wrong]}, key="configs_dict")
    assert "configs_dict.v[0].left_operand: {{USER_TPU}} is not known" in together


def test_a_validation_that_a_pool_names_is_not_deleted(admin: TestClient) -> None:
    put(admin, "pool/p", {**POOL, "platforms": {"a": {"resource_validations": ["default_cpu"]}}})

    used = admin.delete("/api/configs/resource_validation/default_cpu")
    free = admin.delete("/api/configs/resource_validation/default_memory")
    gone = admin.get("/api/configs/resource_validation/default_memory")

    assert (used.status_code, free.status_code, gone.status_code) == (400, 200, 400)
    assert used.json()["message"] == (
        "Resource Validation default_cpu is used by pools: p. Take it out of them first."
    )


def test_a_named_validation_refuses_what_breaks_it() -> None:
    world = World()
    admin = a_client(world, roles="osmo-admin")
    put(admin, "resource_validation/few_gpus", [CONDITION])
    put(admin, "pool/default", {**POOL, "common_resource_validations": ["few_gpus"]})

    spec = (
        "workflow: {name: w, resources: {default: {gpu: 8}}, "
        "tasks: [{name: t, image: i, command: [c]}]}"
    )
    answer = admin.post("/api/pool/default/workflow", json={"file": spec})

    assert (answer.status_code, answer.json()["error_code"]) == (400, "RESOURCE")
    assert "8 GPUs are too many" in answer.json()["message"]


def test_a_backend_says_which_scheduler_it_has(admin: TestClient) -> None:
    settings = {"scheduler_type": "volcano"}

    taken = admin.post(
        "/api/configs/backend/east",
        json={"configs": {"description": "in the east", "scheduler_settings": settings}},
    )
    wrong = admin.post(
        "/api/configs/backend/east",
        json={"configs": {"scheduler_settings": {"scheduler_type": "slurm"}}},
    )

    assert (taken.status_code, wrong.status_code) == (200, 422)


def test_a_backend_reads_back_as_osmo_writes_it() -> None:
    world = World()
    world.backends.hello(
        BACKEND,
        cluster_uid="uid",
        boot_id="boot",
        version="0.1.0",
        connection=ConnectionId("c"),
        now=NOON,
    )
    admin = a_client(world, roles="osmo-admin")
    admin.post(
        f"/api/configs/backend/{BACKEND}",
        json={"configs": {"scheduler_settings": {"scheduler_type": "kai"}}},
    )

    [found] = get(admin, "backend")["backends"]

    assert found == get(admin, f"backend/{BACKEND}")
    assert found["scheduler_settings"] == {
        "scheduler_type": "kai",
        "scheduler_name": "kai-scheduler",
        "scheduler_timeout": 30,
    }
    assert admin.post(f"/api/configs/backend/{BACKEND}", json={"configs": found}).status_code == 200


@pytest.mark.parametrize("path", ["pod_template", "resource_validation"])
def test_configs_are_an_admins_to_read(path: str) -> None:
    assert a_client(World()).get(f"/api/configs/{path}").status_code == 403
