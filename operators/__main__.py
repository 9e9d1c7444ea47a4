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
from operators.backend_listener.nodes import count_others
from operators.backend_listener.sightings import Sightings
from operators.backend_listener.watch import Seen, Sighting, Watch
from operators.backend_worker.apply import Answer, Unanswered
from operators.backend_worker.backend_tests import Runner, set_tests
from operators.backend_worker.sessions import Entrances
from operators.backend_worker.worker import Worker
from operators.shared.calls import THREADS, Hands, drive
from operators.shared.clock import now, wall
from operators.shared.errands import Errands
from operators.shared.health import serve_health
from operators.shared.inbox import Inbox
from operators.shared.kube import BadConfiguration, Kube
from operators.shared.lease import Tenure, acquire, keep, resign
from operators.shared.link_io import Pump, bearer
from operators.shared.metrics import (
    COMPLAINTS,
    CONNECTED,
    ERRANDS,
    IN_OFFICE,
    INVENTORY_SECONDS,
    JOB_SECONDS,
    NEWS,
    ORPHANS,
    PODS,
    UNACKNOWLEDGED,
    written,
)
from operators.shared.release import collect, collect_forsaken, release, remove_anchor
from operators.shared.resources import NODE, POD, POD_WARNING, Json, Kind, KubeError
from operators.shared.settings import BadSettings, Settings, settings
from xylem.domain.ids import BackendName
from xylem.manifests.names import GROUP_LABEL
from xylem.protocol.agent import BackendTests, Hello, PodObservation
from xylem.protocol.link import (
    Collect,
    Complaint,
    Enter,
    Link,
    Order,
    Perform,
    SetTests,
    Settled,
    TakeInventory,
)

log = logging.getLogger("xylem.operator")

LOST_LEASE = 3
"""The exit code of a process that is no longer in office."""

GOODBYE_SECONDS = 2
INVENTORY_RETRY_SECONDS = 5

SHOWN = 20
"""Names in one line of the log."""


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
        runner: Runner,
    ) -> None:
        self._kube = kube
        self._link = Link(hello, random=dice, now=now())
        self._pump = Pump(url, lambda: bearer(token()), self._link, self._take)
        self._listener = Listener()
        self._sightings = Sightings(self._listener, self._link.nodes, self._want, now)
        self._worker = Worker(tenure, self._observed)
        self._closed = Closed()
        self._hands = Hands(kube, self._say)
        self._errands = Errands(self._hands.perform)
        self._group: asyncio.TaskGroup | None = None
        self._changed = asyncio.Event()
        self._inventory = 0
        self._tenure = tenure
        self._runner = runner
        self._entrances = Entrances(kube, url, lambda: bearer(token()), dice)
        self._tests: BackendTests | None = None
        self._setting_tests = asyncio.Lock()

    @property
    def ready(self) -> bool:
        return self._sightings.watching and self._link.welcomed

    def measure(self) -> None:
        """States, for whoever asks for /metrics."""
        CONNECTED.set(self._link.welcomed)
        PODS.set(self._listener.pods)
        UNACKNOWLEDGED.set(self._link.unacknowledged)
        ERRANDS.set(self._errands.waiting)

    async def run(self) -> None:
        inbox = Inbox(asyncio.get_running_loop(), self._sighted)

        def watch(kind: Kind, selector: str = "") -> Watch:
            def deliver(sighting: Sighting) -> None:
                """In the watch's thread; waits, so that a long list does not pile up."""
                inbox.put(
                    (kind, sighting), len(sighting.objects) if isinstance(sighting, Seen) else 1
                )

            return Watch(self._kube, deliver, kind=kind, selector=selector)

        watches = (watch(POD, GROUP_LABEL), watch(NODE), watch(POD_WARNING))
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for each in watches:
                    each.start()
                self._errands.start(group)
                group.create_task(self._pump.run())
                group.create_task(self._tick())
        finally:
            for each in watches:
                each.end()

    def _sighted(self, seen: tuple[Kind, Sighting]) -> None:
        self._sightings.take(*seen)
        self._pump.stir()
        self._changed.set()

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
                if self._tests is not None:
                    self._start(self._set_tests(self._tests))
            case SetTests(told):
                self._tests = told
                self._start(self._set_tests(told))
            case Enter(invite):
                self._start(self._entrances.enter(invite))
            case Complaint(text):
                COMPLAINTS.inc()
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
        named = result.status if result is not None else type(outcome).__name__.lower()
        JOB_SECONDS.labels(job.kind, named).observe((now() - begun).total_seconds())
        facts = {
            "job": job.job_id,
            "kind": job.kind,
            "outcome": named,
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
        begun = now()
        try:
            held = await drive(take_inventory(self._understood), self._hands.perform)
        except KubeError as error:
            log.warning("no inventory", extra={"facts": {"error": str(error)}})
            await asyncio.sleep(INVENTORY_RETRY_SECONDS)
            if self._inventory == number:
                self._start(self._take_inventory(number))
            return
        self._link.inventory(number, [anchor.news for anchor in held.anchors], held.pods)
        self._pump.stir()
        INVENTORY_SECONDS.observe((now() - begun).total_seconds())
        self._closed.listed(held.anchors, now())
        self._changed.set()
        log.info(
            "inventory",
            extra={"facts": {"anchors": len(held.anchors), "pods": len(held.pods)}},
        )
        if held.strange:
            ORPHANS.labels("strange").inc(len(held.strange))
            facts = {"objects": held.strange[:SHOWN], "count": len(held.strange)}
            log.warning("labelled like ours, and not ours", extra={"facts": facts})
        ORPHANS.labels("forsaken").inc(len(held.suspects))
        for pod in held.suspects:
            self._errands.add(partial(collect_forsaken, pod), "collect forsaken", _name(pod))

    async def _set_tests(self, told: BackendTests) -> None:
        """One after the other, and only what was told last. What fails is not said to be there, so
        it is told again, with the next inventory."""
        async with self._setting_tests:
            if told is not self._tests:
                return
            facts: dict[str, object] = {"tests": [test.name for test in told.tests]}
            if told.tests and not self._runner.image:
                facts["error"] = "set XYLEM_TEST_IMAGE to an image with this operator"
                log.warning("tests not set", extra={"facts": facts})
                return
            try:
                done = await drive(
                    set_tests(told.tests, self._runner, self._tenure), self._hands.perform
                )
            except KubeError as error:
                log.warning("tests not set", extra={"facts": {**facts, "error": str(error)}})
                return
            if done and told is self._tests and self._link.nodes.tests != told.digest:
                self._link.nodes.tests = told.digest
                log.info("tests set", extra={"facts": facts})

    async def _count_others(self) -> None:
        """Without it what others take is not known, and nodes look emptier than they are."""
        try:
            found = await drive(count_others(), self._hands.perform)
        except KubeError as error:
            log.warning("pods of others not counted", extra={"facts": {"error": str(error)}})
            return
        self._sightings.counted(found)
        self._changed.set()

    # What the Listener wants ----------------------------------------------------------------------

    def _say(self, pod: Json) -> bool:
        self._want(self._listener.seen(pod, now()))
        return self._link.is_said(pod["metadata"]["uid"])

    def _observed(self, pod: Json) -> PodObservation | None:
        return self._listener.observe(pod, now())

    def _understood(self, pod: Json) -> PodObservation | None:
        """For an inventory alone: what is absent there decides nothing, so it may leave out a
        pod."""
        try:
            return self._observed(pod)
        except Exception:  # one pod that we do not understand must not hide the others
            log.exception("not understood", extra={"facts": {"object": _name(pod)}})
            return None

    def _want(self, wants: Iterable[Want]) -> None:
        for want in wants:
            match want:
                case News(pod):
                    NEWS.labels(pod.status).inc()
                    self._link.report(pod, now())
                    self._pump.stir()
                case LetGo(name, uid, finalizers):
                    self._errands.add(partial(release, name, uid, finalizers), "release", name)
                case Discard(name, uid):
                    ORPHANS.labels("unknown").inc()
                    self._errands.add(partial(collect, name, uid), "collect", name)
                case Stir(group):
                    self._hands.stir(group)

    async def _tick(self) -> None:
        while True:
            moment = now()
            self._want(self._listener.ticked(moment))
            self._sightings.ticked(moment)
            self._pump.stir()
            for anchor in self._closed.outlived(moment):
                self._errands.add(partial(remove_anchor, anchor), "remove", anchor.name)
            moments = [self._listener.wake_at, self._sightings.wake_at, self._closed.wake_at]
            due = min((each for each in moments if each is not None), default=None)
            seconds = None if due is None else max((due - now()).total_seconds(), 0.1)
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError:
                continue
            self._changed.clear()

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
        await serve_health(
            *told.health,
            lambda: not serving or serving[0].ready,
            partial(_metrics, serving),
        )
    log.info("standing by", extra={"facts": {"pod": told.pod_name, "namespace": told.namespace}})
    ending = asyncio.create_task(stop.wait())
    standing_by = asyncio.create_task(_until_in_office(office, kube, told, boot_id))
    await asyncio.wait({ending, standing_by}, return_when=asyncio.FIRST_COMPLETED)
    if not standing_by.done():
        return 0
    tenure, lease, cluster_uid = standing_by.result()
    IN_OFFICE.set(1)
    log.info("in office", extra={"facts": {"transitions": tenure.transitions}})
    hello = Hello(
        backend=BackendName(told.backend),
        cluster_uid=cluster_uid,
        boot_id=boot_id,
        version=_version(),
        data_keys=True,
    )
    operator = Operator(
        kube=kube,
        hello=hello,
        tenure=tenure,
        url=told.url,
        token=told.token,
        dice=dice,
        runner=Runner(told.backend, told.test_image, told.test_account),
    )
    serving.append(operator)
    working = asyncio.create_task(operator.run())
    keeping = asyncio.create_task(drive(keep(tenure, lease, now, wall), office.perform))
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
    tenure, lease = await drive(acquire(told.pod_name, boot_id, now, wall), office.perform)
    cluster_uid = await asyncio.to_thread(kube.cluster_uid)
    return tenure, lease, cluster_uid


def _metrics(serving: list[Operator]) -> bytes:
    for operator in serving:
        operator.measure()
    return written()


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
