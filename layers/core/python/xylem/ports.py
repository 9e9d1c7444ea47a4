"""What the use cases need of the world. `xylem.memory` and `xylem_aws` provide it, and one contract
suite (`tests/contract`) asks the same promises of both.

Every read on which a write is based is strongly consistent; a `Commit` is one transaction: all of
it or nothing. Rows are the truth, queues are doorbells: what a `Doorbell` loses costs a delay,
never a job.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Literal, Protocol, TypeVar

from xylem.domain.group import Group
from xylem.domain.ids import (
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
from xylem.domain.pool import Pool
from xylem.domain.status import WorkflowStatus
from xylem.domain.workflow import Workflow

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


Work = StartGroups
"""What a job does: a union tagged by `kind`; new kinds of job join here."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job's row. It owns its retries: `next_ring_at` is when the Delayed Job Monitor rings for
    it if nobody has done it by then; before `not_before` nobody tries it."""

    id: JobId
    work: Work
    next_ring_at: datetime
    not_before: datetime
    attempts: int = 0
    rings: int = 0
    last_error: str = ""


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

    `jobs_done` and `mail_done` are deleted on condition that they exist; `mail_dropped` whether or
    not they do. `checks`: groups that must still have the version that was read, though nothing
    changes."""

    workflow: WorkflowId
    cause: str
    at: datetime
    workflow_change: Change[Workflow] | None = None
    groups: tuple[Change[Group], ...] = ()
    jobs: tuple[Job, ...] = ()
    jobs_done: tuple[JobId, ...] = ()
    mail: tuple[Mail, ...] = ()
    mail_done: tuple[tuple[BackendName, MailId], ...] = ()
    mail_dropped: tuple[tuple[BackendName, MailId], ...] = ()


@dataclass(frozen=True, slots=True)
class Creation:
    """The rows of a new workflow, in one transaction. `idempotency`: the caller's key, if any; the
    second creation under the same (user, key) within 24 h makes nothing and answers the first's
    id."""

    workflow: Workflow
    number: int
    groups: tuple[Group, ...]
    jobs: tuple[Job, ...]
    idempotency: str | None = None


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

    def group(self, workflow: WorkflowId, group: GroupId) -> Stored[Group] | None:
        """The group with the newest attempts of its tasks: its row first, then theirs."""
        ...

    def groups(self, workflow: WorkflowId) -> list[Stored[Group]]:
        """All groups, in the order of the spec; none for a workflow that there is not."""
        ...

    def commit(self, commit: Commit) -> None:
        """Raises `Conflict` when any condition failed: then nothing happened. Raises `TooLarge`
        when it needs more actions than a transaction holds; nothing happened then, either."""
        ...

    def next_number(self, name: str) -> int:
        """The number that the next workflow of this name would get."""
        ...

    def create(self, creation: Creation) -> WorkflowId:
        """The id of what was created, or of what was created earlier under the same idempotency
        key. Raises `Conflict` when the number was taken meanwhile, `TooLarge` as `commit` does."""
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
        """Write times, attempts, rings and error, if the row exists with `expected`'s attempts and
        `next_ring_at`. False: it was refused; load again or leave it."""
        ...

    def due(self, now: datetime, *, limit: int) -> list[Job]:
        """Jobs whose `next_ring_at` has passed, found through the index, read consistently."""
        ...


class Doorbell(Protocol):
    def ring(self, jobs: Sequence[JobId], *, delay: timedelta = timedelta()) -> None:
        """Tell the Worker. Never raises: a lost ring is a delay that the Monitor makes good."""
        ...

    def depth(self) -> int:
        """About how many doorbells wait in the queue."""
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

    def arrive(self, attempt: Attempt) -> None:
        """The attempt is at its group's barrier."""
        ...

    def arrived(self, group: GroupId, incarnation: int) -> set[tuple[TaskName, int]]:
        """Who is at the barrier: task and retry."""
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
