"""What 10,000 pods cost an operator: memory, CPU of the first listing, status changes a second.

`make bench` starts three processes: a cluster's API (`tests.benchmarks.cluster`) with all the pods,
the operator as it is deployed (`python -m operators`: client, watches, Listener, link, socket), and
this program, which is the service: it welcomes, takes every frame and acknowledges it.

1. The operator starts. It has listed when every pod was told as news and was shown in an inventory;
   the CPU until then is all of it, imports included.
2. Every pod begins to run: status changes, from the first to the last that is heard here.
3. Every pod ends: once more, and with each acknowledgement the operator lets go of a pod, which is
   two more requests of the cluster.

Memory is the operator's resident set, looked at twenty times a second. Seconds are what three
processes need that share this machine with everybody else on it; so the limits are held by what the
operator alone used: changes in a second of one processor.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import yaml
from rich.table import Table
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.benchmarks.reporting import ROOT, options, progress_console, report
from xylem.protocol.agent import Ack, Welcome

PODS = 10_000
AT_MOST_BYTES = 256 * 1024**2
AT_MOST_CPU_PER_1000 = 2.0
AT_LEAST_PER_SECOND = 1000.0
LONGEST_SECONDS = 300.0
LOOK_SECONDS = 0.05


class Service:
    """Takes what the operator says. Frames are read by the standard library: to hold them against
    their models is the Agent's work, and not what is measured."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}
        """The last status of each pod, by uid."""
        self.shown: set[str] = set()
        self.frames = self.bytes = 0
        self._changed = asyncio.Condition()

    async def converse(self, peer: ServerConnection) -> None:
        with suppress(ConnectionClosed):  # the operator is killed in the end
            await self._heard(peer)

    async def _heard(self, peer: ServerConnection) -> None:
        async for text in peer:
            self.frames += 1
            self.bytes += len(text)
            message = json.loads(text)
            match message["type"]:
                case "hello":
                    welcome = Welcome(epoch=1, bundles=True, nodes=True)
                    await peer.send(welcome.model_dump_json())
                case "news":
                    await peer.send(self._acknowledged(message))
                case "inventory":
                    self.shown |= {pod["uid"] for pod in message.get("pods", ())}
            async with self._changed:
                self._changed.notify_all()

    def _acknowledged(self, message: Mapping[str, Any]) -> str:
        events = message["events"]
        self.seen |= {event["pod"]["uid"]: event["pod"]["status"] for event in events}
        numbers = [(event["seq"], event["seq"]) for event in events]
        return Ack(boot_id=message["boot_id"], ranges=numbers).model_dump_json()

    async def until_all(self, pods: int, statuses: Sequence[str], *, shown: bool = False) -> None:
        def reached() -> bool:
            if shown and len(self.shown) < pods:
                return False
            return sum(status in statuses for status in self.seen.values()) >= pods

        async with asyncio.timeout(LONGEST_SECONDS), self._changed:
            await self._changed.wait_for(reached)


class Meter:
    """Of one process, from outside."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.most_bytes = 0

    async def watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        self.most_bytes = max(self.most_bytes, self._process.memory_info().rss)

    @property
    def cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options(__doc__)
    parser.add_argument("--pods", type=int, default=PODS)
    given = parser.parse_args(arguments)
    result = summary(given.pods, asyncio.run(measured(given.pods)))
    report("operator", result, [table(result)], given)
    return 0 if all(part["held"] for part in result["limits"].values()) else 1


async def measured(pods: int) -> dict[str, Any]:
    with TemporaryDirectory() as folder, a_cluster(pods) as (cluster, port):
        kubeconfig = a_kubeconfig(Path(folder), port)
        async with a_service() as (service, url):
            with an_operator(url, kubeconfig, Path(folder)) as pid:
                return await story(pods, service, cluster, Meter(pid))


async def story(
    pods: int, service: Service, cluster: "subprocess.Popen[str]", meter: Meter
) -> dict[str, Any]:
    watching = asyncio.create_task(meter.watch())
    waits = ("SCHEDULING", "INITIALIZING")
    try:
        figures: dict[str, Any] = {}
        for name, phase, statuses in (
            ("listing", None, waits),
            ("running", "Running", ("RUNNING",)),
            ("ending", "Succeeded", ("COMPLETED",)),
        ):
            progress_console.print(f"{name}: {pods} pods")
            used = meter.cpu if phase else 0.0
            frames, size = service.frames, service.bytes
            begun = time.monotonic()
            if phase:
                reach(cluster, phase)
            await service.until_all(pods, statuses, shown=phase is None)
            seconds = time.monotonic() - begun
            meter.look()
            figures[name] = {
                "seconds": seconds,
                "cpu": meter.cpu - used,
                "most_bytes": meter.most_bytes,
                "frames": service.frames - frames,
                "sent_bytes": service.bytes - size,
            }
        return figures
    finally:
        watching.cancel()


def reach(cluster: "subprocess.Popen[str]", phase: str) -> None:
    assert cluster.stdin is not None
    cluster.stdin.write(f"{phase}\n")
    cluster.stdin.flush()


@contextmanager
def a_cluster(pods: int) -> "Iterator[tuple[subprocess.Popen[str], int]]":
    command = [sys.executable, "-m", "tests.benchmarks.cluster", "--pods", str(pods)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())["port"]
        finally:
            process.kill()


def a_kubeconfig(folder: Path, port: int) -> Path:
    path = folder / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "it",
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
                "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "it", "user": {}}],
            }
        )
    )
    return path


@asynccontextmanager
async def a_service() -> AsyncIterator[tuple[Service, str]]:
    service = Service()
    async with serve(service.converse, "127.0.0.1", 0, compression=None) as server:
        port = list(server.sockets)[0].getsockname()[1]
        yield service, f"ws://127.0.0.1:{port}/"


@contextmanager
def an_operator(url: str, kubeconfig: Path, folder: Path) -> Iterator[int]:
    """Its log is kept until its end, and shown if it ended by itself."""
    told = {
        "XYLEM_URL": url,
        "XYLEM_TOKEN": "token",
        "XYLEM_BACKEND": "measured",
        "XYLEM_NAMESPACE": "default",
        "KUBECONFIG": str(kubeconfig),
        "POD_NAME": "operator",
    }
    command = [sys.executable, "-m", "operators"]
    log = folder / "log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, cwd=ROOT, env={**os.environ, **told}, stderr=stderr) as process,
    ):
        try:
            yield process.pid
        finally:
            with suppress(psutil.Error):
                if process.poll() is not None:
                    progress_console.print(log.read_text()[-4000:])
            process.kill()


def summary(pods: int, figures: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    listing = figures["listing"]["cpu"] / pods * 1000
    rates = {name: pods / figures[name]["cpu"] for name in ("running", "ending")}
    most = max(part["most_bytes"] for part in figures.values())
    limits = {
        "resident_mib": _at_most(most / 1024**2, AT_MOST_BYTES / 1024**2),
        "listing_cpu_per_1000": _at_most(listing, AT_MOST_CPU_PER_1000),
        "running_per_cpu_second": _at_least(rates["running"], AT_LEAST_PER_SECOND),
        "ending_per_cpu_second": _at_least(rates["ending"], AT_LEAST_PER_SECOND),
    }
    parts = {
        name: {
            "seconds": round(part["seconds"], 2),
            "cpu_seconds": round(part["cpu"], 2),
            "per_second": round(pods / part["seconds"]),
            "per_cpu_second": round(pods / part["cpu"]),
            "resident_mib": round(part["most_bytes"] / 1024**2, 1),
            "frames": part["frames"],
            "sent_kib": round(part["sent_bytes"] / 1024),
        }
        for name, part in figures.items()
    }
    return {"pods": pods, "limits": limits, "parts": parts}


def _at_most(value: float, limit: float) -> dict[str, Any]:
    return {"value": round(value, 2), "at_most": limit, "held": value <= limit}


def _at_least(value: float, limit: float) -> dict[str, Any]:
    return {"value": round(value, 2), "at_least": limit, "held": value >= limit}


def table(result: Mapping[str, Any]) -> Table:
    missed = [name for name, part in result["limits"].items() if not part["held"]]
    shown = Table(
        title=f"An operator of {result['pods']:,} pods"
        f" ({'MISSED: ' + ', '.join(missed) if missed else 'all limits held'})"
    )
    columns = {
        "seconds": "seconds",
        "its CPU": "cpu_seconds",
        "pods/s": "per_second",
        "pods/s of its CPU": "per_cpu_second",
        "resident MiB": "resident_mib",
        "frames": "frames",
        "KiB": "sent_kib",
    }
    shown.add_column("")
    for column in columns:
        shown.add_column(column, justify="right")
    for name, part in result["parts"].items():
        shown.add_row(name, *(f"{part[key]:,}" for key in columns.values()))
    return shown


if __name__ == "__main__":
    sys.exit(main())
