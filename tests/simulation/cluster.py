"""A Kubernetes for the simulation, with a kubelet that runs what nothing holds back, a garbage
collector, and people who delete things by hand.

It keeps what `tests.fakes.kube` keeps (resourceVersions, uids, finalizers, graceful deletion,
owner references, gates), and tells watches of every change. Objects are never changed in place, so
they are handed out without being copied, which is what a schedule would mostly do otherwise.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Literal, Protocol

from operators.shared.anchor import ANCHOR_LABEL, was_bound
from operators.shared.resources import (
    CONFIG_MAP,
    LEASE,
    POD,
    SECRET,
    SERVICE,
    Conflict,
    Json,
    Kind,
    NotFound,
    Page,
    Refused,
)
from tests.simulation.faults import Faults
from tests.simulation.schedule import Schedule
from xylem.manifests.names import FINALIZER, GROUP, GROUP_LABEL, INCARNATION, RETRY, TASK

KINDS = {kind.name: kind for kind in (POD, CONFIG_MAP, SECRET, SERVICE, LEASE)}
ENDED = {"Succeeded", "Failed"}
PLANTED_RETRY = 7
"""Of pods that somebody planted: no task of ours is ever tried so often."""

GRACE_SECONDS = 30.0
KILLED = 137

Attempt = tuple[str, int, str, int]
"""Group, incarnation, task, retry."""

Change = Literal["ADDED", "MODIFIED", "DELETED"]
Watcher = Callable[[Change, Json], None]


@dataclass(slots=True)
class Truth:
    """What really became of an attempt, by nobody's clock but the simulation's."""

    made_at: float | None = None
    bound_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    code: int | None = None
    limited: bool = False
    """Its own wrapper ended it."""
    disrupted: bool = False
    """Its node, the scheduler or a drain ended it, or it was told so."""
    meddled: bool = False
    """Somebody did something to its pod, or to what its pod belongs to, by hand."""


class Eyes(Protocol):
    def started(self, attempt: Attempt, workflow: str) -> None: ...

    def let_go(self, attempt: Attempt, pod: Json) -> None: ...


@dataclass(frozen=True, slots=True)
class Habits:
    """How pods behave here: how long they wait for a node, for their images, and run."""

    binding: float
    starting: float
    running: float
    stuck: float
    """The chance that a pod waits for a node, or its image, for very long."""
    failing: float
    """The chance that a command fails, with one of `CODES`."""
    skew: timedelta
    execution: float
    """Seconds after which the wrapper ends a command."""


CODES = (1, 1, 2, 3)
NODES = ("node-1", "node-2", "node-3")
CONTROL_PLANE = "control-plane"
"""Its clock stamps what the API server, the scheduler and the controllers write; a kubelet's is
that of its node."""

LOST_FOR = 600.0
"""Seconds, at the most, that a node which comes back is silent."""

EVICTED_AFTER = 300.0
"""Seconds, at the most, until somebody concludes that a silent node's pods are lost."""

GONE_AFTER = 900.0
"""Seconds, at the most, until a node that does not come back is taken out of the cluster."""


@dataclass(frozen=True, slots=True)
class Container:
    """A pod as its sidecar has it. `later`: unless it has ended by then, and not while its node is
    silent. `command`: how long it runs, and its exit code. `end`: with this code."""

    later: Callable[[float, Callable[[], None]], None]
    command: Callable[[], tuple[float, int]]
    end: Callable[[int], None]


class Sidecars(Protocol):
    def start(self, attempt: Attempt, secret: Json, container: Container) -> bool:
        """Whether the pod is one of a gang: then its sidecar says when it ends."""
        ...

    def ended(self, attempt: Attempt) -> None:
        """A command that ran did, by itself or not."""
        ...

    def limited(self, attempt: Attempt) -> None:
        """The pod's wrapper kept the limit."""
        ...


class Kube:
    def __init__(self, schedule: Schedule, faults: Faults, habits: Habits) -> None:
        self.objects: dict[tuple[str, str], Json] = {}
        self.truths: dict[Attempt, Truth] = {}
        self.watchers: list[Watcher] = []
        self.lease_watchers: list[Callable[[Json], None]] = []
        self.eyes: Eyes | None = None
        self.sidecars: Sidecars | None = None
        self.of_group: Counter[str] = Counter()
        self._schedule = schedule
        self._faults = faults
        self._habits = habits
        self._version = 0
        self._uid = 0
        self._handled: set[tuple[str, str]] = set()
        self._pods_of: dict[str, dict[str, None]] = {}
        self._silent: dict[str, float] = {}
        """Nodes of which nothing is heard, and until when."""
        self.returned_at = 0.0
        """When a node of which nothing was heard was heard of again."""
        self._clocks = dict.fromkeys((CONTROL_PLANE, *NODES), habits.skew)

    # The API -------------------------------------------------------------------------------------

    def read(self, kind: Kind, name: str) -> Json:
        try:
            return self.objects[kind.name, name]
        except KeyError:
            raise NotFound(404, f"{kind.plural} {name} not found") from None

    def create(self, kind: Kind, body: Json) -> Json:
        name = body["metadata"]["name"]
        if (kind.name, name) in self.objects:
            raise Conflict(409, f"{kind.plural} {name} already exists")
        self._uid += 1
        metadata = {**body["metadata"], "uid": f"uid-{self._uid}"}
        stored = {**body, "metadata": metadata}
        if kind is POD:
            stored["status"] = {"phase": "Pending"}
            self._pods_of.setdefault(_group(stored), {})[name] = None
            truth = self.truths.setdefault(attempt_of(stored), Truth(self._schedule.seconds))
            if truth.made_at is None:
                truth.made_at = self._schedule.seconds
        self.of_group[_group(stored)] += 1
        return self._store(kind, stored, "ADDED")

    def replace(self, kind: Kind, body: Json) -> Json:
        name = body["metadata"]["name"]
        stored = self.read(kind, name)
        if body["metadata"]["resourceVersion"] != stored["metadata"]["resourceVersion"]:
            raise Conflict(409, f"{kind.plural} {name} has been modified")
        kept = {
            key: stored["metadata"][key]
            for key in ("uid", "deletionTimestamp", "deletionGracePeriodSeconds")
            if key in stored["metadata"]
        }
        return self._store(kind, {**body, "metadata": {**body["metadata"], **kept}})

    def patch(self, kind: Kind, name: str, operations: Iterable[Json]) -> Json:
        stored = new = self.read(kind, name)
        for operation in operations:
            new = _operated(new, operation["path"].strip("/").split("/"), operation)
        if kind is POD and self.eyes is not None and _holds(stored) and not _holds(new):
            self.eyes.let_go(attempt_of(stored), stored)
        return self._store(kind, new)

    def delete(
        self,
        kind: Kind,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_seconds: int | None = None,
    ) -> None:
        stored = self.read(kind, name)
        wanted = {"uid": uid, "resourceVersion": resource_version}
        for key, value in wanted.items():
            if value is not None and stored["metadata"][key] != value:
                raise Conflict(409, f"precondition failed: {key} is not {value}")
        graceful = kind is POD and grace_seconds != 0 and _runs(stored)
        metadata = {
            "deletionTimestamp": self._stamp(CONTROL_PLANE),
            **stored["metadata"],
            "deletionGracePeriodSeconds": GRACE_SECONDS if graceful else 0,
        }
        self._store(kind, {**stored, "metadata": metadata})

    def page(self, kind: Kind, selector: str, following: str | None = None) -> Page:
        label, _, value = selector.partition("=")
        if kind is POD and label == GROUP_LABEL and value:
            return Page(self.pods_of(value), str(self._version), None)
        found = [
            body
            for (kind_name, _), body in self.objects.items()
            if kind_name == kind.name and _matches(body, label, value)
        ]
        return Page(found, str(self._version), None)

    def kind(self, api_version: str, name: str) -> Kind:
        return KINDS[name]

    def _store(self, kind: Kind, new: Json, change: Change = "MODIFIED") -> Json:
        self._version += 1
        new = {**new, "metadata": {**new["metadata"], "resourceVersion": str(self._version)}}
        key = kind.name, new["metadata"]["name"]
        self.objects[key] = new
        metadata = new["metadata"]
        free = "deletionTimestamp" in metadata and not metadata.get("finalizers")
        if free and not (kind is POD and metadata["deletionGracePeriodSeconds"]):
            del self.objects[key]
            if kind is POD:
                del self._pods_of[_group(new)][metadata["name"]]
            self.of_group[_group(new)] -= 1
            change = "DELETED"
            if kind is CONFIG_MAP:
                self._schedule.after(self._schedule.between(0, 60), "", self._collect_garbage)
        if kind is POD:
            for watcher in self.watchers:
                watcher(change, new)
            if change != "DELETED":
                self._look_after(new)
        elif kind is LEASE:
            for lease_watcher in self.lease_watchers:
                lease_watcher(new)
        return new

    def _collect_garbage(self) -> None:
        uids = {body["metadata"]["uid"] for body in self.objects.values()}
        for (kind, name), body in list(self.objects.items()):
            owners = body["metadata"].get("ownerReferences") or []
            if owners and not any(owner["uid"] in uids for owner in owners):
                self.delete(KINDS[kind], name)

    # The kubelet, and who binds pods to nodes ----------------------------------------------------

    def _look_after(self, pod: Json) -> None:
        """Whatever is to become of a pod that is as this one is now."""
        schedule, habits = self._schedule, self._habits
        phase = pod["status"]["phase"]
        if phase in ENDED:
            return
        if "deletionTimestamp" in pod["metadata"]:
            most = pod["metadata"]["deletionGracePeriodSeconds"] or 2.0
            self._once("end", pod, schedule.between(0, most), self._on_node(self._killed))
        elif not was_bound(pod) and not pod["spec"].get("schedulingGates"):
            self._once("bind", pod, self._wait(habits.binding), self._bound)

    def _wait(self, usual: float) -> float:
        if self._schedule.chance(self._habits.stuck):
            return self._schedule.between(600, 3000)
        return self._schedule.between(0, usual)

    def _once(self, what: str, pod: Json, seconds: float, act: Callable[[Json], None]) -> None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        if (what, uid) in self._handled:
            return
        self._handled.add((what, uid))

        def do() -> None:
            now = self.objects.get(("Pod", name))
            if now is not None and now["metadata"]["uid"] == uid:
                act(now)

        self._schedule.after(seconds, "", do)

    def _bound(self, pod: Json) -> None:
        if "deletionTimestamp" in pod["metadata"] or was_bound(pod):
            return
        self._truth(pod).bound_at = self._schedule.seconds
        at = self._stamp(CONTROL_PLANE)
        status = {
            "phase": "Pending",
            "startTime": at,
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": at}],
            "initContainerStatuses": [
                {"name": "osmo-init", "state": {"waiting": {"reason": "PodInitializing"}}}
            ],
        }
        heard = [node for node in NODES if node not in self._silent]
        node = self._schedule.random.choice(heard or NODES)
        bound = {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": status}
        start = self._on_node(self._started)
        self._once("run", self._store(POD, bound), self._wait(self._habits.starting), start)

    def _started(self, pod: Json) -> None:
        if "deletionTimestamp" in pod["metadata"] or pod["status"]["phase"] in ENDED:
            return
        attempt = attempt_of(pod)
        if not is_planted(attempt):
            self._schedule.say(f"command starts: {pod['metadata']['name']}")
            if self.eyes is not None:
                self.eyes.started(attempt, pod["metadata"]["annotations"]["xylem.dev/workflow"])
        truth = self._truth(pod)
        truth.started_at = self._schedule.seconds
        running = {"running": {"startedAt": self._stamp(_node(pod))}}
        status = {
            "phase": "Running",
            "startTime": pod["status"]["startTime"],
            "conditions": pod["status"]["conditions"],
            "containerStatuses": [{"name": _container(pod), "state": running}],
        }
        self._store(POD, {**pod, "status": status})
        limit = partial(self._once, "limit", pod, self._habits.execution)
        if self._is_of_a_gang(pod):
            limit(self._on_node(partial(self._ended, limit=True)))
            return
        lasts, code = self._command()
        if lasts > self._habits.execution:
            limit(self._on_node(partial(self._ended, limit=True)))
        else:
            self._once("exit", pod, lasts, self._on_node(partial(self._ended, code=code)))

    def _command(self) -> tuple[float, int]:
        usual = self._habits.running
        lasts = self._wait(usual / 20 if self._schedule.chance(0.4) else usual)
        failing = self._schedule.chance(self._habits.failing)
        return lasts, self._schedule.random.choice(CODES) if failing else 0

    def _is_of_a_gang(self, pod: Json) -> bool:
        attempt = attempt_of(pod)
        if self.sidecars is None or is_planted(attempt):
            return False
        volumes = (one for one in pod["spec"]["volumes"] if one["name"] == "osmo-config")
        secret = self.objects.get(("Secret", next(volumes)["secret"]["secretName"]))
        if secret is None:
            return False

        def now(act: Callable[[Json], None]) -> None:
            here = self.objects.get(("Pod", pod["metadata"]["name"]))
            same = here is not None and here["metadata"]["uid"] == pod["metadata"]["uid"]
            if here is not None and same and here["status"]["phase"] not in ENDED:
                self._on_node(act)(here)

        def later(seconds: float, act: Callable[[], None]) -> None:
            self._schedule.after(seconds, "", partial(now, lambda here: act()))

        def end(code: int) -> None:
            now(lambda here: self._ended(here, code))

        return self.sidecars.start(attempt, secret, Container(later, self._command, end))

    def _killed(self, pod: Json) -> None:
        if pod["status"]["phase"] in ENDED:
            return
        if not was_bound(pod) or self._truth(pod).started_at is None:
            self._end(pod, {"phase": "Failed", "reason": "Killed"})
        else:
            self._ended(pod, code=KILLED)

    def _ended(self, pod: Json, code: int = KILLED, *, limit: bool = False) -> None:
        if pod["status"]["phase"] in ENDED:
            return
        truth = self._truth(pod)
        truth.ended_at, truth.code, truth.limited = self._schedule.seconds, code, limit
        terminated = {
            "exitCode": code,
            "reason": "Error" if code else "Completed",
            "finishedAt": self._stamp(_node(pod)),
        }
        if self.sidecars is not None:
            self.sidecars.ended(attempt_of(pod))
            if limit:
                self.sidecars.limited(attempt_of(pod))
        if limit:
            terminated["message"] = '{"xylem":"exec_timeout"}'
        status = {
            **pod["status"],
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [{"name": _container(pod), "state": {"terminated": terminated}}],
        }
        self._end(pod, status)

    def _end(self, pod: Json, status: Json) -> None:
        metadata = pod["metadata"]
        if "deletionTimestamp" in metadata:
            metadata = {**metadata, "deletionGracePeriodSeconds": 0}
        self._store(POD, {**pod, "metadata": metadata, "status": status})

    def _truth(self, pod: Json) -> Truth:
        return self.truths[attempt_of(pod)]

    def _stamp(self, clock: str) -> str:
        return (self._schedule.now() + self._clocks[clock]).isoformat()

    def move_clock(self) -> None:
        """Of one machine, or of all: what it stamps from now on says another time."""
        moved = timedelta(seconds=self._schedule.random.choice((-3600, -120, 0, 120, 3600)))
        clocks = [*self._clocks]
        if self._schedule.chance(0.5):
            clocks = [self._schedule.random.choice(clocks)]
        self._clocks |= dict.fromkeys(clocks, moved)
        self._schedule.fault("cluster's clock moved", f"{' '.join(clocks)} {moved}")

    # Nodes, and who takes them away --------------------------------------------------------------

    def _on_node(self, act: Callable[[Json], None]) -> Callable[[Json], None]:
        """What a kubelet does: later, where nothing is heard of its node."""

        def do(pod: Json) -> None:
            until = self._silent.get(pod["spec"].get("nodeName", ""))
            if until is None or until <= self._schedule.seconds:
                act(pod)
                return
            name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]

            def again() -> None:
                now = self.objects.get(("Pod", name))
                if now is not None and now["metadata"]["uid"] == uid:
                    do(now)

            back = until - self._schedule.seconds + self._schedule.between(0, 5)
            self._schedule.after(back, "", again)

        return do

    def lose_a_node(self) -> None:
        """A node falls silent. It comes back, and goes on with what it was told meanwhile; or it
        does not, and is taken out of the cluster with all that it ran."""
        schedule = self._schedule
        heard = [node for node in NODES if node not in self._silent]
        if len(heard) < 2:
            return
        node = schedule.random.choice(heard)
        comes_back = schedule.chance(0.5)
        lasts = schedule.between(10, LOST_FOR if comes_back else GONE_AFTER)
        self._silent[node] = schedule.seconds + lasts
        schedule.fault("node lost" if comes_back else "node died", node)
        if not comes_back:
            for pod in self._running_on(node):
                self._truth(pod).disrupted = True
            schedule.after(lasts, f"{node} is removed", partial(self._take_node, node))
            return
        if schedule.chance(0.7):
            told = schedule.between(0, min(lasts, EVICTED_AFTER))
            schedule.after(told, "", partial(self._give_up_pods, node))
        schedule.after(lasts, f"{node} is back", partial(self._return, node))

    def _give_up_pods(self, node: str) -> None:
        """The node's taint evicts its pods, or they are only called Unknown."""
        if node not in self._silent:
            return
        for pod in self._running_on(node):
            self._truth(pod).disrupted = True
            if self._schedule.chance(0.5):
                self._mark(pod, "DeletionByTaintManager", "node is not reachable")
                self.delete(POD, pod["metadata"]["name"])
            else:
                status = {**pod["status"], "phase": "Unknown", "reason": "NodeLost"}
                self._store(POD, {**pod, "status": status})

    def _return(self, node: str) -> None:
        """Its kubelet says again what is true: what was called Unknown runs, or begins to."""
        del self._silent[node]
        self.returned_at = self._schedule.seconds
        for pod in self._on(node):
            if pod["status"]["phase"] == "Unknown":
                ran = self._truth(pod).started_at is not None
                status = {key: pod["status"][key] for key in pod["status"] if key != "reason"}
                status["phase"] = "Running" if ran else "Pending"
                self._store(POD, {**pod, "status": status})

    def _take_node(self, node: str) -> None:
        """What ran there is called Failed and deleted by force; another one takes its name."""
        for pod in self._running_on(node):
            self._truth(pod).disrupted = True
            name = pod["metadata"]["name"]
            self._mark(pod, "DeletionByPodGC", "node is gone", phase="Failed")
            if ("Pod", name) in self.objects:
                self.delete(POD, name, grace_seconds=0)
        del self._silent[node]

    def _on(self, node: str) -> list[Json]:
        return [pod for pod in self.pods() if pod["spec"].get("nodeName") == node]

    def _running_on(self, node: str) -> list[Json]:
        return [pod for pod in self._on(node) if pod["status"]["phase"] not in ENDED]

    def _mark(self, pod: Json, reason: str, message: str, *, phase: str = "") -> Json:
        """Kubernetes' condition of a pod that something outside of it ends."""
        self._truth(pod).disrupted = True
        target = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": reason,
            "message": message,
            "lastTransitionTime": self._stamp(CONTROL_PLANE),
        }
        conditions = [*pod["status"].get("conditions", ()), target]
        phase = phase or pod["status"]["phase"]
        status = {**pod["status"], "conditions": conditions, "phase": phase}
        return self._store(POD, {**pod, "status": status})

    def disrupt_a_pod(self) -> None:
        """Preempted by the scheduler, drained, evicted by its kubelet for the node's sake or for
        its own."""
        found = [
            pod
            for pod in self.pods()
            if _runs(pod)
            and "deletionTimestamp" not in pod["metadata"]
            and pod["spec"]["nodeName"] not in self._silent
        ]
        if not found:
            return
        pod = self._schedule.random.choice(found)
        name = pod["metadata"]["name"]
        how = self._schedule.random.choice(("preempted", "drained", "evicted", "over its disk"))
        self._schedule.fault(f"pod {how}", name)
        match how:
            case "preempted":
                self._mark(pod, "PreemptionByScheduler", "preempted")
                self.delete(POD, name)
            case "drained":
                self._mark(pod, "EvictionByEvictionAPI", "evicted")
                self.delete(POD, name)
            case "evicted":
                marked = self._mark(pod, "TerminationByKubelet", "The node was low on memory.")
                self._evicted(marked, "The node was low on resource: memory.")
            case _:
                self._evicted(pod, "Pod ephemeral local storage usage exceeds the total limit.")

    def _evicted(self, pod: Json, message: str) -> None:
        status = {**pod["status"], "reason": "Evicted", "message": message}
        evicted = {**pod, "status": status}
        if self._truth(pod).started_at is None:
            self._end(evicted, {**status, "phase": "Failed"})
        else:
            self._ended(evicted, code=KILLED)

    # By hand -------------------------------------------------------------------------------------

    def pods(self) -> list[Json]:
        return [body for (kind, _), body in self.objects.items() if kind == "Pod"]

    def pods_of(self, group: str) -> list[Json]:
        return [self.objects["Pod", name] for name in self._pods_of.get(group, ())]

    def answers(self, pod: Json) -> bool:
        """Its containers run, and nobody keeps them from it."""
        silent = pod["spec"].get("nodeName") in self._silent
        return _runs(pod) and not silent and not is_deleted(pod)

    def meddle_with_a_pod(self) -> None:
        pods = self.pods()
        if not pods:
            return
        ended = [pod for pod in pods if pod["status"]["phase"] in ENDED]
        pod = self._schedule.random.choice(ended if ended and self._schedule.chance(0.5) else pods)
        self._truth(pod).meddled = True
        name = pod["metadata"]["name"]
        match self._schedule.random.randrange(4):
            case 0 if pod["status"]["phase"] in ENDED and was_bound(pod):
                # `kubectl patch`, by somebody who is tired of waiting.
                self._schedule.fault("finalizer taken away", name)
                metadata = {**pod["metadata"], "finalizers": []}
                self._store(POD, {**pod, "metadata": metadata})
                if ("Pod", name) in self.objects:
                    self.delete(POD, name, grace_seconds=0)
            case 1:
                self._schedule.fault("pod deleted by force", name)
                self.delete(POD, name, grace_seconds=0)
            case _:
                self._schedule.fault("pod deleted", name)
                self.delete(POD, name)

    def meddle_with_a_config_map(self) -> None:
        found = [name for kind, name in self.objects if kind == "ConfigMap"]
        if not found:
            return
        name = self._schedule.random.choice(found)
        group = _group(self.objects["ConfigMap", name])
        for attempt, truth in self.truths.items():
            truth.meddled |= attempt[0] == group
        self._schedule.fault("ConfigMap deleted", name)
        self.delete(CONFIG_MAP, name)

    def plant_a_pod(self) -> None:
        """Somebody copies one of our pods, as an attempt that there never was."""
        pods = self.pods()
        if not pods:
            return
        pod = self._schedule.random.choice(pods)
        notes = {**pod["metadata"]["annotations"], RETRY: str(PLANTED_RETRY)}
        metadata = {
            "name": f"{pod['metadata']['name']}-copy",
            "labels": pod["metadata"]["labels"],
            "annotations": notes,
        }
        spec = {key: pod["spec"][key] for key in pod["spec"] if key not in {"nodeName"}}
        spec["schedulingGates"] = []
        if ("Pod", metadata["name"]) in self.objects:
            return
        self._schedule.fault("pod planted", metadata["name"])
        planted = {**pod, "metadata": metadata, "spec": spec}
        self.create(POD, planted)
        self._schedule.after(
            self._schedule.between(60, 1200), "", partial(self._uproot, metadata["name"])
        )

    def _uproot(self, name: str) -> None:
        if ("Pod", name) in self.objects:
            self.delete(POD, name, grace_seconds=0)


def attempt_of(pod: Json) -> Attempt:
    notes = pod["metadata"]["annotations"]
    return notes[GROUP], int(notes[INCARNATION]), notes[TASK], int(notes[RETRY])


def is_planted(attempt: Attempt) -> bool:
    return attempt[3] == PLANTED_RETRY


def has_ended(pod: Json) -> bool:
    return pod["status"]["phase"] in ENDED


def is_deleted(pod: Json) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _node(pod: Json) -> str:
    return str(pod["spec"].get("nodeName", CONTROL_PLANE))


def _container(pod: Json) -> str:
    return str(pod["spec"]["containers"][0]["name"])


def _runs(pod: Json) -> bool:
    return was_bound(pod) and pod["status"]["phase"] not in ENDED


def _holds(pod: Json) -> bool:
    return FINALIZER in (pod["metadata"].get("finalizers") or ())


def _group(body: Json) -> str:
    labels = body["metadata"].get("labels") or {}
    own = body["kind"] == "Pod" or ANCHOR_LABEL in labels
    return str(labels.get(GROUP_LABEL, "")) if own else ""


def _matches(body: Json, label: str, value: str) -> bool:
    labels = body["metadata"].get("labels") or {}
    return label in labels and (not value or labels[label] == value)


def _operated(document: Any, path: list[str], operation: Json) -> Any:
    """`test` and `remove` of JSON Patch, as copies of what lies on the way."""
    head, *rest = path
    try:
        key: Any = int(head) if isinstance(document, list) else head
        if rest:
            changed = document.copy()
            changed[key] = _operated(document[key], rest, operation)
            return changed
        if operation["op"] == "test":
            if document[key] != operation["value"]:
                raise KeyError(head)
            return document
        changed = document.copy()
        del changed[key]
    except (KeyError, IndexError) as error:
        raise Refused(422, f"the patch does not apply: {operation}") from error
    return changed
