"""The rows, and the ports of the service: where a Lambda may wait, fail or die."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

from tests.simulation.costs import Costs
from tests.simulation.faults import Faults
from tests.simulation.schedule import Schedule
from xylem.domain.detail import TaskDetail
from xylem.domain.errors import Conflict, TooLarge, Unavailable
from xylem.domain.group import Group
from xylem.domain.ids import (
    BackendName,
    ConnectionId,
    GroupId,
    JobId,
    TaskName,
    UserName,
    WorkflowId,
)
from xylem.domain.workflow import Counts, Workflow
from xylem.memory.backends import MemoryBackends
from xylem.memory.blobs import MemoryBlobs
from xylem.memory.store import MemoryJobs, MemoryStore, MemoryTimers, MemoryWorkflows
from xylem.ports.backends import Backend, Mail
from xylem.ports.jobs import Job, Timer
from xylem.ports.stored import Stored
from xylem.ports.workflows import Commit, Creation, Laying, Reservation
from xylem.usecases.audit import Audited

T = TypeVar("T")

CALLS = 14
"""Of a port, by most invocations: one that is doomed dies at one of so many."""


class Crash(BaseException):
    """The process of a Lambda is gone: nothing of ours catches it."""


class Gate:
    """Every call of a port passes here. An invocation that is doomed dies at one of its calls."""

    def __init__(self, schedule: Schedule, faults: Faults) -> None:
        self._schedule = schedule
        self._faults = faults
        self._left: list[int | None] = []
        self._skew = 0.0

    def now(self) -> datetime:
        """By the clock of the process that asks; each invocation has one of its own."""
        return self._schedule.now() + timedelta(seconds=self._skew)

    def invoke(self, what: str, act: Callable[[], object]) -> bool:
        """Whether the invocation came to its end. What it raises is raised here, but its death."""
        doomed = self._schedule.chance(self._faults.lambda_dies)
        self._left.append(self._schedule.random.randrange(CALLS) if doomed else None)
        before, most = self._skew, self._faults.lambda_skew
        self._skew = self._schedule.between(-most, most) if most else 0.0
        try:
            act()
        except Crash as crash:
            self._schedule.fault("lambda died", f"{what}: {crash}")
            return False
        finally:
            self._left.pop()
            self._skew = before
        return True

    def read(self, what: str, act: Callable[[], T]) -> T:
        return self._call(what, act, self._faults.others_run / 4)

    def write(self, what: str, act: Callable[[], T]) -> T:
        return self._call(what, act, self._faults.others_run)

    def tell(self, what: str, act: Callable[[], T]) -> T:
        """A port that never fails: a ring, a push, a look at a queue's depth."""
        return self._call(what, act, 0, fails=False)

    def _call(self, what: str, act: Callable[[], T], others: float, *, fails: bool = True) -> T:
        if not self._left:
            return act()
        schedule = self._schedule
        if schedule.chance(others):
            schedule.fault("others ran", what)
            schedule.let_others_run(within=10, most=4)
        dies = self._dies()
        if dies and schedule.chance(0.5):
            raise Crash(f"before {what}")
        silent = fails and schedule.chance(self._faults.no_answer)
        if silent:
            schedule.fault("no answer", what)
            if schedule.chance(0.5):
                raise Unavailable(f"{what}: nobody answers")
        result = act()
        if dies:
            raise Crash(f"after {what}")
        if silent:
            raise Unavailable(f"{what}: the answer was lost")
        return result

    def _dies(self) -> bool:
        left = self._left[-1]
        if left is None:
            return False
        self._left[-1] = left - 1
        return left == 0


class Eyes(Protocol):
    """Who looks at what was written."""

    def created(self, workflow: Workflow) -> None: ...

    def committed(self, commit: Commit, before: dict[GroupId, Stored[Group]]) -> None: ...


def could_wait(commit: Commit) -> bool:
    """Whether the same decision can be written as an intent: a cancel of several groups, or an end
    of which others hear in the same transaction."""
    if commit.cause.startswith("cancelled by"):
        return len(commit.groups) > 1
    if not commit.cause.startswith("news of"):
        return False
    changed = {change.after.id for change in commit.groups}
    return any(
        change.after.status.final
        and not change.before.status.final
        and not changed.isdisjoint(change.after.downstream)
        for change in commit.groups
    )


def _in_short(commit: Commit) -> str:
    moved = [
        f"{change.after.name}={change.after.status}"
        for change in commit.groups
        if change.after.status is not change.before.status
    ]
    if commit.workflow_change and commit.workflow_change.after.status.final:
        moved.append(f"workflow={commit.workflow_change.after.status}")
    moved += [f"+{mail.kind}" for mail in commit.mail]
    moved += [f"+{job.work.kind}" for job in commit.jobs]
    moved += [f"answered {id}" for _, id in commit.mail_done]
    return f"{commit.workflow}: {', '.join(moved)}" if moved else commit.workflow


class SimulatedWorkflows(MemoryWorkflows):
    def __init__(self, store: "SimulatedStore", gate: Gate) -> None:
        super().__init__(store)
        self._simulated = store
        self._gate = gate

    def workflow(self, id: WorkflowId) -> Stored[Workflow]:
        return self._gate.read("workflow", partial(super().workflow, id))

    def counts(self, workflow: WorkflowId, shard: int) -> Stored[Counts]:
        return self._gate.read("counts", partial(super().counts, workflow, shard))

    def group(self, workflow: WorkflowId, group: GroupId) -> Stored[Group] | None:
        return self._gate.read("group", partial(super().group, workflow, group))

    def groups(self, workflow: WorkflowId, *, shards: int = 1) -> list[Stored[Group]]:
        return self._gate.read("groups", partial(super().groups, workflow, shards=shards))

    def shard(
        self, workflow: WorkflowId, shard: int, *, after: GroupId | None = None, limit: int = 100
    ) -> list[Stored[Group]]:
        act = partial(super().shard, workflow, shard, after=after, limit=limit)
        return self._gate.read("shard", act)

    def commit(self, commit: Commit) -> None:
        self._gate.write("commit", partial(super().commit, commit))

    def group_details(
        self, workflow: WorkflowId, group: GroupId, first: TaskName, last: TaskName
    ) -> list[TaskDetail]:
        act = partial(super().group_details, workflow, group, first, last)
        return self._gate.read("details", act)

    def keep_details(self, workflow: WorkflowId, told: Iterable[TaskDetail]) -> int:
        return self._gate.write("keep details", partial(super().keep_details, workflow, told))

    def next_number(self, name: str) -> int:
        return self._gate.read("next number", partial(super().next_number, name))

    def made_under(
        self, user: UserName, key: str, *, request: str = "", now: datetime
    ) -> WorkflowId | None:
        act = partial(super().made_under, user, key, request=request, now=now)
        return self._gate.read("made under", act)

    def create(self, creation: Creation) -> WorkflowId:
        return self._gate.write("create", partial(super().create, creation))

    def reserve(self, reservation: Reservation) -> None:
        self._gate.write("reserve", partial(super().reserve, reservation))

    def lay(self, laying: Laying) -> None:
        self._gate.write("lay", partial(super().lay, laying))

    def remove_some(self, workflow: WorkflowId, removal: JobId) -> bool:
        return self._gate.write("remove some", partial(super().remove_some, workflow, removal))


class SimulatedJobs(MemoryJobs):
    def __init__(self, store: "SimulatedStore", gate: Gate) -> None:
        super().__init__(store)
        self._costs = store.costs
        self._gate = gate

    def load(self, id: JobId) -> Job | None:
        return self._gate.read("job", partial(super().load, id))

    def update(self, job: Job, *, expected: Job) -> bool:
        return self._gate.write("update job", partial(self._update, job, expected))

    def _update(self, job: Job, expected: Job) -> bool:
        done = super().update(job, expected=expected)
        self._costs.counts["times of jobs"] += done
        return done

    def drop(self, job: Job) -> bool:
        return self._gate.write("drop job", partial(super().drop, job))

    def due(self, now: datetime, *, limit: int) -> list[Job]:
        return self._gate.read("due jobs", partial(super().due, now, limit=limit))


class SimulatedTimers(MemoryTimers):
    def __init__(self, store: "SimulatedStore", gate: Gate) -> None:
        super().__init__(store)
        self._costs = store.costs
        self._gate = gate

    def due(self, now: datetime, *, limit: int) -> list[Timer]:
        return self._gate.read("due timers", partial(super().due, now, limit=limit))

    def move(self, timer: Timer, *, next_ring_at: datetime, rings: int) -> bool:
        act = partial(self._move, timer, next_ring_at=next_ring_at, rings=rings)
        return self._gate.write("move timer", act)

    def _move(self, timer: Timer, *, next_ring_at: datetime, rings: int) -> bool:
        moved = super().move(timer, next_ring_at=next_ring_at, rings=rings)
        self._costs.counts["times of timers"] += moved
        return moved


class SimulatedStore(MemoryStore):
    """`narrow`: a transaction refuses what could be left to an intent, as if it were too large; so
    small workflows have intents, too."""

    ports: type[SimulatedWorkflows] = SimulatedWorkflows
    narrow = False

    def __init__(self, schedule: Schedule, faults: Faults, gate: Gate) -> None:
        super().__init__()
        self.costs = Costs()
        self.schedule = schedule
        self.faults = faults
        self.eyes: Eyes | None = None
        self.changed: Callable[[GroupId, int], None] = lambda group, restarts: None
        self.ended: Callable[[WorkflowId], None] = lambda workflow: None
        self.plain = MemoryWorkflows(self)
        """What answers at once, and always."""
        self.workflows = self.ports(self, gate)
        self.jobs = SimulatedJobs(self, gate)
        self.timers = SimulatedTimers(self, gate)

    def commit(self, commit: Commit) -> None:
        if self.schedule.chance(self.faults.false_conflict):
            self.schedule.fault("false conflict", commit.cause)
            raise Conflict("somebody else's transaction touched a row", workflow=commit.workflow)
        if self.narrow and could_wait(commit):
            raise TooLarge("a narrow store", workflow=commit.workflow)
        groups = self.stored_groups.get(commit.workflow, {})
        before = {c.after.id: groups[c.after.id] for c in commit.groups if c.after.id in groups}
        self.write(commit)
        self.schedule.say(f"  committed: {commit.cause} {_in_short(commit)}")
        if self.eyes is not None:
            self.eyes.committed(commit, before)
        moved = commit.workflow_change
        if moved and moved.after.status.final and not moved.before.status.final:
            self.ended(commit.workflow)
        for id in before:
            self.changed(id, self.stored_groups[commit.workflow][id].value.restarts)

    def write(self, commit: Commit) -> None:
        """The transaction itself."""
        super().commit(commit)

    def keep_details(self, workflow: WorkflowId, told: Iterable[TaskDetail]) -> int:
        told = list(told)
        written = super().keep_details(workflow, told)
        self.costs.explained(told, written)
        return written

    def keep_audit(self, change: Audited) -> None:
        """Written rows are counted, nothing is kept: a sixth of the time of a schedule went into
        it."""
        match change:
            case Commit():
                self.costs.committed(change)
            case Creation():
                self.costs.created(change)
            case _:
                self.costs.large = True

    def create(self, creation: Creation) -> WorkflowId:
        known = set(self.stored_workflows)
        id = super().create(creation)
        self.schedule.say(f"  created: {id}")
        if self.eyes is not None and id not in known:
            self.eyes.created(creation.workflow)
        return id


class SimulatedBackends(MemoryBackends):
    def __init__(self, store: "SimulatedStore", gate: Gate) -> None:
        super().__init__(store)
        self._gate = gate

    def backend(self, name: BackendName) -> Backend | None:
        return self._gate.read("backend", partial(super().backend, name))

    def connection(self, name: BackendName) -> ConnectionId | None:
        """The present one, for who watches."""
        known = super().backend(name)
        return known.connection if known else None

    def hello(
        self,
        name: BackendName,
        *,
        cluster_uid: str,
        boot_id: str,
        version: str,
        connection: ConnectionId,
        now: datetime,
        data_keys: bool = False,
    ) -> Backend:
        act = partial(
            super().hello,
            name,
            cluster_uid=cluster_uid,
            boot_id=boot_id,
            version=version,
            connection=connection,
            now=now,
            data_keys=data_keys,
        )
        return self._gate.write("hello", act)

    def disconnected(self, name: BackendName, connection: ConnectionId) -> None:
        self._gate.write("disconnected", partial(super().disconnected, name, connection))

    def mailbox(self, name: BackendName) -> list[Mail]:
        return self._gate.read("mailbox", partial(super().mailbox, name))


class SimulatedBlobs(MemoryBlobs):
    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.plain = MemoryBlobs()
        self._gate = gate

    def put(self, key: str, body: bytes) -> None:
        self._gate.write("put object", partial(self.plain.put, key, body))

    def get(self, key: str) -> bytes | None:
        return self._gate.read("get object", partial(self.plain.get, key))


class SimulatedDoorbell:
    """`depth` is what the Monitor sees of the queue."""

    def __init__(
        self, gate: Gate, send: Callable[[JobId, float], None], depth: Callable[[], int]
    ) -> None:
        self._gate = gate
        self._send = send
        self._depth = depth

    def ring(self, jobs: Sequence[JobId], *, delay: timedelta = timedelta()) -> None:
        for job in jobs:
            self._gate.tell("ring", partial(self._send, job, delay.total_seconds()))

    def depth(self) -> int:
        return self._gate.tell("depth", self._depth)


class SimulatedAlarm:
    def __init__(
        self, gate: Gate, send: Callable[[tuple[WorkflowId, GroupId], float], None]
    ) -> None:
        self._gate = gate
        self._send = send

    def ring(self, timers: Sequence[tuple[WorkflowId, GroupId]], *, delay: timedelta) -> None:
        for timer in timers:
            self._gate.tell("alarm", partial(self._send, timer, delay.total_seconds()))


class SimulatedNews:
    def __init__(self, gate: Gate, send: Callable[[str, float], None]) -> None:
        self._gate = gate
        self._send = send

    def send(self, bodies: Sequence[str], *, delay: timedelta = timedelta()) -> None:
        """Some may have been taken when it raises, as SQS' batches are."""
        for body in bodies:
            self._gate.write("send news", partial(self._send, body, delay.total_seconds()))
