"""Mistakes, each a rule left out. The simulation is worth what it notices of them.

The first are the engine's, the others each leave out one rule of the operator link. `needs` says
which faults a mistake takes to show, so that it shows soon: without, some need tens of thousands of
schedules.

Retries have their own: what they lack is noticed soon, but for one. That a create which was
answered says nothing of those before it takes two retries at once, whose creates overtake each
other: its test is `test_an_attempt_is_not_lost_while_its_own_create_is_under_way`.

Two rows of that table are not here. That the swap names the uids is too rare a story for chance;
its test is `test_a_pod_that_an_old_request_makes_later_is_not_let_go`. And of "a cleanup is never
deleted with the rest" only half can happen as long as no group has a second incarnation.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from operators.backend_listener.listener import LetGo, Listener, Want
from operators.backend_worker.apply import Answer, Outcome, Postponed, Unanswered
from operators.backend_worker.worker import Worker
from operators.shared.anchor import Anchor, anchor_name, anchor_of
from operators.shared.calls import Call, Create, Delete, Procedure, Replace, Together, read
from operators.shared.lease import Tenure
from operators.shared.resources import (
    CONFIG_MAP,
    POD,
    Json,
    KubeError,
    NotFound,
    Refused,
    Unreachable,
)
from operators.task_runtime import runtime
from operators.task_runtime.runtime import Decision, Life, Met, Phase, Restarted
from tests.builders import NOON
from tests.simulation.faults import Faults
from tests.simulation.schedule import Schedule
from tests.simulation.store import (
    Gate,
    SimulatedBackends,
    SimulatedJobs,
    SimulatedStore,
    SimulatedTimers,
    SimulatedWorkflows,
)
from tests.simulation.variant import Variant
from xylem.domain.detail import TaskDetail
from xylem.domain.errors import Conflict
from xylem.domain.group import Group
from xylem.domain.ids import BackendName, ConnectionId, GroupId, TaskName, WorkflowId, mail_parts
from xylem.domain.status import TaskStatus
from xylem.domain.task import Task
from xylem.manifests.names import RETRY
from xylem.memory.logs import MemoryLogs
from xylem.ports.backends import Mail
from xylem.ports.jobs import Job, StartGroups, Timer
from xylem.ports.stored import Change, Stored
from xylem.ports.task_tokens import Attempt
from xylem.ports.workflows import Commit
from xylem.protocol import agent
from xylem.protocol.agent import Ack, Bundle, Event, News, PodObservation, operator_message
from xylem.protocol.link import Link, Order, Perform
from xylem.protocol.outbox import Outbox
from xylem.protocol.queues import EventsOf, ResultOf, StockOf
from xylem.protocol.runtime import AtBarrier
from xylem.usecases.apply import Engine
from xylem.usecases.news import Part
from xylem.usecases.queries import spec_file
from xylem.usecases.submit import Request

# The engine --------------------------------------------------------------------------------------


class AcknowledgesAtIngest(Variant):
    """News is acknowledged when it was queued, not when it was applied."""

    def heard(self, text: str, push: Callable[[str], None]) -> None:
        message = operator_message.validate_json(text)
        if isinstance(message, News | Bundle) and message.events:
            ranges = [(event.seq, event.seq) for event in message.events]
            push(Ack(boot_id=message.boot_id, ranges=ranges).model_dump_json())


class _ForgetsDoneJobs(SimulatedStore):
    def commit(self, commit: Commit) -> None:
        super().commit(replace(commit, jobs_done=()))


class DeletesJobsAtDispatch(Variant):
    """A job's row goes before the job is performed."""

    store = _ForgetsDoneJobs

    def begins(self, job: Job, store: SimulatedStore) -> None:
        store.stored_jobs.pop(job.id, None)


class _IgnoresVersions(SimulatedStore):
    def write(self, commit: Commit) -> None:
        """Whatever was stored since is overwritten."""
        groups = self.stored_groups[commit.workflow]
        now = self.stored_workflows[commit.workflow].version
        moved = commit.workflow_change
        super().write(
            replace(
                commit,
                workflow_change=replace(moved, version=now) if moved else None,
                groups=tuple(
                    replace(change, version=groups[change.after.id].version)
                    for change in commit.groups
                ),
            )
        )


class LeavesOutTheVersionCheck(Variant):
    store = _IgnoresVersions
    needs = {"others_run": 0.5}


class LeavesOutTheAttemptFence(Variant):
    """News counts for the task's present attempt, whichever it is of."""

    needs = {"pod_planted": 1.0}

    def news(self, message: Part, store: SimulatedStore) -> Part:
        if not isinstance(message, EventsOf):
            return message
        events = [
            event.model_copy(update={"pod": event.pod.model_copy(update={"retry": 0})})
            for event in message.events
        ]
        return message.model_copy(update={"events": events})


class _ForgetsAWakeUp(SimulatedStore):
    def write(self, commit: Commit) -> None:
        ready = tuple(job for job in commit.jobs if not isinstance(job.work, StartGroups))
        super().write(replace(commit, jobs=ready))


class ForgetsAWakeUp(Variant):
    """A group that became ready gets no job that starts it."""

    store = _ForgetsAWakeUp


class _AppliesHalf(SimulatedStore):
    def write(self, commit: Commit) -> None:
        """Sometimes a transaction is not one: its first half is written, and then nothing."""
        rows = len(commit.groups)
        if rows > 1 and self.schedule.chance(0.5):
            super().write(replace(commit, groups=commit.groups[: rows // 2]))
            return
        super().write(commit)


class AppliesHalfAChange(Variant):
    store = _AppliesHalf


class CountsAnAttemptTwice(Variant):
    """A failure counts the attempt again that was counted when it began."""

    needs = {"lambda_dies": 0.4, "no_answer": 0.2}

    def begins(self, job: Job, store: SimulatedStore) -> None:
        now = store.stored_jobs.get(job.id)
        if now is not None and job.attempts:
            store.stored_jobs[job.id] = replace(now, attempts=now.attempts + 1)


# The operator link -------------------------------------------------------------------------------


class _AlwaysHeld(Tenure):
    def is_held(self) -> Procedure[bool]:
        return True
        yield


class ReadsNoTenure(Variant):
    needs = {"create_pauses": 0.3, "request_slow": 0.3}
    alone = True
    cancels = True
    long = True

    def tenure(self, tenure: Tenure) -> Tenure:
        return _AlwaysHeld(tenure.holder, tenure.transitions)


class AsksForNoCleanupAgain(Variant):
    """An anchor that outlived its cleanup is taken for closed."""

    needs = {"create_pauses": 0.3}
    alone = True
    cancels = True
    long = True

    def news(self, message: Part, store: SimulatedStore) -> Part:
        if not isinstance(message, StockOf):
            return message
        anchors = [anchor.model_copy(update={"state": "closed"}) for anchor in message.anchors]
        return message.model_copy(update={"anchors": anchors})


class HoldsNoAnchor(Variant):
    """The anchor carries no finalizer."""

    needs = {"config_map_deleted": 25.0, "frame_late": 0.9, "frame_twice": 0.9}
    alone = True
    many = True
    short = True
    long = True

    def asked(self, call: Call) -> Call:
        if not isinstance(call, Create) or call.kind is not CONFIG_MAP:
            return call
        metadata = {k: v for k, v in call.body["metadata"].items() if k != "finalizers"}
        return Create(call.kind, {**call.body, "metadata": metadata})


class CollectsNothing(Variant):
    """Pods that were never bound, and never will be, are left alone."""

    needs = {"request_late": 0.3}
    collects_forsaken = False


class _AnswersWithoutAnchor(Worker):
    def begin(self, order: Perform, now: datetime) -> Procedure[Outcome]:
        usual = super().begin(order, now)
        return _carefully(_unless_absent(order.job, usual)) if _cleans(order) else usual


def _cleans(order: Perform) -> bool:
    return order.job.kind == "cleanup"


def _carefully(procedure: Procedure[Outcome]) -> Procedure[Outcome]:
    try:
        return (yield from procedure)
    except Unreachable as silence:
        return Unanswered(str(silence))


def _unless_absent(job: agent.Job, usual: Procedure[Outcome]) -> Procedure[Outcome]:
    if (yield from _anchor(job)) is None:
        return Answer("done")
    return (yield from usual)


def _anchor(job: agent.Job) -> Procedure[Anchor | None]:
    group, incarnation, _ = mail_parts(job.job_id)
    try:
        return anchor_of((yield from read(CONFIG_MAP, anchor_name(group, incarnation))))
    except NotFound:
        return None


class MakesNoAnchorForACleanup(Variant):
    """A cleanup that finds no anchor has nothing to do."""

    worker = _AnswersWithoutAnchor
    needs = {"request_slow": 0.5}
    cancels = True


class _GivesUpALostSwap(Worker):
    def begin(self, order: Perform, now: datetime) -> Procedure[Outcome]:
        usual = super().begin(order, now)
        return _superseded(usual) if order.job.kind == "create" else usual


def _superseded(usual: Procedure[Outcome]) -> Procedure[Outcome]:
    try:
        step = next(usual)
        while True:
            try:
                result = yield step
            except Refused as refused:
                if isinstance(step, Replace):
                    return Answer("superseded")
                step = usual.throw(refused)
            except KubeError as error:
                step = usual.throw(error)
            else:
                step = usual.send(result)
    except StopIteration as end:
        return cast("Outcome", end.value)


class AnswersALostSwap(Variant):
    """A create that loses the swap says that it was superseded."""

    worker = _GivesUpALostSwap
    needs = {"request_late": 0.2, "request_slow": 0.5, "lease_moves": 1.0}


class _WritesMailAnyway(SimulatedStore):
    def commit(self, commit: Commit) -> None:
        try:
            super().commit(commit)
        except Conflict:
            if not commit.cause.startswith("job "):
                raise
            self.mail.update(((mail.backend, mail.id), mail) for mail in commit.mail)


class WritesMailUnderNoVersion(Variant):
    """The mailbox row of a create is written though its group was changed meanwhile."""

    store = _WritesMailAnyway
    needs = {"others_run": 0.5}
    cancels = True


class _DropsOlderCleanups(SimulatedStore):
    def write(self, commit: Commit) -> None:
        super().write(commit)
        for mail in commit.mail:
            if mail.kind == "cleanup":
                group, _, _ = mail_parts(mail.id)
                for key, old in list(self.mail.items()):
                    if old.kind == "cleanup" and mail_parts(old.id)[0] == group and old != mail:
                        del self.mail[key]


class DropsOlderCleanups(Variant):
    """A cleanup takes the older mailbox rows of its group along, cleanups, too."""

    store = _DropsOlderCleanups
    cancels = True


class _OrdersAll(SimulatedStore):
    def write(self, commit: Commit) -> None:
        super().write(replace(commit, mail=tuple(_after_create(mail) for mail in commit.mail)))


def _after_create(mail: Mail) -> Mail:
    return mail if mail.kind == "create" else replace(mail, after=1)


class _WaitsForTheCreate(Worker):
    def begin(self, order: Perform, now: datetime) -> Procedure[Outcome]:
        usual = super().begin(order, now)
        return usual if order.job.kind == "create" else _carefully(_when_done(order.job, usual))


def _when_done(job: agent.Job, usual: Procedure[Outcome]) -> Procedure[Outcome]:
    if not job.after:
        return (yield from usual)
    anchor = yield from _anchor(job)
    if anchor is None or job.after not in anchor.done:
        return Postponed()
    return (yield from usual)


class MakesCleanupsWait(Variant):
    """`observe` and cleanup wait for the create before them."""

    store = _OrdersAll
    worker = _WaitsForTheCreate
    cancels = True


class _LetsGoOfUnbound(Listener):
    def __init__(self) -> None:
        super().__init__()
        self._names: dict[str, str] = {}

    def seen(self, pod: Json, now: datetime) -> list[Want]:
        self._names[pod["metadata"]["uid"]] = pod["metadata"]["name"]
        return super().seen(pod, now)

    def settled(self, uid: str) -> list[Want]:
        return [LetGo(self._names[uid], uid)] if uid in self._names else []


class LetsGoOfUnboundPods(Variant):
    """A pod that was never bound is released when news of its end was acknowledged."""

    listener = _LetsGoOfUnbound
    needs = {"pod_deleted": 6.0, "request_lost": 0.4, "request_slow": 0.4}
    alone = True
    many = True


class TakesAbsenceForLoss(Variant):
    """A task that an inventory does not show is lost."""

    needs = {"message_late": 0.4, "frame_late": 0.4, "operator_dies": 0.5}

    def news(self, message: Part, store: SimulatedStore) -> Part:
        if not isinstance(message, StockOf):
            return message
        shown = {(pod.group, pod.task) for pod in message.pods}
        lost = [
            PodObservation(
                workflow=message.workflow,
                group=anchor.group,
                incarnation=anchor.incarnation,
                task=task.name,
                retry=task.retry,
                uid="",
                status=TaskStatus.FAILED_BACKEND_ERROR,
                message="The pod disappeared from its cluster.",
            )
            for anchor in message.anchors
            for task in _tasks(store, message.workflow, anchor.group)
            if task.ordinal and (anchor.group, task.name) not in shown
        ]
        if not lost:
            return message
        events = [Event(seq=number, pod=pod) for number, pod in enumerate(lost, 1)]
        return EventsOf(
            backend=message.backend,
            connection=message.connection,
            workflow=message.workflow,
            boot_id="an inventory",
            events=events,
        )


def _tasks(store: SimulatedStore, workflow: WorkflowId, group: GroupId) -> tuple[Task, ...]:
    stored = store.stored_groups.get(workflow, {}).get(group)
    return stored.value.tasks if stored else ()


class _TakesPlacedForCreated(SimulatedStore):
    def write(self, commit: Commit) -> None:
        groups = tuple(replace(change, after=_created(change.after)) for change in commit.groups)
        super().write(replace(commit, groups=groups))


def _created(group: Group) -> Group:
    pending = tuple(replace(row, created=group.placed) for row in group.pending)
    return replace(group, created=group.placed, pending=pending)


class LosesWhatIsNotMadeYet(Variant):
    """Whether its own create was done is not looked at before a task is called lost."""

    store = _TakesPlacedForCreated
    needs = {"request_refused": 0.3, "request_late": 0.2, "operator_dies": 0.5}


class _ObservesFromACache(Worker):
    def __init__(self, tenure: Tenure, observe: Callable[[Json], PodObservation | None]) -> None:
        super().__init__(tenure, observe)
        self._cache: dict[str, Answer] = {}

    def begin(self, order: Perform, now: datetime) -> Procedure[Outcome]:
        usual = super().begin(order, now)
        return self._from_cache(order.job, usual) if order.job.kind == "observe" else usual

    def _from_cache(self, job: agent.Job, usual: Procedure[Outcome]) -> Procedure[Outcome]:
        outcome = yield from usual
        group, _, _ = mail_parts(job.job_id)
        known = self._cache.get(group, Answer("done"))
        if isinstance(outcome, Answer):
            self._cache[group] = outcome
        return known


class ReadsACache(Variant):
    """`observe` is answered with what was last known."""

    worker = _ObservesFromACache


class CountsOldObservations(Variant):
    """What was observed before a deadline decides about it when it comes after it."""

    needs = {"frame_late": 0.6, "message_late": 0.6, "frame_lost": 0.8}
    alone = True
    long = True
    many = True
    brief = True

    def news(self, message: Part, store: SimulatedStore) -> Part:
        if isinstance(message, ResultOf):
            id, _, _ = mail_parts(message.result.job_id)
            groups = store.stored_groups.get(message.workflow, {})
            if id in groups:
                group = groups[id].value
                now = store.schedule.now()
                pending = tuple(replace(row, asked_at=now) for row in group.pending)
                groups[id] = replace(groups[id], value=replace(group, pending=pending))
        return message


def linked(kind: type[Outbox]) -> type[Link]:
    return type("Linked", (Link,), {"outbox": kind})


class _TellsWhatIsListed(Outbox):
    def completed(
        self, pods: Sequence[PodObservation], wanted: Callable[[PodObservation], bool]
    ) -> list[PodObservation]:
        return list(pods)


class ForgetsUnacknowledgedEnds(Variant):
    """An end that is known and not acknowledged is not listed once its pod is gone."""

    link = linked(_TellsWhatIsListed)
    needs = {"pod_deleted": 1.0, "frame_lost": 0.4, "socket_dies": 0.5}


class _KeepsNumbers(Outbox):
    def report(self, pod: PodObservation, now: datetime) -> None:
        known = self._pending.get(pod.uid)
        last = self._seq
        if known is not None and known.pod != pod:
            self._seq = known.seq - 1
        super().report(pod, now)
        self._seq = max(last, self._seq)


class KeepsNumbers(Variant):
    """A newer observation of a pod is said under the number of the older one."""

    link = linked(_KeepsNumbers)
    needs = {"frame_late": 0.3}


class _HearsAnyBoot(Link):
    def received(self, number: int, text: str, now: datetime) -> list[Order]:
        if text.startswith('{"type":"ack"'):
            heard = Ack.model_validate_json(text)
            text = heard.model_copy(update={"boot_id": self._hello.boot_id}).model_dump_json()
        return super().received(number, text, now)


class _HearsAnyConnection(SimulatedBackends):
    def speaks(self, name: BackendName, connection: ConnectionId, now: datetime) -> bool:
        return True


class HearsAnyBoot(Variant):
    """An acknowledgement counts for whoever is connected, and is pushed to him. What an old
    connection said is heard, too: dropping it hides most of this."""

    link = _HearsAnyBoot
    backends = _HearsAnyConnection
    needs = {"operator_dies": 1.0, "message_late": 0.5}

    def connection(self, connection: ConnectionId, current: ConnectionId | None) -> ConnectionId:
        return current or connection


class _Lags(SimulatedWorkflows):
    def group(self, workflow: WorkflowId, group: GroupId) -> Stored[Group] | None:
        return None if self._lags() else super().group(workflow, group)

    def _lags(self) -> bool:
        return self._simulated.schedule.chance(0.1)


class _LaggingStore(SimulatedStore):
    ports = _Lags


class ReadsWhatLags(Variant):
    """Whether there is such a group is asked of a copy that may lag."""

    store = _LaggingStore


# Retries -----------------------------------------------------------------------------------------


class _KeepsTheNewest(SimulatedStore):
    def write(self, commit: Commit) -> None:
        super().write(replace(commit, replaced={}))


class ForgetsReplacedAttempts(Variant):
    """The row of an attempt goes when another one replaces it."""

    store = _KeepsTheNewest
    retries = True
    needs = {"pod_disrupted": 2.0}


class _CountsAnew(SimulatedStore):
    def write(self, commit: Commit) -> None:
        """Of each attempt what the one before used is forgotten, or taken for the other cause."""
        super().write(replace(commit, groups=tuple(map(self._changed, commit.groups))))

    def _changed(self, change: Change[Group]) -> Change[Group]:
        before = {task.name: task.retry for task in change.before.tasks}
        tasks = (
            self._counted(task) if task.retry > before[task.name] else task
            for task in change.after.tasks
        )
        return replace(change, after=replace(change.after, tasks=tuple(tasks)))

    def _counted(self, task: Task) -> Task:
        return replace(task, disruptions=0, asked_again=0)


class TriesAgainWithoutBudget(Variant):
    """What was used of a budget does not travel with the attempt."""

    store = _CountsAnew
    retries = True


class _CountsTheOther(_CountsAnew):
    def _counted(self, task: Task) -> Task:
        return replace(task, disruptions=task.asked_again, asked_again=task.disruptions)


class MixesTheBudgets(Variant):
    """What a disruption uses up is what a rule asked for, and the reverse."""

    store = _CountsTheOther
    retries = True


class NamesARetryAsTheFirst(Variant):
    """A pod's name and fences do not say which attempt it is of."""

    retries = True
    short = True
    needs = {"pod_disrupted": 2.0}

    def asked(self, call: Call) -> Call:
        if not isinstance(call, Create) or call.kind is not POD:
            return call
        metadata = call.body["metadata"]
        notes = {**metadata["annotations"], RETRY: "0"}
        name = metadata["name"].replace(f"-r{metadata['annotations'][RETRY]}-", "-r0-")
        body = {**call.body, "metadata": {**metadata, "annotations": notes, "name": name}}
        return Create(call.kind, body)


class _LeavesReplacedAlone(Worker):
    def begin(self, order: Perform, now: datetime) -> Procedure[Outcome]:
        usual = super().begin(order, now)
        return _deleting_nothing(usual) if order.job.kind == "create" else usual


def _deleting_nothing(usual: Procedure[Outcome]) -> Procedure[Outcome]:
    try:
        step = next(usual)
        while True:
            if isinstance(step, Together) and any(isinstance(c, Delete) for c in step.calls):
                step = usual.send([None for _ in step.calls])
                continue
            try:
                result = yield step
            except KubeError as error:
                step = usual.throw(error)
            else:
                step = usual.send(result)
    except StopIteration as end:
        return cast("Outcome", end.value)


class LeavesReplacedAttemptsAlone(Variant):
    """A create does not end the attempts that its own replace."""

    worker = _LeavesReplacedAlone
    retries = True
    needs = {"node_lost": 2.0}


class CountsAnEndAgain(Variant):
    """News that repeats counts for whichever attempt is the newest."""

    retries = True
    needs = {"message_twice": 0.5, "message_late": 0.5, "pod_disrupted": 1.0}

    def news(self, message: Part, store: SimulatedStore) -> Part:
        if not isinstance(message, EventsOf):
            return message
        events = []
        for event in message.events:
            known = _tasks(store, message.workflow, event.pod.group)
            retry = next((t.retry for t in known if t.name == event.pod.task), event.pod.retry)
            pod = event.pod.model_copy(update={"retry": retry})
            events.append(event.model_copy(update={"pod": pod}))
        return message.model_copy(update={"events": events})


class _ForgetsRetries(SimulatedStore):
    def write(self, commit: Commit) -> None:
        jobs = () if commit.replaced else commit.jobs
        super().write(replace(commit, jobs=jobs))


class ForgetsToMakeARetry(Variant):
    """An attempt that is to follow another one gets no job that makes it."""

    store = _ForgetsRetries
    retries = True


# Gangs -------------------------------------------------------------------------------------------


class LetsCommandsRunOn(Variant):
    """A sidecar hears of a restart, and does not end its command."""

    gangs = True
    retries = True

    def lives(self, life: Life, event: runtime.Event) -> Decision:
        if isinstance(event, Restarted) and life.phase is Phase.RUNNING:
            return life._replace(restarts=max(life.restarts, event.restarts)), ()
        return super().lives(life, event)


class TakesAnyBarrierForTheNewest(Variant):
    """Who heard of a restart on the way from a barrier begins, and is not at the next one."""

    gangs = True
    retries = True
    needs = {"poll_late": 0.5, "pod_disrupted": 2.0}

    def lives(self, life: Life, event: runtime.Event) -> Decision:
        return super().lives(life, Met(life.restarts) if isinstance(event, Met) else event)


class _OneBarrier(MemoryLogs):
    def arrive(self, attempt: Attempt, restarts: int) -> None:
        super().arrive(attempt, 0)

    def arrived(self, group: GroupId, incarnation: int, restarts: int) -> set[tuple[TaskName, int]]:
        return super().arrived(group, incarnation, 0)


class MeetsAtOneBarrier(Variant):
    """Who was at a barrier before is at the newest, too."""

    logs = _OneBarrier
    gangs = True
    retries = True
    needs = {"pod_disrupted": 2.0}


class AsksWhatBarrierThereIs(Variant):
    """An arrival counts for the newest restart, whichever its pod knows of."""

    gangs = True
    retries = True
    needs = {"poll_twice": 0.5, "poll_late": 0.5}

    def meets(self, here: AtBarrier) -> AtBarrier:
        return AtBarrier()


# What is begun again -----------------------------------------------------------------------------


class RunsCompletedAgain(Variant):
    """A restart is the whole of the earlier workflow."""

    restarts = True

    def again(self, request: Request, engine: Engine) -> Request:
        assert request.parent is not None
        whole = spec_file(request.parent, workflows=engine.workflows, store=engine.store)
        return replace(request, text=whole.rendered)


class ForgetsWhereOutputsAre(Variant):
    """What a restart reads of tasks that completed, it looks for among its own."""

    restarts = True

    def again(self, request: Request, engine: Engine) -> Request:
        return replace(request, text=request.text.replace(f"{request.parent}:", ""))


class ForgetsTheKey(Variant):
    """A restart that is said again under the same key is another one."""

    restarts = True

    def again(self, request: Request, engine: Engine) -> Request:
        return replace(request, idempotency=None)


class ReadsTheFirstAttempt(Variant):
    """A task reads what the first attempt wrote, whichever completed."""

    restarts = True
    retries = True

    def reads(self, url: str) -> str:
        return re.sub(r"/\d+/out", "/0/out", url)


# Clocks ------------------------------------------------------------------------------------------


class _BelievesPods(SimulatedStore):
    def write(self, commit: Commit) -> None:
        super().write(replace(commit, groups=tuple(map(_by_its_pod, commit.groups))))


def _by_its_pod(change: Change[Group]) -> Change[Group]:
    group = change.after
    if group.running_since is None or group.started_at is None:
        return change
    return replace(change, after=replace(group, running_since=group.started_at))


class BelievesPodsClocks(Variant):
    """A limit counts from when a pod says that it started."""

    store = _BelievesPods
    needs = {"clock_moves": 2.0}


class _NeverDue(SimulatedTimers):
    def due(self, now: datetime, *, limit: int) -> list[Timer]:
        return []


class _WithoutTimers(SimulatedStore):
    def __init__(self, schedule: Schedule, faults: Faults, gate: Gate) -> None:
        super().__init__(schedule, faults, gate)
        self.timers = _NeverDue(self, gate)


class SweepsNoTimers(Variant):
    """Nobody rings for a timer but who sets it, and he only once."""

    store = _WithoutTimers
    needs = {"message_lost": 0.95}


# What it costs -----------------------------------------------------------------------------------


class WritesOldNews(Variant):
    """News that changes nothing is written all the same."""

    needs = {"message_twice": 0.5, "frame_lost": 0.5}

    def news(self, message: Part, store: SimulatedStore) -> Part:
        if isinstance(message, EventsOf):
            groups = store.stored_groups.get(message.workflow, {})
            known = [groups[event.pod.group] for event in message.events]
            same = {one.value.id: Change(one.version, one.value, one.value) for one in known}
            now, groups_of = store.schedule.now(), tuple(same.values())
            store.write(Commit(message.workflow, "news of old", now, groups=groups_of))
        return message


class _ForgetsWords(SimulatedWorkflows):
    def group_details(
        self, workflow: WorkflowId, group: GroupId, first: TaskName, last: TaskName
    ) -> list[TaskDetail]:
        return []


class _WithoutWords(SimulatedStore):
    ports = _ForgetsWords

    def keep_details(self, workflow: WorkflowId, told: Iterable[TaskDetail]) -> int:
        told = list(told)
        for one in told:
            self.details.get(workflow, {}).pop((one.group, one.task, one.retry), None)
        return super().keep_details(workflow, told)


class WritesOldWords(Variant):
    """What explains an attempt is written as often as it is told: neither looked for before, nor
    written under a condition."""

    store = _WithoutWords
    needs = {"message_twice": 0.5, "frame_lost": 0.5}


class _ForgetsQuestions(SimulatedStore):
    def write(self, commit: Commit) -> None:
        super().write(replace(commit, groups=tuple(map(_asked_long_ago, commit.groups))))


def _asked_long_ago(change: Change[Group]) -> Change[Group]:
    pending = (
        replace(row, asked_at=NOON) if row.kind == "observe" else row
        for row in change.after.pending
    )
    return replace(change, after=replace(change.after, pending=tuple(pending)))


class AsksAgainAndAgain(Variant):
    """A timer asks though its question waits in the mailbox of an operator that is away."""

    store = _ForgetsQuestions
    brief = True
    needs = {"frame_lost": 0.8}


class _ForgetsRings(SimulatedJobs):
    def update(self, job: Job, *, expected: Job) -> bool:
        return super().update(replace(job, rings=0), expected=expected)


class _RingsAtOnce(SimulatedStore):
    def __init__(self, schedule: Schedule, faults: Faults, gate: Gate) -> None:
        super().__init__(schedule, faults, gate)
        self.jobs = _ForgetsRings(self, gate)


class RingsEachMinute(Variant):
    """A sweep rings for what is forgotten as often as for the first time."""

    store = _RingsAtOnce
    long = True
    needs = {"message_lost": 0.95}


DEFECTS: dict[type[Variant], set[str]] = {
    AcknowledgesAtIngest: {"S4"},
    DeletesJobsAtDispatch: {"something is pending", "an intent has a job", "S6"},
    LeavesOutTheVersionCheck: {
        "S3",
        "one next attempt",
        "counts",
        "counts equal what the groups say",
    },
    LeavesOutTheAttemptFence: {"S3", "S5", "S4", "a task ends as its pod did"},
    ForgetsAWakeUp: {"something is pending"},
    AppliesHalfAChange: {
        "counts",
        "counts equal what the groups say",
        "nothing is half changed",
        "something is pending",
    },
    CountsAnAttemptTwice: {"an attempt is counted once"},
    ReadsNoTenure: {"S2", "S6"},
    AsksForNoCleanupAgain: {"S6"},
    HoldsNoAnchor: {"S1", "S3", "a task ends as its pod did"},
    CollectsNothing: {"S6"},
    WritesMailUnderNoVersion: {"S2"},
    MakesNoAnchorForACleanup: {"S2"},
    AnswersALostSwap: {"S6"},
    DropsOlderCleanups: {"nothing is half changed"},
    MakesCleanupsWait: {"S6"},
    LetsGoOfUnboundPods: {"S1", "S3"},
    TakesAbsenceForLoss: {"S5"},
    LosesWhatIsNotMadeYet: {"S5"},
    ReadsACache: {"S4", "S5"},
    CountsOldObservations: {"S5"},
    ForgetsUnacknowledgedEnds: {"S4"},
    KeepsNumbers: {"S4"},
    HearsAnyBoot: {"S4"},
    ReadsWhatLags: {"S5", "something is pending"},
    ForgetsReplacedAttempts: {"every attempt keeps its row"},
    TriesAgainWithoutBudget: {"each cause has its budget"},
    MixesTheBudgets: {"each cause has its budget", "S5"},
    NamesARetryAsTheFirst: {"S1", "S3", "S6"},
    LeavesReplacedAttemptsAlone: {"S1", "S3"},
    CountsAnEndAgain: {"S3", "S5", "S4", "S1", "S6", "a task ends as its pod did"},
    ForgetsToMakeARetry: {"something is pending"},
    LetsCommandsRunOn: {"a gang meets"},
    TakesAnyBarrierForTheNewest: {"a gang meets"},
    MeetsAtOneBarrier: {"a gang meets"},
    AsksWhatBarrierThereIs: {"a gang meets"},
    BelievesPodsClocks: {"S5"},
    SweepsNoTimers: {"a timeout is lost"},
    WritesOldNews: {"cost in writes"},
    WritesOldWords: {"cost in writes"},
    AsksAgainAndAgain: {"cost in writes", "a timeout is lost"},
    RingsEachMinute: {"cost in writes"},
    RunsCompletedAgain: {"what completed is not run again"},
    ForgetsWhereOutputsAre: {"what failed can be begun again"},
    ForgetsTheKey: {"one key, one workflow"},
    ReadsTheFirstAttempt: {"a task reads what completed"},
}
"""Each mistake, and the promises that it may break first."""
