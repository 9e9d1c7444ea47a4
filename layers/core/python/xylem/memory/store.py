"""Workflows and jobs in dictionaries, with the backends' mail: what a commit writes as one.

`MemoryStore` holds the rows; the ports are views of it, so that each has its own `load`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from xylem.domain.deadlines import deadline
from xylem.domain.detail import TaskDetail, is_news
from xylem.domain.errors import Conflict, UnknownWorkflow
from xylem.domain.group import Group, dressed
from xylem.domain.idempotency import require_same
from xylem.domain.ids import (
    BackendName,
    GroupId,
    JobId,
    MailId,
    TaskName,
    UserName,
    WorkflowId,
    WorkflowUuid,
    shard_of,
)
from xylem.domain.values import dataclass, replace
from xylem.domain.workflow import Counts, Workflow
from xylem.memory.lists import MemoryLists
from xylem.ports.jobs import Job, Timer
from xylem.ports.listing import Part, Rows, Scope
from xylem.ports.stored import Change, Stored
from xylem.ports.workflows import (
    AuditEntry,
    Commit,
    Creation,
    EarlierAttempt,
    Laying,
    Reservation,
)
from xylem.usecases import audit, footprint
from xylem.usecases.room import require_room

if TYPE_CHECKING:
    from xylem.ports.backends import Mail

T = TypeVar("T")

IDEMPOTENCY = timedelta(hours=24)
REMOVED_AT_ONCE = 25


@dataclass(frozen=True, slots=True)
class _Remembered:
    workflow: WorkflowId
    until: datetime
    request: str


class MemoryStore:
    """`audit`: the differences of every commit, oldest first. `commits` counts them."""

    def __init__(self) -> None:
        self.workflows = MemoryWorkflows(self)
        self.jobs = MemoryJobs(self)
        self.timers = MemoryTimers(self)
        self.audit: list[audit.Audit] = []
        self.stored_jobs: dict[JobId, Job] = {}
        self.mail: dict[tuple[BackendName, MailId], Mail] = {}
        self.stored_workflows: dict[WorkflowId, Stored[Workflow]] = {}
        self.stored_groups: dict[WorkflowId, dict[GroupId, Stored[Group]]] = {}
        self.earlier_attempts: dict[WorkflowId, list[EarlierAttempt]] = {}
        self.stored_counts: dict[tuple[WorkflowId, int], Stored[Counts]] = {}
        self.stored_timers: dict[tuple[WorkflowId, GroupId], Timer] = {}
        self.uuids: dict[WorkflowUuid, WorkflowId] = {}
        self.numbers: dict[str, int] = {}
        self.remembered: dict[tuple[UserName, str], _Remembered] = {}
        self.lists = MemoryLists()
        self.details: dict[WorkflowId, dict[tuple[GroupId, TaskName, int], TaskDetail]] = {}

    @property
    def commits(self) -> int:
        return len(self.audit)

    def commit(self, commit: Commit) -> None:
        require_room(footprint.actions(commit), of=commit.workflow)
        if not self._holds(commit):
            raise Conflict(f"workflow {commit.workflow}", workflow=commit.workflow)
        if moved := commit.workflow_change:
            self.stored_workflows[commit.workflow] = Stored(moved.after, moved.version + 1)
        for shard, counts in commit.counts.items():
            self.stored_counts[commit.workflow, shard] = Stored(counts.after, counts.version + 1)
        for change in commit.groups:
            stored = Stored(change.after, change.version + 1)
            self.stored_groups[commit.workflow][change.after.id] = stored
            self._set_timer(commit, change)
        for group, ended in commit.replaced.items():
            earlier = self.earlier_attempts.setdefault(commit.workflow, [])
            earlier.extend(EarlierAttempt(group, task) for task in ended)
        self.stored_jobs.update((job.id, job) for job in commit.jobs)
        for job in commit.jobs_done:
            del self.stored_jobs[job]
        for job in commit.jobs_dropped:
            self.stored_jobs.pop(job, None)
        for mail in footprint.mail_to_write(commit):
            self.mail[(mail.backend, mail.id)] = mail
        for key in commit.mail_done:
            del self.mail[key]
        for key in footprint.mail_to_drop(commit):
            self.mail.pop(key, None)
        self.keep_audit(commit)

    def keep_audit(self, change: audit.Audited) -> None:
        self.audit.append(audit.of(change))

    def create(self, creation: Creation) -> WorkflowId:
        require_room(footprint.creation_actions(creation), of=creation.workflow.id)
        workflow = creation.workflow
        key = (workflow.user, creation.idempotency) if creation.idempotency else None
        earlier = (
            self.made_under(*key, request=creation.request, now=workflow.submitted_at)
            if key
            else None
        )
        if earlier:
            return earlier
        if creation.removal is not None:
            self._require_unbegun(creation.removal)
            del self.stored_jobs[creation.removal]
        else:
            self._take_number(workflow.id, workflow.name, creation.number)
        self.uuids[workflow.uuid] = workflow.id
        self.stored_workflows[workflow.id] = Stored(workflow, 1)
        laid = self.stored_groups.setdefault(workflow.id, {})
        for group in creation.groups:
            laid[group.id] = Stored(group, 1)
            self._set_first_timer(workflow, group)
        self.stored_jobs.update((job.id, job) for job in creation.jobs)
        if key:
            until = workflow.submitted_at + IDEMPOTENCY
            self.remembered[key] = _Remembered(workflow.id, until, creation.request)
        self.keep_audit(creation)
        return workflow.id

    def made_under(
        self, user: UserName, key: str, *, request: str = "", now: datetime
    ) -> WorkflowId | None:
        earlier = self.remembered.get((user, key))
        if earlier is None or now >= earlier.until:
            return None
        require_same(earlier.request, request)
        return earlier.workflow

    def reserve(self, reservation: Reservation) -> None:
        self._take_number(reservation.workflow, reservation.name, reservation.number)
        self.stored_jobs[reservation.removal.id] = reservation.removal
        self.keep_audit(reservation)

    def lay(self, laying: Laying) -> None:
        require_room(footprint.laying_actions(laying), of=laying.workflow.id)
        self._require_unbegun(laying.removal)
        laid = self.stored_groups.setdefault(laying.workflow.id, {})
        for group in laying.groups:
            laid[group.id] = Stored(group, 1)
            self._set_first_timer(laying.workflow, group)
        for id, _, task in laying.tasks:
            group = laid[id].value
            laid[id] = Stored(replace(group, tasks=(*group.tasks, dressed(group, task))), 1)
        for shard, counts in laying.counts.items():
            self.stored_counts[laying.workflow.id, shard] = Stored(counts, 1)
        self.keep_audit(laying)

    def remove_some(self, workflow: WorkflowId, removal: JobId) -> bool:
        job = self.stored_jobs.get(removal)
        if job is None:
            return False
        self.stored_jobs[removal] = replace(job, removing=True)
        laid = self.stored_groups.get(workflow, {})
        for id in list(laid)[:REMOVED_AT_ONCE]:
            del laid[id]
            self.stored_timers.pop((workflow, id), None)
        if laid:
            return True
        self.stored_groups.pop(workflow, None)
        for key in [key for key in self.stored_counts if key[0] == workflow]:
            del self.stored_counts[key]
        self.audit = [one for one in self.audit if one.workflow != workflow]
        del self.stored_jobs[removal]
        return False

    def keep_details(self, workflow: WorkflowId, told: Iterable[TaskDetail]) -> int:
        kept = self.details.setdefault(workflow, {})
        written = 0
        for one in told:
            key = one.group, one.task, one.retry
            if is_news(one, kept.get(key)):
                kept[key] = one
                written += 1
        return written

    def _take_number(self, id: WorkflowId, name: str, number: int) -> None:
        if number != self.numbers.get(name, 0) + 1:
            raise Conflict(f"workflow {id} exists", workflow=id)
        self.numbers[name] = number

    def _require_unbegun(self, removal: JobId) -> None:
        job = self.stored_jobs.get(removal)
        if job is None or job.removing:
            raise Conflict(f"removal {removal} has begun")

    def _set_first_timer(self, workflow: Workflow, group: Group) -> None:
        due = deadline(group)
        if due is not None:
            key = workflow.id, group.id
            self.stored_timers[key] = Timer(*key, due, footprint.first_ring_of_new(due))

    def _set_timer(self, commit: Commit, change: Change[Group]) -> None:
        key = commit.workflow, change.after.id
        new = footprint.changed_timer(change, commit.at)
        if new is None:
            return
        self.stored_timers.pop(key, None)
        if new.due_at is not None and new.next_ring_at is not None:
            self.stored_timers[key] = Timer(*key, new.due_at, new.next_ring_at)

    def _holds(self, commit: Commit) -> bool:
        """Every condition of the commit, before anything of it happens."""
        groups = self.stored_groups.get(commit.workflow, {})
        workflow = self.stored_workflows.get(commit.workflow)
        moved = commit.workflow_change
        return (
            (moved is None or _unchanged(workflow, moved))
            and (not commit.uncancelled or (workflow is not None and not workflow.value.cancel))
            and all(
                _unchanged(self.stored_counts.get((commit.workflow, shard)), change)
                for shard, change in commit.counts.items()
            )
            and all(_unchanged(groups.get(change.after.id), change) for change in commit.groups)
            and all(job.id not in self.stored_jobs for job in commit.jobs)
            and all(job in self.stored_jobs for job in commit.jobs_done)
            and all((mail.backend, mail.id) not in self.mail for mail in commit.mail)
            and all(key in self.mail for key in commit.mail_done)
        )


def _unchanged(stored: Stored[T] | None, change: Change[T]) -> bool:
    return stored is not None and stored.version == change.version


class MemoryWorkflows:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def workflow(self, id: WorkflowId) -> Stored[Workflow]:
        try:
            return self._store.stored_workflows[id]
        except KeyError:
            raise UnknownWorkflow(f"Workflow {id} was not found.", workflow=id) from None

    def resolve(self, id_or_uuid: str) -> WorkflowId:
        uuid = WorkflowUuid(id_or_uuid)
        return self.workflow(self._store.uuids.get(uuid, WorkflowId(id_or_uuid))).value.id

    def counts(self, workflow: WorkflowId, shard: int) -> Stored[Counts]:
        try:
            return self._store.stored_counts[workflow, shard]
        except KeyError:
            raise UnknownWorkflow(
                f"Workflow {workflow} was not found.", workflow=workflow
            ) from None

    def group(self, workflow: WorkflowId, group: GroupId) -> Stored[Group] | None:
        return self._store.stored_groups.get(workflow, {}).get(group)

    def groups(self, workflow: WorkflowId, *, shards: int = 1) -> list[Stored[Group]]:
        return list(self._store.stored_groups.get(workflow, {}).values())

    def earlier_attempts(self, workflow: WorkflowId, *, shards: int = 1) -> list[EarlierAttempt]:
        return list(self._store.earlier_attempts.get(workflow, []))

    def audit(self, workflow: WorkflowId, *, after: str = "", limit: int) -> list[AuditEntry]:
        mine = [
            AuditEntry(one.key, one.cause, one.at, one.dump_differences())
            for one in self._store.audit
            if one.workflow == workflow and one.key > after
        ]
        return sorted(mine, key=lambda entry: entry.key)[:limit]

    def shard(
        self, workflow: WorkflowId, shard: int, *, after: GroupId | None = None, limit: int = 100
    ) -> list[Stored[Group]]:
        groups = self._store.stored_groups.get(workflow, {})
        ids = sorted(id for id in groups if shard_of(id) == shard and (not after or id > after))
        return [groups[id] for id in ids[:limit]]

    def live_on(self, backend: BackendName, *, limit: int) -> list[WorkflowId]:
        return [
            workflow
            for workflow, groups in self._store.stored_groups.items()
            if any(
                stored.value.backend == backend
                and any(task.ordinal and not task.status.final for task in stored.value.tasks)
                for stored in groups.values()
            )
        ]

    def commit(self, commit: Commit) -> None:
        self._store.commit(commit)

    def next_number(self, name: str) -> int:
        return self._store.numbers.get(name, 0) + 1

    def made_under(
        self, user: UserName, key: str, *, request: str = "", now: datetime
    ) -> WorkflowId | None:
        return self._store.made_under(user, key, request=request, now=now)

    def create(self, creation: Creation) -> WorkflowId:
        return self._store.create(creation)

    def reserve(self, reservation: Reservation) -> None:
        self._store.reserve(reservation)

    def lay(self, laying: Laying) -> None:
        self._store.lay(laying)

    def remove_some(self, workflow: WorkflowId, removal: JobId) -> bool:
        return self._store.remove_some(workflow, removal)

    def details(self, workflow: WorkflowId, *, shards: int = 1, limit: int) -> list[TaskDetail]:
        return list(self._store.details.get(workflow, {}).values())[:limit]

    def group_details(
        self, workflow: WorkflowId, group: GroupId, first: TaskName, last: TaskName
    ) -> list[TaskDetail]:
        kept = self._store.details.get(workflow, {}).values()
        return [one for one in kept if one.group == group and first <= one.task <= last]

    def keep_details(self, workflow: WorkflowId, told: Iterable[TaskDetail]) -> int:
        return self._store.keep_details(workflow, told)

    def list_part(self, part: Part) -> Rows:
        return self._store.lists.read(part, self._store.stored_workflows)

    def unfinished(self, scope: Scope) -> int:
        return sum(
            1
            for stored in self._store.stored_workflows.values()
            if stored.value.ended_at is None
            and (scope.kind != "user" or stored.value.user == scope.name)
            and (scope.kind != "pool" or stored.value.pool == scope.name)
        )


class MemoryJobs:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def load(self, id: JobId) -> Job | None:
        return self._store.stored_jobs.get(id)

    def add(self, job: Job) -> None:
        self._store.stored_jobs[job.id] = job

    def finish(self, id: JobId) -> None:
        self._store.stored_jobs.pop(id, None)

    def update(self, job: Job, *, expected: Job) -> bool:
        stored = self._store.stored_jobs.get(job.id)
        if stored is None or _retries(stored) != _retries(expected):
            return False
        self._store.stored_jobs[job.id] = replace(job, work=stored.work, removing=stored.removing)
        return True

    def drop(self, job: Job) -> bool:
        stored = self._store.stored_jobs.get(job.id)
        if stored is None or not stored.parked or _retries(stored) != _retries(job):
            return False
        del self._store.stored_jobs[job.id]
        return True

    def due(self, now: datetime, *, limit: int) -> list[Job]:
        stored = self._store.stored_jobs.values()
        due = [job for job in stored if job.next_ring_at <= now and not job.parked]
        return sorted(due, key=lambda job: (job.next_ring_at, job.id))[:limit]

    def parked(self, *, limit: int) -> list[Job]:
        parked = [job for job in self._store.stored_jobs.values() if job.parked]
        return sorted(parked, key=lambda job: (job.next_ring_at, job.id))[:limit]


def _retries(job: Job) -> tuple[int, int, datetime]:
    return job.attempts, job.park_at, job.next_ring_at


class MemoryTimers:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def due(self, now: datetime, *, limit: int) -> list[Timer]:
        due = [timer for timer in self._store.stored_timers.values() if timer.next_ring_at <= now]
        return sorted(due, key=lambda timer: (timer.next_ring_at, timer.group))[:limit]

    def move(self, timer: Timer, *, next_ring_at: datetime, rings: int) -> bool:
        key = timer.workflow, timer.group
        if self._store.stored_timers.get(key) != timer:
            return False
        self._store.stored_timers[key] = replace(timer, next_ring_at=next_ring_at, rings=rings)
        return True
