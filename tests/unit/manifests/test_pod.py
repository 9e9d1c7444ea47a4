from datetime import timedelta
from typing import Any

import pytest

from tests.builders_spec import GROUP, UUID, a_plan, a_planned_task, facts_of
from xylem.domain.ids import TaskName, UserName, task_uuid
from xylem.domain.plan import File, GroupPlan, Limits, Resources, TaskInput
from xylem.manifests import render
from xylem.manifests.names import FINALIZER, GATE, GROUP_LABEL
from xylem.manifests.quantities import quantity

READS = (TaskInput(TaskName("up")),)


def pod_of(plan: GroupPlan | None = None, **facts: Any) -> dict[str, Any]:
    plan = plan or a_plan()
    return next(each for each in render(plan, facts_of(plan, **facts)) if each["kind"] == "Pod")


def container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    spec = pod["spec"]
    (found,) = [
        each for each in [*spec["initContainers"], *spec["containers"]] if each["name"] == name
    ]
    assert isinstance(found, dict)
    return found


def mounts(pod: dict[str, Any], name: str) -> dict[str, bool]:
    """Path -> read only."""
    return {
        mount["mountPath"]: mount.get("readOnly", False)
        for mount in container(pod, name)["volumeMounts"]
    }


def test_a_pods_name_contains_workflow_task_and_attempt() -> None:
    pod = pod_of(retries={TaskName("a"): 2}, incarnation=3)

    assert pod["metadata"]["name"] == f"{UUID[:16]}-{task_uuid(GROUP, TaskName('a'))[:16]}-r2-3"


def test_a_pod_is_gated_and_held_until_its_end_is_known() -> None:
    pod = pod_of()

    assert pod["spec"]["schedulingGates"] == [{"name": GATE}]
    assert pod["metadata"]["finalizers"] == [FINALIZER]
    assert pod["spec"]["restartPolicy"] == "Never"


def test_the_limit_of_a_run_is_kept_in_the_pod_and_by_the_kubelet_behind_it() -> None:
    limits = Limits(execution=timedelta(minutes=90), start=timedelta(minutes=30))

    pod = pod_of(limits=limits)

    command = container(pod, "a")["command"]
    assert command[command.index("--timeout") + 1] == "5400.000"
    assert pod["spec"]["activeDeadlineSeconds"] == (30 + 90 + 5) * 60


def test_the_fences_are_in_the_annotations_uncut() -> None:
    name = "t" * 64

    pod = pod_of(a_plan(a_planned_task(name)), incarnation=3)

    assert pod["metadata"]["annotations"] == {
        "xylem.dev/workflow": "w-1",
        "xylem.dev/group": GROUP,
        "xylem.dev/incarnation": "3",
        "xylem.dev/task": name,
        "xylem.dev/retry": "0",
    }


def test_a_pod_has_osmos_labels() -> None:
    task = a_planned_task("a", lead=True, resources=Resources(platform="gpu"))

    labels = pod_of(a_plan(task))["metadata"]["labels"]

    assert labels == {
        "osmo.workflow_id": "w-1",
        "osmo.workflow_uuid": UUID,
        "osmo.group_name": "g",
        GROUP_LABEL: GROUP,
        "osmo.submitted_by": "alice",
        "osmo.task_name": "a",
        "osmo.task_uuid": task_uuid(GROUP, TaskName("a")),
        "osmo.retry_id": "0",
        "osmo.lead_container": "true",
        "osmo.pool": "default",
        "osmo.platform": "gpu",
        "osmo.priority": "normal",
        "xylem.dev/incarnation": "1",
    }


def test_the_pools_default_platform_is_that_of_a_task_without_one() -> None:
    assert pod_of(default_platform="cpu")["metadata"]["labels"]["osmo.platform"] == "cpu"


def test_the_users_labels_are_on_the_pod_and_cannot_replace_ours() -> None:
    labels = pod_of(labels={"team": "a", "osmo.workflow_id": "other-1"})["metadata"]["labels"]

    assert labels["team"] == "a"
    assert labels["osmo.workflow_id"] == "w-1"


def test_a_label_is_cut_to_what_kubernetes_takes() -> None:
    name = "t" * 62 + "-x"

    assert pod_of(a_plan(a_planned_task(name)))["metadata"]["labels"]["osmo.task_name"] == "t" * 62


@pytest.mark.parametrize(
    ("user", "label"), [("alice@example.com", "alice"), ("jürgen@x", None), ("-", None)]
)
def test_a_user_who_cannot_be_a_label_is_shortened_or_left_out(
    user: str, label: str | None
) -> None:
    labels = pod_of(user=UserName(user))["metadata"]["labels"]

    assert labels.get("osmo.submitted_by") == label


def test_the_wrapper_runs_the_users_command() -> None:
    pod = pod_of(a_plan(a_planned_task(args=("-x", "--", "y"))))

    assert container(pod, "a")["command"] == [
        *["/osmo/bin/xylem-exec", "run", "--run", "/osmo/run/task"],
        *["--timeout", "5184000.000", "--"],
        *["true", "-x", "--", "y"],
    ]
    assert container(pod, "osmo-init")["command"] == [
        "/opt/xylem/bin/xylem-exec",
        "install",
        "/osmo/bin",
    ]
    assert container(pod, "osmo-ctrl")["command"] == ["/opt/xylem/bin/xylem-ctrl"]


@pytest.mark.parametrize(
    ("plan", "waits"),
    [
        (a_plan(), False),
        (a_plan(a_planned_task("a", inputs=READS)), True),
        (a_plan(a_planned_task("a"), a_planned_task("b")), True),
        (a_plan(a_planned_task("a"), a_planned_task("b"), barrier=False), False),
        (a_plan(a_planned_task("a", inputs=READS), a_planned_task("b"), barrier=False), True),
    ],
)
def test_a_command_waits_exactly_for_inputs_or_the_barrier(plan: GroupPlan, waits: bool) -> None:
    assert ("--wait" in container(pod_of(plan), "a")["command"]) is waits


def test_the_users_container_comes_first_and_sees_no_token() -> None:
    pod = pod_of()

    assert [each["name"] for each in pod["spec"]["containers"]] == ["a", "osmo-ctrl"]
    assert mounts(pod, "a") == {"/osmo/bin": True, "/osmo/run": False, "/osmo/data": False}
    assert mounts(pod, "osmo-ctrl") == {
        "/osmo/run": False,
        "/osmo/data": False,
        "/osmo/token": True,
        "/osmo/config": True,
    }
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_the_name_of_the_users_container_is_a_dns_label() -> None:
    pod = pod_of(a_plan(a_planned_task("My_Task" + "x" * 55 + "_y")))

    assert pod["spec"]["containers"][0]["name"] == "my-task" + "x" * 55


def test_files_are_mounted_one_by_one_read_only() -> None:
    same = "echo\n"
    files = (File("/tmp/a.sh", same), File("b.sh", same), File("/tmp/../c.sh", "other"))

    pod = pod_of(a_plan(a_planned_task(files=files)))

    found = [each for each in container(pod, "a")["volumeMounts"] if "subPath" in each]
    assert [(each["mountPath"], each["name"]) for each in found] == [
        ("/tmp/a.sh", "file-0"),
        ("/b.sh", "file-0"),
        ("/c.sh", "file-1"),
    ]
    assert all(each["readOnly"] for each in found)


def test_every_mount_has_its_volume() -> None:
    pod = pod_of(a_plan(a_planned_task(files=(File("/x", "x"),))))
    volumes = {each["name"] for each in pod["spec"]["volumes"]}

    for name in ("osmo-init", "a", "osmo-ctrl"):
        assert {each["name"] for each in container(pod, name)["volumeMounts"]} <= volumes


def test_a_task_that_asks_for_nothing_gets_what_osmo_gives() -> None:
    assert container(pod_of(), "a")["resources"] == {
        "requests": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"},
        "limits": {"memory": "1Gi"},
    }


def test_a_task_gets_what_it_asks_for() -> None:
    asked = Resources(cpu=4, gpu=2, memory=8 * 1024**3, storage=1000)

    assert container(pod_of(a_plan(a_planned_task(resources=asked))), "a")["resources"] == {
        "requests": {
            "cpu": "4",
            "memory": "8Gi",
            "ephemeral-storage": "1000",
            "nvidia.com/gpu": "2",
        },
        "limits": {"memory": "8Gi", "nvidia.com/gpu": "2"},
    }


def test_a_pools_own_defaults_win_over_the_shipped_ones() -> None:
    resources = container(pod_of(defaults=Resources(cpu=2, memory=1024)), "a")["resources"]

    assert resources["requests"] == {"cpu": "2", "memory": "1Ki", "ephemeral-storage": "0"}


def test_a_task_without_a_gpu_sees_none_and_one_with_a_gpu_sees_its_own() -> None:
    without = container(pod_of(), "a")["env"]
    own = a_plan(a_planned_task(resources=Resources(gpu=1)))

    assert without == [{"name": "NVIDIA_VISIBLE_DEVICES", "value": ""}]
    assert container(pod_of(own), "a")["env"] == []


def test_nobody_in_the_pod_can_gain_privileges() -> None:
    pod = pod_of()

    for name in ("osmo-init", "a", "osmo-ctrl"):
        assert container(pod, name)["securityContext"]["allowPrivilegeEscalation"] is False
    for name in ("osmo-init", "osmo-ctrl"):
        assert container(pod, name)["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0"), (1, "1"), (1024, "1Ki"), (1536, "1536"), (3 * 1024**4, "3Ti"), (1024**5, "1024Ti")],
)
def test_a_quantity_is_exact(size: int, text: str) -> None:
    assert quantity(size) == text
