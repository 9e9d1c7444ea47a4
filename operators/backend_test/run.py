"""The steps of a run, as a procedure (`operators.shared.calls`)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from operators.backend_test import NAME_PREFIX, RUN_LABEL, TEST_LABEL
from operators.shared.calls import Create, Delete, Patch, Pause, Procedure, pages, read
from operators.shared.resources import (
    DAEMON_SET,
    NODE,
    NODE_STATUS,
    POD,
    Conflict,
    Json,
    NotFound,
    Refused,
)
from xylem.domain.templates import merged
from xylem.manifests.gang import MANAGED
from xylem.protocol.agent import BackendTest

LOOK_SECONDS = 5.0
"""Between two looks at the nodes, as with OSMO."""

PATCH_TRIES = 5
"""A kubelet writes the conditions of its node as well, every ten seconds at the most."""

REASON = "DaemonSetTimeout"
"""OSMO's."""

Heartbeats = Mapping[str, Mapping[str, str]]
"""By node, then by type of condition: when it was last said."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The run's own pod."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Report:
    """`silent`: the conditions that were not said in time, by node."""

    nodes: int
    silent: Mapping[str, tuple[str, ...]]

    @property
    def passed(self) -> bool:
        return self.nodes > 0 and not self.silent


def run_test(test: BackendTest, owner: Owner, clock: Callable[[], datetime]) -> Procedure[Report]:
    """Ends with its DaemonSet away, unless it is stopped half way: then `take_away` is left to be
    done, or the garbage collector does it when the run's pod goes."""
    deadline = clock() + timedelta(seconds=test.timeout_seconds)
    types = frozenset(test.conditions)
    before = yield from _heartbeats(types)
    yield from _begin(test, owner)
    while True:
        nodes = yield from _nodes_of(owner)
        silent = yield from _silent(nodes, types, before)
        known = yield from _all_known(test, nodes)
        over = clock() >= deadline
        if over or (known and nodes and not silent):
            break
        yield Pause(LOOK_SECONDS)
    for node, missing in silent.items():
        for type_ in missing:
            yield from _say_unknown(node, type_, test, clock)
    yield from take_away(test, owner)
    return Report(len(nodes), silent)


def take_away(test: BackendTest, owner: Owner) -> Procedure[None]:
    """This run's DaemonSet, and no other's."""
    name = NAME_PREFIX + test.name
    try:
        found = yield from read(DAEMON_SET, name)
        if _is_of(found, owner):
            yield Delete(DAEMON_SET, name, uid=found["metadata"]["uid"])
    except (NotFound, Conflict):
        return


def _begin(test: BackendTest, owner: Owner) -> Procedure[None]:
    """An earlier run's of the same name goes first; one that this run made already is this one."""
    body = daemon_set(test, owner)
    name = body["metadata"]["name"]
    while True:
        try:
            yield Create(DAEMON_SET, body)
        except Conflict:
            pass
        else:
            return
        try:
            found = yield from read(DAEMON_SET, name)
            if _is_of(found, owner):
                return
            if TEST_LABEL not in (found["metadata"].get("labels") or {}):
                raise Refused(409, f"a DaemonSet {name} is somebody else's: delete it")
            yield Delete(DAEMON_SET, name, uid=found["metadata"]["uid"])
        except (NotFound, Conflict):
            continue
        yield Pause(LOOK_SECONDS)


def daemon_set(test: BackendTest, owner: Owner) -> Json:
    labels = {**MANAGED, TEST_LABEL: test.name, RUN_LABEL: owner.uid}
    template = merged(
        {"metadata": test.template.get("metadata") or {}, "spec": test.template.get("spec") or {}},
        {"metadata": {"labels": labels}},
    )
    return {
        "apiVersion": DAEMON_SET.api_version,
        "kind": DAEMON_SET.name,
        "metadata": {
            "name": NAME_PREFIX + test.name,
            "labels": labels,
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Pod", "name": owner.name, "uid": owner.uid}
            ],
        },
        "spec": {"selector": {"matchLabels": {RUN_LABEL: owner.uid}}, "template": template},
    }


def _is_of(daemon_set: Json, owner: Owner) -> bool:
    owners = daemon_set["metadata"].get("ownerReferences") or ()
    return any(each.get("uid") == owner.uid for each in owners)


def _all_known(test: BackendTest, nodes: Collection[str]) -> Procedure[bool]:
    """Whether there is a pod for every node that is to have one."""
    try:
        found = yield from read(DAEMON_SET, NAME_PREFIX + test.name)
    except NotFound as gone:
        raise Refused(404, "somebody deleted the test's DaemonSet") from gone
    status = found.get("status") or {}
    seen = status.get("observedGeneration") == found["metadata"].get("generation")
    return bool(seen) and status.get("desiredNumberScheduled") == len(nodes)


def _nodes_of(owner: Owner) -> Procedure[list[str]]:
    nodes: set[str] = set()

    def take(pods: list[Json]) -> None:
        nodes.update(node for node in map(_node_of, pods) if node)

    yield from pages(POD, f"{RUN_LABEL}={owner.uid}", take)
    return sorted(nodes)


def _node_of(pod: Json) -> str:
    """Where a DaemonSet's pod is, or waits to be: its controller names the node in its affinity."""
    spec = pod["spec"]
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    node = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == "metadata.name" and field.get("values"):
                return str(field["values"][0])
    return ""


def _heartbeats(types: Collection[str]) -> Procedure[dict[str, dict[str, str]]]:
    found: dict[str, dict[str, str]] = {}

    def take(nodes: list[Json]) -> None:
        for node in nodes:
            found[node["metadata"]["name"]] = {
                one["type"]: str(one.get("lastHeartbeatTime"))
                for one in _conditions(node)
                if one.get("type") in types
            }

    yield from pages(NODE, "", take)
    return found


def _silent(
    nodes: Collection[str], types: Collection[str], before: Heartbeats
) -> Procedure[dict[str, tuple[str, ...]]]:
    now = yield from _heartbeats(types)
    found = {
        node: tuple(sorted(type_ for type_ in types if not _is_new(node, type_, before, now)))
        for node in nodes
        if node in now
    }
    return {node: missing for node, missing in found.items() if missing}


def _is_new(node: str, type_: str, before: Heartbeats, now: Heartbeats) -> bool:
    said = now[node].get(type_)
    return said is not None and said != before.get(node, {}).get(type_)


def _say_unknown(
    node: str, type_: str, test: BackendTest, clock: Callable[[], datetime]
) -> Procedure[None]:
    """Under the version that was read: a kubelet that writes its own meanwhile moves places in the
    list. What is said just now, after all, may be overwritten: it was too late."""
    for _ in range(PATCH_TRIES):
        try:
            found = yield from read(NODE, node)
            yield Patch(NODE_STATUS, node, _unknown(found, type_, test, clock()))
        except NotFound:
            return
        except Refused as refused:
            if refused.status not in {409, 422}:
                raise
        else:
            return


def _unknown(node: Json, type_: str, test: BackendTest, now: datetime) -> tuple[Json, ...]:
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = _conditions(node)
    places = [place for place, one in enumerate(conditions) if one.get("type") == type_]
    before = conditions[places[0]] if places else {}
    unchanged = before.get("status") == "Unknown" and before.get("lastTransitionTime")
    condition = {
        "type": type_,
        "status": "Unknown",
        "reason": REASON,
        "message": f"test {test.name} did not say it within {test.timeout_seconds} s",
        "lastHeartbeatTime": at,
        "lastTransitionTime": unchanged or at,
    }
    place = places[0] if places else "-"
    return (
        {
            "op": "test",
            "path": "/metadata/resourceVersion",
            "value": node["metadata"]["resourceVersion"],
        },
        {
            "op": "replace" if places else "add",
            "path": f"/status/conditions/{place}",
            "value": condition,
        },
    )


def _conditions(node: Json) -> list[Json]:
    return list((node.get("status") or {}).get("conditions") or ())
