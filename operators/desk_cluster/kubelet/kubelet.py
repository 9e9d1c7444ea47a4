"""The shell around `lifecycle.decide`: gathers facts, does what the verdict says, writes the
status.

Everything runs in the event loop and in one piece per pod, so no two decisions about a pod overlap.
A pod is looked at again when it changed, when its shim wrote something (inotify), when a shim ended
(pidfd), when a secret or config map that it waits for may have come, and when time has come.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from operators.desk_cluster.errors import ApiError, BadRequest, InternalError
from operators.desk_cluster.faults import Fault, Faults
from operators.desk_cluster.faults import Kind as FaultKind
from operators.desk_cluster.kinds import PODS
from operators.desk_cluster.kubelet import commands, hosts, images
from operators.desk_cluster.kubelet.environment import (
    ConfigError,
    command,
    environment,
    hostname,
)
from operators.desk_cluster.kubelet.inotify import MODIFIED, MOVED_TO, Inotify
from operators.desk_cluster.kubelet.lifecycle import (
    Attempt,
    Blocked,
    Ended,
    Facts,
    Kill,
    Prepare,
    Release,
    Running,
    Start,
    Starting,
    Step,
    Terminate,
    decide,
)
from operators.desk_cluster.kubelet.log_files import LogQuery, rendered, start_of_tail
from operators.desk_cluster.kubelet.root import Mount, ThisHost, plan, resolver
from operators.desk_cluster.kubelet.shim import (
    KILLED,
    OUT_OF_MEMORY,
    START_ERROR,
    Folder,
    Operation,
)
from operators.desk_cluster.kubelet.volumes import NotMountable, Volumes
from operators.desk_cluster.objects import (
    Json,
    Key,
    is_finished,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
)
from operators.desk_cluster.registry import DeleteOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from operators.desk_cluster.events import Recorder
    from operators.desk_cluster.kubelet.cgroups import Cgroups
    from operators.desk_cluster.registry import Registry
    from operators.desk_cluster.store import Change

IP = "127.0.0.1"

# pkg/kubelet: MaxContainerTerminationMessageLength, and its log counterpart.
_MESSAGE_LIMIT = 4096
_LOG_MESSAGE_LIMIT = 2048

# Docker's and containerd's default capabilities; without the others a container that runs as root
# cannot undo its read-only mounts. Numbers from linux/capability.h.
_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31)

_READ_SIZE = 262_144

# Between its lock and its claim a shim writes one small file.
_CLAIM_SECONDS = 0.01
_POWER_SECONDS = 0.05

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the kubelet needs to know of this machine; see `settings`."""

    state: Path
    shim: Path
    programs: tuple[str, ...]
    images: Mapping[str, Path]
    cgroups: Cgroups
    allocatable: Mapping[str, str]
    is_root: bool


@dataclass(slots=True)
class _Keeper:
    """What rings while a shim lives."""

    folder: Folder
    handle: int
    unwatch: Callable[[], None]


@dataclass(slots=True)
class _Pod:
    """What the kubelet remembers of a pod; all that must survive is in its folder."""

    uid: str
    folder: Path
    node: str = ""
    key: Key | None = None
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    keepers: dict[str, _Keeper] = field(default_factory=dict)
    blocked: dict[str, Blocked] = field(default_factory=dict)
    terminated: set[str] = field(default_factory=set)
    ready: bool = False
    timer: asyncio.TimerHandle | None = None

    def attempt_folder(self, container: str, number: int) -> Folder:
        return Folder(self.folder / "containers" / container / str(number))

    def facts(self) -> Facts:
        return Facts(
            {name: tuple(attempts) for name, attempts in self.attempts.items()},
            dict(self.blocked),
            frozenset(self.terminated),
            self.ready,
        )


class Kubelet:
    def __init__(
        self, registry: Registry, recorder: Recorder, machine: Machine, faults: Faults
    ) -> None:
        self._registry = registry
        self._store = registry.store
        self._recorder = recorder
        self._machine = machine
        self._faults = faults
        self._host = ThisHost()
        self._pods: dict[str, _Pod] = {}
        self._due: set[str] = set()
        self._inotify = Inotify()
        self._hosts: dict[str, str] = {}
        self._hosts_stale = False
        self._removals: set[asyncio.Task[None]] = set()
        self._errors = os.open(
            machine.state / "shim.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        (machine.state / "root").mkdir(exist_ok=True)

    def start(self) -> None:
        """Finds what an earlier process left, then follows the store."""
        folders, removed = self._machine.state / "pods", self._removed
        folders.mkdir(exist_ok=True)
        removed.mkdir(exist_ok=True)
        for folder in removed.iterdir():
            self._discard(folder.name)
        known = {uid_of(pod) for pod in self._store.all_of("pods")}
        for folder in sorted(folders.iterdir()):
            self._adopt(folder, wanted=folder.name in known)
        self._store.watch(self._changed)
        self._faults.tell(self._fault_changed)
        for pod in self._store.all_of("pods"):
            self._consider(pod)

    def close(self) -> None:
        """Lets go of everything; the containers go on."""
        for pod in self._pods.values():
            for keeper in pod.keepers.values():
                if keeper.handle >= 0:
                    asyncio.get_running_loop().remove_reader(keeper.handle)
                    os.close(keeper.handle)
            if pod.timer is not None:
                pod.timer.cancel()
        self._inotify.close()
        os.close(self._errors)

    # ---- what happened

    def _changed(self, changes: list[Change]) -> None:
        for change in changes:
            match change.key.kind:
                case "pods":
                    self._pod_changed(change)
                case "services":
                    self._names_changed()
                case "secrets" | "configmaps" | "persistentvolumeclaims":
                    self._configuration_changed(change.key.namespace)

    def _pod_changed(self, change: Change) -> None:
        before, after = change.previous, change.obj
        if _is_named(before) != _is_named(after):
            self._names_changed()
        if after is not None:
            self._consider(after)
        elif before is not None and uid_of(before) in self._pods:
            self._pods[uid_of(before)].key = None
            self._ring(uid_of(before))

    def _consider(self, obj: Json) -> None:
        node = spec_of(obj).get("nodeName")
        if node not in self._faults.nodes:
            return
        uid = uid_of(obj)
        if uid not in self._pods:
            self._pods[uid] = _Pod(uid, self._machine.state / "pods" / uid)
        self._pods[uid].node = node
        self._pods[uid].key = Key("pods", namespace_of(obj), name_of(obj))
        self._ring(uid)

    def _configuration_changed(self, namespace: str) -> None:
        for pod in self._pods.values():
            if pod.blocked and pod.key is not None and pod.key.namespace == namespace:
                pod.blocked.clear()
                self._ring(pod.uid)

    def _ring(self, uid: str) -> None:
        if uid in self._due:
            return
        self._due.add(uid)
        loop, pod = asyncio.get_running_loop(), self._pods.get(uid)
        late = self._faults.of(pod.node).seconds if pod is not None else 0.0
        if late:
            loop.call_later(late, self._look, uid)
        else:
            loop.call_soon(self._look, uid)

    def _fault_changed(self, node: str, fault: Fault) -> None:
        self._names_changed()
        if fault.kind is FaultKind.CRASHED:
            self._cut_power(node)
        for pod in self._pods.values():
            if pod.node == node:
                self._ring(pod.uid)

    def _cut_power(self, node: str) -> None:
        """Ends every container of the node; nobody is told."""
        if self._faults.of(node).kind is not FaultKind.CRASHED:
            return
        living = False
        for pod in self._pods.values():
            for name, attempts in pod.attempts.items() if pod.node == node else ():
                folder = pod.attempt_folder(name, attempts[-1].number)
                folder.forbid()
                if not isinstance(folder.look(), Ended):
                    self._signal(pod, name, signal.SIGKILL)
                    living = True
        if living:
            # A shim that has not yet said whom it keeps will say so within a moment.
            asyncio.get_running_loop().call_later(_POWER_SECONDS, self._cut_power, node)

    # ---- one pod

    def _look(self, uid: str) -> None:
        self._due.discard(uid)
        pod = self._pods.get(uid)
        if pod is None or self._faults.of(pod.node).silent:
            return
        try:
            self._read_facts(pod)
            obj = self._store.get(pod.key) if pod.key else None
            if obj is None or uid_of(obj) != uid:
                self._bury(pod)
            else:
                self._reconcile(pod, obj)
        except Exception:
            log.exception("pod %s cannot be looked after; it is tried again in 5 s", uid)
            self._wake_at(pod, datetime.now(UTC).timestamp() + 5)

    def _reconcile(self, pod: _Pod, obj: Json) -> None:
        # Twice: what the first verdict starts is news for the second, which then only reports.
        for _ in range(2):
            now = self._registry.now()
            verdict = decide(obj, pod.facts(), now, ip=IP)
            acts = [step for step in verdict.steps if not isinstance(step, Release)]
            for step in acts:
                self._do(pod, obj, step)
            if not acts:
                break
        verdict = decide(obj, pod.facts(), self._registry.now(), ip=IP)
        self._report(obj, verdict.status)
        if any(isinstance(step, Release) for step in verdict.steps):
            self._release(obj)
        if verdict.wake is not None:
            self._wake_at(pod, verdict.wake.timestamp())

    def _report(self, obj: Json, status: Json) -> None:
        with contextlib.suppress(ApiError):
            self._registry.update(
                PODS,
                namespace_of(obj),
                name_of(obj),
                lambda old: {
                    **old,
                    "metadata": {**old["metadata"], "uid": uid_of(obj)},
                    "status": status,
                },
                status=True,
            )

    def _release(self, obj: Json) -> None:
        options = DeleteOptions(grace_seconds=0, uid=uid_of(obj))
        with contextlib.suppress(ApiError):
            self._registry.delete(PODS, namespace_of(obj), name_of(obj), options)

    def _wake_at(self, pod: _Pod, moment: float) -> None:
        if pod.timer is not None:
            pod.timer.cancel()
        seconds = max(moment - datetime.now(UTC).timestamp(), 0)
        loop = asyncio.get_running_loop()
        pod.timer = loop.call_later(seconds, self._ring, pod.uid)

    def _do(self, pod: _Pod, obj: Json, step: Step) -> None:
        match step:
            case Prepare():
                self._prepare(pod, obj)
            case Start(container=name, attempt=number):
                self._start(pod, obj, name, number)
            case Terminate(container=name):
                self._recorder.record(obj, "Killing", f"Stopping container {name}", container=name)
                pod.terminated.add(name)
                self._signal(pod, name, signal.SIGTERM)
            case Kill(container=name):
                self._signal(pod, name, signal.SIGKILL)
            case Release():
                pass
            case _:
                assert_never(step)

    def _signal(self, pod: _Pod, container: str, number: signal.Signals) -> None:
        attempt = pod.attempts[container][-1]
        process = pod.attempt_folder(container, attempt.number).process()
        if process is not None:
            process.send(number)

    def _bury(self, pod: _Pod) -> None:
        """The pod is gone from the API: nothing of it may run, and nothing is kept."""
        living = [name for name, attempts in pod.attempts.items() if attempts[-1].lives]
        for name in living:
            pod.attempt_folder(name, pod.attempts[name][-1].number).forbid()
            self._signal(pod, name, signal.SIGKILL)
        if living:
            # A shim that has not yet said whom it keeps will say so within a moment.
            self._wake_at(pod, datetime.now(UTC).timestamp() + 0.2)
            return
        del self._pods[pod.uid]
        if pod.timer is not None:
            pod.timer.cancel()
        # In one step out of sight: of half an attempt the next process would make a new one.
        with contextlib.suppress(FileNotFoundError):
            pod.folder.rename(self._removed / pod.uid)
        self._discard(pod.uid)

    @property
    def _removed(self) -> Path:
        return self._machine.state / "removed"

    def _discard(self, uid: str) -> None:
        memory = self._volumes(_Pod(uid, self._machine.state / "pods" / uid)).memory
        removal = asyncio.ensure_future(asyncio.to_thread(_remove, memory, self._removed / uid))
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)

    # ---- facts

    def _adopt(self, folder: Path, *, wanted: bool) -> None:
        pod = _Pod(folder.name, folder)
        for container in sorted((folder / "containers").glob("*")):
            # A folder without its specification was being made; it is made again under its number.
            prepared = (path for path in container.iterdir() if Folder(path).prepared)
            numbers = sorted(int(path.name) for path in prepared)[-2:]
            if numbers:
                pod.attempts[container.name] = [Attempt(number, Starting()) for number in numbers]
                pod.ready = True
        self._pods[pod.uid] = pod
        for name, attempts in pod.attempts.items():
            newest = pod.attempt_folder(name, attempts[-1].number)
            if wanted and not newest.claimed:
                # The process ended between its two steps; the claim decides who runs the attempt.
                self._launch(pod, name, newest)
            else:
                self._follow(pod, name, newest)
        self._ring(pod.uid)

    def _read_facts(self, pod: _Pod) -> None:
        for name, attempts in pod.attempts.items():
            for at, attempt in enumerate(attempts):
                if attempt.lives:
                    attempts[at] = self._read_attempt(pod, name, attempt)

    def _read_attempt(self, pod: _Pod, name: str, attempt: Attempt) -> Attempt:
        folder = pod.attempt_folder(name, attempt.number)
        state = folder.look()
        if state == attempt.state:
            return attempt
        if isinstance(state, Ended):
            newest = attempt.number == pod.attempts[name][-1].number
            state = self._ended(pod, name, folder, state, newest=newest)
        self._tell(pod, name, attempt.state, state)
        return Attempt(attempt.number, state)

    def _ended(self, pod: _Pod, name: str, folder: Folder, state: Ended, *, newest: bool) -> Ended:
        # An earlier attempt, found by the next process, has left these to the one that followed it.
        if newest:
            self._drop_keeper(pod, name)
            pod.terminated.discard(name)
            group = _group(pod.uid, name)
            if state.code == KILLED and self._machine.cgroups.killed_for_memory(group):
                folder.declare_out_of_memory()
                state = replace(state, reason=OUT_OF_MEMORY)
            self._machine.cgroups.remove(group)
        obj = self._store.get(pod.key) if pod.key else None
        if obj is not None and not state.message:
            state = replace(state, message=_last_words(obj, name, folder, state))
        return state

    def _tell(self, pod: _Pod, name: str, before: object, after: object) -> None:
        obj = self._store.get(pod.key) if pod.key else None
        if obj is None:
            return
        if isinstance(before, Starting) and isinstance(after, Ended) and after.code == START_ERROR:
            message = f"Error: failed to start container {name}: {after.message}"
            self._recorder.record(obj, "Failed", message, warning=True, container=name)
        elif isinstance(before, Starting) and isinstance(after, Running | Ended):
            self._recorder.record(obj, "Started", f"Started container {name}", container=name)

    # ---- shims

    def _launch(self, pod: _Pod, name: str, folder: Folder) -> None:
        unwatch = self._inotify.watch(folder.path, MOVED_TO, lambda: self._ring(pod.uid))
        pid = folder.start(self._machine.shim, self._errors)
        self._keep(pod, name, _Keeper(folder, os.pidfd_open(pid), unwatch))

    def _follow(self, pod: _Pod, name: str, folder: Folder) -> None:
        """A shim that an earlier process started, if it still lives."""
        unwatch = self._inotify.watch(folder.path, MOVED_TO, lambda: self._ring(pod.uid))
        keeper, handle = folder.keeper(), -1
        if keeper is not None:
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(keeper)
        self._keep(pod, name, _Keeper(folder, handle, unwatch))

    def _keep(self, pod: _Pod, name: str, keeper: _Keeper) -> None:
        self._drop_keeper(pod, name)
        pod.keepers[name] = keeper
        if keeper.handle >= 0:
            loop = asyncio.get_running_loop()
            loop.add_reader(keeper.handle, self._keeper_ended, pod, name, keeper)

    def _keeper_ended(self, pod: _Pod, name: str, keeper: _Keeper) -> None:
        asyncio.get_running_loop().remove_reader(keeper.handle)
        self._seek_keeper(pod, name, keeper)

    def _seek_keeper(self, pod: _Pod, name: str, gone: _Keeper) -> None:
        """Was ours the second of two? The first has the attempt, or is about to claim it."""
        folder = gone.folder
        if pod.keepers.get(name) is not gone:
            return
        if folder.contested:
            loop = asyncio.get_running_loop()
            loop.call_later(_CLAIM_SECONDS, self._seek_keeper, pod, name, gone)
            return
        if not folder.forbid() and folder.keeper() is not None:
            self._follow(pod, name, folder)
        self._ring(pod.uid)

    def _drop_keeper(self, pod: _Pod, name: str) -> None:
        keeper = pod.keepers.pop(name, None)
        if keeper is None:
            return
        keeper.unwatch()
        if keeper.handle >= 0:
            asyncio.get_running_loop().remove_reader(keeper.handle)
            _reap_later(keeper.handle)

    # ---- making a container

    def _prepare(self, pod: _Pod, obj: Json) -> None:
        pod.folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        try:
            self._volumes(pod).make(obj, self._lookup(obj))
        except (NotMountable, ConfigError, OSError) as error:
            self._block(pod, obj, "", "FailedMount", f"MountVolume.SetUp failed: {error}")
            return
        pod.blocked.pop("", None)
        pod.ready = True

    def _start(self, pod: _Pod, obj: Json, name: str, number: int) -> None:
        container = _container(obj, name)
        folder = pod.attempt_folder(name, number)
        if (missing := images.obstacle(container["image"])) is not None:
            self._block(pod, obj, name, "Failed", f"Error: {missing.reason}", missing)
            return
        try:
            operations = self._operations(pod, obj, container, folder)
            folder.prepare(operations)
        except (ConfigError, NotMountable, ValueError, OSError) as error:
            reason = "CreateContainerConfigError"
            self._block(pod, obj, name, "Failed", f"Error: {error}", Blocked(reason, str(error)))
            return
        pod.blocked.pop(name, None)
        self._recorder.record(obj, "Created", f"Created container: {name}", container=name)
        self._launch(pod, name, folder)
        kept = pod.attempts.setdefault(name, [])
        kept.append(Attempt(number, Starting()))
        for old in kept[:-2]:
            shutil.rmtree(pod.attempt_folder(name, old.number).path, ignore_errors=True)
        del kept[:-2]

    def _block(
        self,
        pod: _Pod,
        obj: Json,
        name: str,
        event: str,
        message: str,
        blocked: Blocked | None = None,
    ) -> None:
        found = blocked or Blocked(event, message)
        if pod.blocked.get(name) != found:
            pod.blocked[name] = found
            self._recorder.record(obj, event, message, warning=True, container=name)

    def _operations(self, pod: _Pod, obj: Json, container: Json, folder: Folder) -> list[Operation]:
        machine, name = self._machine, container["name"]
        allocatable = machine.allocatable
        variables = environment(obj, container, self._lookup(obj), ip=IP, node=allocatable)
        mounts = [
            *self._own_files(pod, obj, container, folder),
            *self._volumes(pod).mounts(obj, container, variables),
        ]
        image = machine.images.get(_image_name(container["image"]))
        image = image or machine.images.get(container["image"])
        operations: list[Operation] = [("root", str(machine.state / "root"))]
        operations += plan(
            self._host,
            programs=machine.programs,
            image=str(image) if image else None,
            mounts=mounts,
        )
        operations += [("hostname", hostname(obj)), ("enter", "")]
        operations += self._rights(obj, container)
        limits = (container.get("resources") or {}).get("limits") or {}
        groups = machine.cgroups.make(_group(pod.uid, name), limits)
        operations += [("cgroup", str(group)) for group in groups]
        if container.get("workingDir"):
            operations.append(("working-folder", container["workingDir"]))
        operations += [("environment", f"{key}={value}") for key, value in variables.items()]
        operations += [("argument", word) for word in command(container, variables)]
        return operations

    def _own_files(self, pod: _Pod, obj: Json, container: Json, folder: Folder) -> list[Mount]:
        hosts_file, hostname_file = pod.folder / "hosts", pod.folder / "hostname"
        hosts_file.write_text(self._hosts_of(obj))
        hostname_file.write_text(hostname(obj) + "\n")
        return [
            Mount(str(folder.path / "tmp"), "/tmp"),
            Mount(str(folder.path / "tmp"), "/var/tmp"),
            Mount(str(folder.path / "home"), "/root"),
            # An interpreter in somebody's home would be hidden by the line above.
            *(
                Mount(program, program, read_only=True)
                for program in self._machine.programs
                if program.startswith("/root/")
            ),
            Mount(str(hosts_file), "/etc/hosts"),
            Mount(str(hostname_file), "/etc/hostname"),
            Mount(str(folder.termination_message), container["terminationMessagePath"]),
            *resolver(self._host, self._machine.programs),
        ]

    def _rights(self, obj: Json, container: Json) -> list[Operation]:
        if not self._machine.is_root:
            return [("user-namespace", "")]
        context = {**(spec_of(obj).get("securityContext") or {})}
        context |= container.get("securityContext") or {}
        operations: list[Operation] = []
        if not context.get("privileged"):
            mask = sum(1 << number for number in _CAPABILITIES)
            operations.append(("capabilities", f"{mask:x}"))
        user = context.get("runAsUser")
        if user is not None:
            operations.append(("user", str(user), str(context.get("runAsGroup", 0))))
        return operations

    def _volumes(self, pod: _Pod) -> Volumes:
        namespace = pod.key.namespace if pod.key else ""
        claims = self._machine.state / "claims" / namespace
        allocatable = self._machine.allocatable
        return Volumes.of(pod.uid, pod.folder, claims, ip=IP, node=allocatable)

    def _lookup(self, obj: Json) -> Callable[[str, str], Json | None]:
        namespace = namespace_of(obj)
        return lambda kind, name: self._store.get(Key(kind, namespace, name))

    # ---- names

    def _hosts_of(self, obj: Json) -> str:
        namespace = namespace_of(obj)
        if namespace not in self._hosts:
            pods, services = self._store.all_of("pods"), self._store.all_of("services")
            self._hosts[namespace] = hosts.names_seen_in(namespace, pods, services)
        aliases = spec_of(obj).get("hostAliases") or ()
        return hosts.hosts_file(hostname(obj), self._hosts[namespace], aliases)

    def _names_changed(self) -> None:
        """The files of running pods follow, once per turn however many names came or went."""
        self._hosts.clear()
        if not self._hosts_stale:
            self._hosts_stale = True
            asyncio.get_running_loop().call_soon(self._rewrite_hosts)

    def _rewrite_hosts(self) -> None:
        self._hosts_stale = False
        for pod in self._pods.values():
            obj = self._store.get(pod.key) if pod.key else None
            file = pod.folder / "hosts"
            silent = self._faults.of(pod.node).silent
            if obj is not None and not silent and not is_finished(obj) and file.exists():
                # In place: containers have mounted this very file.
                text = self._hosts_of(obj)
                if file.read_text() != text:
                    file.write_text(text)

    # ---- sessions

    async def execute(
        self, pod: Json, container: str, words: Sequence[str], *, terminal: bool
    ) -> commands.Command:
        """One more command in a container that runs."""
        folder = self._running(pod, container or _first_container(pod))
        return await commands.start(
            self._machine.shim,
            folder.path,
            words,
            terminal=terminal,
            errors=self._errors,
            spawned=lambda pid: _reap_later(os.pidfd_open(pid)),
        )

    async def connect(
        self, pod: Json, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A port of the pod, which is one of this machine's. Raises OSError where nobody listens."""
        if not any(attempts[-1].lives for attempts in self._known(pod).attempts.values()):
            raise InternalError(f'pod "{name_of(pod)}" has no container that runs')
        return await asyncio.open_connection(IP, port)

    def _require_heard(self, pod: Json) -> None:
        node = str(spec_of(pod).get("nodeName", ""))
        if self._faults.of(node).silent:
            raise InternalError(f"error dialing backend: the node {node} does not answer")

    def _known(self, pod: Json) -> _Pod:
        self._require_heard(pod)
        known = self._pods.get(uid_of(pod))
        if known is None:
            raise BadRequest(f"pod {name_of(pod)} does not have a host assigned")
        return known

    def _running(self, pod: Json, container: str) -> Folder:
        if container not in _all_names(pod):
            raise BadRequest(f"container {container} is not valid for pod {name_of(pod)}")
        known = self._known(pod)
        attempts = known.attempts.get(container)
        if not attempts or not isinstance(attempts[-1].state, Running):
            message = f'unable to upgrade connection: container not found ("{container}")'
            raise InternalError(message)
        return known.attempt_folder(container, attempts[-1].number)

    # ---- logs

    def open(self, pod: Json, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """A container's log. Raises BadRequest where there is none to show."""
        self._require_heard(pod)
        asked = LogQuery.parse(query, self._registry.now())
        name = asked.container or _only_container(pod)
        if name not in _all_names(pod):
            raise BadRequest(f"container {name} is not valid for pod {name_of(pod)}")
        known = self._pods.get(uid_of(pod))
        attempts = known.attempts.get(name, []) if known else []
        number = attempts[-1].number if attempts else None
        if asked.previous:
            number = _previous(pod, name)
            if number is None:
                raise BadRequest(
                    f'previous terminated container "{name}" in pod "{name_of(pod)}" not found'
                )
        if number is None or known is None:
            raise BadRequest(
                f'container "{name}" in pod "{name_of(pod)}" is waiting to start: '
                f"{_why_waiting(pod, name)}"
            )
        return self._read_log(known, name, number, asked)

    async def _read_log(
        self, pod: _Pod, name: str, number: int, query: LogQuery
    ) -> AsyncIterator[bytes]:
        folder = pod.attempt_folder(name, number)
        left = query.limit
        changed = asyncio.Event()
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(FileNotFoundError):
                folder.log.touch()
                stack.callback(self._inotify.watch(folder.log, MODIFIED, changed.set))
                stack.callback(self._inotify.watch(folder.path, MOVED_TO, changed.set))
            try:
                file = stack.enter_context(folder.log.open("rb"))
            except FileNotFoundError:
                return
            if query.tail is not None:
                file.seek(start_of_tail(file, query.tail))
            rest = b""
            while True:
                changed.clear()
                over = isinstance(folder.state(), Ended) or not folder.path.exists()
                while chunk := file.read(_READ_SIZE):
                    *lines, rest = (rest + chunk).split(b"\n")
                    text = b"".join(rendered(line, query) for line in lines)
                    if left is not None:
                        text = text[:left]
                        left -= len(text)
                    if text:
                        yield text
                    if left == 0:
                        return
                    await asyncio.sleep(0)
                if over or not query.follow:
                    return
                await changed.wait()


def _is_named(pod: Json | None) -> bool:
    """Whether others find this pod by name."""
    return bool(pod and spec_of(pod).get("subdomain") and not is_finished(pod))


def _container(pod: Json, name: str) -> Json:
    spec = spec_of(pod)
    listed = (*(spec.get("initContainers") or ()), *spec["containers"])
    return next(container for container in listed if container["name"] == name)


def _all_names(pod: Json) -> list[str]:
    spec = spec_of(pod)
    return [each["name"] for each in (*(spec.get("initContainers") or ()), *spec["containers"])]


def _status_of(pod: Json, name: str) -> Json:
    status = status_of(pod)
    listed = ("initContainerStatuses", "containerStatuses")
    found = (each for part in listed for each in status.get(part) or () if each["name"] == name)
    return next(found, {})


def _previous(pod: Json, name: str) -> int | None:
    """The attempt that the status calls the last: the newest, while it waits to be repeated."""
    last = (_status_of(pod, name).get("lastState") or {}).get("terminated")
    return int(last["containerID"].rpartition("/")[2]) if last else None


def _why_waiting(pod: Json, name: str) -> str:
    waiting = (_status_of(pod, name).get("state") or {}).get("waiting") or {}
    return str(waiting.get("reason", "ContainerCreating"))


def _first_container(pod: Json) -> str:
    """Which an `exec` means that names none, where the pod does not say otherwise."""
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    named = annotations.get("kubectl.kubernetes.io/default-container")
    return str(named or spec_of(pod)["containers"][0]["name"])


def _only_container(pod: Json) -> str:
    names = [each["name"] for each in spec_of(pod)["containers"]]
    if len(names) == 1:
        return str(names[0])
    raise BadRequest(
        f"a container name must be specified for pod {name_of(pod)}, choose one of: "
        f"[{' '.join(names)}]"
    )


def _image_name(image: str) -> str:
    """Without tag and digest; a colon before a slash belongs to a registry's port."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def _group(uid: str, container: str) -> str:
    return f"{uid}.{container}"


def _last_words(pod: Json, name: str, folder: Folder, ended: Ended) -> str:
    with contextlib.suppress(OSError):
        with folder.termination_message.open("rb") as file:
            message = file.read(_MESSAGE_LIMIT)
        if message:
            return message.decode(errors="replace")
        container = _container(pod, name)
        if container["terminationMessagePolicy"] == "FallbackToLogsOnError" and ended.code:
            with folder.log.open("rb") as file:
                file.seek(max(file.seek(0, os.SEEK_END) - 2 * _LOG_MESSAGE_LIMIT, 0))
                lines = file.read().split(b"\n")[:-1]
            text = b"".join(rendered(line, LogQuery()) for line in lines)
            return text[-_LOG_MESSAGE_LIMIT:].decode(errors="replace")
    return ""


def _reap_later(handle: int) -> None:
    """A shim writes its last fact a moment before it ends; as our child it would stay a zombie."""
    loop = asyncio.get_running_loop()

    def reap() -> None:
        loop.remove_reader(handle)
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PIDFD, handle, os.WEXITED | os.WNOHANG)
        os.close(handle)

    loop.add_reader(handle, reap)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
