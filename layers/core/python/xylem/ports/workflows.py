"""Workflows with their groups and tasks, and what one transaction changes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from xylem.domain.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from xylem.domain.app import AppUse
    from xylem.domain.detail import TaskDetail
    from xylem.domain.group import Group
    from xylem.domain.ids import (
        BackendName,
        GroupId,
        JobId,
        MailId,
        PoolName,
        TaskName,
        UserName,
        WorkflowId,
        WorkflowUuid,
    )
    from xylem.domain.status import WorkflowStatus
    from xylem.domain.task import Task
    from xylem.domain.workflow import Counts, Workflow
    from xylem.ports.backends import Mail
    from xylem.ports.jobs import Job
    from xylem.ports.listing import Part, Rows, Scope
    from xylem.ports.stored import Change, Stored


@dataclass(frozen=True, slots=True)
class Commit:
    """One transaction on one workflow. `cause` (who or what, for the audit row) and `at` come
    first; then the rows that it changes, each on condition of the version that was read.

    `jobs_done` and `mail_done` are deleted on condition that they exist; `jobs_dropped` and
    `mail_dropped` whether or not they do. `counts`: of shards, in a workflow of several.
    `uncancelled`: the workflow must hold no cancel. `replaced`: attempts that ended and have a
    newer one in their group now; `owner`: whose workflow it is, where there are any."""

    workflow: WorkflowId
    cause: str
    at: datetime
    workflow_change: Change[Workflow] | None = None
    counts: Mapping[int, Change[Counts]] = field(default_factory=dict)
    groups: tuple[Change[Group], ...] = ()
    uncancelled: bool = False
    replaced: Mapping[GroupId, tuple[Task, ...]] = field(default_factory=dict)
    owner: Workflow | None = None
    jobs: tuple[Job, ...] = ()
    jobs_done: tuple[JobId, ...] = ()
    jobs_dropped: tuple[JobId, ...] = ()
    mail: tuple[Mail, ...] = ()
    mail_done: tuple[tuple[BackendName, MailId], ...] = ()
    mail_dropped: tuple[tuple[BackendName, MailId], ...] = ()


@dataclass(frozen=True, slots=True)
class Creation:
    """What makes a new workflow reachable, in one transaction; of a small workflow all of its rows.
    `idempotency`: the caller's key, if any; the second creation under the same (user, key) within
    24 h makes nothing and answers the first's id. `request`: what the key came with, hashed.
    `removal`: where the groups were laid before, the job that would take them away: it must not
    have begun, and goes."""

    workflow: Workflow
    number: int
    groups: tuple[Group, ...]
    jobs: tuple[Job, ...]
    idempotency: str | None = None
    request: str = ""
    removal: JobId | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """The first transaction of a creation that takes several: the number is taken, and the job that
    removes what is laid is there before anything is. It is not rung for."""

    workflow: WorkflowId
    name: str
    number: int
    removal: Job
    by: UserName
    at: datetime


@dataclass(frozen=True, slots=True)
class Laying:
    """Rows of a workflow that nobody can reach yet: one transaction, if its removal has not begun.
    `positions`: of the groups in the spec. `part` numbers the transactions of one creation."""

    workflow: Workflow
    part: int
    groups: tuple[Group, ...]
    positions: tuple[int, ...]
    removal: JobId
    counts: Mapping[int, Counts] = field(default_factory=dict)
    tasks: tuple[tuple[GroupId, int, Task], ...] = ()
    """Of groups whose own row another part has: the task's place in its group, and the task less
    what it has from its group (`domain.group.bare`)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A workflow in a list."""

    id: WorkflowId
    uuid: WorkflowUuid
    user: UserName
    pool: PoolName
    status: WorkflowStatus
    priority: str
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    labels: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    app: AppUse | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What one commit changed. `key` names it, and sorts: by the version that it brought an entity
    to. `differences`: JSON, as `usecases.audit` writes and reads it."""

    key: str
    cause: str
    at: datetime
    differences: str


class EarlierAttempt(NamedTuple):
    group: GroupId
    task: Task


class Workflows(Protocol):
    def workflow(self, id: WorkflowId) -> Stored[Workflow]:
        """Raises `UnknownWorkflow`."""
        ...

    def resolve(self, id_or_uuid: str) -> WorkflowId:
        """The id of what a person typed. Raises `UnknownWorkflow`."""
        ...

    def counts(self, workflow: WorkflowId, shard: int) -> Stored[Counts]:
        """Of one shard of a workflow that has several. Raises `UnknownWorkflow`."""
        ...

    def group(self, workflow: WorkflowId, group: GroupId) -> Stored[Group] | None:
        """The group with the newest attempts of its tasks: its row first, then theirs."""
        ...

    def groups(self, workflow: WorkflowId, *, shards: int = 1) -> list[Stored[Group]]:
        """All groups, in the order of the spec; none for a workflow that there is not."""
        ...

    def earlier_attempts(self, workflow: WorkflowId, *, shards: int = 1) -> list[EarlierAttempt]:
        """The attempts that newer ones replaced, in no order."""
        ...

    def audit(self, workflow: WorkflowId, *, after: str = "", limit: int) -> list[AuditEntry]:
        """By key, those after `after`. Consistent: who reads them all has every commit."""
        ...

    def shard(
        self, workflow: WorkflowId, shard: int, *, after: GroupId | None = None, limit: int = 100
    ) -> list[Stored[Group]]:
        """Groups of one shard by id, those after one of them."""
        ...

    def live_on(self, backend: BackendName, *, limit: int) -> list[WorkflowId]:
        """Workflows that have attempts there between their first news and their end, each once; at
        least `limit` of them, if there are so many. A read that may lag."""
        ...

    def commit(self, commit: Commit) -> None:
        """Raises `Conflict` when any condition failed: then nothing happened. Raises `TooLarge`
        when it needs more actions than a transaction holds; nothing happened then, either."""
        ...

    def next_number(self, name: str) -> int:
        """The number that the next workflow of this name would get."""
        ...

    def made_under(
        self, user: UserName, key: str, *, request: str = "", now: datetime
    ) -> WorkflowId | None:
        """What this user made under this idempotency key less than 24 h ago. Raises `KeyReused`
        where the key came with another request then."""
        ...

    def create(self, creation: Creation) -> WorkflowId:
        """The id of what was created, or of what was created earlier under the same idempotency
        key. Raises `Conflict` when the number was taken meanwhile, or the removal has begun;
        `KeyReused` as `made_under` does, `TooLarge` as `commit` does."""
        ...

    def reserve(self, reservation: Reservation) -> None:
        """Raises `Conflict` when the number was taken meanwhile."""
        ...

    def lay(self, laying: Laying) -> None:
        """Raises `Conflict` when the removal has begun."""
        ...

    def remove_some(self, workflow: WorkflowId, removal: JobId) -> bool:
        """Mark the removal as begun, and take away some of what was laid; whether there may be
        more. Where nothing is left its own row goes. Nothing happens to a workflow that became
        reachable: its removal is gone."""
        ...

    def details(self, workflow: WorkflowId, *, shards: int = 1, limit: int) -> list[TaskDetail]:
        """What explains attempts with which something is, or was, wrong; in no order."""
        ...

    def group_details(
        self, workflow: WorkflowId, group: GroupId, first: TaskName, last: TaskName
    ) -> list[TaskDetail]:
        """Of one group's tasks from `first` to `last`, both included. Consistent."""
        ...

    def keep_details(self, workflow: WorkflowId, told: Iterable[TaskDetail]) -> int:
        """Each in the place of what was kept of its attempt, unless that was told later, or is the
        same. How many were written. No part of a commit: they explain, and decide nothing."""
        ...

    def list_part(self, part: Part) -> Rows:
        """One read of a list. Consistent: what was submitted is listed."""
        ...

    def unfinished(self, scope: Scope) -> int:
        """How many of a list have not ended. All of it is looked at."""
        ...
