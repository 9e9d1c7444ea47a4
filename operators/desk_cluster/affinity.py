"""Which nodes a pod's neighbours leave to it: pure.

Neighbours are pods in the same domain: nodes with one value of a label, `topologyKey`. Required terms
alone count; the preferred ones would only order nodes that are all this machine. A pod that is like
those it wants to be with may be the first of them
(kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node, "inter-pod affinity").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from operators.desk_cluster.objects import Json, meta, name_of, namespace_of, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What the terms of one pod allow: for each, its label and the values that it wants or shuns."""

    wanted: tuple[tuple[str, frozenset[str]], ...] = ()
    shunned: tuple[tuple[str, frozenset[str]], ...] = ()

    def obstacle(self, node: Json) -> str:
        """In the words of kube-scheduler; empty if there is none."""
        labels = meta(node).get("labels") or {}
        if any(labels.get(key) not in values for key, values in self.wanted):
            return "node(s) didn't match pod affinity rules"
        if any(labels.get(key) in values for key, values in self.shunned):
            return "node(s) didn't match pod anti-affinity rules"
        return ""


def of(pod: Json, placed: Iterable[tuple[Json, str]], nodes: Iterable[Json]) -> Neighbourhood:
    """`placed` are pods with the names of their nodes."""
    affinity = spec_of(pod).get("affinity") or {}
    together = (affinity.get("podAffinity") or {}).get(_REQUIRED) or ()
    apart = (affinity.get("podAntiAffinity") or {}).get(_REQUIRED) or ()
    if not together and not apart:
        return Neighbourhood()
    others = list(placed)
    labels = {name_of(node): meta(node).get("labels") or {} for node in nodes}

    def domains(term: Json) -> tuple[str, frozenset[str]]:
        key = str(term["topologyKey"])
        homes = [labels.get(node, {}) for each, node in others if _selects(term, pod, each)]
        return key, frozenset(home[key] for home in homes if key in home)

    wanted = []
    for term in together:
        key, values = domains(term)
        if not values and _selects(term, pod, pod):
            values = frozenset(each[key] for each in labels.values() if key in each)
        wanted.append((key, values))
    return Neighbourhood(tuple(wanted), tuple(map(domains, apart)))


def _selects(term: Json, pod: Json, other: Json) -> bool:
    named = term.get("namespaces") or [namespace_of(pod)]
    return namespace_of(other) in named and matches(
        term.get("labelSelector"), meta(other).get("labels") or {}
    )


def matches(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """A selector that is not there selects nothing, an empty one everything."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(meets(each, labels) for each in selector.get("matchExpressions") or ())


def meets(requirement: Json, labels: Mapping[str, str]) -> bool:
    """One of `matchExpressions`; an operator that selectors of labels do not have selects nothing."""
    value, values = labels.get(requirement["key"]), requirement.get("values") or []
    match requirement.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False
