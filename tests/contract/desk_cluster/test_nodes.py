"""Several nodes, and what a test does to them: no cluster breaks by itself when it is wanted to."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiException
from kubernetes.stream import stream

from operators.desk_cluster.objects import Json
from tests.contract.desk_cluster.cluster import (
    AT_HOST,
    IDLE,
    Client,
    DeskCluster,
    a_container,
    a_host_folder,
    a_pod,
    exit_codes,
    running,
    until,
)

NODES = ("desk", "desk-2", "desk-3")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskCluster]:
    options = ("--nodes", "3", "--node-grace", "0.5")
    state = tmp_path_factory.mktemp("nodes") / "state"
    with running(DeskCluster(state, options=options)) as cluster:
        yield cluster


@pytest.fixture
def kube(three: DeskCluster) -> Iterator[Client]:
    client = three.client()
    yield client
    for node in NODES:
        assert three.fault(node, "none").returncode == 0
    client.core.delete_collection_namespaced_pod("default", grace_period_seconds=0)
    until(lambda: not client.core.list_namespaced_pod("default").items)


def on(node: str, **fields: Any) -> Json:
    return {"nodeSelector": {"kubernetes.io/hostname": node}, **fields}


def ready(kube: Client, node: str) -> str:
    conditions = kube.core.read_node(node).status.conditions
    return next(str(each.status) for each in conditions if each.type == "Ready")


def test_pods_are_spread_over_the_nodes(kube: Client) -> None:
    for number in range(3):
        kube.create(a_pod(f"spread-{number}", IDLE))

    found = {kube.until_running(f"spread-{number}").spec.node_name for number in range(3)}

    assert found == set(NODES)


def test_what_is_larger_than_any_node_waits(kube: Client) -> None:
    kube.create(a_pod("large", a_container("true", resources={"requests": {"cpu": "100"}})))

    def said(pod: Any) -> Any:
        return pod and [each.message for each in pod.status.conditions or () if each.message]

    assert said(kube.until("large", said)) == ["0/3 nodes are available: 3 Insufficient cpu."]


def test_the_containers_of_a_node_that_crashes_are_dead_and_nobody_says_so(
    three: DeskCluster, kube: Client, tmp_path: Path
) -> None:
    beat = a_container("while :; do date +%s%N >/host/beat; sleep 0.02; done", **AT_HOST)
    kube.create(a_pod("crash", beat, **on("desk-2"), **a_host_folder(tmp_path)))
    kube.until_running("crash")
    until((tmp_path / "beat").exists)

    three.fault("desk-2", "crashed")
    until(lambda: ready(kube, "desk-2") == "Unknown")
    last = (tmp_path / "beat").read_text()

    assert kube.pod("crash").status.phase == "Running"
    assert {taint.key for taint in kube.core.read_node("desk-2").spec.taints} == {
        "node.kubernetes.io/unreachable"
    }
    assert (tmp_path / "beat").read_text() == last

    three.fault("desk-2", "none")
    pod = kube.until_over("crash")
    assert (pod.status.phase, exit_codes(pod)) == ("Failed", {"main": 137})
    assert ready(kube, "desk-2") == "True"
    assert kube.core.read_node("desk-2").spec.taints is None


def test_the_containers_of_a_node_that_is_cut_off_go_on_unseen(
    three: DeskCluster, kube: Client, tmp_path: Path
) -> None:
    work = a_container("until [ -e /host/go ]; do sleep 0.02; done; touch /host/done", **AT_HOST)
    kube.create(a_pod("cut", work, **on("desk-3"), **a_host_folder(tmp_path)))
    kube.until_running("cut")

    three.fault("desk-3", "partitioned")
    (tmp_path / "go").touch()
    until((tmp_path / "done").exists)
    until(lambda: ready(kube, "desk-3") == "Unknown")
    with pytest.raises(ApiException):
        kube.log("cut")
    assert kube.pod("cut").status.phase == "Running"

    three.fault("desk-3", "none")
    assert kube.until_over("cut").status.phase == "Succeeded"


def test_a_pod_that_is_deleted_behind_a_partition_stays_until_it_is_over(
    three: DeskCluster, kube: Client
) -> None:
    kube.create(a_pod("stays", IDLE, **on("desk-3")))
    kube.until_running("stays")
    three.fault("desk-3", "partitioned")

    kube.delete("stays")
    until(lambda: ready(kube, "desk-3") == "Unknown")
    assert kube.pod("stays").metadata.deletion_timestamp

    three.fault("desk-3", "none")
    kube.until_gone("stays")


def test_whose_patience_with_a_silent_node_is_over_is_evicted(
    three: DeskCluster, kube: Client
) -> None:
    silence = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"}
    at_once: Json = {"tolerations": [{**silence, "tolerationSeconds": 0}]}
    kube.create(a_pod("impatient", IDLE, **on("desk-2", **at_once)))
    kube.create(a_pod("patient", IDLE, **on("desk-2")))
    for name in ("impatient", "patient"):
        kube.until_running(name)

    three.fault("desk-2", "crashed")

    pod = kube.until("impatient", lambda pod: pod and pod.metadata.deletion_timestamp)
    disrupted = [each.reason for each in pod.status.conditions if each.type == "DisruptionTarget"]
    assert disrupted == ["DeletionByTaintManager"]
    assert kube.pod("patient").metadata.deletion_timestamp is None


def test_a_node_that_is_silent_takes_nobody(three: DeskCluster, kube: Client) -> None:
    three.fault("desk-2", "partitioned")
    until(lambda: ready(kube, "desk-2") == "Unknown")

    kube.create(a_pod("later", "true", **on("desk-2")))
    kube.until("later", lambda pod: pod and pod.status.conditions)
    assert kube.pod("later").spec.node_name is None

    three.fault("desk-2", "none")
    assert kube.until_over("later").status.phase == "Succeeded"


def test_a_slow_node_does_everything_late(three: DeskCluster, kube: Client) -> None:
    three.fault("desk-2", "slow", seconds=1)
    begun = time.monotonic()

    kube.run(a_pod("slow", "true", **on("desk-2")))

    assert time.monotonic() - begun > 1
    assert ready(kube, "desk-2") == "True"


def test_nothing_is_run_on_a_node_that_does_not_answer(three: DeskCluster, kube: Client) -> None:
    kube.create(a_pod("silent", IDLE, **on("desk-3")))
    kube.until_running("silent")
    three.fault("desk-3", "partitioned")

    with pytest.raises(ApiException) as refused:
        stream(
            three.client().core.connect_get_namespaced_pod_exec,
            "silent",
            "default",
            command=["true"],
            stdout=True,
        )

    assert "Handshake status 500" in str(refused.value.reason)


def test_a_node_that_is_none_cannot_break(three: DeskCluster, kube: Client) -> None:
    refused = three.fault("nobody", "crashed")

    assert refused.returncode == 1
    assert "there are desk, desk-2, desk-3" in refused.stderr


def test_a_cluster_that_does_not_run_cannot_be_broken(tmp_path: Path) -> None:
    refused = DeskCluster(tmp_path).fault("desk", "crashed")

    assert refused.returncode == 1
    assert "no desk cluster answers" in refused.stderr


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")
def test_kubectl_drains_a_node(three: DeskCluster, kube: Client, tmp_path: Path) -> None:
    kube.create(a_pod("drained", IDLE, **on("desk-2")))
    kube.create(a_pod("other", IDLE, **on("desk-3")))
    for name in ("drained", "other"):
        kube.until_running(name)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    kubectl = ("kubectl", "--kubeconfig", str(three.kubeconfig))

    done = subprocess.run(
        (*kubectl, "drain", "desk-2", "--force", "--timeout=20s"),
        env=environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "evicting pod default/drained" in done.stdout + done.stderr
    kube.until_gone("drained")
    assert kube.pod("other").status.phase == "Running"
    subprocess.run((*kubectl, "uncordon", "desk-2"), env=environment, check=True)
