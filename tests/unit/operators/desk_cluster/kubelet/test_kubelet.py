"""What a kubelet makes of what an earlier one left, at any point at which that was killed.

The shim is a script that does what the real one does: no test needs a compiler or rights."""

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from operators.desk_cluster.errors import BadRequest
from operators.desk_cluster.events import Recorder
from operators.desk_cluster.faults import Faults
from operators.desk_cluster.kinds import NAMESPACES, PODS
from operators.desk_cluster.kubelet.cgroups import Cgroups
from operators.desk_cluster.kubelet.inotify import MOVED_TO, Inotify
from operators.desk_cluster.kubelet.kubelet import Kubelet, Machine
from operators.desk_cluster.kubelet.shim import Folder
from operators.desk_cluster.kubelet.volumes import memory_of
from operators.desk_cluster.objects import Json, phase_of, status_of, uid_of
from operators.desk_cluster.registry import DeleteOptions, Registry
from operators.desk_cluster.store import Change, Store
from tests.unit.operators.desk_cluster.builders import a_body

SHIM = """#!/bin/sh
echo launch >>"{runs}-launched"
cd "$1" && [ -e spec ] || exit 1
exec 9>lock
flock -n 9 || exit 0
echo $$ >"claim.$$"
ln "claim.$$" claim 2>/dev/null || exit 0
echo run >>"{runs}"
date +%s.%N | tr -d "\\n" >.started && mv .started started
echo "2030-01-01T00:00:00.000000000Z stdout F attempt $(basename "$1")" >>log
printf "$(date +%s.%N) exit {code} " >.ended && mv .ended ended
"""

LEAVES = "#!/bin/sh\n"
"""The second of two shims: whatever it finds, it goes."""


class TheFirstShim:
    """One that an earlier process started, and that this test moves step by step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def claim(self) -> None:
        (self._folder / "claim").write_text(str(os.getpid()))

    def start(self) -> None:
        self._put("started", "1000.0")

    def end(self, code: int) -> None:
        self._put("ended", f"1001.0 exit {code} ")
        os.close(self._lock)

    def _put(self, name: str, text: str) -> None:
        (temporary := self._folder / f".{name}").write_text(text)
        temporary.rename(self._folder / name)


@dataclass
class Cluster:
    """A registry with one bound pod, and the folder in which kubelets leave their facts."""

    folder: Path
    registry: Registry
    changed: asyncio.Condition
    shim: str = SHIM
    code: int = 0

    def a_pod(self, **spec: Any) -> Json:
        body = a_body(restartPolicy=spec.pop("restartPolicy", "Never"), **spec)
        self.registry.bind(self.registry.create(PODS, "default", body), "desk")
        return self.registry.get(PODS, "default", "a")

    def a_kubelet(self) -> Kubelet:
        program = self.folder / "shim"
        program.write_text(self.shim.format(runs=self.folder / "runs", code=self.code))
        program.chmod(0o755)
        machine = Machine(self.folder, program, (), {}, Cgroups(), {}, is_root=True)
        recorder = Recorder(self.registry, component="kubelet", node="desk")
        kubelet = Kubelet(self.registry, recorder, machine, Faults(["desk"]))
        kubelet.start()
        return kubelet

    def attempt(self, pod: Json, number: int = 0, *, prepared: bool = True) -> Path:
        path = self.folder / "pods" / uid_of(pod) / "containers" / "main" / str(number)
        path.mkdir(parents=True)
        if prepared:
            Folder(path).prepare([("argument", "true")])
        return path

    @property
    def runs(self) -> int:
        file = self.folder / "runs"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def main(self) -> Json:
        """The status of the pod's container, once there is one."""
        pod = self.registry.find(PODS, "default", "a") or {}
        (status,) = status_of(pod).get("containerStatuses") or [{"state": {}}]
        return dict(status)

    async def until(self, reached: Callable[[], Any]) -> Any:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(reached)
        return reached()

    async def ended(self) -> Json:
        def phase() -> str:
            found = self.registry.find(PODS, "default", "a")
            return phase_of(found) if found else ""

        await self.until(lambda: phase() in ("Succeeded", "Failed"))
        return self.registry.get(PODS, "default", "a")


def in_a_cluster(path: Path, story: Callable[[Cluster], Awaitable[Kubelet | None]]) -> None:
    async def told() -> None:
        store = Store(path / "cluster.sqlite")
        changed = asyncio.Condition()

        async def tell() -> None:
            async with changed:
                changed.notify_all()

        telling: set[asyncio.Task[None]] = set()

        def watcher(_: list[Change]) -> None:
            telling.add(asyncio.ensure_future(tell()))

        store.watch(watcher)
        registry = Registry(store)
        registry.create(NAMESPACES, "", {"metadata": {"name": "default"}})
        kubelet = await story(Cluster(path, registry, changed))
        if kubelet is not None:
            kubelet.close()
        store.close()

    asyncio.run(told())


async def all_that_is_due() -> None:
    """The kubelet looks at what it has just written, too, and would see what comes meanwhile."""
    for _ in range(100):
        await asyncio.sleep(0)


def the_end_of(folder: Path) -> Awaitable[None]:
    """Wherever it is moved first."""
    inotify, ended = Inotify(), asyncio.Event()
    inotify.watch(folder, MOVED_TO, ended.set)

    async def wait() -> None:
        async with asyncio.timeout(20):
            await ended.wait()
        inotify.close()

    return wait()


def exit_code(pod: Json) -> int:
    (status,) = status_of(pod)["containerStatuses"]
    return int(status["state"]["terminated"]["exitCode"])


def test_a_bound_pod_is_run_and_its_end_is_told(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> Kubelet:
        cluster.code = 7
        cluster.a_pod()
        kubelet = cluster.a_kubelet()

        pod = await cluster.ended()

        assert (phase_of(pod), exit_code(pod), cluster.runs) == ("Failed", 7, 1)
        return kubelet

    in_a_cluster(tmp_path, story)


def test_an_attempt_that_was_prepared_and_not_begun_is_run_once(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> Kubelet:
        cluster.attempt(cluster.a_pod())
        kubelet = cluster.a_kubelet()

        pod = await cluster.ended()

        assert (phase_of(pod), cluster.runs) == ("Succeeded", 1)
        return kubelet

    in_a_cluster(tmp_path, story)


@pytest.mark.parametrize("how_far", ["container", "attempt", "half a specification"])
def test_an_attempt_that_was_being_prepared_is_prepared_again(tmp_path: Path, how_far: str) -> None:
    async def story(cluster: Cluster) -> Kubelet:
        folder = cluster.attempt(cluster.a_pod(), prepared=False)
        if how_far == "container":
            folder.rmdir()
        if how_far == "half a specification":
            (folder / ".spec").write_bytes(b"argument\0")
        kubelet = cluster.a_kubelet()

        pod = await cluster.ended()

        assert (phase_of(pod), cluster.runs) == ("Succeeded", 1)
        return kubelet

    in_a_cluster(tmp_path, story)


def test_an_attempt_that_another_shim_has_is_followed_to_its_end(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> Kubelet:
        first = TheFirstShim(cluster.attempt(cluster.a_pod()))
        first.claim()
        first.start()
        kubelet = cluster.a_kubelet()
        await cluster.until(lambda: "running" in cluster.main()["state"])

        first.end(5)

        pod = await cluster.ended()
        assert (exit_code(pod), cluster.runs) == (5, 0)
        return kubelet

    in_a_cluster(tmp_path, story)


def test_the_end_of_a_container_that_was_started_again_is_noticed_by_the_next_process(
    tmp_path: Path,
) -> None:
    """The earlier attempt's end, which it reads first, is not that of the one that runs."""

    async def story(cluster: Cluster) -> Kubelet:
        pod = cluster.a_pod(restartPolicy="OnFailure")
        (cluster.attempt(pod, 0) / "claim").write_text("1")
        (cluster.attempt(pod, 1) / "claim").touch()
        earlier, newest = (
            cluster.folder / "pods" / uid_of(pod) / "containers/main" / n for n in "01"
        )
        (earlier / "ended").write_text("1000.0 exit 3 ")
        first = TheFirstShim(newest)
        first.claim()
        first.start()
        kubelet = cluster.a_kubelet()
        await cluster.until(lambda: "running" in cluster.main()["state"])
        await all_that_is_due()

        first.end(0)

        assert phase_of(await cluster.ended()) == "Succeeded"
        assert cluster.main()["restartCount"] == 1
        return kubelet

    in_a_cluster(tmp_path, story)


def test_a_shim_that_is_about_to_claim_is_not_called_lost_because_a_second_one_left(
    tmp_path: Path,
) -> None:
    """The API process was killed a moment after it started the first; the next starts another,
    which finds the lock taken and leaves before the claim is made."""

    async def story(cluster: Cluster) -> Kubelet:
        cluster.shim = LEAVES
        folder = cluster.attempt(cluster.a_pod())
        first = TheFirstShim(folder)
        kubelet = cluster.a_kubelet()
        loop = asyncio.get_running_loop()
        for delay, step in ((0.1, first.claim), (0.15, first.start), (0.2, lambda: first.end(6))):
            loop.call_later(delay, step)

        pod = await cluster.ended()

        assert exit_code(pod) == 6
        return kubelet

    in_a_cluster(tmp_path, story)


def test_a_shim_that_leaves_without_a_claim_is_lost_and_none_comes_later(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> Kubelet:
        cluster.shim = LEAVES
        cluster.a_pod()
        kubelet = cluster.a_kubelet()

        pod = await cluster.ended()

        (claim,) = cluster.folder.glob("pods/*/containers/main/0/claim")
        assert (exit_code(pod), claim.read_text()) == (137, "nobody")
        return kubelet

    in_a_cluster(tmp_path, story)


@pytest.mark.parametrize("prepared", [True, False])
def test_what_is_left_of_a_pod_that_is_gone_is_never_run_and_goes(
    tmp_path: Path, prepared: bool
) -> None:
    async def story(cluster: Cluster) -> Kubelet:
        pod = cluster.a_pod()
        folder = cluster.attempt(pod, prepared=prepared)
        cluster.registry.delete(PODS, "default", "a", DeleteOptions(grace_seconds=0))
        await cluster.registry.store.durable()
        ends = the_end_of(folder)
        kubelet = cluster.a_kubelet()

        await ends

        assert (cluster.runs, folder.exists()) == (0, False)
        assert not (cluster.folder / "runs-launched").exists()
        return kubelet

    in_a_cluster(tmp_path, story)


def test_what_was_being_removed_is_not_taken_for_a_pod(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> Kubelet:
        half = cluster.folder / "removed" / "uid" / "containers" / "main" / "0"
        half.mkdir(parents=True)
        Folder(half).prepare([("argument", "true")])
        ends = the_end_of(half)
        kubelet = cluster.a_kubelet()

        await ends

        assert cluster.runs == 0
        return kubelet

    in_a_cluster(tmp_path, story)


def test_a_pods_memory_goes_with_it(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> Kubelet:
        uid = uid_of(cluster.a_pod(volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}]))
        kubelet = cluster.a_kubelet()
        await cluster.ended()
        memory = memory_of(cluster.folder / "pods") / uid / "v"
        ends = the_end_of(memory)

        cluster.registry.delete(PODS, "default", "a", DeleteOptions())

        await ends
        return kubelet

    in_a_cluster(tmp_path, story)
    memory_of(tmp_path / "pods").rmdir()


async def log_of(kubelet: Kubelet, pod: Json, **query: str) -> bytes:
    return b"".join([chunk async for chunk in kubelet.open(pod, query)])


def test_the_log_of_the_previous_attempt_is_that_which_the_status_calls_the_last(
    tmp_path: Path,
) -> None:
    """While the newest attempt waits to be repeated, it is itself the last that ended."""

    async def story(cluster: Cluster) -> Kubelet:
        cluster.code = 1
        cluster.a_pod(restartPolicy="Always")
        kubelet = cluster.a_kubelet()

        def crashes() -> bool:
            waiting = cluster.main()["state"].get("waiting") or {}
            return waiting.get("reason") == "CrashLoopBackOff"

        await cluster.until(crashes)
        pod = cluster.registry.get(PODS, "default", "a")

        assert cluster.runs == 2
        assert await log_of(kubelet, pod) == b"attempt 1\n"
        assert await log_of(kubelet, pod, previous="true") == b"attempt 1\n"
        return kubelet

    in_a_cluster(tmp_path, story)


def test_there_is_no_previous_log_of_a_first_attempt(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> Kubelet:
        cluster.a_pod()
        kubelet = cluster.a_kubelet()
        pod = await cluster.ended()

        with pytest.raises(BadRequest, match='previous terminated container "main" in pod "a"'):
            kubelet.open(pod, {"previous": "true"})
        assert await log_of(kubelet, pod, follow="true") == b"attempt 0\n"
        return kubelet

    in_a_cluster(tmp_path, story)


def test_a_log_that_is_not_there_yet_says_what_the_container_waits_for(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> Kubelet:
        secret = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k"}}}
        cluster.a_pod(containers=[{"name": "main", "image": "any", "env": [secret]}])
        kubelet = cluster.a_kubelet()
        await cluster.until(lambda: "message" in cluster.main()["state"].get("waiting", {}))
        pod = cluster.registry.get(PODS, "default", "a")

        with pytest.raises(BadRequest, match="waiting to start: CreateContainerConfigError"):
            kubelet.open(pod, {})
        with pytest.raises(BadRequest, match="container other is not valid for pod a"):
            kubelet.open(pod, {"container": "other"})
        return kubelet

    in_a_cluster(tmp_path, story)
