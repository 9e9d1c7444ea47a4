"""A cluster's API for the benchmark of the operator: ten thousand pods, as text, in a process of
its own.

It speaks what `operators.shared.kube` asks: pages with `continue`, watches from a resourceVersion,
a Lease, anchors, nodes, pods read and patched. Pods are rendered by our own manifests and bloated
as an API server bloats them (managed fields, volumes, tolerations, statuses of three containers),
kept as one text for each phase, and filled in as they are sent: so the server costs little memory
and less CPU than who reads it. Each line of standard input is a phase: all pods reach it at once.
When the operator took its finalizer off, a pod is gone.
"""

import argparse
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from operators.shared.anchor import Anchor
from tests.builders_spec import a_plan, facts_of
from xylem.domain.ids import GroupId, WorkflowId
from xylem.domain.values import replace
from xylem.manifests import render
from xylem.manifests.names import GROUP, GROUP_LABEL, WORKFLOW

Json = dict[str, Any]

GANG = 50
NODES = 100
OTHERS = 500
"""Pods of others: five on each node."""

PHASES = ("Pending", "Running", "Succeeded")
STAMP = "2026-01-01T12:00:00Z"


class Cluster:
    def __init__(self, pods: int) -> None:
        self.names = [f"{number:016x}-{number:016x}-r0-1" for number in range(pods)]
        self.number_of = {name: number for number, name in enumerate(self.names)}
        self.changed = threading.Condition()
        self.version = 1
        self.phase = ["Pending"] * pods
        self.there = [True] * pods
        self.log: list[tuple[int, str, int, str]] = []
        """resourceVersion, type, pod and its phase."""
        self.lease: Json | None = None
        self._texts = {phase: _text(phase) for phase in PHASES}

    def reach(self, phase: str) -> None:
        with self.changed:
            for number in range(len(self.names)):
                self.phase[number] = phase
                self._happened("MODIFIED", number)
            self.changed.notify_all()

    def remove(self, number: int) -> None:
        with self.changed:
            if self.there[number]:
                self.there[number] = False
                self._happened("DELETED", number)
                self.changed.notify_all()

    def _happened(self, type_: str, number: int) -> None:
        self.version += 1
        self.log.append((self.version, type_, number, self.phase[number]))

    def pod(self, number: int, phase: str | None = None, version: int = 1) -> str:
        return (
            self._texts[phase or self.phase[number]]
            .replace("@NAME@", self.names[number])
            .replace("@GROUP@", group_of(number))
            .replace("@NUMBER@", str(number))
            .replace("@NODE@", f"node-{number % NODES}")
            .replace("@VERSION@", str(version))
        )

    def follow(self, version: int) -> Iterator[str]:
        """Events after a resourceVersion, for ever."""
        place = max(version - 1, 0)
        while True:
            with self.changed:
                while len(self.log) <= place:
                    self.changed.wait()
                some = self.log[place : place + 200]
            for at, type_, number, phase in some:
                yield f'{{"type":"{type_}","object":{self.pod(number, phase, at)}}}\n'
            place += len(some)


def group_of(number: int) -> GroupId:
    return GroupId(f"{number // GANG:032x}")


def _text(phase: str) -> str:
    """A pod with holes, as the API server has it."""
    plan = a_plan()
    [pod] = [each for each in render(plan, facts_of(plan)) if each["kind"] == "Pod"]
    metadata, spec = pod["metadata"], pod["spec"]
    metadata |= {"name": "@NAME@", "namespace": "default", "uid": "uid-@NUMBER@"}
    metadata |= {"resourceVersion": "@VERSION@", "creationTimestamp": STAMP}
    metadata["labels"][GROUP_LABEL] = "@GROUP@"
    metadata["annotations"] |= {GROUP: "@GROUP@", WORKFLOW: "w-@GROUP@"}
    metadata["managedFields"] = [_managed(pod, who) for who in ("xylem", "kubelet")]
    del spec["schedulingGates"]
    spec |= {
        "nodeName": "@NODE@",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "serviceAccountName": "default",
        "preemptionPolicy": "PreemptLowerPriority",
        "tolerations": [
            {"key": f"node.kubernetes.io/{why}", "operator": "Exists", "effect": "NoExecute"}
            for why in ("not-ready", "unreachable")
        ],
    }
    pod["status"] = _status(phase, [each["name"] for each in spec["containers"]])
    return json.dumps(pod, separators=(",", ":"))


def _managed(pod: Json, manager: str) -> Json:
    def fields(value: object) -> Json:
        if not isinstance(value, dict):
            return {}
        return {f"f:{key}": fields(inner) for key, inner in value.items()}

    kept = {key: fields(pod[key]) for key in ("metadata", "spec")}
    return {"manager": manager, "operation": "Update", "time": STAMP, "fieldsV1": kept}


def _status(phase: str, names: list[str]) -> Json:
    done = {"exitCode": 0, "reason": "Completed", "startedAt": STAMP, "finishedAt": STAMP}
    waiting = {"waiting": {"reason": "PodInitializing"}}
    states: dict[str, Json] = {
        "Pending": waiting,
        "Running": {"running": {"startedAt": STAMP}},
        "Succeeded": {"terminated": {**done, "containerID": "containerd://" + "c" * 64}},
    }
    conditions = ("PodScheduled", "Initialized", "Ready", "ContainersReady")

    def container(name: str, state: Json) -> Json:
        return {
            "name": name,
            "state": state,
            "ready": False,
            "restartCount": 0,
            "image": "example.com/xylem/image:1",
            "imageID": "example.com/xylem/image@sha256:" + "a" * 64,
            "containerID": "containerd://" + "b" * 64,
        }

    init = waiting if phase == "Pending" else states["Succeeded"]
    return {
        "phase": phase,
        "qosClass": "Burstable",
        "startTime": STAMP,
        "podIP": "10.0.0.1",
        "podIPs": [{"ip": "10.0.0.1"}],
        "hostIP": "192.168.0.1",
        "conditions": [
            {"type": each, "status": "True", "lastProbeTime": None, "lastTransitionTime": STAMP}
            for each in conditions
        ],
        "initContainerStatuses": [container("osmo-init", init)],
        "containerStatuses": [container(name, states[phase]) for name in names],
    }


def _node(number: int) -> Json:
    amounts = {"cpu": "64", "memory": "512Gi", "ephemeral-storage": "1Ti", "nvidia.com/gpu": "8"}
    return {
        "metadata": {
            "name": f"node-{number}",
            "uid": f"node-uid-{number}",
            "resourceVersion": "1",
            "labels": {f"example.com/label-{each}": "a value" for each in range(40)},
        },
        "spec": {},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": STAMP}],
        },
    }


def _anchor(group: GroupId) -> Json:
    made = Anchor(WorkflowId(f"w-{group}"), group, 1, "created", {}, uid=f"anchor-{group}")
    return replace(made, version="1").body


def _others_pod(number: int) -> Json:
    resources = {"requests": {"cpu": "100m", "memory": "128Mi"}}
    return {
        "metadata": {"name": f"agent-{number}", "uid": f"other-{number}"},
        "spec": {"nodeName": f"node-{number % NODES}", "containers": [{"resources": resources}]},
        "status": {"phase": "Running"},
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def log_message(self, format: str, *args: object) -> None:
        """Standard error is the benchmark's."""

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(asked.query).items()}
        match asked.path.strip("/").split("/"):
            case ["api", "v1", "namespaces", "kube-system"]:
                self._say(json.dumps({"metadata": {"uid": "cluster-uid"}}))
            case ["api", "v1", "namespaces", _, "pods", name]:
                self._say(*self._read(name))
            case [*_, "leases", _]:
                self._lease()
            case [*_, kind] if query.get("watch"):
                self._watch(kind, int(query["resourceVersion"]))
            case ["api", "v1", "namespaces", _, "pods"]:
                there = [n for n, there in enumerate(self.cluster.there) if there]
                self._page(query, len(there), lambda place: self.cluster.pod(there[place]))
            case [*_, "pods"]:
                self._page(query, OTHERS, lambda place: json.dumps(_others_pod(place)))
            case [*_, "nodes"]:
                self._page(query, NODES, lambda place: json.dumps(_node(place)))
            case [*_, "configmaps"]:
                groups = sorted(
                    {group_of(n) for n, there in enumerate(self.cluster.there) if there}
                )
                self._page(query, len(groups), lambda place: json.dumps(_anchor(groups[place])))
            case _:
                self._page(query, 0, str)

    def do_POST(self) -> None:
        self._put_lease(201)

    def do_PUT(self) -> None:
        self._put_lease(200)

    def do_PATCH(self) -> None:
        """The one patch that an operator makes of a pod that has ended."""
        self._body()
        name = self.path.rpartition("/")[2]
        text, status = self._read(name)
        if status == 200:
            self.cluster.remove(self.cluster.number_of[name])
        self._say(text, status)

    def _read(self, name: str) -> tuple[str, int]:
        number = self.cluster.number_of.get(name)
        if number is None or not self.cluster.there[number]:
            return json.dumps({"message": f"pods {name} not found"}), 404
        return self.cluster.pod(number), 200

    def _page(self, query: dict[str, str], length: int, item: Any) -> None:
        start, limit = int(query.get("continue", "0")), int(query.get("limit", "500"))
        end = min(start + limit, length)
        more = str(end) if end < length else ""
        metadata = {"resourceVersion": str(self.cluster.version), "continue": more}
        items = ",".join(item(place) for place in range(start, end))
        self._say(f'{{"metadata":{json.dumps(metadata)},"items":[{items}]}}')

    def _watch(self, kind: str, version: int) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        events = self.cluster.follow(version) if kind == "pods" else _silence()
        for text in events:
            data = text.encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _lease(self) -> None:
        if self.cluster.lease is None:
            self._say(json.dumps({"message": "no lease"}), 404)
        else:
            self._say(json.dumps(self.cluster.lease))

    def _put_lease(self, status: int) -> None:
        lease = json.loads(self._body())
        lease["metadata"]["resourceVersion"] = str(self.cluster.version)
        self.cluster.lease = lease
        self._say(json.dumps(lease), status)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _say(self, text: str, status: int = 200) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that went away."""


def _silence() -> Iterator[str]:
    threading.Event().wait()
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pods", type=int, required=True)
    Handler.cluster = Cluster(parser.parse_args().pods)
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    for line in sys.stdin:
        Handler.cluster.reach(line.strip())


if __name__ == "__main__":
    main()
