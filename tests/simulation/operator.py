"""A process of the operator: what `operators.__main__` wires with asyncio, wired to virtual time.

The link, the Listener, the Worker, the lease and every procedure are the real ones. Each request
of a procedure is an event: it may be done late, its answer may be lost, it may land after its
sender has died. A process that is paused does nothing, and then, all at once and in any order,
whatever came to it meanwhile.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from operators.backend_listener.inventory import Closed, Holdings, take_inventory
from operators.backend_listener.listener import Discard, LetGo, News, Stir, Want
from operators.backend_worker.apply import Answer, Outcome
from operators.shared.calls import Call, Fetch, List, Pause, Procedure, Read, Say, Together, ask
from operators.shared.lease import Tenure, acquire, keep
from operators.shared.release import (
    collect,
    collect_forsaken,
    release,
    remove_anchor,
    until_reached,
)
from operators.shared.resources import POD, Json, KubeError, Unreachable
from tests.simulation.cluster import Change, Kube
from tests.simulation.faults import Faults
from tests.simulation.schedule import Schedule, Violation
from tests.simulation.sockets import Socket, Sockets
from tests.simulation.variant import Variant
from xylem.domain.ids import BackendName, ConnectionId, GroupId, MailId, mail_parts
from xylem.manifests.names import GROUP_LABEL
from xylem.protocol import agent
from xylem.protocol.agent import Hello, PodObservation
from xylem.protocol.link import Collect, Complaint, Order, Perform, Settled, TakeInventory

BACKEND = BackendName("cluster-1")
CLUSTER_UID = "cluster-uid"

TIMEOUT = 30.0
"""Seconds until a request is given up."""

LATEST = 600.0
"""Seconds until a request that was given up may still land: within the 15 minutes assumed."""

A_LOOK = 60.0
"""Seconds until who sleeps is looked at again: where the faults stop, a pause is over for all of a
process, and not for what it was asked since."""

CALM_RENEWAL = 300.0
"""A holder's renewals that change nothing but a stamp are left out: each 4 s they would be most of
the events of a schedule. Whenever the lease moves it looks within its 4 s."""

RENEWAL = 4.0
INVENTORY_RETRY = 5.0

DULL = tuple(f'{{"to":"agent","type":"{kind}"' for kind in ("heartbeat", "hello", "inventory"))
"""How two frames of three begin, in which the oracle has nothing to read."""

AHEAD = (0, 0, 0, -3600, -60, 60, 3600)
"""Seconds by which the machine of an operator is wrong about the time."""

Deliver = Callable[[object], None]


class Eyes(Protocol):
    def said(self, boot_id: str, seq: int, pod: PodObservation) -> None: ...

    def cleaned(self, group: GroupId, incarnation: int) -> None: ...

    def observed(self, ended: list[PodObservation], told: set[str]) -> None:
        """The answer to an `observe`: ends of its pods that this process knows and nobody has
        acknowledged, and the uids that the answer names."""
        ...


class _Running:
    """A procedure under way: what it asks for is asked, and it goes on with the answer."""

    def __init__(
        self,
        procedure: Procedure[Any],
        ask: Callable[[Call, Deliver], None],
        done: Callable[[Any], None],
        failed: Callable[[KubeError], None] | None,
    ) -> None:
        self._procedure = procedure
        self._ask = ask
        self._done = done
        self._failed = failed
        self._results: list[object] = []
        self._left = 0

    def go_on(self, result: object) -> None:
        try:
            if isinstance(result, KubeError):
                step = self._procedure.throw(result)
            else:
                step = self._procedure.send(result)
        except StopIteration as end:
            self._done(end.value)
        except KubeError as error:
            if self._failed is not None:
                self._failed(error)
        else:
            if isinstance(step, Together):
                self._ask_all(step.calls)
            else:
                self._ask(step, self.go_on)

    def _ask_all(self, calls: tuple[Call, ...]) -> None:
        self._results = [None] * len(calls)
        self._left = len(calls)
        for place, call in enumerate(calls):
            self._ask(call, partial(self._one_of_all, place))

    def _one_of_all(self, place: int, result: object) -> None:
        self._results[place] = result
        self._left -= 1
        if not self._left:
            self.go_on(self._results)


class Process:
    def __init__(
        self,
        pod_name: str,
        boot_id: str,
        *,
        schedule: Schedule,
        faults: Faults,
        kube: Kube,
        sockets: Sockets,
        fetched: Callable[[str], bytes | None],
        variant: Variant,
        ended: Callable[["Process"], None],
        falls_asleep: Callable[["Process"], None],
    ) -> None:
        self.pod_name = pod_name
        self.boot_id = boot_id
        self.alive = True
        self.in_office = False
        self.paused_until = 0.0
        self.eyes: Eyes | None = None
        self._schedule = schedule
        self._faults = faults
        self._kube = kube
        self._wire = sockets
        self._fetched = fetched
        self._variant = variant
        self._ended = ended
        self._falls_asleep = falls_asleep
        self._sockets: dict[int, Socket] = {}
        self._sightings: deque[tuple[Change, Json]] = deque()
        self._watching = False
        self._draining = False
        self._pumping = False
        self._wake_at = float("inf")
        self._tick_at = float("inf")
        self._inventory = 0
        self._pauses: dict[str, list[Callable[[], None]]] = {}
        self._renewal: Callable[[], None] | None = None
        self._ends: dict[str, PodObservation] = {}
        self._observing: dict[MailId, list[PodObservation]] = {}
        self._ahead = timedelta(seconds=schedule.random.choice(AHEAD))

    @property
    def paused(self) -> bool:
        return self._schedule.seconds < self.paused_until

    # Life ----------------------------------------------------------------------------------------

    def start(self) -> None:
        self._kube.lease_watchers.append(self._lease_moved)
        self._run("acquire", acquire(self.pod_name, self.boot_id, self._now), self._enter)

    def die(self, why: str) -> None:
        if not self.alive:
            return
        self._schedule.say(f"{self.boot_id} ends: {why}")
        self.alive = False
        self._kube.lease_watchers.remove(self._lease_moved)
        if self._saw in self._kube.watchers:
            self._kube.watchers.remove(self._saw)
        for socket in self._sockets.values():
            self._wire.hang_up(socket)
        self._ended(self)

    def pause(self, seconds: float) -> None:
        self.paused_until = self._schedule.seconds + seconds

    def _enter(self, taken: tuple[Tenure, Json]) -> None:
        tenure, lease = taken
        now = self._now()
        self._schedule.say(f"{self.boot_id} is in office ({tenure.transitions})")
        self.in_office = True
        hello = Hello(backend=BACKEND, cluster_uid=CLUSTER_UID, boot_id=self.boot_id, version="1")
        variant = self._variant
        self._link = variant.link(hello, random=self._schedule.random.random, now=now)
        self._listener = variant.listener()
        self._worker = variant.worker(variant.tenure(tenure), self._observe)
        self._closed = Closed()
        self._run("keep", keep(tenure, lease, self._now), self.die)
        self._kube.watchers.append(self._saw)
        self._list()
        self._stir()

    def _lease_moved(self, lease: Json) -> None:
        if self._renewal is not None and lease["spec"]["holderIdentity"] != self._holder:
            renewal, self._renewal = self._renewal, None
            self._later(self._schedule.between(0, RENEWAL), renewal)

    @property
    def _holder(self) -> str:
        return f"{self.pod_name}_{self.boot_id}"

    # Time, as a process has it -------------------------------------------------------------------

    def _now(self) -> datetime:
        return self._schedule.now() + self._ahead

    def _later(self, seconds: float, act: Callable[[], None], what: str = "") -> None:
        self._schedule.after(seconds, what, partial(self._awake, act))

    def _awake(self, act: Callable[[], None]) -> None:
        if not self.alive:
            return
        if self.paused:
            left = min(self.paused_until - self._schedule.seconds, A_LOOK)
            self._later(left + self._schedule.between(0, 1), act)
            return
        act()

    # Procedures ----------------------------------------------------------------------------------

    def _run(
        self,
        what: str,
        procedure: Procedure[Any],
        done: Callable[[Any], None],
        failed: Callable[[KubeError], None] | None = None,
    ) -> None:
        _Running(procedure, partial(self._ask, what), done, failed).go_on(None)

    def _ask(self, what: str, call: Call, deliver: Deliver) -> None:
        schedule, faults = self._schedule, self._faults
        match call:
            case Pause():
                self._pause(what, call, deliver)
                return
            case Say(pod):
                self._want(self._listener.seen(pod, self._now()))
                deliver(self._link.is_said(pod["metadata"]["uid"]))
                return
        if what == "create" and schedule.chance(faults.create_pauses):
            self._falls_asleep(self)
            self._later(0, partial(self._ask, what, call, deliver))
            return
        slow = schedule.chance(faults.request_slow)
        soon = schedule.between(1, TIMEOUT - 5) if slow else schedule.between(0.005, 0.1)
        silence = Unreachable("no answer in time")
        if schedule.chance(faults.request_refused):
            schedule.fault("request refused", _named(what, call))
            self._later(soon, partial(deliver, silence))
        elif schedule.chance(faults.request_late):
            schedule.fault("request late", _named(what, call))
            late = schedule.between(0, LATEST)
            schedule.after(late, "", partial(self._land, what, call))
            self._later(TIMEOUT, partial(deliver, silence))
        elif schedule.chance(faults.request_lost):
            schedule.fault("answer lost", _named(what, call))
            schedule.after(soon, "", partial(self._land, what, call))
            self._later(TIMEOUT, partial(deliver, silence))
        else:
            schedule.after(soon, "", partial(self._perform, what, call, deliver))

    def _perform(self, what: str, call: Call, deliver: Deliver) -> None:
        """At the API server, whatever became of who asked; the answer only to one that lives."""
        result = self._land(what, call)
        self._awake(partial(deliver, result))

    def _land(self, what: str, call: Call) -> object:
        if isinstance(call, Fetch):
            body = self._fetched(call.url)
            return Unreachable("no such object") if body is None else body
        if not isinstance(call, (Read, List)):
            self._schedule.say(f"  {self.boot_id} {_named(what, call)}")
        try:
            result = ask(self._kube, self._variant.asked(call))
        except KubeError as error:
            return error
        return self._variant.answered(self._kube, call, result)

    def _pause(self, what: str, pause: Pause, deliver: Deliver) -> None:
        over = False

        def end() -> None:
            nonlocal over
            if not over:
                over = True
                deliver(None)

        seconds = pause.seconds
        if what == "keep":
            self._renewal, seconds = end, CALM_RENEWAL
        elif pause.group is not None:
            self._pauses.setdefault(pause.group, []).append(end)
        self._later(seconds, end)

    # What the link orders ------------------------------------------------------------------------

    def _take(self, order: Order) -> None:
        match order:
            case Perform():
                self._perform_job(order)
            case Settled(uid):
                self._ends.pop(uid, None)
                self._want(self._listener.settled(uid))
            case Collect(uid):
                self._ends.pop(uid, None)
                self._want(self._listener.unknown(uid))
            case TakeInventory(number):
                self._take_inventory(number)
            case Complaint(text):
                self._schedule.say(f"{self.boot_id} complains: {text}")

    def _perform_job(self, order: Perform) -> None:
        job = order.job
        self._schedule.say(f"{self.boot_id} begins {job.kind} {job.job_id}")

        def done(outcome: Outcome) -> None:
            result, followers = self._worker.ended(order, outcome)
            self._schedule.say(f"{self.boot_id} ends {job.kind} {job.job_id}: {_short(outcome)}")
            if result is None:
                self._link.put_down(job.job_id)
            else:
                self._answered(order, outcome)
                self._link.answer(result, self._now())
                self._stir()
            for follower in followers:
                self._perform_job(follower)

        def failed(error: KubeError) -> None:
            raise Violation("S6", f"a job ended in {error!r}")

        self._run(job.kind, self._worker.begin(order, self._now()), done, failed)

    def _answered(self, order: Perform, outcome: Outcome) -> None:
        if self.eyes is None:
            return
        group, incarnation, _ = mail_parts(order.job.job_id)
        if order.job.kind == "cleanup" and outcome == Answer("done"):
            self.eyes.cleaned(group, incarnation)
        if order.job.kind == "observe" and isinstance(outcome, Answer):
            self._observing[order.job.job_id] = [
                pod
                for pod in self._ends.values()
                if (pod.group, pod.incarnation) == (group, incarnation)
            ]

    def _take_inventory(self, number: int) -> None:
        self._inventory = number

        def done(held: Holdings) -> None:
            now = self._now()
            self._link.inventory(number, [anchor.news for anchor in held.anchors], held.pods)
            self._stir()
            self._closed.listed(held.anchors, now)
            self._tick_by()
            for pod in held.suspects if self._variant.collects_forsaken else ():
                self._do("collect", partial(collect_forsaken, pod))

        def failed(error: KubeError) -> None:
            self._later(INVENTORY_RETRY, again)

        def again() -> None:
            if self._inventory == number:
                self._take_inventory(number)

        self._run("inventory", take_inventory(self._observe), done, failed)

    def _observe(self, pod: Json) -> PodObservation | None:
        return self._listener.observe(pod, self._now())

    # What the watch sees -------------------------------------------------------------------------

    def _list(self) -> None:
        """A quorum list, and what happens from then on."""
        if self._schedule.chance(self._faults.request_refused):
            self._later(self._schedule.between(0.5, 30), self._list)
            return
        self._watching = True
        self._sightings.clear()
        pods = self._kube.page(POD, GROUP_LABEL).items
        self._later(self._schedule.between(0, 0.2), partial(self._listed, pods))

    def _listed(self, pods: list[Json]) -> None:
        for pod in pods:
            self._want(self._listener.seen(pod, self._now()))
        self._want(self._listener.listed({pod["metadata"]["uid"] for pod in pods}))
        self._tick_by()

    def _saw(self, change: Change, pod: Json) -> None:
        if not self._watching:
            return
        if self._schedule.chance(self._faults.watch_breaks):
            self._schedule.fault("watch broke")
            self._watching = False
            self._later(self._schedule.between(0.5, 30), self._list)
            return
        self._sightings.append((change, pod))
        if not self._draining:
            self._draining = True
            self._later(self._schedule.between(0, 0.5), self._drain)

    def _drain(self) -> None:
        self._draining = False
        while self._sightings:
            change, pod = self._sightings.popleft()
            hear = self._listener.gone if change == "DELETED" else self._listener.seen
            self._want(hear(pod, self._now()))
        self._tick_by()

    def _want(self, wants: list[Want]) -> None:
        for want in wants:
            match want:
                case News(pod):
                    self._ends.pop(
                        pod.uid, None
                    )  # a node that is back takes the end of its pod back
                    if pod.status.final:
                        self._ends[pod.uid] = pod
                    self._link.report(pod, self._now())
                    self._stir()
                case LetGo(name, uid, finalizers):
                    self._do("release", partial(release, name, uid, finalizers))
                case Discard(name, uid):
                    self._do("collect", partial(collect, name, uid))
                case Stir(group):
                    for end in self._pauses.pop(group, ()):
                        end()

    def _do(self, what: str, make: Callable[[], Procedure[Any]]) -> None:
        self._run(what, until_reached(make), lambda result: None)

    def _tick_by(self) -> None:
        moments = (self._listener.wake_at, self._closed.wake_at)
        due = min((moment for moment in moments if moment is not None), default=None)
        if due is None:
            return
        seconds = max((due - self._now()).total_seconds(), 0.1)
        if self._schedule.seconds + seconds < self._tick_at:
            self._tick_at = self._schedule.seconds + seconds
            self._later(seconds, partial(self._tick, self._tick_at))

    def _tick(self, due: float) -> None:
        if due != self._tick_at:
            return
        self._tick_at = float("inf")
        now = self._now()
        self._want(self._listener.ticked(now))
        for anchor in self._closed.outlived(now):
            self._do("remove", partial(remove_anchor, anchor))
        self._tick_by()

    # The pump ------------------------------------------------------------------------------------

    def _stir(self) -> None:
        if not self._pumping:
            self._pumping = True
            self._later(self._schedule.between(0, 0.02), self._pump)

    def _pump(self) -> None:
        self._pumping = False
        now = self._now()
        for order in self._link.ticked(now):
            self._take(order)
        number = self._link.dial(now)
        if number is not None:
            self._later(self._schedule.between(0.05, 2), partial(self._connected, number))
        for open_number, socket in list(self._sockets.items()):
            if self._link.finished(open_number, now):
                self._wire.hang_up(socket)
                self._later(0.01, partial(self._lost, open_number))
                continue
            for text in self._link.to_send(open_number, now):
                self._listen_in(text)
                self._wire.say(socket, text)
        self._wake_by()

    def _connected(self, number: int) -> None:
        self._link.opened(number, self._now())
        self._sockets[number] = self._wire.open(
            ConnectionId(f"{self.boot_id}/{number}"),
            hear=lambda text: self._awake(lambda: self._hear(number, text)),
            lost=lambda: self._awake(lambda: self._lost(number)),
        )
        self._stir()

    def _hear(self, number: int, text: str) -> None:
        for order in self._link.received(number, text, self._now()):
            self._take(order)
        self._stir()

    def _lost(self, number: int) -> None:
        socket = self._sockets.pop(number, None)
        if socket is not None:
            self._wire.hang_up(socket)
            self._link.closed(number, self._now())
            self._stir()

    def _wake_by(self) -> None:
        due = self._link.wake_at
        if due is None:
            return
        seconds = max((due - self._now()).total_seconds(), 0.02)
        if self._schedule.seconds + seconds < self._wake_at:
            self._wake_at = self._schedule.seconds + seconds
            self._later(seconds, partial(self._woken, self._wake_at))

    def _woken(self, due: float) -> None:
        """An earlier moment may have been set meanwhile: then this one is nobody's any more."""
        if due == self._wake_at:
            self._wake_at = float("inf")
            self._pump()

    def _listen_in(self, text: str) -> None:
        """For the oracle: what was said under which number, and what an answer to observe names."""
        if self.eyes is None or text.startswith(DULL):
            return
        match agent.operator_message.validate_json(text):
            case agent.News(events=events):
                self._listen_to(events, [])
            case agent.JobResult() as result:
                self._listen_to([], [result])
            case agent.Bundle(events=events, results=results):
                self._listen_to(events, results)

    def _listen_to(self, events: list[agent.Event], results: list[agent.JobResult]) -> None:
        assert self.eyes is not None
        for event in events:
            self.eyes.said(self.boot_id, event.seq, event.pod)
        for result in results:
            if result.job_id not in self._observing:
                continue
            ended = self._observing[result.job_id]
            first, last = result.tasks or ("", "~")
            covered = [pod for pod in ended if first <= pod.task <= last]
            self.eyes.observed(covered, {pod.uid for pod in result.observations})
            if not result.more:
                self._observing.pop(result.job_id)


def _named(what: str, call: Call) -> str:
    kind = getattr(call, "kind", None)
    body = getattr(call, "body", None)
    name = getattr(call, "name", None) or (body["metadata"]["name"] if body else "")
    return f"{what}: {type(call).__name__} {kind.name if kind else ''} {name}"


def _short(outcome: Outcome) -> str:
    if isinstance(outcome, Answer):
        return f"{outcome.status} {outcome.message} {len(outcome.observations)} pods"
    return repr(outcome)
