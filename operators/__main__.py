"""The operator of a cluster: `python -m operators`. One process, one link, Listener and Worker on
it.

    Lease ─▶ in office ─▶ watch ─▶ Listener ─▶ news ─┐
                          jobs  ─▶ Worker ──▶ answers ┴▶ Link ◀─▶ the service

A second replica waits for the Lease and neither connects nor watches. Who loses the Lease exits at
once, by `os._exit`: threads that are in the middle of a request would keep an ordinary exit
waiting, and what they have asked for is covered by the rules of `operators.backend_worker.apply`.

The parts decide, this file only connects them: what the link orders goes to the Listener or the
Worker, what these want is driven by `Hands`. A failure of one job is that job's alone; a failure of
what connects them ends the process, and whoever keeps it starts it again: all it knew is in the
cluster.
"""

import asyncio
import json
import logging
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import uuid4

from operators.backend_listener.inventory import Closed, take_inventory
from operators.backend_listener.listener import Discard, LetGo, Listener, News, Stir, Want
from operators.backend_listener.nodes import Nodes, count_others
from operators.backend_listener.observe import observe
from operators.backend_listener.watch import Gone, Interrupted, Listed, Seen, Sighting, Watch
from operators.backend_worker.apply import Answer, Unanswered
from operators.backend_worker.worker import Worker
from operators.shared.calls import THREADS, Hands, Procedure, drive
from operators.shared.health import serve_health
from operators.shared.kube import BadConfiguration, Kube
from operators.shared.lease import Tenure, acquire, keep, resign
from operators.shared.link_io import Pump, now
from operators.shared.release import (
    collect,
    collect_forsaken,
    release,
    remove_anchor,
    until_reached,
)
from operators.shared.resources import NODE, POD, Json, Kind, KubeError
from operators.shared.settings import BadSettings, Settings, settings
from xylem.domain.ids import BackendName
from xylem.protocol.agent import Hello, NodeObservation, PodObservation
from xylem.protocol.link import (
    Collect,
    Complaint,
    Link,
    Order,
    Perform,
    Settled,
    TakeInventory,
)

log = logging.getLogger("xylem.operator")

LOST_LEASE = 3
"""The exit code of a process that is no longer in office."""

GOODBYE_SECONDS = 2
INVENTORY_RETRY_SECONDS = 5


class Operator:
    """A process in office: made once, runs until it is cancelled."""

    def __init__(
        self,
        *,
        kube: Kube,
        hello: Hello,
        tenure: Tenure,
        url: str,
        token: Callable[[], str],
        dice: Callable[[], float],
    ) -> None:
        self._kube = kube
        self._link = Link(hello, random=dice, now=now())
        self._pump = Pump(url, token, self._link, self._take)
        self._listener = Listener()
        self._nodes = Nodes()
        self._lists: set[Kind] = set()
        self._worker = Worker(tenure, _observed)
        self._closed = Closed()
        self._hands = Hands(kube, self._say)
        self._group: asyncio.TaskGroup | None = None
        self._changed = asyncio.Event()
        self._watching = False
        self._inventory = 0

    @property
    def ready(self) -> bool:
        return self._watching and self._link.welcomed

    async def run(self) -> None:
        loop = asyncio.get_running_loop()

        def deliver(sighting: Sighting) -> None:
            """In the watch's thread; waits, so that a long list does not pile up."""
            asyncio.run_coroutine_threadsafe(self._sighted(sighting), loop).result()

        def deliver_node(sighting: Sighting) -> None:
            asyncio.run_coroutine_threadsafe(self._node_sighted(sighting), loop).result()

        watches = (
            Watch(self._kube, deliver),
            Watch(self._kube, deliver_node, kind=NODE, selector=""),
        )
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for watch in watches:
                    watch.start()
                group.create_task(self._pump.run())
                group.create_task(self._tick())
        finally:
            for watch in watches:
                watch.end()

    # What the link orders ------------------------------------------------------------------------

    def _take(self, order: Order) -> None:
        match order:
            case Perform():
                self._start(self._perform(order))
            case Settled(uid):
                self._want(self._listener.settled(uid))
            case Collect(uid):
                self._want(self._listener.unknown(uid))
            case TakeInventory(number):
                self._start(self._take_inventory(number))
                self._start(self._count_others())
            case Complaint(text):
                log.warning("complaint", extra={"facts": {"complaint": text}})

    async def _perform(self, order: Perform) -> None:
        job = order.job
        begun = now()
        try:
            outcome = await drive(self._worker.begin(order, begun), self._hands.perform)
        except Exception:  # a job that we cannot even try must not end those that we can
            log.exception("job failed", extra={"facts": {"job": job.job_id, "kind": job.kind}})
            create = job.kind == "create"
            why = "the operator could not perform this job; its log says why"
            outcome = Answer("failed", why) if create else Unanswered(why)
        result, followers = self._worker.ended(order, outcome)
        facts = {
            "job": job.job_id,
            "kind": job.kind,
            "outcome": result.status if result is not None else type(outcome).__name__.lower(),
            "detail": getattr(outcome, "message", "") or getattr(outcome, "why", ""),
            "ms": round((now() - begun).total_seconds() * 1000),
        }
        log.info("job", extra={"facts": facts})
        if result is None:
            self._link.put_down(job.job_id)
        else:
            self._link.answer(result, now())
            self._pump.stir()
        for follower in followers:
            self._start(self._perform(follower))

    async def _take_inventory(self, number: int) -> None:
        self._inventory = number
        try:
            held = await drive(take_inventory(_understood), self._hands.perform)
        except KubeError as error:
            log.warning("no inventory", extra={"facts": {"error": str(error)}})
            await asyncio.sleep(INVENTORY_RETRY_SECONDS)
            if self._inventory == number:
                self._start(self._take_inventory(number))
            return
        self._link.inventory(number, [anchor.news for anchor in held.anchors], held.pods)
        self._pump.stir()
        self._closed.listed(held.anchors, now())
        self._changed.set()
        log.info(
            "inventory",
            extra={"facts": {"anchors": len(held.anchors), "pods": len(held.pods)}},
        )
        for pod in held.suspects:
            self._do(partial(collect_forsaken, pod), "collect forsaken", _name(pod))

    async def _count_others(self) -> None:
        """Without it what others take is not known, and nodes look emptier than they are."""
        try:
            found = await drive(count_others(), self._hands.perform)
        except KubeError as error:
            log.warning("pods of others not counted", extra={"facts": {"error": str(error)}})
            return
        self._tell_nodes(self._nodes.counted(found))

    # What the watches see -------------------------------------------------------------------------

    async def _sighted(self, sighting: Sighting) -> None:
        moment = now()
        match sighting:
            case Seen(pods):
                for pod in pods:
                    self._listen(pod, partial(self._listener.seen, pod, moment))
                    self._hear_nodes(pod, partial(self._nodes.pod_seen, pod))
            case Gone(pod):
                self._listen(pod, partial(self._listener.gone, pod, moment))
                self._hear_nodes(pod, partial(self._nodes.pod_gone, pod["metadata"]["uid"]))
            case Listed(uids):
                self._want(self._listener.listed(uids))
                self._tell_nodes(self._nodes.pods_listed(uids))
                self._watching = True
                self._listed(POD)
            case Interrupted(why):
                self._watching = False
                log.warning("watch interrupted", extra={"facts": {"error": why}})
        self._changed.set()

    async def _node_sighted(self, sighting: Sighting) -> None:
        moment = now()
        match sighting:
            case Seen(nodes):
                for node in nodes:
                    self._hear_nodes(node, partial(self._nodes.seen, node))
            case Gone(node):
                self._link.nodes.gone(self._nodes.gone(node), moment)
                self._pump.stir()
            case Listed(uids):
                for name in self._nodes.listed(uids):
                    self._link.nodes.gone(name, moment)
                self._listed(NODE)
            case Interrupted(why):
                log.warning("watch on nodes interrupted", extra={"facts": {"error": why}})

    def _listed(self, kind: Kind) -> None:
        """Nodes are spoken of when their pods are known, too: they would look empty before."""
        self._lists.add(kind)
        if {POD, NODE} <= self._lists:
            self._link.nodes.listed(now())
            self._pump.stir()

    def _hear_nodes(self, seen: Json, hear: Callable[[], list[NodeObservation]]) -> None:
        try:
            nodes = hear()
        except Exception:  # see `_listen`
            log.exception("nodes not understood", extra={"facts": {"object": _name(seen)}})
        else:
            self._tell_nodes(nodes)

    def _tell_nodes(self, nodes: list[NodeObservation]) -> None:
        for node in nodes:
            self._link.nodes.seen(node, now())
        if nodes:
            self._pump.stir()

    def _listen(self, pod: Json, hear: Callable[[], list[Want]]) -> None:
        try:
            wants = hear()
        except Exception:  # a pod that we do not understand must not hide the others
            log.exception("pod not understood", extra={"facts": {"object": _name(pod)}})
        else:
            self._want(wants)

    def _say(self, pod: Json) -> bool:
        self._want(self._listener.seen(pod, now()))
        return self._link.is_said(pod["metadata"]["uid"])

    def _want(self, wants: Iterable[Want]) -> None:
        for want in wants:
            match want:
                case News(pod):
                    self._link.report(pod, now())
                    self._pump.stir()
                case LetGo(name, uid):
                    self._do(partial(release, name, uid), "release", name)
                case Discard(name, uid):
                    self._do(partial(collect, name, uid), "collect", name)
                case Stir(group):
                    self._hands.stir(group)

    async def _tick(self) -> None:
        while True:
            moment = now()
            self._want(self._listener.ticked(moment))
            for anchor in self._closed.outlived(moment):
                self._do(partial(remove_anchor, anchor), "remove", anchor.name)
            moments = [self._listener.wake_at, self._closed.wake_at]
            due = min((each for each in moments if each is not None), default=None)
            seconds = None if due is None else max((due - now()).total_seconds(), 0.1)
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError:
                continue
            self._changed.clear()

    # Doing ---------------------------------------------------------------------------------------

    def _do(self, make: Callable[[], Procedure[Any]], what: str, name: str) -> None:
        async def run() -> None:
            try:
                await drive(until_reached(make), self._hands.perform)
                log.info(what, extra={"facts": {"object": name}})
            except Exception:  # one object that resists must not end the process
                log.exception(what, extra={"facts": {"object": name}})

        self._start(run())

    def _start(self, coroutine: Any) -> None:
        if self._group is None:
            raise RuntimeError("an operator is asked to work before it runs")
        self._group.create_task(coroutine)


async def serve(told: Settings, boot_id: str, dice: Callable[[], float]) -> int:
    """From standing by to the end. Returns the exit code."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    kube = Kube(namespace=told.namespace, kubeconfig=told.kubeconfig, connections=THREADS + 4)
    office = Hands(kube, lambda pod: False, threads=1)
    serving: list[Operator] = []
    if told.health is not None:
        await serve_health(*told.health, lambda: not serving or serving[0].ready)
    log.info("standing by", extra={"facts": {"pod": told.pod_name, "namespace": told.namespace}})
    ending = asyncio.create_task(stop.wait())
    standing_by = asyncio.create_task(_until_in_office(office, kube, told, boot_id))
    await asyncio.wait({ending, standing_by}, return_when=asyncio.FIRST_COMPLETED)
    if not standing_by.done():
        return 0
    tenure, lease, cluster_uid = standing_by.result()
    log.info("in office", extra={"facts": {"transitions": tenure.transitions}})
    hello = Hello(
        backend=BackendName(told.backend),
        cluster_uid=cluster_uid,
        boot_id=boot_id,
        version=_version(),
    )
    operator = Operator(
        kube=kube, hello=hello, tenure=tenure, url=told.url, token=told.token, dice=dice
    )
    serving.append(operator)
    working = asyncio.create_task(operator.run())
    keeping = asyncio.create_task(drive(keep(tenure, lease, now), office.perform))
    await asyncio.wait({ending, working, keeping}, return_when=asyncio.FIRST_COMPLETED)
    if keeping.done():
        log.error("lost the lease", extra={"facts": {"why": keeping.result()}})
        return LOST_LEASE
    if working.done():
        working.result()
    log.info("ending", extra={"facts": {}})
    for task in (working, keeping):
        task.cancel()
    await asyncio.wait({working, keeping}, timeout=GOODBYE_SECONDS)
    async with asyncio.timeout(GOODBYE_SECONDS):
        await drive(resign(tenure), office.perform)
    return 0


async def _until_in_office(
    office: Hands, kube: Kube, told: Settings, boot_id: str
) -> tuple[Tenure, Json, str]:
    tenure, lease = await drive(acquire(told.pod_name, boot_id, now), office.perform)
    cluster_uid = await asyncio.to_thread(kube.cluster_uid)
    return tenure, lease, cluster_uid


def _observed(pod: Json) -> PodObservation | None:
    return observe(pod, now())


def _understood(pod: Json) -> PodObservation | None:
    """For an inventory alone: what is absent there decides nothing, so it may leave out a pod."""
    try:
        return _observed(pod)
    except Exception:  # see `Operator._listen`
        log.exception("pod not understood", extra={"facts": {"object": _name(pod)}})
        return None


def _name(pod: Json) -> str:
    return str(pod["metadata"]["name"])


def _version() -> str:
    """In an image there is the core alone, of the same release."""
    for distribution in ("xylem", "xylem-core"):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return "unknown"


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["error"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, default=str)


def main() -> int:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("httpx", "urllib3", "websockets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        told = settings(os.environ)
        return asyncio.run(serve(told, uuid4().hex, random.random))
    except (BadSettings, BadConfiguration) as wrong:
        log.error("%s", wrong)
        return 2


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)
