"""The program: all parts of the cluster in one process, and the files by which others find it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import uvicorn
import yaml

from operators.desk_cluster import isolation, node
from operators.desk_cluster.api.app import Api
from operators.desk_cluster.control import Control
from operators.desk_cluster.events import Recorder
from operators.desk_cluster.faults import Faults
from operators.desk_cluster.kubelet.cgroups import Cgroups
from operators.desk_cluster.kubelet.kubelet import Kubelet, Machine
from operators.desk_cluster.kubelet.root import PROGRAMS
from operators.desk_cluster.node_lifecycle import NodeLifecycle
from operators.desk_cluster.registry import Registry
from operators.desk_cluster.store import Store
from operators.native.build import program

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from operators.desk_cluster.objects import Json
    from operators.desk_cluster.settings import Settings

NO_LIMITS = "limits of CPU and memory do not hold here: cgroups cannot be made on this machine"

_KEEP_ALIVE_SECONDS = 300

# uvicorn's own.
_BACKLOG = 2048


class CannotStart(Exception):
    """The cluster does not start; the text says why and what to do."""


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. Raises CannotStart."""
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o711)
    with _only_one(settings.state):
        machine, described = _machine(settings)
        listening = _listen(settings.port)
        # uvicorn raises the signal that ended it once more, for whoever was here before it.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        asyncio.run(_serve(settings, machine, described, listening))


async def _serve(
    settings: Settings, machine: Machine, described: Json, listening: socket.socket
) -> None:
    token = _token(settings.state)
    store = Store(settings.state / "cluster.sqlite")
    registry = Registry(store)
    recorder = Recorder(registry, component="desk-kubelet", node=settings.node_name)
    scheduler = Recorder(registry, component="desk-scheduler", node=settings.node_name)
    faults = Faults(settings.nodes)
    nodes = NodeLifecycle(
        registry,
        Recorder(registry, component="desk-nodes", node=settings.node_name),
        faults,
        resources=machine.allocatable,
        labels=settings.labels,
        grace_seconds=settings.node_grace,
    )
    control = Control(registry, scheduler)
    kubelet = Kubelet(registry, recorder, machine, faults)
    api = Api(registry, kubelet, nodes, faults, token=token, status=lambda: described)
    nodes.start()
    control.start()
    kubelet.start()
    port = int(listening.getsockname()[1])
    _write_kubeconfig(settings.state / "kubeconfig", port, token)
    print(json.dumps({"ready": True, "port": port, **described}), flush=True)
    try:
        await _Server(api).serve(sockets=[listening])
    finally:
        control.close()
        nodes.close()
        kubelet.close()
        store.close()


class _Server(uvicorn.Server):
    def __init__(self, api: Api) -> None:
        super().__init__(
            uvicorn.Config(
                api.asgi,
                loop="asyncio",
                http="h11",
                ws="websockets-sansio",
                # Who asks for a session reads when it likes to, and may not answer a ping for long.
                ws_ping_interval=None,
                lifespan="off",
                log_level="warning",
                access_log=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=2,
            )
        )
        self._api = api

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._api.end_watches()
        super().handle_exit(sig, frame)


class _only_one:
    """One API process for a folder of state; the lock ends with the process, however that ends."""

    def __init__(self, state: Path) -> None:
        self._path = state / "server.lock"

    def __enter__(self) -> None:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = self._path.read_text().strip()
            raise CannotStart(
                f"A desk cluster is running on {self._path.parent} (pid {pid}); end it first."
            ) from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, str(os.getpid()).encode(), 0)

    def __exit__(self, *_: Any) -> None:
        os.close(self._handle)


def _machine(settings: Settings) -> tuple[Machine, Json]:
    if sys.platform != "linux":
        raise CannotStart("The desk cluster needs Linux: its containers are Linux namespaces.")
    shim = settings.shim or program("desk-shim")
    if not os.access(shim, os.X_OK):
        raise CannotStart(f"{shim} is missing: run `python -m operators.native.build`.")
    programs = tuple(dict.fromkeys((*PROGRAMS, *map(str, settings.folders))))
    try:
        found = isolation.detect(shim, settings.state, programs)
    except isolation.NoIsolation as error:
        raise CannotStart(str(error)) from None
    cgroups = Cgroups.detect(cgroup_name(settings.state))
    resources = {**node.machine_resources(), **settings.resources}
    machine = Machine(
        state=settings.state,
        shim=shim,
        programs=programs,
        images=settings.images,
        cgroups=cgroups,
        allocatable=resources,
        is_root=found.as_root,
    )
    described: Json = {
        "isolation": found.description,
        "cgroups": f"v{cgroups.version}" if cgroups.version else "none",
        "native": str(shim),
        "node": settings.node_name,
        "nodes": list(settings.nodes),
        "resources": resources,
        "pid": os.getpid(),
        "version": node.VERSION,
        "warnings": [] if cgroups.version else [NO_LIMITS],
    }
    return machine, described


def cgroup_name(state: Path) -> str:
    """One group per cluster of this machine; its name has to be the same for `stop`."""
    return f"xylem-desk-{os.stat(state).st_ino}"


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        # Now, not when the server takes it over: who is told that it is ready finds it so.
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise CannotStart(
            f"Port {port} of 127.0.0.1 cannot be had ({error.strerror}); choose another by --port."
        ) from None
    return listening


def _token(state: Path) -> str:
    file = state / "token"
    if not file.exists():
        _write_private(file, secrets.token_urlsafe(32))
    return file.read_text()


def _write_kubeconfig(file: Path, port: int, token: str) -> None:
    """kubectl sends no token over plain HTTP, but it does send the password of a server's URL."""
    server = f"http://desk:{token}@127.0.0.1:{port}"
    context = {"cluster": "desk", "user": "desk", "namespace": "default"}
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "desk",
        "clusters": [{"name": "desk", "cluster": {"server": server}}],
        "users": [{"name": "desk", "user": {"token": token}}],
        "contexts": [{"name": "desk", "context": context}],
    }
    _write_private(file, yaml.safe_dump(body, sort_keys=False))


def _write_private(file: Path, text: str) -> None:
    temporary = file.with_suffix(".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w") as opened:
        opened.write(text)
    temporary.replace(file)
