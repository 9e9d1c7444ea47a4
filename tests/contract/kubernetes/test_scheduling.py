"""Scheduling: gates hold a pod, room decides, and a pod that fits nowhere says why.

kubernetes.io/docs: concepts/scheduling-eviction/pod-scheduling-readiness, .../assign-pod-node,
.../taint-and-toleration, .../api-eviction, tasks/administer-cluster/safely-drain-node."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kubernetes.client import ApiException

from operators.shared.resources import NODE, POD, Json, Refused
from tests.contract.kubernetes.cluster import (
    DEAF,
    FINALIZER,
    IDLE,
    Cluster,
    a_container,
    a_name,
    a_pod,
    condition,
    names,
    until,
)

GATE = "xylem.test/wait"
GATED: Json = {"schedulingGates": [{"name": GATE}]}


def lift(cluster: Cluster, name: str, uid: str) -> None:
    """As Worker does: of this very pod only."""
    operations: list[Json] = [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/spec/schedulingGates/0/name", "value": GATE},
        {"op": "remove", "path": "/spec/schedulingGates/0"},
    ]
    cluster.kube.patch(POD, name, operations)


def test_a_gate_holds_a_pod_and_its_removal_starts_it(cluster: Cluster) -> None:
    name = a_name("gated")
    uid = cluster.kube.create(POD, a_pod(name, "exit 0", **GATED))["metadata"]["uid"]

    held = cluster.until_pod(name, lambda pod: condition(pod, "PodScheduled")[0])
    assert held.status.phase == "Pending"
    assert condition(held, "PodScheduled") == ("False", "SchedulingGated")
    assert held.spec.node_name is None

    with pytest.raises(Refused) as refused:
        lift(cluster, name, "another")
    assert refused.value.status == 422
    lift(cluster, name, uid)

    over = cluster.until_over(name)
    assert over.status.phase == "Succeeded"
    assert condition(over, "PodScheduled")[0] == "True"
    assert over.spec.node_name


def test_a_gate_is_not_added_later(cluster: Cluster) -> None:
    name = a_name("gated")
    cluster.kube.create(POD, a_pod(name, "exit 0", **GATED))

    with pytest.raises(Refused) as refused:
        added = {"op": "add", "path": "/spec/schedulingGates/-", "value": {"name": "xylem.test/b"}}
        cluster.kube.patch(POD, name, [added])

    assert refused.value.status == 422
    cluster.kube.delete(POD, name)


def test_a_gated_pod_that_is_deleted_goes_at_once(cluster: Cluster) -> None:
    name = a_name("gated")
    cluster.kube.create(POD, a_pod(name, "exit 0", terminationGracePeriodSeconds=30, **GATED))

    cluster.kube.delete(POD, name)

    cluster.until_gone(lambda: cluster.pod(name))


def test_a_gated_pod_that_is_deleted_and_held_has_failed(cluster: Cluster) -> None:
    """The pod collector says so: who waits for its end hears that it will never run."""
    name = a_name("gated")
    held = a_pod(name, "exit 0", metadata={"finalizers": [FINALIZER]}, **GATED)
    cluster.kube.create(POD, held)

    cluster.kube.delete(POD, name)

    failed = cluster.until_pod(name, lambda pod: pod.status.phase == "Failed")
    assert failed.spec.node_name is None
    cluster.kube.patch(POD, name, [{"op": "remove", "path": "/metadata/finalizers"}])
    cluster.until_gone(lambda: cluster.pod(name))


@pytest.mark.parametrize(
    "wanted",
    [
        {"resources": {"requests": {"cpu": "100000"}}},
        {"resources": {"requests": {"memory": "1Pi"}}},
        {"resources": {"limits": {"xylem.test/nothing": "1"}}},
    ],
    ids=["cpu", "memory", "device"],
)
def test_a_pod_that_fits_nowhere_is_unschedulable(cluster: Cluster, wanted: Json) -> None:
    name = a_name("giant")
    cluster.kube.create(POD, a_pod(name, a_container("exit 0", **wanted)))

    pod = cluster.until_pod(name, lambda pod: condition(pod, "PodScheduled")[0])

    assert pod.status.phase == "Pending"
    assert condition(pod, "PodScheduled") == ("False", "Unschedulable")
    cluster.kube.delete(POD, name)


def test_a_pod_whose_node_does_not_exist_is_unschedulable_and_an_event_says_why(
    cluster: Cluster,
) -> None:
    name = a_name("choosy")
    cluster.kube.create(POD, a_pod(name, "exit 0", nodeSelector={"xylem.test/no": "node"}))

    pod = cluster.until_pod(name, lambda pod: condition(pod, "PodScheduled")[0])
    assert condition(pod, "PodScheduled") == ("False", "Unschedulable")

    selector = f"involvedObject.name={name},reason=FailedScheduling"
    events = until(
        lambda: cluster.core.list_namespaced_event(cluster.namespace, field_selector=selector),
        lambda listed: listed.items,
    )
    assert "nodes are available" in events.items[0].message
    cluster.kube.delete(POD, name)


def test_a_node_is_excluded_by_its_name(cluster: Cluster) -> None:
    """As Worker excludes nodes: by a label that all of them have."""
    listed = [each.metadata.labels["kubernetes.io/hostname"] for each in nodes(cluster)]
    excluded = {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": listed}
    term = {"nodeSelectorTerms": [{"matchExpressions": [excluded]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term}}
    name = a_name("nowhere")
    cluster.kube.create(POD, a_pod(name, "exit 0", affinity=affinity))

    pod = cluster.until_pod(name, lambda pod: condition(pod, "PodScheduled")[0])

    assert condition(pod, "PodScheduled") == ("False", "Unschedulable")
    cluster.kube.delete(POD, name)


def test_pods_that_belong_together_are_in_one_place_and_others_are_not(cluster: Cluster) -> None:
    family = a_name("family")
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"family": family}},
    }
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    labels: Json = {"metadata": {"labels": {"family": family}}}

    for name in (f"{family}-a", f"{family}-b"):
        cluster.start(a_pod(name, IDLE, affinity={"podAffinity": required}, **labels))
    places = {cluster.pod(name).spec.node_name for name in (f"{family}-a", f"{family}-b")}
    assert len(places) == 1

    home = {"kubernetes.io/hostname": hostname(cluster, places.pop())}
    apart: Json = {"affinity": {"podAntiAffinity": required}, "nodeSelector": home}
    cluster.kube.create(POD, a_pod(f"{family}-c", IDLE, **apart))
    pod = cluster.until_pod(f"{family}-c", lambda pod: condition(pod, "PodScheduled")[0])
    assert condition(pod, "PodScheduled") == ("False", "Unschedulable")
    for name in ("a", "b", "c"):
        cluster.kube.delete(POD, f"{family}-{name}", grace_seconds=0)


def nodes(cluster: Cluster) -> list[Any]:
    return list(cluster.core.list_node().items)


def hostname(cluster: Cluster, node: str) -> str:
    return str(cluster.core.read_node(node).metadata.labels["kubernetes.io/hostname"])


def test_a_node_tells_its_room_and_that_it_is_ready(cluster: Cluster) -> None:
    listed = cluster.kube.page(NODE, "").items

    ready = [
        node
        for node in listed
        for each in node["status"]["conditions"]
        if (each["type"], each["status"]) == ("Ready", "True")
    ]
    assert ready
    for node in ready:
        assert {"cpu", "memory", "pods"} <= set(node["status"]["allocatable"])
        assert node["metadata"]["labels"]["kubernetes.io/hostname"]


def test_pods_are_selected_by_their_node_and_their_phase(cluster: Cluster) -> None:
    name = a_name("seen")
    node = cluster.run(a_pod(name, "exit 0")).spec.node_name

    def found(selector: str) -> list[str]:
        core = cluster.core
        return names(core.list_namespaced_pod(cluster.namespace, field_selector=selector))

    assert name in found(f"spec.nodeName={node},status.phase=Succeeded")
    assert name not in found("spec.nodeName=nobody")
    assert name not in found("status.phase=Running")


# ---- eviction


def evict(cluster: Cluster, name: str) -> None:
    body = {"metadata": {"name": name, "namespace": cluster.namespace}}
    cluster.core.create_namespaced_pod_eviction(name, cluster.namespace, body)


def test_an_evicted_pod_is_told_to_go_and_says_that_it_was_disrupted(cluster: Cluster) -> None:
    name = a_name("evicted")
    held = {"finalizers": [FINALIZER]}
    cluster.start(a_pod(name, "trap 'exit 7' TERM; while :; do sleep 0.1; done", metadata=held))

    evict(cluster, name)

    pod = cluster.until_over(name)
    assert pod.metadata.deletion_timestamp
    assert condition(pod, "DisruptionTarget") == ("True", "EvictionByEvictionAPI")
    cluster.kube.patch(POD, name, [{"op": "remove", "path": "/metadata/finalizers"}])
    cluster.until_gone(lambda: cluster.pod(name))


def test_nobody_is_evicted_who_is_not_there(cluster: Cluster) -> None:
    with pytest.raises(ApiException) as refused:
        evict(cluster, a_name("nobody"))

    assert refused.value.status == 404


def test_a_budget_stands_in_the_way_of_an_eviction(cluster: Cluster) -> None:
    name = a_name("needed")
    cluster.start(a_pod(name, IDLE, metadata={"labels": {"budget": name}}))
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"budget": name}}}
    cluster.policy.create_namespaced_pod_disruption_budget(
        cluster.namespace, {"metadata": {"name": name}, "spec": spec}
    )

    with pytest.raises(ApiException) as refused:
        evict(cluster, name)

    assert refused.value.status == 429
    assert cluster.pod(name).metadata.deletion_timestamp is None
    cluster.policy.delete_namespaced_pod_disruption_budget(name, cluster.namespace)
    cluster.kube.delete(POD, name, grace_seconds=0)


# ---- nodes that are cordoned and tainted


@contextmanager
def changed_node(cluster: Cluster, **spec: Any) -> Iterator[tuple[str, Json]]:
    """One node that is so for a while, and a selector for it."""
    if not cluster.may_touch_nodes:
        pytest.skip("XYLEM_CONTRACT_NODES=1 lets the suite cordon and taint a node of this cluster")
    ready = [each for each in nodes(cluster) if condition(each, "Ready")[0] == "True"]
    free = [each for each in ready if not each.spec.unschedulable and not each.spec.taints]
    if not free:
        pytest.skip("every node of this cluster is tainted already")
    node = free[0]
    name, before = node.metadata.name, cluster.kube.read(NODE, node.metadata.name)["spec"]
    if "taints" in spec:
        spec["taints"] = [*(before.get("taints") or ()), *spec["taints"]]
    cluster.core.patch_node(name, {"spec": spec})
    try:
        yield name, {"nodeSelector": {"kubernetes.io/hostname": hostname(cluster, name)}}
    finally:
        undone: Json = {}
        if "unschedulable" in spec:
            undone["unschedulable"] = None
        if "taints" in spec:
            undone["taints"] = before.get("taints") or None
        merge = "application/merge-patch+json"
        cluster.core.patch_node(name, {"spec": undone}, _content_type=merge)


def test_a_cordoned_node_takes_nobody_and_keeps_whom_it_has(cluster: Cluster) -> None:
    name = a_name("cordon")
    with changed_node(cluster) as (_, here):
        cluster.start(a_pod(f"{name}-before", IDLE, **here))
    with changed_node(cluster, unschedulable=True) as (_, here):
        cluster.kube.create(POD, a_pod(name, "exit 0", **here))
        pod = cluster.until_pod(name, lambda pod: condition(pod, "PodScheduled")[0])
        assert condition(pod, "PodScheduled") == ("False", "Unschedulable")
        assert cluster.pod(f"{name}-before").status.phase == "Running"

    assert cluster.until_over(name).status.phase == "Succeeded"
    cluster.kube.delete(POD, f"{name}-before", grace_seconds=0)


def test_a_taint_keeps_off_who_does_not_tolerate_it(cluster: Cluster) -> None:
    key = f"xylem.test/{a_name('taint')}"
    taint = {"key": key, "value": "v", "effect": "NoSchedule"}
    tolerations = {"tolerations": [{"key": key, "operator": "Exists"}]}
    name = a_name("tainted")
    with changed_node(cluster, taints=[taint]) as (_, here):
        assert cluster.run(a_pod(f"{name}-ok", "exit 0", **here, **tolerations)).status.phase == (
            "Succeeded"
        )
        cluster.kube.create(POD, a_pod(name, "exit 0", **here))
        pod = cluster.until_pod(name, lambda pod: condition(pod, "PodScheduled")[0])
        assert condition(pod, "PodScheduled") == ("False", "Unschedulable")

    assert cluster.until_over(name).status.phase == "Succeeded"


def test_a_taint_that_executes_puts_out_who_does_not_tolerate_it(cluster: Cluster) -> None:
    key = f"xylem.test/{a_name('taint')}"
    name, held = a_name("out"), {"finalizers": [FINALIZER]}
    patient = {"key": key, "operator": "Exists", "effect": "NoExecute"}
    with changed_node(cluster) as (_, here):
        cluster.start(a_pod(f"{name}-stays", IDLE, tolerations=[patient], **here))
        cluster.start(a_pod(f"{name}-goes", IDLE, metadata=held, **here))
        for_a_second = {**patient, "tolerationSeconds": 1}
        late: Json = {"tolerations": [for_a_second], "metadata": held}
        cluster.start(a_pod(f"{name}-late", DEAF, **late, **here))
    with changed_node(cluster, taints=[{"key": key, "effect": "NoExecute"}]):
        for each in ("goes", "late"):
            pod = cluster.until_pod(
                f"{name}-{each}", lambda pod: pod.metadata.deletion_timestamp is not None
            )
            assert condition(pod, "DisruptionTarget") == ("True", "DeletionByTaintManager")
        assert cluster.pod(f"{name}-stays").metadata.deletion_timestamp is None

    for each in ("goes", "late"):
        cluster.until_over(f"{name}-{each}")
        released = {"op": "remove", "path": "/metadata/finalizers"}
        cluster.kube.patch(POD, f"{name}-{each}", [released])
    cluster.kube.delete(POD, f"{name}-stays", grace_seconds=0)
