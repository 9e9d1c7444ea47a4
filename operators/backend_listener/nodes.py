"""Nodes as lists and watches show them, and what pods ask for on each: objects in, facts out.

What is free on a node is what it has less what pods ask for that are bound to it and have not
ended: the scheduler's own arithmetic. Our pods are followed by the watch; everybody else's are
listed with each inventory, because a watch on all pods of a cluster costs more than it tells.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from sys import intern

from operators.shared.calls import Procedure, pages
from operators.shared.quantities import parse_quantity
from operators.shared.resources import ANYBODYS_POD, Json
from xylem.manifests.names import GROUP_LABEL
from xylem.protocol.agent import (
    NodeAmounts,
    NodeCondition,
    NodeObservation,
    NodeTaint,
    NodeUse,
)
from xylem.protocol.limits import (
    NODE_CONDITION_BYTES,
    NODE_CONDITION_CHARS,
    NODE_LABEL_BYTES,
    NODE_USES,
)

GPU = "nvidia.com/gpu"
POOL_LABEL = "osmo.pool"
PRIORITY_LABEL = "osmo.priority"

ENDED = ("Succeeded", "Failed")
_DISCOVERED = "feature.node.kubernetes.io/"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
STATUSES = ("True", "False", "Unknown")

_NONE = Decimal(0)
Sums = dict[str, Decimal]
"""By Kubernetes' name of the resource."""


@dataclass(frozen=True, slots=True)
class _Pod:
    """One of ours that takes something of a node."""

    node: str
    pool: str
    priority: str
    asks: Mapping[str, Decimal]


@dataclass(slots=True)
class _Sum:
    pods: int
    asks: Sums


class Nodes:
    """What is known of nodes. What is seen only marks the nodes that it is about; `told` makes
    facts of them when somebody wants to tell these. A gang of a thousand that starts at once is a
    thousand sightings, and one fact for each node.

    A node's own object is read once and dropped: with its images and managed fields it is twenty
    times what is concluded from it."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeObservation] = {}
        """Without their pods."""
        self._uid_of: dict[str, str] = {}
        self._pods: dict[str, _Pod] = {}
        self._uses: dict[str, dict[tuple[str, str], _Sum]] = defaultdict(dict)
        """By node, then by pool and priority."""
        self._others: dict[str, Sums] = {}
        self._touched: set[str] = set()

    @property
    def touched(self) -> bool:
        return bool(self._touched)

    def told(self) -> list[NodeObservation]:
        """The nodes of which something may have changed since, as they are now."""
        touched, self._touched = self._touched, set()
        return [self._fact(name) for name in sorted(touched) if name in self._nodes]

    def seen(self, node: Json) -> None:
        name = node["metadata"]["name"]
        self._nodes[name] = _observed(node)
        self._uid_of[name] = node["metadata"]["uid"]
        self._touched.add(name)

    def gone(self, node: Json) -> str:
        name = str(node["metadata"]["name"])
        self._nodes.pop(name, None)
        self._uid_of.pop(name, None)
        return name

    def listed(self, uids: Collection[str]) -> list[str]:
        """A list ended: these are all that there are. The names of those that were."""
        missing = [name for name, uid in self._uid_of.items() if uid not in uids]
        for name in missing:
            del self._nodes[name], self._uid_of[name]
        return missing

    def pod_seen(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        place = _place(pod)
        before = self._pods.get(uid)
        if before is not None and place == (before.node, before.pool, before.priority):
            return  # what ours ask for stays as it was made: nobody resizes them in place
        if place is not None or before is not None:
            self._put(uid, None if place is None else _Pod(*place, _asks(pod)))

    def pod_gone(self, uid: str) -> None:
        self._put(uid, None)

    def pods_listed(self, uids: Collection[str]) -> None:
        for uid in [uid for uid in self._pods if uid not in uids]:
            self._put(uid, None)

    def counted(self, others: Mapping[str, Sums]) -> None:
        """What everybody else's pods ask for, by node."""
        self._touched |= {*others, *self._others}
        self._others = dict(others)

    def _put(self, uid: str, pod: _Pod | None) -> None:
        before = self._pods.pop(uid, None)
        if before is not None:
            uses = self._uses[before.node]
            sum_ = uses[before.pool, before.priority]
            sum_.pods -= 1
            sum_.asks = _less(sum_.asks, before.asks)
            if not sum_.pods:
                del uses[before.pool, before.priority]
            self._touched.add(before.node)
        if pod is not None:
            self._pods[uid] = pod
            sum_ = self._uses[pod.node].setdefault((pod.pool, pod.priority), _Sum(0, {}))
            sum_.pods += 1
            sum_.asks = _plus(sum_.asks, pod.asks)
            self._touched.add(pod.node)

    def _fact(self, name: str) -> NodeObservation:
        pods = {"uses": self._used(name), "others": _amounts(self._others.get(name, {}))}
        return self._nodes[name].model_copy(update=pods)

    def _used(self, node: str) -> list[NodeUse]:
        uses = [
            NodeUse(pool=pool, priority=priority, pods=sum_.pods, amounts=_amounts(sum_.asks))
            for (pool, priority), sum_ in sorted(self._uses.get(node, {}).items())
        ]
        largest = sorted(uses, key=lambda use: (use.amounts.gpu, use.pods), reverse=True)
        return uses if len(uses) <= NODE_USES else largest[:NODE_USES]


def _observed(node: Json) -> NodeObservation:
    metadata = node["metadata"]
    spec, status = node.get("spec") or {}, node.get("status") or {}
    return NodeObservation(
        name=metadata["name"],
        capacity=_told_amounts(status.get("capacity")),
        allocatable=_told_amounts(status.get("allocatable")) or NodeAmounts(),
        ready=_is_ready(status),
        cordoned=bool(spec.get("unschedulable")),
        labels=_labels(metadata.get("labels") or {}),
        taints=_taints(spec.get("taints") or ()),
        conditions=_conditions(status.get("conditions") or ()),
    )


def _told_amounts(amounts: Mapping[str, object] | None) -> NodeAmounts | None:
    if not amounts:
        return None
    return _amounts({key: _quantity(value) for key, value in amounts.items()})


def count_others() -> Procedure[dict[str, Sums]]:
    """What all pods without our label ask for, by node."""
    found: dict[str, Sums] = {}

    def take(pods: list[Json]) -> None:
        for pod in pods:
            node = (pod.get("spec") or {}).get("nodeName")
            if node and (pod.get("status") or {}).get("phase") not in ENDED:
                found[node] = _plus(found.get(node, {}), _asks(pod))

    yield from pages(ANYBODYS_POD, f"!{GROUP_LABEL}", take)
    return found


def _place(pod: Json) -> tuple[str, str, str] | None:
    """Node, pool and priority. None: it takes nothing of a node, not yet or no more."""
    node = (pod.get("spec") or {}).get("nodeName")
    if not node or (pod.get("status") or {}).get("phase") in ENDED:
        return None
    labels = pod["metadata"].get("labels") or {}
    priority = str(labels.get(PRIORITY_LABEL, "normal")).upper()
    return intern(str(node)), intern(str(labels.get(POOL_LABEL, ""))), intern(priority)


def _asks(pod: Json) -> Sums:
    """As the scheduler counts: containers together, or the largest init container, which runs
    before them; one that stays runs beside them."""
    spec = pod.get("spec") or {}
    together: Sums = {}
    for container in spec.get("containers") or ():
        together = _plus(together, _requests(container))
    before: Sums = {}
    for container in spec.get("initContainers") or ():
        asked = _requests(container)
        if container.get("restartPolicy") == "Always":
            together = _plus(together, asked)
        else:
            before = _highest(before, asked)
    most = _highest(together, before)
    overhead = {key: _quantity(value) for key, value in (spec.get("overhead") or {}).items()}
    return _plus(most, overhead)


def _requests(container: Json) -> Sums:
    """What has a limit and no request requests its limit."""
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {key: _quantity(value) for key, value in asked.items()}


def _quantity(value: object) -> Decimal:
    """Nothing for what is none: an object that is strange in one place still tells the rest."""
    try:
        return max(parse_quantity(value), _NONE)
    except ValueError:
        return _NONE


def _plus(sums: Mapping[str, Decimal], more: Mapping[str, Decimal]) -> Sums:
    return {key: sums.get(key, _NONE) + more.get(key, _NONE) for key in {*sums, *more}}


def _less(sums: Mapping[str, Decimal], less: Mapping[str, Decimal]) -> Sums:
    return {key: amount - less.get(key, _NONE) for key, amount in sums.items()}


def _highest(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> Sums:
    return {key: max(one.get(key, _NONE), other.get(key, _NONE)) for key in {*one, *other}}


def _amounts(sums: Mapping[str, Decimal]) -> NodeAmounts:
    def whole(key: str, times: int = 1) -> int:
        return int((sums.get(key, _NONE) * times).to_integral_value(rounding=ROUND_CEILING))

    return NodeAmounts(
        cpu=whole("cpu", 1000),
        gpu=whole(GPU),
        memory=whole("memory"),
        storage=whole("ephemeral-storage"),
    )


def _is_ready(status: Json) -> bool:
    return any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in status.get("conditions") or ()
    )


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    """As many as fit, those last that node feature discovery makes by the hundred: platforms are
    told apart by others."""
    kept: dict[str, str] = {}
    left = NODE_LABEL_BYTES
    for key in sorted(labels, key=lambda key: (key.startswith(_DISCOVERED), key)):
        size = len(f"{key}{labels[key]}".encode())
        if size <= left:
            kept[key] = str(labels[key])
            left -= size
    return kept


def _taints(taints: Iterable[Json]) -> list[NodeTaint]:
    return [
        NodeTaint(
            key=str(taint["key"]), effect=taint["effect"], value=str(taint.get("value") or "")
        )
        for taint in taints
        if taint.get("key") and taint.get("effect") in EFFECTS
    ]


def _conditions(conditions: Iterable[Json]) -> list[NodeCondition]:
    """As many as fit: `Ready`, what somebody's own domain is in, which tests set, and then the
    rest. When they were last seen is not said: that changes all the time."""
    told = [
        NodeCondition(type=one["type"], status=one["status"])
        for one in conditions
        if one.get("status") in STATUSES and 0 < len(one.get("type", "")) <= NODE_CONDITION_CHARS
    ]
    kept: list[NodeCondition] = []
    left = NODE_CONDITION_BYTES
    for one in sorted(told, key=lambda one: (one.type != "Ready", "/" not in one.type, one.type)):
        size = len(f"{one.type}{one.status}".encode())
        if size <= left:
            kept.append(one)
            left -= size
    return kept
