"""A Kubernetes in memory, with what the operators' promises rest on: resourceVersions and
conflicts, uids, finalizers, deletion with and without grace, owner references, scheduling gates
and a scheduler and kubelet that act only when a test says so.

`Stepper` drives a procedure one request at a time, so that a test can stop it anywhere, let others
in, or never go on: that is a crash. A request can also be done with its answer lost.
"""

import contextlib
import copy
import itertools
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar, cast

from operators.shared.calls import Call, Pause, Procedure, Say, Step, Together, ask
from operators.shared.resources import (
    CONFIG_MAP,
    KINDS,
    LEASE,
    POD,
    Conflict,
    Json,
    Kind,
    KubeError,
    NotFound,
    Page,
    Refused,
    Unreachable,
)

T = TypeVar("T")


class FakeKube:
    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Json] = {}
        self.started: list[str] = []
        """The names of pods whose containers ran, in order; a name stands for one attempt."""
        self.travelling: list[Call] = []
        """Requests that were sent, given up by their sender, and may still arrive."""
        self._version = itertools.count(1)
        self._uid = itertools.count(1)
        self.page_size = 500
        self.installed: dict[tuple[str, str], Kind] = {}
        """Kinds beside Kubernetes' own."""

    # The API -----------------------------------------------------------------------------------

    def read(self, kind: Kind, name: str) -> Json:
        return copy.deepcopy(self._stored(kind, name))

    def create(self, kind: Kind, body: Json) -> Json:
        name = body["metadata"]["name"]
        if (kind.name, name) in self.objects:
            raise Conflict(409, f"{kind.plural} {name} already exists")
        stored = copy.deepcopy(body)
        stored["metadata"] |= {"uid": f"uid-{next(self._uid)}", **self._next_version()}
        if kind is POD:
            stored["status"] = {"phase": "Pending"}
        self.objects[kind.name, name] = stored
        return copy.deepcopy(stored)

    def replace(self, kind: Kind, body: Json) -> Json:
        name = body["metadata"]["name"]
        stored = self._stored(kind, name)
        if body["metadata"]["resourceVersion"] != stored["metadata"]["resourceVersion"]:
            raise Conflict(409, f"{kind.plural} {name} has been modified")
        new = copy.deepcopy(body)
        for kept in ("uid", "deletionTimestamp"):
            if kept in stored["metadata"]:
                new["metadata"][kept] = stored["metadata"][kept]
        return self._store(kind, new)

    def patch(self, kind: Kind, name: str, operations: list[Json]) -> Json:
        new = copy.deepcopy(self._stored(kind, name))
        for operation in operations:
            _operate(new, operation)
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
        stored = self._stored(kind, name)
        wanted = {"uid": uid, "resourceVersion": resource_version}
        for key, value in wanted.items():
            if value is not None and stored["metadata"][key] != value:
                raise Conflict(409, f"precondition failed: {key} is not {value}")
        stored["metadata"].setdefault("deletionTimestamp", "2026-01-01T00:00:00Z")
        stored["metadata"] |= self._next_version()
        at_once = kind is not POD or grace_seconds == 0 or not self._is_running(stored)
        stored["metadata"]["deletionGracePeriodSeconds"] = 0 if at_once else 30
        self._remove_if_free(kind, name)

    def page(self, kind: Kind, selector: str, following: str | None = None) -> Page:
        name, _, value = selector.partition("=")
        found = [
            copy.deepcopy(body)
            for (kind_name, _), body in sorted(self.objects.items())
            if kind_name == kind.name and _matches(body, name, value)
        ]
        start = int(following or 0)
        end = start + self.page_size
        more = str(end) if end < len(found) else None
        return Page(found[start:end], "1", more)

    def kind(self, api_version: str, name: str) -> Kind:
        found = self.installed.get((api_version, name)) or KINDS.get((api_version, name))
        if found is None:
            raise NotFound(404, f"the cluster knows no {name} of {api_version}: is it installed?")
        return found

    # What happens in the cluster ---------------------------------------------------------------

    def pods(self) -> list[Json]:
        return [body for (kind, _), body in sorted(self.objects.items()) if kind == "Pod"]

    def schedule(self) -> None:
        """Binds and starts every pod that nothing holds back."""
        for pod in self.pods():
            waits = pod["spec"].get("schedulingGates") or "nodeName" in pod["spec"]
            if not waits and "deletionTimestamp" not in pod["metadata"]:
                pod["spec"]["nodeName"] = "node-1"
                self.set_phase(pod["metadata"]["name"], "Running")
                self.started.append(pod["metadata"]["name"])

    def set_phase(self, pod: str, phase: str) -> None:
        stored = self._stored(POD, pod)
        stored["status"] = {"phase": phase}
        stored["metadata"] |= self._next_version()
        if phase in {"Succeeded", "Failed"} and "deletionTimestamp" in stored["metadata"]:
            stored["metadata"]["deletionGracePeriodSeconds"] = 0
            self._remove_if_free(POD, pod)

    def kill_deleted(self) -> None:
        """The kubelet's part of a graceful deletion."""
        for pod in self.pods():
            if "deletionTimestamp" in pod["metadata"] and self._is_running(pod):
                self.set_phase(pod["metadata"]["name"], "Failed")

    def land(self) -> None:
        """The oldest request that still travels arrives."""
        if self.travelling:
            with contextlib.suppress(KubeError):
                ask(self, self.travelling.pop(0))

    def collect_garbage(self) -> None:
        uids = {body["metadata"]["uid"] for body in self.objects.values()}
        for (kind, name), body in list(self.objects.items()):
            owners = body["metadata"].get("ownerReferences") or []
            if owners and not any(owner["uid"] in uids for owner in owners):
                known = _KINDS.get(kind) or Kind(body["apiVersion"], kind, kind.lower() + "s")
                self.delete(known, name)

    def _stored(self, kind: Kind, name: str) -> Json:
        if (kind.name, name) not in self.objects:
            raise NotFound(404, f"{kind.plural} {name} not found")
        return self.objects[kind.name, name]

    def _store(self, kind: Kind, new: Json) -> Json:
        name = new["metadata"]["name"]
        new["metadata"] |= self._next_version()
        self.objects[kind.name, name] = new
        self._remove_if_free(kind, name)
        return copy.deepcopy(new)

    def _remove_if_free(self, kind: Kind, name: str) -> None:
        metadata = self.objects[kind.name, name]["metadata"]
        gone = "deletionTimestamp" in metadata and not metadata.get("finalizers")
        if gone and metadata.get("deletionGracePeriodSeconds", 0) == 0:
            del self.objects[kind.name, name]

    def _next_version(self) -> Json:
        return {"resourceVersion": str(next(self._version))}

    @staticmethod
    def _is_running(pod: Json) -> bool:
        ended = pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
        return "nodeName" in pod.get("spec", {}) and not ended


class Stepper(Generic[T]):
    """One procedure against one cluster, request by request."""

    def __init__(
        self,
        kube: FakeKube,
        procedure: Procedure[T],
        *,
        say: Callable[[Json], bool] = lambda pod: True,
    ) -> None:
        self._kube = kube
        self._procedure = procedure
        self._say = say
        self._results: list[Any] = []
        self._step: Step | None = None
        self._todo: list[Call] = []
        self._outcome: T | None = None
        self.ended = False
        self._go_on(lambda: next(procedure))

    @property
    def next_call(self) -> Call | None:
        return self._todo[0] if self._todo else None

    @property
    def outcome(self) -> T:
        if not self.ended:
            raise AssertionError(f"not ended: waits for {self.next_call}")
        return cast("T", self._outcome)

    def step(self, fate: Literal["answered", "lost", "travelling"] = "answered") -> None:
        """Performs one request. `lost`: it is done, but nobody learns of it; `travelling`: nobody
        learns of it, and it is done when somebody says so (`FakeKube.land`)."""
        call = self._todo.pop(0)
        if isinstance(call, Pause | Say):
            fate = "answered"
        if fate == "travelling":
            self._kube.travelling.append(call)
        result = self._performed(call) if fate != "travelling" else None
        timeout = Unreachable("no answer in time")
        self._results.append(result if fate == "answered" else timeout)
        if self._todo:
            return
        results = self._results
        self._results = []
        if isinstance(self._step, Together):
            self._go_on(lambda: self._procedure.send(results))
        elif isinstance(results[0], KubeError):
            self._go_on(lambda: self._procedure.throw(results[0]))
        else:
            self._go_on(lambda: self._procedure.send(results[0]))

    def until(self, reached: Callable[[Call], bool]) -> "Stepper[T]":
        """Stops before the first such request."""
        while not self.ended and not reached(cast("Call", self.next_call)):
            self.step()
        return self

    def run(self) -> T:
        self.until(lambda call: False)
        return self.outcome

    def _performed(self, call: Call) -> object:
        if isinstance(call, Pause):
            return None
        if isinstance(call, Say):
            return self._say(call.pod)
        try:
            return ask(self._kube, call)
        except KubeError as error:
            return error

    def _go_on(self, advance: Callable[[], Step]) -> None:
        try:
            self._step = advance()
        except StopIteration as end:
            self._outcome, self.ended = end.value, True
            return
        self._todo = list(self._step.calls if isinstance(self._step, Together) else (self._step,))


def run(kube: FakeKube, procedure: Procedure[T]) -> T:
    return Stepper(kube, procedure).run()


_KINDS = {kind.name: kind for kind in (POD, CONFIG_MAP, LEASE)} | {
    name: Kind("v1", name, name.lower() + "s") for name in ("Secret", "Service")
}


def _matches(body: Json, label: str, value: str) -> bool:
    labels = body["metadata"].get("labels") or {}
    if not label:
        return True
    if label.startswith("!"):
        return label[1:] not in labels
    return label in labels and (not value or labels[label] == value)


def _operate(document: Any, operation: Json) -> None:
    """JSON Patch, as far as the operators use it."""
    *path, last = operation["path"].strip("/").split("/")
    found: Any = document
    try:
        for part in path:
            found = found[int(part)] if isinstance(found, list) else found[part]
        key: Any = int(last) if isinstance(found, list) and last != "-" else last
        if operation["op"] == "test" and found[key] != operation["value"]:
            raise KeyError(last)
        if operation["op"] == "remove":
            del found[key]
        if operation["op"] == "replace":
            found[key] = operation["value"]
        if operation["op"] == "add":
            found.append(operation["value"])
    except (KeyError, IndexError) as error:
        raise Refused(422, f"the patch does not apply: {operation}") from error
