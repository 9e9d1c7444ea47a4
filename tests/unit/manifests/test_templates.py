"""A pod with an admin's template on it: what is merged, filled in, and stays ours all the same."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tests.builders_spec import GROUP, a_plan, a_planned_task, facts_of
from xylem.domain.node import Toleration
from xylem.domain.plan import CredentialUse, Resources, TaskPlan
from xylem.domain.pool import PodScheduling
from xylem.domain.pool_book import SHIPPED_TEMPLATES
from xylem.domain.templates import Template, Value, merged
from xylem.manifests import render
from xylem.manifests.names import FROM_TEMPLATE

GIB = 1024**3
TASK = "{{USER_CONTAINER_NAME}}"


def pod_with(
    template: Template,
    task: TaskPlan | None = None,
    *,
    nodes: Mapping[str, str] = MappingProxyType({}),
    tolerations: tuple[Toleration, ...] = (),
    variables: Mapping[str, Value] = MappingProxyType({}),
    **facts: Any,
) -> dict[str, Any]:
    """The pod of one task, whose platform has this template and these nodes."""
    platform = PodScheduling(nodes, tolerations, template, variables)
    plan = a_plan(task or a_planned_task("train_it"))
    known = {"scheduling": {"a100": platform}, "default_platform": "a100", **facts}
    pod: dict[str, Any] = render(plan, facts_of(plan, **known))[-1]
    return pod


def container(pod: dict[str, Any], name: str = "train-it") -> dict[str, Any]:
    [found] = [one for one in pod["spec"]["containers"] if one["name"] == name]
    return dict(found)


def of_task(**fields: Any) -> Template:
    return {"spec": {"containers": [{"name": TASK, **fields}]}}


def test_a_template_is_merged_into_the_container_that_it_names() -> None:
    plain = pod_with({})
    template = {
        "spec": {
            "containers": [
                {"name": TASK, "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}]},
                {"name": "watcher", "image": "watcher:1"},
            ],
            "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}],
            "runtimeClassName": "nvidia",
        }
    }

    pod = pod_with(template)

    mounts = container(plain)["volumeMounts"]
    assert container(pod)["volumeMounts"] == [*mounts, {"name": "shm", "mountPath": "/dev/shm"}]
    assert container(pod)["command"] == container(plain)["command"]
    assert [one["name"] for one in pod["spec"]["containers"]] == [
        "train-it",
        "osmo-ctrl",
        "watcher",
    ]
    assert pod["spec"]["volumes"][-1] == {"name": "shm", "emptyDir": {"medium": "Memory"}}
    assert pod["spec"]["runtimeClassName"] == "nvidia"


def test_osmos_shipped_templates_set_what_containers_get() -> None:
    template = merged(SHIPPED_TEMPLATES["default_ctrl"], SHIPPED_TEMPLATES["default_user"])
    asked = Resources(cpu=8, gpu=2, memory=16 * GIB, storage=100 * GIB)

    pod = pod_with(template, a_planned_task("train_it", resources=asked))

    amounts = {
        "cpu": "8",
        "memory": "16Gi",
        "nvidia.com/gpu": "2",
        "ephemeral-storage": "100Gi",
    }
    assert container(pod)["resources"] == {"limits": amounts, "requests": amounts}
    assert container(pod, "osmo-ctrl")["resources"] == {
        "requests": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"},
        "limits": {"cpu": "8", "memory": "16Gi", "ephemeral-storage": "100Gi"},
    }


def test_variables_are_osmos_and_the_platforms_own() -> None:
    names = (
        "USER_MEMORY_VAL",
        "USER_MEMORY_UNIT",
        "USER_MEMORY_Mi",
        "USER_STORAGE_B",
        "USER_CACHE",
        "WF_ID",
        "WF_GROUP_NAME",
        "WF_GROUP_UUID",
        "WF_TASK_NAME",
        "WF_RETRY_ID",
        "WF_LEAD_CONTAINER",
        "WF_POOL",
        "WF_PLATFORM",
        "WF_PRIORITY",
        "WF_SUBMITTED_BY",
        "TEAM",
    )
    template = of_task(env=[{"name": name, "value": f"{{{{{name}}}}}"} for name in names])
    asked = Resources(memory=2 * GIB, storage=1000)

    pod = pod_with(
        template, a_planned_task("train_it", resources=asked, lead=True), variables={"TEAM": "ml"}
    )

    env = {one["name"]: one["value"] for one in container(pod)["env"]}
    assert {name: env[name] for name in names} == {
        "USER_MEMORY_VAL": "2",
        "USER_MEMORY_UNIT": "Gi",
        "USER_MEMORY_Mi": "2048",
        "USER_STORAGE_B": "1000",
        "USER_CACHE": "900",
        "WF_ID": "w-1",
        "WF_GROUP_NAME": "g",
        "WF_GROUP_UUID": GROUP,
        "WF_TASK_NAME": "train_it",
        "WF_RETRY_ID": "0",
        "WF_LEAD_CONTAINER": "true",
        "WF_POOL": "default",
        "WF_PLATFORM": "a100",
        "WF_PRIORITY": "NORMAL",
        "WF_SUBMITTED_BY": "alice",
        "TEAM": "ml",
    }


def test_a_cache_is_as_large_as_a_task_says() -> None:
    template = of_task(env=[{"name": "CACHE", "value": "{{USER_CACHE}}"}])
    asked = Resources(storage=10 * GIB)

    def cache(size: str) -> str:
        task = a_planned_task("train_it", resources=asked, cache_size=size)
        env = {one["name"]: one["value"] for one in container(pod_with(template, task))["env"]}
        return str(env["CACHE"])

    assert (cache("50%"), cache("3Gi")) == ("5Gi", "3Gi")


def test_excluded_nodes_are_a_list_and_a_variable_without_a_value_leaves_its_key_out() -> None:
    template = of_task(lifecycle="{{NOTHING}}", ports="{{USER_EXCLUDED_NODES}}")
    asked = Resources(nodes_excluded=("n1", "n2"))

    pod = pod_with(
        template, a_planned_task("train_it", resources=asked), variables={"NOTHING": None}
    )

    assert container(pod)["ports"] == ["n1", "n2"]
    assert "lifecycle" not in container(pod)


def test_what_the_service_finds_its_pods_by_stands_before_a_template() -> None:
    template = {
        "metadata": {
            "labels": {"osmo.task_name": "x", "osmo.group_uuid": "x", "team": "ml", "own": "t"},
            "annotations": {"xylem.dev/task": "x", "prometheus.io/scrape": "true"},
        }
    }

    pod = pod_with(template, nodes={"own": "nodes"})["metadata"]

    assert pod["labels"]["osmo.task_name"] == "train_it"
    assert pod["labels"]["osmo.group_uuid"] == GROUP
    assert (pod["labels"]["team"], pod["labels"]["own"]) == ("ml", "t")
    assert pod["annotations"]["xylem.dev/task"] == "train_it"
    assert pod["annotations"]["prometheus.io/scrape"] == "true"


def test_labels_stand_in_osmos_order_user_then_nodes_then_template_then_system() -> None:
    labels = {"a": "user", "b": "user", "c": "user", "osmo.pool": "user"}
    template = {"metadata": {"labels": {"c": "template"}}}

    pod = pod_with(template, nodes={"b": "nodes", "c": "nodes"}, labels=labels)

    found = pod["metadata"]["labels"]
    assert [found[key] for key in ("a", "b", "c", "osmo.pool")] == [
        "user",
        "nodes",
        "template",
        "default",
    ]


def test_a_label_that_cannot_be_is_left_out_and_stops_no_pod() -> None:
    template = {"metadata": {"labels": {"by": "{{WF_SUBMITTED_BY}}", "long": "x" * 70}}}

    found = pod_with(template, user="alice@example.com")["metadata"]["labels"]

    assert "by" not in found
    assert found["long"] == "x" * 63


def test_a_volume_of_ours_may_lie_elsewhere() -> None:
    nvme = {"name": "osmo-data", "hostPath": {"path": "/nvme"}}

    volumes = {
        one["name"]: one for one in pod_with({"spec": {"volumes": [nvme]}})["spec"]["volumes"]
    }

    assert volumes["osmo-data"] == nvme
    assert volumes["osmo-run"] == {"name": "osmo-run", "emptyDir": {}}


def test_a_variable_of_the_environment_has_one_source() -> None:
    template = of_task(env=[{"name": "KEY", "value": "fixed"}])
    use = CredentialUse("c", environment={"KEY": "k"})

    pod = pod_with(template, a_planned_task("train_it", credentials=(use,)))

    assert [one for one in container(pod)["env"] if one["name"] == "KEY"] == [
        {"name": "KEY", "value": "fixed"}
    ]


def test_tolerations_that_the_platform_has_of_its_template_are_there_once() -> None:
    manifest = {"key": "gpu", "operator": "Exists"}

    pod = pod_with(
        {"spec": {"tolerations": [manifest]}}, tolerations=(Toleration("gpu", "Exists"),)
    )

    assert pod["spec"]["tolerations"] == [manifest]


def test_a_group_gets_the_objects_of_its_pools_group_templates_before_its_pods() -> None:
    template = {
        "apiVersion": "resource.nvidia.com/v1beta1",
        "kind": "ComputeDomain",
        "metadata": {
            "name": "domain-{{WF_GROUP_UUID}}",
            "namespace": "elsewhere",
            "labels": {"team": "{{TEAM}}", "osmo.group_uuid": "somebody-elses"},
        },
        "spec": {"numNodes": 2},
    }
    plan = a_plan(a_planned_task("train"))
    facts = facts_of(
        plan, group_objects=(template,), variables={"TEAM": "ml"}, labels={"mine": "x"}
    )

    first, *_, last = render(plan, facts)

    assert last["kind"] == "Pod"
    assert (first["kind"], first["spec"]) == ("ComputeDomain", {"numNodes": 2})
    assert first["metadata"]["name"] == f"domain-{GROUP}"
    assert "namespace" not in first["metadata"]
    assert first["metadata"]["annotations"] == {FROM_TEMPLATE: "true"}
    labels = first["metadata"]["labels"]
    assert (labels["team"], labels["mine"], labels["osmo.group_uuid"]) == ("ml", "x", GROUP)
