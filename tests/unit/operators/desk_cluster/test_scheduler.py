"""Which pod runs where (concepts/scheduling-eviction; pod-scheduling-readiness)."""

from typing import Any

import pytest

from operators.desk_cluster.objects import Json, timestamp
from operators.desk_cluster.scheduler import Bound, Unschedulable, requests, schedule
from tests.unit.operators.desk_cluster.builders import (
    a_container,
    a_node,
    a_pod,
    a_sidecar,
    after,
    an_init,
    terminating,
)


def waiting(name: str = "a", *, age: int = 0, **spec: Any) -> Json:
    pod = a_pod(*spec.pop("containers", ()), name=name, **spec)
    del pod["spec"]["nodeName"]
    pod["metadata"] |= {"uid": name, "creationTimestamp": timestamp(after(-age))}
    return pod


def wanting(**amounts: str) -> Json:
    return a_container(resources={"requests": amounts})


def bound_to(pods: list[Json], *nodes: Json) -> dict[str, str]:
    decisions = schedule(pods, list(nodes))
    return {
        each.pod["metadata"]["name"]: each.node for each in decisions if isinstance(each, Bound)
    }


def why_not(pod: Json, *nodes: Json, others: tuple[Json, ...] = ()) -> str:
    (decision,) = schedule([pod, *others], list(nodes))
    assert isinstance(decision, Unschedulable)
    return decision.message


def test_a_pod_goes_to_the_node() -> None:
    assert bound_to([waiting()], a_node()) == {"a": "desk"}


def test_a_pod_with_a_gate_waits_and_is_not_even_looked_at() -> None:
    assert schedule([waiting(schedulingGates=[{"name": "xylem.dev/held"}])], [a_node()]) == []


def test_a_pod_that_is_bound_finished_or_deleted_is_left_alone() -> None:
    finished = {**waiting("finished"), "status": {"phase": "Failed"}}

    assert schedule([a_pod(), finished, terminating(waiting("gone"))], [a_node()]) == []


@pytest.mark.parametrize(
    ("amounts", "fits"),
    [
        ({"cpu": "2"}, True),
        ({"cpu": "2001m"}, False),
        ({"memory": "4Gi"}, True),
        ({"memory": "4097Mi"}, False),
        ({"nvidia.com/gpu": "1"}, False),
        ({"nvidia.com/gpu": "0"}, True),
    ],
)
def test_a_pod_fits_into_what_is_allocatable(amounts: dict[str, str], fits: bool) -> None:
    pod = waiting(containers=[wanting(**amounts)])

    assert bound_to([pod], a_node()) == ({"a": "desk"} if fits else {})


def test_extended_resources_are_counted() -> None:
    node = a_node(allocatable={"nvidia.com/gpu": "1"})
    pods = [waiting(name, containers=[wanting(**{"nvidia.com/gpu": "1"})]) for name in "ab"]

    assert bound_to(pods, node) == {"a": "desk"}


def test_what_pods_have_taken_is_not_there_for_others() -> None:
    taken = a_pod(wanting(cpu="1500m"), name="there")
    pod = waiting(containers=[wanting(cpu="1")])

    assert why_not(pod, a_node(), others=(taken,)) == "0/1 nodes are available: 1 Insufficient cpu."
    assert bound_to([pod, {**taken, "status": {"phase": "Succeeded"}}], a_node()) == {"a": "desk"}


def test_a_pod_that_is_being_deleted_still_takes_its_room() -> None:
    taken = terminating(a_pod(wanting(cpu="2"), name="there"))

    assert bound_to([waiting(containers=[wanting(cpu="1")]), taken], a_node()) == {}


def test_pods_of_one_pass_do_not_take_the_same_room() -> None:
    pods = [waiting(name, containers=[wanting(cpu="1")]) for name in ("a", "b", "c")]

    assert bound_to(pods, a_node()) == {"a": "desk", "b": "desk"}


def test_a_pod_that_does_not_fit_holds_nobody_up() -> None:
    large = waiting("large", age=10, containers=[wanting(cpu="3")])

    assert bound_to([large, waiting("small")], a_node()) == {"small": "desk"}


def test_the_number_of_pods_is_limited() -> None:
    node = a_node(allocatable={"pods": "1"})

    assert why_not(waiting(), node, others=(a_pod(name="there"),)) == (
        "0/1 nodes are available: 1 Too many pods."
    )


def test_priority_goes_before_age_and_age_before_the_rest() -> None:
    node = a_node(allocatable={"pods": "1"})
    young, old, important = waiting("young"), waiting("old", age=60), waiting("vip", priority=7)

    assert bound_to([young, old], node) == {"old": "desk"}
    assert bound_to([young, old, important], node) == {"vip": "desk"}


def test_a_pod_takes_its_containers_and_sidecars_or_its_largest_start() -> None:
    def pod(*inits: Json) -> Json:
        return waiting(
            containers=[wanting(cpu="1"), {**wanting(cpu="1"), "name": "b"}], inits=inits
        )

    small: Json = {"resources": {"requests": {"cpu": "1"}}}
    large: Json = {"resources": {"requests": {"cpu": "4"}}}

    assert requests(pod()) == {"cpu": 2}
    assert requests(pod(an_init(**small))) == {"cpu": 2}
    assert requests(pod(an_init(**large))) == {"cpu": 4}
    assert requests(pod(a_sidecar(**small))) == {"cpu": 3}
    assert requests(pod(a_sidecar(**small), an_init(**large))) == {"cpu": 5}
    assert requests(pod(an_init(**large), a_sidecar(**small))) == {"cpu": 4}


def test_a_node_that_is_not_ready_gets_nothing() -> None:
    assert "1 node(s) were not ready" in why_not(waiting(), a_node(ready=False))


def test_without_nodes_nothing_is_scheduled() -> None:
    assert why_not(waiting()) == "no nodes available to schedule pods"


def test_a_cordoned_or_tainted_node_takes_only_who_tolerates_it() -> None:
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    tolerating = [{"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}]
    tainted, cordoned = a_node(taints=[taint]), a_node(unschedulable=True)

    assert "untolerated taint {gpu: yes}" in why_not(waiting(), tainted)
    assert bound_to([waiting(tolerations=tolerating)], tainted) == {"a": "desk"}
    assert bound_to([waiting(tolerations=[{"key": "gpu", "operator": "Exists"}])], tainted)
    assert bound_to([waiting(tolerations=[{"operator": "Exists"}])], tainted)
    assert not bound_to([waiting(tolerations=[{"key": "gpu", "value": "no"}])], tainted)
    assert bound_to([waiting()], cordoned) == {}


def test_a_taint_that_only_prefers_keeps_nobody_away() -> None:
    assert bound_to([waiting()], a_node(taints=[{"key": "a", "effect": "PreferNoSchedule"}]))


def test_a_pod_goes_where_its_selector_leads() -> None:
    nodes = a_node("one", labels={"disk": "slow"}), a_node("two", labels={"disk": "fast"})

    assert bound_to([waiting(nodeSelector={"disk": "fast"})], *nodes) == {"a": "two"}
    assert why_not(waiting(nodeSelector={"disk": "none"}), *nodes) == (
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
    )


@pytest.mark.parametrize(
    ("operator", "values", "matches"),
    [
        ("In", ["7", "8"], True),
        ("In", ["8"], False),
        ("NotIn", ["8"], True),
        ("NotIn", ["7"], False),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
        ("Gt", ["6"], True),
        ("Gt", ["7"], False),
        ("Lt", ["8"], True),
        ("Lt", ["7"], False),
    ],
)
def test_a_pod_goes_where_its_affinity_leads(
    operator: str, values: list[str], matches: bool
) -> None:
    term = {"matchExpressions": [{"key": "cores", "operator": operator, "values": values}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    pod = waiting(affinity={"nodeAffinity": required})

    assert bool(bound_to([pod], a_node(labels={"cores": "7"}))) is matches


def test_any_term_of_an_affinity_is_enough_and_all_of_its_expressions_are_needed() -> None:
    def term(*keys: str) -> Json:
        return {"matchExpressions": [{"key": key, "operator": "Exists"} for key in keys]}

    def pod(*terms: Json) -> Json:
        required = {"nodeSelectorTerms": list(terms)}
        affinity = {"requiredDuringSchedulingIgnoredDuringExecution": required}
        return waiting(affinity={"nodeAffinity": affinity})

    node = a_node(labels={"a": "1", "b": "2"})

    assert bound_to([pod(term("none"), term("a", "b"))], node)
    assert not bound_to([pod(term("a", "none"))], node)


def test_a_pod_can_ask_for_a_node_by_name() -> None:
    field = {"key": "metadata.name", "operator": "In", "values": ["two"]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}

    assert bound_to([waiting(affinity=affinity)], a_node("one"), a_node("two")) == {"a": "two"}


def test_of_several_nodes_the_one_that_is_used_least_is_taken() -> None:
    nodes = [a_node("busy"), a_node("idle")]
    taken = a_pod(wanting(cpu="1"), name="there", nodeName="busy")

    decisions = schedule([waiting(containers=[wanting(cpu="500m")]), taken], nodes)

    assert [each.node for each in decisions if isinstance(each, Bound)] == ["idle"]


def test_a_gang_is_spread() -> None:
    pods = [waiting(name, containers=[wanting(cpu="1")]) for name in "abcd"]

    decisions = schedule(pods, [a_node("one"), a_node("two")])

    assert sorted(each.node for each in decisions if isinstance(each, Bound)) == [
        *("one", "one"),
        *("two", "two"),
    ]
