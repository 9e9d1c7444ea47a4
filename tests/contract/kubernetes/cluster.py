"""A cluster as the suite asks it: the official client, a namespace of our own, builders of pods.

Nothing here knows which cluster it is. Commands are for a shell as POSIX has it, and so for the
image `busybox` as well as for any other with a shell.
"""

import base64
import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from kubernetes import client, config, stream
from kubernetes.client import ApiException

from operators.shared.kube import Kube
from operators.shared.resources import Json, NotFound

IMAGE = os.environ.get("XYLEM_CONTRACT_IMAGE", "busybox:1.37")
"""For a cluster that cannot pull from Docker Hub another one can be named that has a shell."""

PATIENCE_SECONDS = 120.0
"""Real clusters pull images, and some of their controllers look about once in 20 s or a minute."""

STEP_SECONDS = 0.05

T = TypeVar("T")


@dataclass(frozen=True)
class Cluster:
    """`kube` is what Listener and Worker ask with; the others are the official client's own."""

    kubeconfig: str
    namespace: str
    may_touch_nodes: bool

    @cached_property
    def kube(self) -> Kube:
        return Kube(namespace=self.namespace, kubeconfig=self.kubeconfig, connections=4)

    def api(self) -> Any:
        configuration = client.Configuration()
        load: Any = config.load_kube_config
        load(self.kubeconfig, client_configuration=configuration)
        return client.ApiClient(configuration)

    @cached_property
    def core(self) -> Any:
        return client.CoreV1Api(self.api())

    @cached_property
    def policy(self) -> Any:
        return client.PolicyV1Api(self.api())

    # ---- pods

    def run(self, body: Json) -> Any:
        """The pod, once it is over."""
        self.core.create_namespaced_pod(self.namespace, body)
        return self.until_over(body["metadata"]["name"])

    def start(self, body: Json) -> Any:
        """The pod, once it runs."""
        self.core.create_namespaced_pod(self.namespace, body)
        return self.until_pod(body["metadata"]["name"], lambda pod: pod.status.phase == "Running")

    def pod(self, name: str) -> Any:
        return self.core.read_namespaced_pod(name, self.namespace)

    def log(self, name: str, **query: Any) -> str:
        return str(self.core.read_namespaced_pod_log(name, self.namespace, **query))

    def until_pod(self, name: str, reached: Callable[[Any], Any]) -> Any:
        return until(lambda: self.pod(name), reached)

    def until_over(self, name: str) -> Any:
        return self.until_pod(name, lambda pod: pod.status.phase in ("Succeeded", "Failed"))

    def until_gone(self, look: Callable[[], object]) -> None:
        """Until it is a 404 to look."""

        def gone() -> bool:
            try:
                look()
            except NotFound:
                return True
            except ApiException as refused:
                if refused.status != 404:
                    raise
                return True
            return False

        until(gone, bool)

    # ---- sessions

    def execute(self, pod: str, *words: str, protocol: str = "", **options: Any) -> Any:
        """A WSClient, of which whoever asked reads."""
        api = self.api()
        if protocol:
            api.set_default_header("sec-websocket-protocol", protocol)
        flags = {"stdin": False, "stdout": True, "stderr": True, "tty": False, **options}
        return stream.stream(
            client.CoreV1Api(api).connect_get_namespaced_pod_exec,
            pod,
            self.namespace,
            command=list(words),
            _preload_content=False,
            **flags,
        )

    def forward(self, pod: str, *ports: int) -> Any:
        return stream.portforward(
            client.CoreV1Api(self.api()).connect_get_namespaced_pod_portforward,
            pod,
            self.namespace,
            ports=",".join(map(str, ports)),
        )


@contextmanager
def own_namespace(kubeconfig: str, *, may_touch_nodes: bool) -> Iterator[Cluster]:
    """A namespace that nobody had, and with it goes all that was made in it."""
    cluster = Cluster(kubeconfig, f"xylem-contract-{secrets.token_hex(4)}", may_touch_nodes)
    core = cluster.core
    core.create_namespace({"metadata": {"name": cluster.namespace}})
    try:
        # Pods are refused until a controller has made it.
        until(lambda: names(core.list_namespaced_service_account(cluster.namespace)), bool)
        yield cluster
    finally:
        _release_everything(cluster)
        core.delete_namespace(cluster.namespace)
        cluster.until_gone(lambda: core.read_namespace(cluster.namespace))


def _release_everything(cluster: Cluster) -> None:
    """What a test that failed has left must not hold up the namespace's end."""
    core = cluster.core
    for kind in ("pod", "config_map", "secret"):
        for each in getattr(core, f"list_namespaced_{kind}")(cluster.namespace).items:
            if each.metadata.finalizers:
                released = {"metadata": {"finalizers": None}}
                patch = getattr(core, f"patch_namespaced_{kind}")
                patch(each.metadata.name, cluster.namespace, released)
    core.delete_collection_namespaced_pod(cluster.namespace, grace_period_seconds=0)


def until(look: Callable[[], T], reached: Callable[[T], Any]) -> T:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached(found := look()):
        assert time.monotonic() < deadline, f"it did not come to pass; it is {found}"
        time.sleep(STEP_SECONDS)
    return found


def a_name(what: str) -> str:
    """One that no other test has."""
    return f"{what}-{secrets.token_hex(3)}"


def a_container(command: str, name: str = "main", **fields: Any) -> Json:
    return {"name": name, "image": IMAGE, "command": ["sh", "-c", command], **fields}


def a_pod(name: str, *containers: Json | str, **fields: Any) -> Json:
    """Runs once. What is text is the shell command of a container."""
    listed = [a_container(each) if isinstance(each, str) else each for each in containers]
    metadata = {"name": name, **fields.pop("metadata", {})}
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        **fields,
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    return {**pod, "spec": {**spec, "containers": listed}}


def a_config_map(name: str, **metadata: Any) -> Json:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
    return {**body, "data": {"n": "0"}}


def a_secret(name: str, **data: str) -> Json:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}


IDLE = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
"""Runs until it is asked to stop. A container's first process hears no signal but by a trap."""

DEAF = "trap '' TERM; while :; do sleep 0.1; done"

FINALIZER = "xylem.test/held"


def exit_codes(pod: Any) -> dict[str, int | None]:
    statuses = [*(pod.status.init_container_statuses or ())]
    statuses += pod.status.container_statuses or ()
    ends = {each.name: each.state.terminated for each in statuses}
    return {name: end.exit_code if end else None for name, end in ends.items()}


def waiting_reason(pod: Any, container: str = "main") -> str | None:
    for each in pod.status.container_statuses or ():
        if each.name == container and each.state and each.state.waiting:
            return str(each.state.waiting.reason)
    return None


def condition(obj: Any, kind: str) -> tuple[str, str | None]:
    """Status and reason; the status is empty where there is no such condition."""
    found = [each for each in obj.status.conditions or () if each.type == kind]
    return (found[0].status, found[0].reason) if found else ("", None)


def names(listed: Any) -> list[str]:
    return sorted(each.metadata.name for each in listed.items)


def message_of(refused: ApiException) -> str:
    return str(json.loads(refused.body or "{}").get("message", ""))


def a_free_port() -> int:
    """One that nobody has here: a cluster may let its pods share our network."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
