"""What the use cases need of the world. `xylem.memory` and `xylem_aws` provide it, and one contract
suite (`tests/contract`) asks the same promises of both.

Every read on which a write is based is strongly consistent; a `Commit` is one transaction: all of
it or nothing. Rows are the truth, queues are doorbells: what a `Doorbell` loses costs a delay,
never a job.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Protocol, TypeVar

# Ingest starts without the domain: what is not read at run time is for type checkers alone.
from xylem.domain.ids import (  # noqa: TC001 - pydantic reads rows of jobs by them
    BackendName,
    ConnectionId,
    GroupId,
    JobId,
    MailId,
    PoolName,
    TaskName,
    UserName,
    WorkflowId,
    WorkflowUuid,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from xylem.domain.config import WorkflowConfig
    from xylem.domain.credential import Credential, KnownCredential
    from xylem.domain.group import Group
    from xylem.domain.node import Node
    from xylem.domain.pool import Pool
    from xylem.domain.status import WorkflowStatus
    from xylem.domain.task import Task
    from xylem.domain.workflow import Counts, Workflow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A value and the version that its row had when it was read."""

    value: T
    version: int


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """A row as it was read, under `version`, and as it is to be."""

    version: int
    before: T
    after: T


# Jobs and mail ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartGroups:
    """Render these groups of one workflow and put them into their backend's mailbox."""

    workflow: WorkflowId
    groups: tuple[GroupId, ...]
    kind: Literal["start_groups"] = "start_groups"


@dataclass(frozen=True, slots=True)
class SettleGroup:
    """Finish what follows from the end of a group (`domain.group.Settling`)."""

    workflow: WorkflowId
    group: GroupId
    kind: Literal["settle_group"] = "settle_group"


@dataclass(frozen=True, slots=True)
class SweepWorkflow:
    """Finish the walk over a workflow's groups (`domain.workflow.Sweeping`)."""

    workflow: WorkflowId
    kind: Literal["sweep_workflow"] = "sweep_workflow"


@dataclass(frozen=True, slots=True)
class RemoveWorkflow:
    """Take away the rows of a workflow whose creation was never finished."""

    workflow: WorkflowId
    kind: Literal["remove_workflow"] = "remove_workflow"


Work = StartGroups | SettleGroup | SweepWorkflow | RemoveWorkflow
"""What a job does: a union tagged by `kind`; new kinds of job join here."""

PARK_AFTER = 5
"""Attempts of a job before an admin is asked: OSMO's `max_retry_per_job`."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job's row. It owns its retries: `next_ring_at` is when the Delayed Job Monitor rings for
    it if nobody has done it by then; before `not_before` nobody tries it. With as many `attempts`
    as `park_at` it waits for an admin. `removing`: of a removal, that it has begun."""

    id: JobId
    work: Work
    next_ring_at: datetime
    not_before: datetime
    attempts: int = 0
    park_at: int = PARK_AFTER
    conflicts: int = 0
    rings: int = 0
    removing: bool = False
    last_error: str = ""

    @property
    def parkable(self) -> bool:
        """What others wait for, and what was begun, goes on for ever."""
        return isinstance(self.work, StartGroups)

    @property
    def parked(self) -> bool:
        return self.parkable and self.attempts >= self.park_at


@dataclass(frozen=True, slots=True)
class Mail:
    """A job for a backend: a mailbox row, pushed until it is answered. `payload` is gzipped JSON;
    where it is too large for a frame it lies in the store under `payload_key`."""

    id: MailId
    backend: BackendName
    workflow: WorkflowId
    kind: Literal["create", "cleanup", "observe"]
    ordinal: int
    after: int
    written_at: datetime
    payload: bytes | None = None
    payload_key: str | None = None


# Workflows -------------------------------------------------------------------------------------


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
    24 h makes nothing and answers the first's id. `removal`: where the groups were laid before, the
    job that would take them away: it must not have begun, and goes."""

    workflow: Workflow
    number: int
    groups: tuple[Group, ...]
    jobs: tuple[Job, ...]
    idempotency: str | None = None
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


@dataclass(frozen=True, slots=True)
class Scope:
    """Which list: all workflows, one user's or one pool's."""

    kind: Literal["all", "user", "pool"]
    name: str = ""


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

    def commit(self, commit: Commit) -> None:
        """Raises `Conflict` when any condition failed: then nothing happened. Raises `TooLarge`
        when it needs more actions than a transaction holds; nothing happened then, either."""
        ...

    def next_number(self, name: str) -> int:
        """The number that the next workflow of this name would get."""
        ...

    def made_under(self, user: UserName, key: str, *, now: datetime) -> WorkflowId | None:
        """What this user made under this idempotency key less than 24 h ago."""
        ...

    def create(self, creation: Creation) -> WorkflowId:
        """The id of what was created, or of what was created earlier under the same idempotency
        key. Raises `Conflict` when the number was taken meanwhile, or the removal has begun;
        `TooLarge` as `commit` does."""
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

    def entries(
        self,
        scope: Scope,
        *,
        newest_first: bool = True,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> Iterable[Entry]:
        """A list by time of submission, `after` included and `before` not, lazily: whoever stops
        reading stops paying."""
        ...


class Jobs(Protocol):
    def load(self, id: JobId) -> Job | None: ...

    def update(self, job: Job, *, expected: Job) -> bool:
        """Write times, attempts, conflicts, rings and error, if the row exists with `expected`'s
        attempts, `park_at` and `next_ring_at`. False: it was refused; load again or leave it."""
        ...

    def drop(self, job: Job) -> bool:
        """Take a parked job away, if it is still as it was read. False: it was refused."""
        ...

    def due(self, now: datetime, *, limit: int) -> list[Job]:
        """Jobs whose `next_ring_at` has passed, found through the index, read consistently. Parked
        ones are not among them."""
        ...

    def parked(self, *, limit: int) -> list[Job]:
        """Jobs that wait for an admin."""
        ...


@dataclass(frozen=True, slots=True)
class Timer:
    """When something of a group may be overdue, as its row says. `next_ring_at`: when the Monitor
    rings for it next; `rings` after it was due."""

    workflow: WorkflowId
    group: GroupId
    due_at: datetime
    next_ring_at: datetime
    rings: int = 0


class Timers(Protocol):
    """Rows of groups, seen as their timers."""

    def due(self, now: datetime, *, limit: int) -> list[Timer]:
        """Timers whose `next_ring_at` has passed, found through the index, read consistently."""
        ...

    def move(self, timer: Timer, *, next_ring_at: datetime, rings: int) -> bool:
        """If it is still the timer that was read. False: it was refused; leave it."""
        ...


class Alarm(Protocol):
    """The timers' own queue."""

    def ring(self, timers: Sequence[tuple[WorkflowId, GroupId]], *, delay: timedelta) -> None:
        """Have the Monitor look at these groups after `delay`. Never raises: a lost ring is a delay
        that the next sweep makes good."""
        ...


class Doorbell(Protocol):
    def ring(self, jobs: Sequence[JobId], *, delay: timedelta = timedelta()) -> None:
        """Tell the Worker. Never raises: a lost ring is a delay that the Monitor makes good."""
        ...

    def depth(self) -> int:
        """About how many doorbells wait in the queue."""
        ...


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody could answer, as it was sent. `received`: how often it was
    delivered."""

    id: str
    sent_at: datetime
    received: int
    body: str


@dataclass(frozen=True, slots=True)
class DeadQueue:
    """Where the messages of one queue end (`word`: jobs, news, timers): about how many lie there,
    and some of them."""

    word: str
    depth: int
    letters: tuple[DeadLetter, ...]


class DeadLetters(Protocol):
    def look(self, *, most: int) -> list[DeadQueue]:
        """Every queue of dead letters, with up to `most` of its messages, which all stay."""
        ...


# Operators --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Backend:
    """A cluster as the service knows it. `connection` None: it never said hello, or said goodbye.
    `previous`: the connection before, which the same boot may use for another 60 s."""

    name: BackendName
    cluster_uid: str
    boot_id: str
    version: str
    epoch: int
    connection: ConnectionId | None
    previous: ConnectionId | None
    connected_at: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a frame says about nodes: those as they are, and the names of those that are gone. With
    `whole` all that there are from its first to its last name. `number` counts the frames of a
    boot."""

    backend: BackendName
    boot_id: str
    number: int
    nodes: tuple[Node, ...]
    gone: tuple[str, ...] = ()
    whole: tuple[str, str] | None = None


class Backends(Protocol):
    def backend(self, name: BackendName) -> Backend | None: ...

    def all(self) -> list[Backend]: ...

    def hello(
        self,
        name: BackendName,
        *,
        cluster_uid: str,
        boot_id: str,
        version: str,
        connection: ConnectionId,
        now: datetime,
    ) -> Backend:
        """Counts the epoch and makes `connection` the current one. Raises `Forbidden` when the name
        belongs to another cluster."""
        ...

    def seen(self, name: BackendName, now: datetime) -> None:
        """Any frame counts. The row is written once a minute at most (the caller need not care)."""
        ...

    def disconnected(self, name: BackendName, connection: ConnectionId) -> None:
        """Only if it is still the current one."""
        ...

    def mailbox(self, name: BackendName) -> list[Mail]:
        """All unanswered rows, consistently read, by key."""
        ...

    def nodes(self, name: BackendName) -> list[Node]:
        """By name, as far as its operator told of them: a read that may lag."""
        ...

    def note_nodes(self, facts: NodeFacts) -> int:
        """Write what changed, and take away what is gone; how many rows that were. What a newer
        frame of the same boot said stays."""
        ...


class Links(Protocol):
    """Open sockets, by connection."""

    def push(self, connection: ConnectionId, text: str) -> None:
        """Raises `Gone` when there is nobody any more."""
        ...

    def close(self, connection: ConnectionId) -> None:
        """Closing what is gone is no error."""
        ...


class NewsQueue(Protocol):
    """From ingest to the Agent: durable once `send` returned."""

    def send(self, bodies: Sequence[str], *, delay: timedelta = timedelta()) -> None:
        """Raises `Unavailable` unless all of them were accepted."""
        ...


@dataclass(frozen=True, slots=True)
class Socket:
    """An open connection, and whose it is: the authorizer checked that at `$connect`."""

    connection: ConnectionId
    kind: Literal["user", "operator"]
    subject: UserName
    backend: BackendName | None
    connected_at: datetime


class Connections(Protocol):
    """Who is connected to the WebSocket API. API Gateway may forget to say goodbye, so a row that
    nobody took away expires after the longest life of a socket."""

    def put(
        self,
        connection: ConnectionId,
        *,
        kind: Literal["user", "operator"],
        subject: UserName,
        backend: BackendName | None,
        now: datetime,
    ) -> None: ...

    def get(self, connection: ConnectionId) -> Socket | None: ...

    def of(self, kind: Literal["user", "operator"], subject: UserName) -> list[Socket]:
        """Every socket of one principal, by connection."""
        ...

    def delete(self, connection: ConnectionId) -> None:
        """Deleting what is not there is no error."""
        ...


# Configs, store, tokens -------------------------------------------------------------------------


class Pools(Protocol):
    def pool(self, name: str) -> Pool:
        """Raises `UnknownPool`."""
        ...

    def all(self) -> list[Pool]: ...

    def put(self, pool: Pool, *, author: UserName, now: datetime) -> None:
        """Creates or replaces it; a new revision of the pools' config."""
        ...


class Configs(Protocol):
    def workflow(self) -> WorkflowConfig: ...

    def patch_workflow(
        self, changes: dict[str, Any], *, author: UserName, now: datetime
    ) -> WorkflowConfig:
        """`changes`: fields of it, with checked values. A new revision."""
        ...


class Credentials(Protocol):
    """What users keep: their payloads sealed, so that whoever reads the rows reads no secret."""

    def all(self, user: UserName) -> list[KnownCredential]:
        """Those of one user, by name, consistently read."""
        ...

    def open(self, user: UserName, name: str) -> Credential | None:
        """With its payload. Raises `Unavailable` where the key that it was sealed with is gone."""
        ...

    def put(
        self, user: UserName, credential: Credential, *, replacing: str | None, now: datetime
    ) -> None:
        """In one step with the removal of the one that it replaces, whose name may be the same.
        Raises `Conflict` when that is no longer there, or another has the new one's name."""
        ...

    def delete(self, user: UserName, name: str) -> None:
        """Deleting what is not there is no error."""
        ...


@dataclass(frozen=True, slots=True)
class Blob:
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class BlobPage:
    blobs: tuple[Blob, ...]
    cursor: str | None


class Blobs(Protocol):
    """One bucket."""

    def put(self, key: str, body: bytes) -> None: ...

    def get(self, key: str) -> bytes | None: ...

    def list(self, prefix: str, *, cursor: str | None = None, limit: int = 1000) -> BlobPage: ...

    def get_url(self, key: str, *, expires: timedelta) -> str: ...

    def put_url(self, key: str, *, expires: timedelta) -> str: ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a task's token names, and what the rows of its log are keyed by."""

    workflow: WorkflowId
    group: GroupId
    incarnation: int
    task: TaskName
    retry: int


class TaskTokens(Protocol):
    def sign(self, attempt: Attempt, *, expires: datetime) -> str: ...

    def verify(self, token: str, now: datetime, *, expired_ok: bool = False) -> Attempt:
        """Raises `Unauthenticated`, saying whether it is expired or not ours."""
        ...


# Logs -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored batch: `length` raw spool bytes from `offset`. `body` is the gzip, or lies under
    `key`. Neither: the bytes were merged elsewhere, the key and length stay."""

    offset: int
    length: int
    body: bytes | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class LogTail:
    """The end of an attempt's log. `complete` False: the rest never arrived, a gap follows."""

    length: int
    complete: bool = True


class Logs(Protocol):
    def put_chunk(self, attempt: Attempt, chunk: Chunk) -> Chunk:
        """What is stored at that offset: this chunk, or the one that was there first."""
        ...

    def chunks(self, attempt: Attempt, *, start: int = 0, limit: int = 100) -> list[Chunk]:
        """By offset, from `start`, consistently read."""
        ...

    def end(self, attempt: Attempt) -> LogTail | None: ...

    def put_end(self, attempt: Attempt, tail: LogTail) -> LogTail:
        """What is stored: this one, or the one that was there first."""
        ...

    def arrive(self, attempt: Attempt, restarts: int) -> None:
        """The attempt is at its group's barrier, after so many restarts of the group."""
        ...

    def arrived(self, group: GroupId, incarnation: int, restarts: int) -> set[tuple[TaskName, int]]:
        """Who is at that barrier: task and retry."""
        ...


# Time, names, chance ----------------------------------------------------------------------------


class Clock(Protocol):
    def __call__(self) -> datetime:
        """Now, in UTC, aware."""
        ...


class Ids(Protocol):
    def __call__(self) -> str:
        """32 hex digits, never twice the same."""
        ...
