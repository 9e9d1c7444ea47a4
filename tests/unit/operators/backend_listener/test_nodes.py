"""Nodes and the pods on them go in; what is there and what is taken comes out."""

from decimal import Decimal
from typing import Any

from operators.backend_listener.nodes import Nodes, count_others
from operators.shared.resources import POD, Json
from tests.fakes.kube import FakeKube, run
from xylem.protocol.agent import (
    NodeAmounts,
    NodeCondition,
    NodeObservation,
    NodeTaint,
    NodeUse,
)
from xylem.protocol.limits import NODE_CONDITION_BYTES, NODE_LABEL_BYTES, NODE_USES

GIB = 1024**3


def a_node(name: str = "node-1", *, uid: str = "", **spec: Any) -> Json:
    return {
        "metadata": {"name": name, "uid": uid or f"uid-{name}", "labels": {"kind": "a100"}},
        "spec": spec,
        "status": {
            "capacity": {"cpu": "64", "nvidia.com/gpu": "8"},
            "allocatable": {
                "cpu": "63500m",
                "memory": "512Gi",
                "ephemeral-storage": "1000",
                "nvidia.com/gpu": "8",
                "pods": "110",
            },
            "conditions": [
                {"type": "DiskPressure", "status": "False"},
                {"type": "Ready", "status": "True"},
            ],
        },
    }


def asking(cpu: str = "1", **gpu: str) -> Json:
    return {"resources": {"requests": {"cpu": cpu, "memory": "1Gi"}, "limits": gpu}}


def a_pod(
    uid: str = "pod-1",
    *containers: Json,
    node: str | None = "node-1",
    phase: str = "Running",
    priority: str = "normal",
    **spec: Any,
) -> Json:
    labels = {"osmo.group_uuid": "g", "osmo.pool": "default", "osmo.priority": priority}
    return {
        "metadata": {"name": uid, "uid": uid, "labels": labels},
        "spec": {
            "containers": list(containers) or [asking(**{"nvidia.com/gpu": "2"})],
            **({"nodeName": node} if node else {}),
            **spec,
        },
        "status": {"phase": phase},
    }


def known(*nodes: Json) -> Nodes:
    found = Nodes()
    for node in nodes or (a_node(),):
        found.seen(node)
    return found


def facts_of(node: Json) -> NodeObservation:
    [fact] = known(node).told()
    return fact


def after_pod(nodes: Nodes, pod: Json) -> list[NodeObservation]:
    nodes.told()
    nodes.pod_seen(pod)
    return nodes.told()


def uses(facts: list[NodeObservation]) -> list[tuple[str, int, int, int]]:
    [fact] = facts
    return [(use.priority, use.pods, use.amounts.gpu, use.amounts.cpu) for use in fact.uses]


def test_a_node_is_what_its_object_says() -> None:
    node = a_node(
        unschedulable=True, taints=[{"key": "dedicated", "value": "ml", "effect": "NoSchedule"}]
    )

    fact = facts_of(node)

    assert fact == NodeObservation(
        name="node-1",
        capacity=NodeAmounts(cpu=64_000, gpu=8),
        allocatable=NodeAmounts(cpu=63_500, gpu=8, memory=512 * GIB, storage=1000),
        ready=True,
        cordoned=True,
        labels={"kind": "a100"},
        taints=[NodeTaint(key="dedicated", value="ml", effect="NoSchedule")],
        conditions=[said("Ready"), said("DiskPressure", "False")],
    )


def test_conditions_of_tests_are_told_before_others_and_the_same_whenever_they_were_seen() -> None:
    many = [{"type": f"Problem{at:03}", "status": "False"} for at in range(500)]
    strange = [{"type": "gpu", "status": "Maybe"}, {"status": "True"}, {"type": "x" * 400}]
    tested = {"type": "osmo.nvidia.com/gpu", "status": "False", "lastHeartbeatTime": "1"}
    node = a_node()
    node["status"]["conditions"] = [*many, *strange, tested, *node["status"]["conditions"]]

    nodes = known(node)
    [fact] = nodes.told()
    tested["lastHeartbeatTime"] = "2"
    nodes.seen(node)

    assert fact.conditions[:3] == [
        said("Ready"),
        said("osmo.nvidia.com/gpu", "False"),
        said("DiskPressure", "False"),
    ]
    size = sum(len(one.type + one.status) for one in fact.conditions)
    assert NODE_CONDITION_BYTES - 20 < size <= NODE_CONDITION_BYTES
    assert nodes.told() == [fact]


def said(type_: str, status: Any = "True") -> NodeCondition:
    return NodeCondition(type=type_, status=status)


def test_a_node_without_a_word_is_not_ready_and_has_nothing() -> None:
    assert facts_of({"metadata": {"name": "n", "uid": "u"}}) == NodeObservation(name="n")


def test_what_is_strange_in_one_place_leaves_the_rest() -> None:
    node = a_node(taints=[{"key": "a", "effect": "Some day"}, {"effect": "NoSchedule"}])
    node["status"]["allocatable"]["cpu"] = "many"

    fact = facts_of(node)

    assert (fact.allocatable.cpu, fact.allocatable.gpu, fact.taints) == (0, 8, [])


def test_a_pod_takes_from_its_node_while_it_is_bound_and_not_ended() -> None:
    nodes = known()

    assert uses(after_pod(nodes, a_pod())) == [("NORMAL", 1, 2, 1000)]
    assert uses(after_pod(nodes, a_pod(phase="Succeeded"))) == []


def test_what_changes_nothing_on_a_node_is_no_fact_of_it() -> None:
    nodes = known()

    assert after_pod(nodes, a_pod(node=None)) == []
    after_pod(nodes, a_pod())
    assert after_pod(nodes, a_pod()) == []
    assert not nodes.touched


def test_a_gang_that_starts_is_one_fact_of_each_node() -> None:
    nodes = known(a_node("a"), a_node("b"))
    nodes.told()

    for number in range(10):
        nodes.pod_seen(a_pod(f"pod-{number}", node="ab"[number % 2]))

    assert nodes.touched
    assert [(fact.name, fact.uses[0].pods) for fact in nodes.told()] == [("a", 5), ("b", 5)]


def test_pods_are_summed_by_pool_and_priority() -> None:
    nodes = known()
    nodes.pod_seen(a_pod("a"))
    nodes.pod_seen(a_pod("b"))
    facts = after_pod(nodes, a_pod("c", priority="low"))

    assert uses(facts) == [("LOW", 1, 2, 1000), ("NORMAL", 2, 4, 2000)]
    assert facts[0].uses[0] == NodeUse(
        pool="default",
        priority="LOW",
        pods=1,
        amounts=NodeAmounts(cpu=1000, gpu=2, memory=GIB, storage=0),
    )


def test_a_pod_that_is_gone_gives_back_what_it_took() -> None:
    nodes = known()
    nodes.pod_seen(a_pod("a"))
    nodes.pod_seen(a_pod("b"))

    nodes.pod_gone("a")
    nodes.pod_gone("a")

    assert uses(nodes.told()) == [("NORMAL", 1, 2, 1000)]


def test_a_pod_that_a_list_does_not_show_is_gone() -> None:
    nodes = known()
    nodes.pod_seen(a_pod("a"))
    nodes.pod_seen(a_pod("b"))

    nodes.pods_listed({"b"})

    assert uses(nodes.told()) == [("NORMAL", 1, 2, 1000)]


def test_a_pod_on_a_node_that_is_not_known_yet_counts_when_it_is() -> None:
    nodes = Nodes()
    assert after_pod(nodes, a_pod()) == []

    nodes.seen(a_node())

    assert uses(nodes.told()) == [("NORMAL", 1, 2, 1000)]


def test_a_pod_asks_for_its_containers_together_or_its_largest_init_container() -> None:
    nodes = known()
    alone = a_pod("a", asking("1"), asking("500m"), initContainers=[asking("2"), asking("4")])
    beside = a_pod(
        "b",
        asking("1"),
        initContainers=[{**asking("2"), "restartPolicy": "Always"}, asking("2")],
        overhead={"cpu": "100m"},
    )

    nodes.pod_seen(alone)
    facts = after_pod(nodes, beside)

    assert facts[0].uses[0].amounts.cpu == 4000 + 3100


def test_a_limit_without_a_request_is_a_request() -> None:
    facts = after_pod(known(), a_pod("a", {"resources": {"limits": {"cpu": "3"}}}))

    assert facts[0].uses[0].amounts.cpu == 3000


def test_a_node_that_is_gone_is_named_and_one_that_came_back_is_another() -> None:
    nodes = known(a_node("a"), a_node("b"))

    assert nodes.gone(a_node("a")) == "a"
    assert nodes.listed({"uid-b"}) == []
    nodes.seen(a_node("b", uid="new"))
    assert nodes.listed({"new"}) == []
    assert nodes.listed(set()) == ["b"]


def test_labels_are_bounded_and_those_of_people_come_first() -> None:
    node = a_node()
    node["metadata"]["labels"] = {
        "zone": "b",
        **{f"feature.node.kubernetes.io/cpu-{number:04d}": "true" for number in range(1000)},
    }

    fact = facts_of(node)

    assert fact.labels["zone"] == "b"
    assert sum(len(key) + len(value) for key, value in fact.labels.items()) <= NODE_LABEL_BYTES


def test_more_pools_on_a_node_than_fit_are_told_by_the_largest() -> None:
    nodes = known()
    facts = []
    for number in range(NODE_USES + 5):
        pod = a_pod(f"pod-{number}", asking(**{"nvidia.com/gpu": "1" if number < 5 else "2"}))
        pod["metadata"]["labels"]["osmo.pool"] = f"pool-{number}"
        facts = after_pod(nodes, pod)

    assert len(facts[0].uses) == NODE_USES
    assert {use.amounts.gpu for use in facts[0].uses} == {2}


def test_the_pods_of_others_are_counted_together_without_ours_and_what_has_ended() -> None:
    kube = FakeKube()
    for pod in (
        a_pod("ours"),
        a_pod("theirs"),
        a_pod("ended", phase="Succeeded"),
        a_pod("waiting", node=None),
    ):
        kube.create(POD, pod)
        kube.set_phase(pod["metadata"]["name"], pod["status"]["phase"])
        if pod["metadata"]["name"] != "ours":
            del kube.objects["Pod", pod["metadata"]["name"]]["metadata"]["labels"]

    nodes = known()

    nodes.counted(run(kube, count_others()))
    [fact] = nodes.told()

    assert fact.others == NodeAmounts(cpu=1000, gpu=2, memory=GIB, storage=0)


def test_others_that_are_gone_are_counted_no_more() -> None:
    nodes = known()
    nodes.counted({"node-1": {"cpu": Decimal(1)}})
    [before] = nodes.told()

    nodes.counted({})
    [fact] = nodes.told()

    assert before.others == NodeAmounts(cpu=1000)
    assert fact.others == NodeAmounts()
