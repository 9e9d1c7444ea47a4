"""Nodes as lists and watches show them, and what pods ask for on each: objects in, facts out.

What is free on a node is what it has less what pods ask for that are bound to it and have not
ended: the scheduler's own arithmetic. Our pods are followed by the watch; everybody else's are
listed with each inventory, because a watch on all pods of a cluster costs more than it tells.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from operators.shared.calls import Procedure, pages
from operators.shared.quantities import parse_quantity
from operators.shared.resources import ANYBODYS_POD, Json
from xylem.manifests.names import GROUP_LABEL
from xylem.protocol.agent import NodeAmounts, NodeObservation, NodeTaint, NodeUse
from xylem.protocol.limits import NODE_LABEL_BYTES, NODE_USES

GPU = "nvidia.com/gpu"
POOL_LABEL = "osmo.pool"
PRIORITY_LABEL = "osmo.priority"

ENDED = ("Succeeded", "Failed")
_DISCOVERED = "feature.node.kubernetes.io/"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

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


class Nodes:
    """What is known of nodes. Each method names the nodes of which something may have changed, as
    they are now; `gone` the name of one that is not there any more."""

    def __init__(self) -> None:
        self._nodes: dict[str, Json] = {}
        self._name_of: dict[str, str] = {}
        self._pods: dict[str, _Pod] = {}
        self._on: dict[str, set[str]] = defaultdict(set)
        self._others: dict[str, Sums] = {}

    def seen(self, node: Json) -> list[NodeObservation]:
        name = node["metadata"]["name"]
        self._nodes[name] = node
        self._name_of[node["metadata"]["uid"]] = name
        return self._facts([name])

    def gone(self, node: Json) -> str:
        name = str(node["metadata"]["name"])
        self._nodes.pop(name, None)
        self._name_of.pop(node["metadata"]["uid"], None)
        return name

    def listed(self, uids: Collection[str]) -> list[str]:
        """A list ended: these are all that there are. The names of those that were."""
        missing = [uid for uid in self._name_of if uid not in uids]
        return [name for uid in missing if (name := self._forget(uid)) is not None]

    def pod_seen(self, pod: Json) -> list[NodeObservation]:
        uid = pod["metadata"]["uid"]
        before = self._pods.get(uid)
        now = _taking(pod)
        if before == now:
            return []
        self._put(uid, now)
        touched = {one.node for one in (before, now) if one is not None}
        return self._facts(touched)

    def pod_gone(self, uid: str) -> list[NodeObservation]:
        before = self._pods.get(uid)
        self._put(uid, None)
        return self._facts([before.node] if before else [])

    def pods_listed(self, uids: Collection[str]) -> list[NodeObservation]:
        missing = [uid for uid in self._pods if uid not in uids]
        return [fact for uid in missing for fact in self.pod_gone(uid)]

    def counted(self, others: Mapping[str, Sums]) -> list[NodeObservation]:
        """What everybody else's pods ask for, by node."""
        touched = set(others) | set(self._others)
        self._others = dict(others)
        return self._facts(touched)

    def _forget(self, uid: str) -> str | None:
        name = self._name_of.pop(uid)
        node = self._nodes.get(name)
        if node is None or node["metadata"]["uid"] != uid:
            return None
        del self._nodes[name]
        return name

    def _put(self, uid: str, pod: _Pod | None) -> None:
        before = self._pods.pop(uid, None)
        if before is not None:
            self._on[before.node].discard(uid)
        if pod is not None:
            self._pods[uid] = pod
            self._on[pod.node].add(uid)

    def _facts(self, names: Iterable[str]) -> list[NodeObservation]:
        return [self._fact(self._nodes[name]) for name in sorted(names) if name in self._nodes]

    def _fact(self, node: Json) -> NodeObservation:
        name = node["metadata"]["name"]
        spec, status = node.get("spec") or {}, node.get("status") or {}
        allocatable = status.get("allocatable") or {}
        return NodeObservation(
            name=name,
            allocatable=_amounts({key: _quantity(value) for key, value in allocatable.items()}),
            uses=self._uses(name),
            others=_amounts(self._others.get(name, {})),
            ready=_is_ready(status),
            cordoned=bool(spec.get("unschedulable")),
            labels=_labels(node["metadata"].get("labels") or {}),
            taints=_taints(spec.get("taints") or ()),
        )

    def _uses(self, node: str) -> list[NodeUse]:
        found: dict[tuple[str, str], tuple[int, Sums]] = {}
        for uid in self._on.get(node, ()):
            pod = self._pods[uid]
            count, sums = found.get((pod.pool, pod.priority), (0, {}))
            found[pod.pool, pod.priority] = (count + 1, _plus(sums, pod.asks))
        uses = [
            NodeUse(pool=pool, priority=priority, pods=count, amounts=_amounts(sums))
            for (pool, priority), (count, sums) in sorted(found.items())
        ]
        largest = sorted(uses, key=lambda use: (use.amounts.gpu, use.pods), reverse=True)
        return uses if len(uses) <= NODE_USES else largest[:NODE_USES]


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


def _taking(pod: Json) -> _Pod | None:
    """None: it takes nothing of a node, not yet or no more."""
    node = (pod.get("spec") or {}).get("nodeName")
    if not node or (pod.get("status") or {}).get("phase") in ENDED:
        return None
    labels = pod["metadata"].get("labels") or {}
    priority = str(labels.get(PRIORITY_LABEL, "normal")).upper()
    return _Pod(node, str(labels.get(POOL_LABEL, "")), priority, _asks(pod))


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
