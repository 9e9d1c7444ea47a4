"""What a person does: kubectl, against a cluster that says it is one."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from operators.desk_cluster.objects import Json
from tests.contract.desk_cluster.cluster import (
    AT_HOST,
    IDLE,
    Client,
    DeskCluster,
    a_container,
    a_host_folder,
    a_pod,
    until,
)

pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not on this machine"
)


class Kubectl:
    def __init__(self, kubeconfig: Path, home: Path) -> None:
        self._told = {"KUBECONFIG": str(kubeconfig), "HOME": str(home)}

    def __call__(self, *words: str, given: Json | None = None, fails: bool = False) -> str:
        done = subprocess.run(
            ["kubectl", *words],
            env={"PATH": os.environ["PATH"], **self._told},
            input=None if given is None else yaml.safe_dump(given),
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert bool(done.returncode) is fails, done.stderr
        return done.stderr if fails else done.stdout


@pytest.fixture(scope="module")
def kubectl(desk: DeskCluster, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    return Kubectl(desk.kubeconfig, tmp_path_factory.mktemp("home"))


def written(body: Json, kind: str = "Pod") -> Json:
    return {"apiVersion": "v1", "kind": kind, **body}


def test_a_pod_is_applied_seen_read_and_deleted(kubectl: Kubectl, kube: Client) -> None:
    body = written(a_pod("k-life", "echo hello; exit 3", metadata={"labels": {"k": "life"}}))

    assert kubectl("apply", "-f", "-", given=body) == "pod/k-life created\n"
    assert kubectl("apply", "-f", "-", given=body) == "pod/k-life unchanged\n"
    kube.until_over("k-life")

    header, row = kubectl("get", "pods", "-l", "k=life").splitlines()
    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert row.split()[:4] == ["k-life", "0/1", "Error", "0"]
    assert kubectl("logs", "k-life") == "hello\n"
    assert 'pod "k-life" deleted' in kubectl("delete", "pod", "k-life")
    assert 'pods "k-life" not found' in kubectl("get", "pod", "k-life", fails=True)


def test_describe_tells_a_pods_story(kubectl: Kubectl, kube: Client) -> None:
    kube.run(a_pod("k-story", "exit 4", initContainers=[a_container("exit 0", "init")]))

    told = kubectl("describe", "pod", "k-story")

    for words in ("Exit Code:    4", "Init Containers:", "Successfully assigned default/k-story"):
        assert words in told
    assert "Started container main" in told


def test_wide_says_where_and_json_says_everything(kubectl: Kubectl, kube: Client) -> None:
    kube.run(a_pod("k-wide", "exit 0"))

    assert "desk" in kubectl("get", "pod", "k-wide", "-o", "wide").splitlines()[1].split()
    assert json.loads(kubectl("get", "pod", "k-wide", "-o", "json"))["kind"] == "Pod"
    assert kubectl("get", "pod", "k-wide", "-o", "jsonpath={.status.phase}") == "Succeeded"
    assert "k-wide" in kubectl("get", "po", "-A", "--field-selector", "status.phase=Succeeded")


def test_logs_are_followed_cut_and_asked_of_each_container(
    kubectl: Kubectl, kube: Client, tmp_path: Path
) -> None:
    wait = "until [ -e /host/go ]; do sleep 0.02; done"
    follow = a_container(f"echo one; touch /host/up; {wait}; echo two", **AT_HOST)
    kube.create(a_pod("k-logs", follow, a_container("seq 9", "count"), **a_host_folder(tmp_path)))
    kube.until("k-logs", lambda pod: pod and pod.status.container_statuses)
    until((tmp_path / "up").exists)
    (tmp_path / "go").touch()

    assert kubectl("logs", "-f", "k-logs", "-c", "main") == "one\ntwo\n"
    assert kubectl("logs", "k-logs", "-c", "count", "--tail", "2") == "8\n9\n"
    assert "two" in kubectl("logs", "k-logs", "--all-containers", "--timestamps")
    assert "not found" in kubectl("logs", "k-none", fails=True)


def test_a_pod_is_deleted_by_force(kubectl: Kubectl, kube: Client) -> None:
    kube.create(a_pod("k-force", "trap '' TERM; sleep 60", terminationGracePeriodSeconds=60))
    kube.until_running("k-force")

    begun = time.monotonic()
    kubectl("delete", "pod", "k-force", "--grace-period=0", "--force")

    assert time.monotonic() - begun < 10


def test_waiting_for_a_deletion_ends_with_it(kubectl: Kubectl, kube: Client) -> None:
    kube.create(a_pod("k-wait", IDLE))
    kube.until_running("k-wait")

    kubectl("delete", "pod", "k-wait", "--wait=false")

    kubectl("wait", "--for=delete", "pod/k-wait", "--timeout=20s")


def test_a_label_is_set_and_taken_away(kubectl: Kubectl, kube: Client) -> None:
    kube.core.create_namespaced_config_map("default", {"metadata": {"name": "k-label"}})

    kubectl("label", "cm", "k-label", "a=b")
    assert kubectl("get", "cm", "-l", "a=b", "-o", "name") == "configmap/k-label\n"
    kubectl("annotate", "cm", "k-label", "why=because")
    kubectl("label", "cm", "k-label", "a-")
    assert kubectl("get", "cm", "-l", "a=b", "-o", "name") == ""


def test_what_is_applied_again_is_changed_where_it_differs(kubectl: Kubectl) -> None:
    body = written({"metadata": {"name": "k-apply"}, "data": {"a": "1", "b": "2"}}, "ConfigMap")
    kubectl("apply", "-f", "-", given=body)

    changed = {**body, "data": {"a": "1", "c": "3"}}
    assert "configured" in kubectl("apply", "-f", "-", given=changed)

    found = json.loads(kubectl("get", "cm", "k-apply", "-o", "json"))
    assert found["data"] == {"a": "1", "c": "3"}


def test_every_kind_has_a_table(kubectl: Kubectl, kube: Client) -> None:
    kube.run(a_pod("k-tables", "exit 0"))

    assert "Ready" in kubectl("get", "nodes")
    assert "k-tables" in kubectl("get", "events")
    for kind in ("cm", "secrets", "svc", "sa", "pvc", "ns", "leases", "all"):
        kubectl("get", kind)
    assert "Allocatable" in kubectl("describe", "node", "desk")


def test_a_mistake_is_told_in_a_sentence(kubectl: Kubectl) -> None:
    body = written(a_pod("k-Wrong", "exit 0"))

    told = kubectl("apply", "-f", "-", given=body, fails=True)

    assert 'The Pod "k-Wrong" is invalid: metadata.name: Invalid value' in told


def test_the_cluster_says_its_version(kubectl: Kubectl) -> None:
    assert "v1.33" in kubectl("version")
    assert "pods" in kubectl("api-resources")
