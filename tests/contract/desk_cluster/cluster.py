"""Starts a desk cluster for a test as `xylem local` does, and asks through the official client."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes import client, config, watch
from kubernetes.client import ApiException

from operators.desk_cluster.objects import Json

ROOT = Path(__file__).parents[3]
SECONDS = 20
MODULE = (sys.executable, "-m", "operators.desk_cluster")


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class DeskCluster:
    """One API process. `start` again after `kill` to see what was kept."""

    state: Path
    port: int = field(default_factory=a_free_port)
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    described: Json = field(default_factory=dict)

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    def start(self) -> None:
        command = (*MODULE, "--port", str(self.port), "--state", str(self.state), "--cpu", "64")
        self.process = subprocess.Popen(
            (*command, "--memory", "256Gi", *self.options),
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.described = json.loads(self.process.stdout.readline())

    def fault(self, node: str, kind: str, seconds: float = 0) -> "subprocess.CompletedProcess[str]":
        command = (*MODULE, "fault", "--state", str(self.state), node, kind)
        return subprocess.run(
            (*command, "--seconds", str(seconds)), cwd=ROOT, capture_output=True, text=True
        )

    def kill(self) -> None:
        """kill -9 of the API process: no clean-up of its own."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        self.process = None

    def stop(self) -> int:
        """As `xylem local down` does; how many containers were ended."""
        command = (*MODULE, "stop", "--state", str(self.state))
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        if self.process is not None:
            self.process.communicate()
            self.process = None
        return int(done.stdout.rpartition(":")[2])

    def client(self) -> "Client":
        configuration = client.Configuration()
        load: Any = config.load_kube_config
        load(str(self.kubeconfig), client_configuration=configuration)
        return Client(client.ApiClient(configuration))


@contextmanager
def running(desk: DeskCluster) -> Iterator[DeskCluster]:
    desk.start()
    try:
        yield desk
    finally:
        desk.stop()


class Client:
    """The official client, in the namespace `default`, with what every test does."""

    def __init__(self, api: Any) -> None:
        self.api = api
        # The client takes JSON for its models; its annotations do not say so.
        self.core: Any = client.CoreV1Api(api)
        self.leases: Any = client.CoordinationV1Api(api)

    def create(self, body: Json) -> Any:
        return self.core.create_namespaced_pod("default", body)

    def pod(self, name: str) -> Any:
        return self.core.read_namespaced_pod(name, "default")

    def log(self, name: str, **query: Any) -> str:
        return str(self.core.read_namespaced_pod_log(name, "default", **query))

    def delete(self, name: str, **options: Any) -> Any:
        return self.core.delete_namespaced_pod(name, "default", **options)

    def until(self, name: str, reached: Callable[[Any], Any]) -> Any:
        """The pod as soon as this is true of it; None as soon as it is gone, if that is true."""
        selector = f"metadata.name={name}"
        listed = self.core.list_namespaced_pod("default", field_selector=selector)
        now = listed.items[0] if listed.items else None
        if reached(now):
            return now
        version = listed.metadata.resource_version
        for event in self.watch("pod", version, field_selector=selector, seconds=SECONDS):
            now = None if event["type"] == "DELETED" else event["object"]
            if reached(now):
                return now
        raise AssertionError(f"in {SECONDS} s pod {name} did not become what was expected: {now}")

    def watch(self, kind: str, version: str, *, seconds: int = 1, **query: Any) -> Iterator[Any]:
        """What happened to objects of this kind since, and what will within these seconds."""
        begin: Any = watch.Watch
        told: Iterator[Any] = begin().stream(
            getattr(self.core, f"list_namespaced_{kind}"),
            "default",
            resource_version=version,
            timeout_seconds=seconds,
            **query,
        )
        return told

    def until_running(self, name: str) -> Any:
        return self.until(name, lambda pod: pod and pod.status.phase == "Running")

    def until_over(self, name: str) -> Any:
        return self.until(name, lambda pod: pod and pod.status.phase in ("Succeeded", "Failed"))

    def until_gone(self, name: str) -> None:
        self.until(name, lambda pod: pod is None)

    def run(self, body: Json) -> Any:
        """Creates a pod and gives it back when it is over."""
        self.create(body)
        return self.until_over(body["metadata"]["name"])


def until(reached: Callable[[], Any]) -> Any:
    """For what no watch tells: files and processes."""
    deadline = time.monotonic() + SECONDS
    while not (found := reached()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)
    return found


IDLE = "trap 'exit 0' TERM; while :; do sleep 0.02; done"
"""Runs until it is asked to stop."""


def message_of(refused: ApiException) -> str:
    return str(json.loads(refused.body or "{}")["message"])


def a_container(command: str, name: str = "main", **fields: Any) -> Json:
    return {"name": name, "image": "any", "command": ["sh", "-c", command], **fields}


def a_pod(name: str, *containers: Json | str, **fields: Any) -> Json:
    """Runs once. What is text is the shell command of a container."""
    listed = [a_container(each) if isinstance(each, str) else each for each in containers]
    metadata = {"name": name, **fields.pop("metadata", {})}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, **fields}
    return {"metadata": metadata, "spec": {**spec, "containers": listed}}


def a_host_folder(path: Path) -> Json:
    return {"volumes": [{"name": "host", "hostPath": {"path": str(path)}}]}


AT_HOST: Json = {"volumeMounts": [{"name": "host", "mountPath": "/host"}]}


def exit_codes(pod: Any) -> dict[str, int | None]:
    statuses = [*(pod.status.init_container_statuses or ())]
    statuses += pod.status.container_statuses or ()
    ends = {status.name: status.state.terminated for status in statuses}
    return {name: end.exit_code if end else None for name, end in ends.items()}


def reason(pod: Any, container: str = "main") -> str | None:
    (status,) = [each for each in pod.status.container_statuses if each.name == container]
    state = status.state.terminated or status.state.waiting
    return str(state.reason) if state else None
