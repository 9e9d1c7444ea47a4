"""Workflows and jobs in dictionaries, with the backends' mail: what a commit writes as one.

`MemoryStore` holds the rows; the ports are views of it, so that each has its own `load`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from xylem.domain.errors import Conflict, UnknownWorkflow
from xylem.domain.group import Group
from xylem.domain.ids import BackendName, GroupId, JobId, MailId, UserName, WorkflowId, WorkflowUuid
from xylem.domain.workflow import Workflow
from xylem.ports import Change, Commit, Creation, Entry, Job, Mail, Scope, Stored
from xylem.usecases import audit, footprint

IDEMPOTENCY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _Remembered:
    workflow: WorkflowId
    until: datetime


class MemoryStore:
    """`audit`: the differences of every commit, oldest first. `commits` counts them."""

    def __init__(self) -> None:
        self.workflows = MemoryWorkflows(self)
        self.jobs = MemoryJobs(self)
        self.audit: list[audit.Audit] = []
        self.stored_jobs: dict[JobId, Job] = {}
        self.mail: dict[tuple[BackendName, MailId], Mail] = {}
        self.stored_workflows: dict[WorkflowId, Stored[Workflow]] = {}
        self.stored_groups: dict[WorkflowId, dict[GroupId, Stored[Group]]] = {}
        self.uuids: dict[WorkflowUuid, WorkflowId] = {}
        self.numbers: dict[str, int] = {}
        self.remembered: dict[tuple[UserName, str], _Remembered] = {}

    @property
    def commits(self) -> int:
        return len(self.audit)

    def commit(self, commit: Commit) -> None:
        footprint.require_room(footprint.actions(commit), of=commit.workflow)
        if not self._holds(commit):
            raise Conflict(f"workflow {commit.workflow}", workflow=commit.workflow)
        if moved := commit.workflow_change:
            self.stored_workflows[commit.workflow] = Stored(moved.after, moved.version + 1)
        for change in commit.groups:
            stored = Stored(change.after, change.version + 1)
            self.stored_groups[commit.workflow][change.after.id] = stored
        self.stored_jobs.update((job.id, job) for job in commit.jobs)
        for job in commit.jobs_done:
            del self.stored_jobs[job]
        for mail in footprint.mail_to_write(commit):
            self.mail[(mail.backend, mail.id)] = mail
        for key in commit.mail_done:
            del self.mail[key]
        for key in footprint.mail_to_drop(commit):
            self.mail.pop(key, None)
        self.audit.append(audit.of_commit(commit))

    def create(self, creation: Creation) -> WorkflowId:
        footprint.require_room(footprint.creation_actions(creation), of=creation.workflow.id)
        workflow = creation.workflow
        key = (workflow.user, creation.idempotency) if creation.idempotency else None
        earlier = self.remembered.get(key) if key else None
        if earlier and workflow.submitted_at < earlier.until:
            return earlier.workflow
        if creation.number != self.numbers.get(workflow.name, 0) + 1:
            raise Conflict(f"workflow {workflow.id} exists", workflow=workflow.id)
        self.numbers[workflow.name] = creation.number
        self.uuids[workflow.uuid] = workflow.id
        self.stored_workflows[workflow.id] = Stored(workflow, 1)
        self.stored_groups[workflow.id] = {group.id: Stored(group, 1) for group in creation.groups}
        self.stored_jobs.update((job.id, job) for job in creation.jobs)
        if key:
            until = workflow.submitted_at + IDEMPOTENCY
            self.remembered[key] = _Remembered(workflow.id, until)
        self.audit.append(audit.of_creation(creation))
        return workflow.id

    def _holds(self, commit: Commit) -> bool:
        """Every condition of the commit, before anything of it happens."""
        groups = self.stored_groups.get(commit.workflow, {})
        moved = commit.workflow_change
        return (
            (moved is None or _unchanged(self.stored_workflows.get(commit.workflow), moved))
            and all(_unchanged(groups.get(change.after.id), change) for change in commit.groups)
            and all(job.id not in self.stored_jobs for job in commit.jobs)
            and all(job in self.stored_jobs for job in commit.jobs_done)
            and all((mail.backend, mail.id) not in self.mail for mail in commit.mail)
            and all(key in self.mail for key in commit.mail_done)
        )


def _unchanged(
    stored: Stored[Workflow] | Stored[Group] | None, change: Change[Workflow] | Change[Group]
) -> bool:
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

    def group(self, workflow: WorkflowId, group: GroupId) -> Stored[Group] | None:
        return self._store.stored_groups.get(workflow, {}).get(group)

    def groups(self, workflow: WorkflowId) -> list[Stored[Group]]:
        return list(self._store.stored_groups.get(workflow, {}).values())

    def commit(self, commit: Commit) -> None:
        self._store.commit(commit)

    def next_number(self, name: str) -> int:
        return self._store.numbers.get(name, 0) + 1

    def create(self, creation: Creation) -> WorkflowId:
        return self._store.create(creation)

    def entries(
        self,
        scope: Scope,
        *,
        newest_first: bool = True,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> Iterator[Entry]:
        entries = [
            footprint.entry(stored.value)
            for stored in self._store.stored_workflows.values()
            if _within(stored.value, scope)
        ]
        for entry in sorted(entries, key=_place, reverse=newest_first):
            if (after is None or entry.submitted_at >= after) and (
                before is None or entry.submitted_at < before
            ):
                yield entry


def _within(workflow: Workflow, scope: Scope) -> bool:
    match scope.kind:
        case "all":
            return True
        case "user":
            return workflow.user == scope.name
        case "pool":
            return workflow.pool == scope.name


def _place(entry: Entry) -> tuple[datetime, WorkflowId]:
    return entry.submitted_at, entry.id


class MemoryJobs:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def load(self, id: JobId) -> Job | None:
        return self._store.stored_jobs.get(id)

    def update(self, job: Job, *, expected: Job) -> bool:
        stored = self._store.stored_jobs.get(job.id)
        if stored is None or _retries(stored) != _retries(expected):
            return False
        self._store.stored_jobs[job.id] = replace(job, work=stored.work)
        return True

    def due(self, now: datetime, *, limit: int) -> list[Job]:
        due = [job for job in self._store.stored_jobs.values() if job.next_ring_at <= now]
        return sorted(due, key=lambda job: (job.next_ring_at, job.id))[:limit]


def _retries(job: Job) -> tuple[int, datetime]:
    return job.attempts, job.next_ring_at
