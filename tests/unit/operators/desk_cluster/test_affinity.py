from typing import Any

from operators.desk_cluster import affinity
from operators.desk_cluster.objects import Json
from operators.desk_cluster.scheduler import Bound, Unschedulable, schedule
from tests.unit.operators.desk_cluster.builders import a_node, a_pod

NODES = [a_node(name, labels={"rack": name[0], "host": name}) for name in ("a1", "a2", "b1")]


def a_term(key: str, **labels: str) -> Json:
    return {"topologyKey": key, "labelSelector": {"matchLabels": labels}}


def wanting(kind: str, *terms: Json, **labels: str) -> Json:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}
    pod = a_pod(name="new", affinity={kind: required})
    return {**pod, "metadata": {**pod["metadata"], "labels": labels}}


def placed(node: str, **labels: str) -> tuple[Json, str]:
    pod = a_pod(name="old")
    return {**pod, "metadata": {**pod["metadata"], "labels": labels}}, node


def allowed(pod: Json, *others: tuple[Json, str]) -> list[str]:
    near = affinity.of(pod, others, NODES)
    return [node["metadata"]["name"] for node in NODES if not near.obstacle(node)]


def test_who_wants_nothing_may_go_anywhere() -> None:
    assert allowed(a_pod()) == ["a1", "a2", "b1"]


def test_a_pod_goes_where_its_neighbours_are() -> None:
    pod = wanting("podAffinity", a_term("rack", app="x"))

    assert allowed(pod, placed("a1", app="x"), placed("b1", app="y")) == ["a1", "a2"]


def test_a_pod_whose_neighbours_are_nowhere_goes_nowhere() -> None:
    assert allowed(wanting("podAffinity", a_term("rack", app="x"))) == []


def test_the_first_of_its_kind_may_go_anywhere() -> None:
    assert allowed(wanting("podAffinity", a_term("rack", app="x"), app="x")) == ["a1", "a2", "b1"]


def test_a_pod_keeps_away_from_whom_it_shuns() -> None:
    pod = wanting("podAntiAffinity", a_term("host", app="x"))

    assert allowed(pod, placed("a1", app="x")) == ["a2", "b1"]


def test_neighbours_are_in_the_namespace_of_the_pod_or_in_those_that_it_names() -> None:
    other, node = placed("a1", app="x")
    elsewhere = {**other, "metadata": {**other["metadata"], "namespace": "elsewhere"}}
    term = a_term("host", app="x")

    assert allowed(wanting("podAffinity", term), (elsewhere, node)) == []
    named = {**term, "namespaces": ["elsewhere"]}
    assert allowed(wanting("podAffinity", named), (elsewhere, node)) == ["a1"]


def test_expressions_select_as_labels_do() -> None:
    def found(**expression: Any) -> bool:
        return affinity.matches({"matchExpressions": [{"key": "app", **expression}]}, {"app": "x"})

    assert found(operator="In", values=["x", "y"])
    assert not found(operator="NotIn", values=["x"])
    assert found(operator="Exists")
    assert not found(operator="DoesNotExist")
    assert not affinity.matches(None, {"app": "x"})
    assert affinity.matches({}, {})


def test_pods_of_one_pass_are_neighbours_already() -> None:
    both = [wanting("podAffinity", a_term("host", app="x"), app="x") for _ in range(2)]
    for number, pod in enumerate(both):
        pod["metadata"] |= {"name": f"p{number}", "uid": str(number)}
        del pod["spec"]["nodeName"]

    decisions = schedule(both, NODES)

    assert len({each.node for each in decisions if isinstance(each, Bound)}) == 1
    assert len(decisions) == 2


def test_why_neighbours_do_not_let_it_is_told() -> None:
    pod = wanting("podAffinity", a_term("host", app="x"))
    del pod["spec"]["nodeName"]

    (decision,) = schedule([pod], NODES)

    assert isinstance(decision, Unschedulable)
    assert decision.message == (
        "0/3 nodes are available: 3 node(s) didn't match pod affinity rules."
    )
