"""Which pod goes to which node: pure, one pass over everything that waits.

A pod waits while it has scheduling gates. Then it goes to a node that is ready, wanted by its
selector and affinity, tolerated, and has room for its requests; of several to the one that is used
least. Pods of higher priority come first, then older ones; a pod that does not fit holds nobody up.
The scheduler's name in the pod does not matter: a gang waits behind its gates.

Left out: preemption and topology spread, for which nothing of ours asks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from operators.desk_cluster import affinity
from operators.desk_cluster.objects import (
    Json,
    is_finished,
    is_terminating,
    meta,
    name_of,
    spec_of,
    status_of,
    uid_of,
)
from operators.shared.quantities import parse_quantity

if TYPE_CHECKING:
    from collections.abc import Iterable

Amounts: TypeAlias = dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Bound:
    pod: Json
    node: str


@dataclass(frozen=True, slots=True)
class Unschedulable:
    pod: Json
    message: str


Decision: TypeAlias = Bound | Unschedulable


def schedule(pods: list[Json], nodes: list[Json]) -> list[Decision]:
    """A decision for every pod that waits for one."""
    waiting = sorted(filter(is_waiting, pods), key=_turn)
    if not waiting:
        return []
    used = {name_of(node): Counter[str]() for node in nodes}
    placed: list[tuple[Json, str]] = []
    for pod in pods:
        node = str(spec_of(pod).get("nodeName"))
        if node in used and not is_finished(pod):
            _take(used[node], pod)
            placed.append((pod, node))
    decisions: list[Decision] = []
    for pod in waiting:
        near = affinity.of(pod, placed, nodes)
        obstacles = {
            name_of(node): _obstacle(pod, node, used[name_of(node)]) or near.obstacle(node)
            for node in nodes
        }
        fitting = [node for node in nodes if not obstacles[name_of(node)]]
        if fitting:
            chosen = name_of(min(fitting, key=lambda node: _load(node, used[name_of(node)])))
            _take(used[chosen], pod)
            placed.append((pod, chosen))
            decisions.append(Bound(pod, chosen))
        else:
            decisions.append(Unschedulable(pod, _explain(obstacles.values())))
    return decisions


def is_waiting(pod: Json) -> bool:
    spec = spec_of(pod)
    bound = spec.get("nodeName") or is_finished(pod)
    return not (bound or spec.get("schedulingGates") or is_terminating(pod))


def requests(pod: Json) -> Amounts:
    """What a pod takes of its node: its containers and sidecars together, or its largest start.

    An ordinary init container runs beside the sidecars that were started before it.
    """
    spec = spec_of(pod)
    sidecars: Counter[str] = Counter()
    largest: Amounts = {}
    for container in spec.get("initContainers") or ():
        wanted = _of_container(container)
        if container.get("restartPolicy") == "Always":
            sidecars.update(wanted)
            wanted = {}
        for name in {*wanted, *sidecars}:
            at_once = sidecars[name] + wanted.get(name, Decimal(0))
            largest[name] = max(largest.get(name, Decimal(0)), at_once)
    together: Counter[str] = Counter(sidecars)
    for container in spec.get("containers") or ():
        together.update(_of_container(container))
    names = {*together, *largest}
    return {name: max(Decimal(together[name]), largest.get(name, Decimal(0))) for name in names}


def _of_container(container: Json) -> Amounts:
    listed = (container.get("resources") or {}).get("requests") or {}
    return {name: parse_quantity(value) for name, value in listed.items()}


def _turn(pod: Json) -> tuple[int, str, str]:
    priority = int(spec_of(pod).get("priority") or 0)
    return -priority, str(meta(pod).get("creationTimestamp")), uid_of(pod)


def _take(used: Counter[str], pod: Json) -> None:
    used.update(requests(pod))
    used["pods"] += 1


def _obstacle(pod: Json, node: Json, used: Counter[str]) -> str:
    """Why the pod cannot run there, in the words of kube-scheduler; empty if it can."""
    if not _is_ready(node):
        return "node(s) were not ready"
    if not _is_wanted(spec_of(pod), node):
        return "node(s) didn't match Pod's node affinity/selector"
    taint = _untolerated(spec_of(pod), node)
    if taint:
        return taint
    room = {
        name: parse_quantity(value)
        for name, value in (status_of(node).get("allocatable") or {}).items()
    }
    if used["pods"] + 1 > room.get("pods", 0):
        return "Too many pods"
    for name, amount in sorted(requests(pod).items()):
        if amount and used[name] + amount > room.get(name, Decimal(0)):
            return f"Insufficient {name}"
    return ""


def _load(node: Json, used: Counter[str]) -> Decimal:
    """The greatest share of anything that is taken."""
    room = status_of(node).get("allocatable") or {}
    sizes = {name: parse_quantity(value) for name, value in room.items()}
    return max((used[name] / size for name, size in sizes.items() if size), default=Decimal(0))


def _explain(obstacles: Iterable[str]) -> str:
    counted = Counter(obstacles)
    if not counted:
        return "no nodes available to schedule pods"
    listed = ", ".join(f"{count} {obstacle}" for obstacle, count in sorted(counted.items()))
    return f"0/{counted.total()} nodes are available: {listed}."


def _is_ready(node: Json) -> bool:
    conditions = status_of(node).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _untolerated(spec: Json, node: Json) -> str:
    taints = list(spec_of(node).get("taints") or ())
    if spec_of(node).get("unschedulable"):
        taints.append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})
    for taint in taints:
        hard = taint.get("effect") in ("NoSchedule", "NoExecute")
        if hard and not any(tolerates(each, taint) for each in spec.get("tolerations") or ()):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return ""


def tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def _is_wanted(spec: Json, node: Json) -> bool:
    labels = meta(node).get("labels") or {}
    if any(labels.get(name) != value for name, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if not affinity:
        return True
    fields = {"metadata.name": name_of(node)}
    return any(
        all(_meets(each, labels) for each in term.get("matchExpressions") or ())
        and all(_meets(each, fields) for each in term.get("matchFields") or ())
        for term in affinity.get("nodeSelectorTerms") or ()
    )


def _meets(requirement: Json, labels: dict[str, str]) -> bool:
    """As a selector of labels does; of nodes' numbers there are two operators more."""
    value, values = labels.get(requirement["key"]), requirement.get("values") or []
    match requirement.get("operator"):
        case "Gt":
            return value is not None and value.isdecimal() and int(value) > int(values[0])
        case "Lt":
            return value is not None and value.isdecimal() and int(value) < int(values[0])
    return affinity.meets(requirement, labels)
