"""What a task asked for beside its command, as Kubernetes is told it."""

import json
from base64 import b64decode
from datetime import timedelta
from typing import Any

from tests.builders_spec import GROUP, a_plan, a_planned_task, facts_of
from xylem.domain.ids import TaskName, WorkflowId
from xylem.domain.plan import (
    Checkpoint,
    CredentialUse,
    GroupPlan,
    Kpi,
    Resources,
    TaskInput,
    TaskPlan,
    Topology,
    UrlInput,
    UrlOutput,
)
from xylem.manifests import render

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def drawn(plan: GroupPlan, **facts: Any) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The first pod, and all Secrets by their names."""
    objects = render(plan, facts_of(plan, **facts))
    secrets = {
        each["metadata"]["name"]: each["data"] for each in objects if each["kind"] == "Secret"
    }
    return next(each for each in objects if each["kind"] == "Pod"), secrets


def pod_of(*tasks: TaskPlan, **facts: Any) -> dict[str, Any]:
    spec = drawn(a_plan(*tasks), **facts)[0]["spec"]
    assert isinstance(spec, dict)
    return spec


def config_of(task: TaskPlan) -> dict[str, Any]:
    _, secrets = drawn(a_plan(task))
    (data,) = (data for data in secrets.values() if "task.json" in data)
    config = json.loads(b64decode(data["task.json"]))
    assert isinstance(config, dict)
    return config


def read(data: dict[str, str]) -> dict[str, str]:
    return {key: b64decode(value).decode() for key, value in data.items()}


def test_a_privileged_task_is_so_and_its_neighbours_in_the_pod_are_not() -> None:
    pod = pod_of(a_planned_task(privileged=True))

    task, ctrl = pod["containers"]
    assert task["securityContext"] == {"privileged": True}
    assert ctrl["securityContext"]["allowPrivilegeEscalation"] is False


def test_in_the_nodes_network_a_pod_still_knows_the_clusters_names() -> None:
    pod = pod_of(a_planned_task(host_network=True))

    assert (pod["hostNetwork"], pod["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
    assert {"hostNetwork", "dnsPolicy", "affinity"}.isdisjoint(pod_of(a_planned_task()))


def test_folders_of_the_node_are_mounted_where_the_task_wants_them() -> None:
    pod = pod_of(a_planned_task(volume_mounts=("/data", "/mnt:/{{workflow_id}}")))

    assert [each for each in pod["volumes"] if "hostPath" in each] == [
        {"name": "node-0", "hostPath": {"path": "/data"}},
        {"name": "node-1", "hostPath": {"path": "/mnt"}},
    ]
    task, ctrl = pod["containers"]
    assert {"name": "node-0", "mountPath": "/data"} in task["volumeMounts"]
    assert {"name": "node-1", "mountPath": "/w-1"} in task["volumeMounts"]
    assert not any(each["name"].startswith("node-") for each in ctrl["volumeMounts"])


def test_a_pod_stays_away_from_excluded_nodes() -> None:
    pod = pod_of(a_planned_task(resources=Resources(nodes_excluded=("n1", "n2"))))

    assert pod["affinity"] == {
        "nodeAffinity": {
            REQUIRED: {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [
                            {
                                "key": "kubernetes.io/hostname",
                                "operator": "NotIn",
                                "values": ["n1", "n2"],
                            }
                        ]
                    }
                ]
            }
        }
    }


def test_tasks_of_one_topology_group_attract_each_other_by_the_pools_label() -> None:
    def resources(group: str) -> Resources:
        return Resources(topology=(Topology("zone", required=False), Topology("rack", group)))

    plan = a_plan(
        a_planned_task("a", resources=resources("x")), a_planned_task("b", resources=resources("y"))
    )
    pods = [
        each
        for each in render(plan, facts_of(plan, topology_labels={"rack": "example.com/rack"}))
        if each["kind"] == "Pod"
    ]

    mine = {"osmo.group_uuid": GROUP, "xylem.dev/incarnation": "1"}
    assert pods[0]["spec"]["affinity"]["podAffinity"] == {
        REQUIRED: [
            {
                "topologyKey": "example.com/rack",
                "labelSelector": {"matchLabels": {**mine, "xylem.dev/topology-0": "x"}},
            }
        ],
        PREFERRED: [
            {
                "weight": 100,
                "podAffinityTerm": {
                    "topologyKey": "zone",
                    "labelSelector": {"matchLabels": {**mine, "xylem.dev/topology-1": "default"}},
                },
            }
        ],
    }
    for pod, group in zip(pods, "xy", strict=True):
        assert pod["metadata"]["labels"]["xylem.dev/topology-0"] == group
        assert pod["metadata"]["labels"]["xylem.dev/topology-1"] == "default"


CREDENTIALS = {"git": {"user": "alice", "token": "s3cret"}, "wandb": {"key": "k", "other": "o"}}
USES = (
    CredentialUse("git", mount="/creds/{{workflow_id}}"),
    CredentialUse("wandb", environment={"WANDB_API_KEY": "key"}),
)


def test_a_credential_below_a_folder_is_a_file_for_each_key_read_only() -> None:
    pod, secrets = drawn(a_plan(a_planned_task(credentials=USES)), credentials=CREDENTIALS)

    (volume,) = (each for each in pod["spec"]["volumes"] if each["name"] == "credential-0")
    task, ctrl = pod["spec"]["containers"]
    assert read(secrets[volume["secret"]["secretName"]]) == CREDENTIALS["git"]
    assert {
        "name": "credential-0",
        "mountPath": "/creds/w-1",
        "readOnly": True,
    } in task["volumeMounts"]
    assert not any(each["name"].startswith("credential") for each in ctrl["volumeMounts"])


def test_a_credential_as_variables_is_read_from_a_secret_with_these_keys_alone() -> None:
    task = a_planned_task(credentials=USES, environment={"WANDB_API_KEY": "plain", "A": "b"})
    pod, secrets = drawn(a_plan(task), credentials=CREDENTIALS)

    environment = pod["spec"]["containers"][0]["env"]
    (variable,) = (each for each in environment if each["name"] == "WANDB_API_KEY")
    reference = variable["valueFrom"]["secretKeyRef"]
    assert reference["key"] == "key"
    assert read(secrets[reference["name"]]) == {"key": "k"}


def test_what_is_secret_is_in_secrets_alone() -> None:
    plan = a_plan(a_planned_task(credentials=USES))
    facts = facts_of(plan, credentials=CREDENTIALS)

    others = [each for each in render(plan, facts) if each["kind"] != "Secret"]

    assert "s3cret" not in json.dumps(others) + repr(facts)
    assert "s3cret" not in json.dumps(config_of(a_planned_task(credentials=USES)))


def test_the_sidecar_is_told_which_secrets_it_finds_in_the_log() -> None:
    """Those that the pod is given: no key that it did not ask for, and no address of a store."""
    task = a_planned_task(credentials=USES, outputs=(UrlOutput("s3://b/x", ".*"),))
    store = {
        "endpoint": "s3://b",
        "access_key_id": "AKIA",
        "access_key": "open sesame",
        "region": "eu-west-1",
    }

    _, secrets = drawn(a_plan(task), credentials=CREDENTIALS, stores={"s3://b": store})

    (data,) = (data for data in secrets.values() if "task.json" in data)
    masked = json.loads(b64decode(data["task.json"]))["mask"]
    assert masked == sorted(["alice", "s3cret", "k", "AKIA", "open sesame"])


def test_the_name_of_a_secret_tells_nothing_of_what_is_in_it() -> None:
    plan = a_plan(a_planned_task(credentials=USES))

    _, one = drawn(plan, credentials=CREDENTIALS)
    _, other = drawn(plan, credentials={**CREDENTIALS, "git": {"token": "another"}})

    assert one.keys() == other.keys()


def test_an_attempt_has_secrets_of_its_own_so_a_retry_sees_a_credential_that_was_changed() -> None:
    plan = a_plan(a_planned_task(credentials=USES))

    _, first = drawn(plan, credentials=CREDENTIALS)
    _, again = drawn(plan, credentials=CREDENTIALS, retries={TaskName("a"): 1})

    assert first.keys().isdisjoint(again)


def test_the_sidecar_is_told_where_data_comes_from_and_goes_to_tokens_filled_in() -> None:
    task = a_planned_task(
        inputs=(
            UrlInput("s3://b/{{workflow_id}}", "{{uuid}}|x"),
            TaskInput(TaskName("t"), workflow=WorkflowId("w-0")),
        ),
        outputs=(UrlOutput("gs://b/{{workflow_id}}/", r".*\.txt$"),),
        checkpoints=(
            Checkpoint("{{output}}/x", "s3://c/{{workflow_id}}", timedelta(minutes=1.5), "y"),
        ),
        kpis=(Kpi("loss", "{{output}}/kpi.json"),),
    )

    config = config_of(task)

    assert config["inputs"][0]["index"] == 0
    assert config["inputs"][0]["url"] == "s3://b/w-1"
    assert "{{" not in config["inputs"][0]["regex"]
    assert config["inputs"][1] == {"index": 1, "task": "t", "workflow": "w-0", "regex": ""}
    assert config["outputs"] == [{"url": "gs://b/w-1/", "regex": r".*\.txt$"}]
    assert config["checkpoints"] == [
        {"path": "/osmo/data/output/x", "url": "s3://c/w-1", "frequency": 90.0, "regex": "y"}
    ]
    assert config["kpis"] == [{"index": "loss", "path": "/osmo/data/output/kpi.json"}]


def test_an_input_of_an_earlier_workflow_is_found_by_its_tasks_name_too() -> None:
    task = a_planned_task(
        inputs=(TaskInput(TaskName("t"), workflow=WorkflowId("w-0")),),
        args=("{{input:w-0:t}}", "{{input:t}}", "{{input:0}}"),
    )

    command = pod_of(task)["containers"][0]["command"]

    assert command[-3:] == ["/osmo/data/input/0"] * 3


def test_a_task_waits_for_objects_from_a_store_as_for_other_tasks() -> None:
    assert (
        "--wait" in pod_of(a_planned_task(inputs=(UrlInput("s3://b"),)))["containers"][0]["command"]
    )
