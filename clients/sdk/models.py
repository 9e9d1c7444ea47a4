"""The service's answers, as far as clients read them.

Recorded bodies of OSMO are the reference. Fields that are not listed here are kept as they came: a
newer service may say more, and `--format-type json` passes it on. Times are naive UTC on the wire
and aware here, so that nobody subtracts one kind from the other.
"""

import base64
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue

from xylem.domain.status import TaskStatus, WorkflowStatus


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_utc)]


class Answer(BaseModel):
    # A command reads two kinds of answers of thirty: what it does not read is never built.
    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    def _repr_html_(self) -> str:
        from clients.sdk.notebook import html  # noqa: PLC0415 - for notebooks alone

        return html(self)


class Submission(Answer):
    """Of a submit, a validation or a dry run; `spec` only comes from a dry run."""

    name: str
    overview: str | None = None
    logs: str | None = None
    spec: str | None = None
    dashboard_url: str | None = None
    warnings: list[str] = []


class SessionGrant(Answer):
    """`token`: of the client's side, as long as the session lives."""

    session: str
    token: str
    websocket_url: str
    workflow_id: str
    task: str
    retry: int


class AuditChange(Answer):
    """Of a row that came or went, one side is None."""

    row: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditRecord(Answer):
    entity: str
    version: int
    cause: str
    at: Moment
    changes: list[AuditChange]


class AuditPage(Answer):
    records: list[AuditRecord]
    cursor: str | None = None


class Artifact(Answer):
    """A file that an attempt of a task left; `url` opens it for an hour."""

    task: str
    retry: int
    path: str
    size: int
    url: str


class ArtifactPage(Answer):
    artifacts: list[Artifact]
    cursor: str | None = None


class ContainerDetail(Answer):
    """`state`: waiting, running or terminated. `exit_code` is the container's own."""

    name: str
    state: str
    reason: str | None = None
    message: str | None = None
    exit_code: int | None = None
    restarts: int = 0
    start_time: Moment | None = None
    end_time: Moment | None = None


class ConditionDetail(Answer):
    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    since: Moment | None = None


class WarningDetail(Answer):
    reason: str
    message: str | None = None
    count: int = 1
    time: Moment | None = None


class TaskDetail(Answer):
    """What a cluster said of an attempt while it had `status`, told at `time`."""

    status: TaskStatus
    time: Moment
    containers: list[ContainerDetail] = []
    conditions: list[ConditionDetail] = []
    warnings: list[WarningDetail] = []


class Task(Answer):
    """One attempt of a task. `detail`: of a query that is verbose, where something explains it."""

    name: str
    retry_id: int = 0
    status: TaskStatus
    failure_message: str | None = None
    exit_code: int | None = None
    processing_start_time: Moment | None = None
    scheduling_start_time: Moment | None = None
    initializing_start_time: Moment | None = None
    start_time: Moment | None = None
    end_time: Moment | None = None
    pod_name: str = ""
    node_name: str | None = None
    lead: bool = False
    detail: TaskDetail | None = None


class Group(Answer):
    name: str
    status: TaskStatus
    start_time: Moment | None = None
    end_time: Moment | None = None
    failure_message: str | None = None
    remaining_upstream_groups: list[str] | None = None
    downstream_groups: list[str] | None = None
    tasks: list[Task] = []


class Workflow(Answer):
    name: str
    uuid: str
    submitted_by: str
    cancelled_by: str | None = None
    status: WorkflowStatus
    submit_time: Moment
    start_time: Moment | None = None
    end_time: Moment | None = None
    duration: float | None = None
    queued_time: float = 0
    pool: str | None = None
    backend: str | None = None
    priority: str = "NORMAL"
    labels: dict[str, str] = {}
    tags: list[str] = []
    warnings: list[str] = []
    groups: list[Group] = []


class ListedWorkflow(Answer):
    name: str
    user: str
    status: WorkflowStatus
    submit_time: Moment
    start_time: Moment | None = None
    end_time: Moment | None = None
    duration: float | None = None
    queued_time: float = 0
    pool: str | None = None
    priority: str = "NORMAL"
    labels: dict[str, str] = {}


class WorkflowPage(Answer):
    """`cursor`: of the next page, where there may be more."""

    workflows: list[ListedWorkflow]
    more_entries: bool = False
    cursor: str | None = None


class Tags(Answer):
    tags: list[str]


class LogRecord(Answer):
    task: str
    retry: int = 0
    stream: Literal["stdout", "stderr", "control"]
    time: Moment
    text: str
    raw: str | None = None
    """Base64 of what was printed, where it is no text by itself."""

    @property
    def data(self) -> bytes:
        """What was printed, to the byte."""
        return self.text.encode() if self.raw is None else base64.b64decode(self.raw)


class LogPage(Answer):
    records: list[LogRecord]
    cursor: str
    closed: bool
    """Nothing more will come."""
    live: str | None = None
    """Where whoever follows may dial to be told at once."""


class Pool(Answer):
    name: str
    description: str = ""
    status: str | None = None
    """ONLINE, OFFLINE or MAINTENANCE."""
    backend: str
    default_platform: str | None = None


class Pools(Answer):
    pools: dict[str, Pool]


class Backend(Answer):
    """A cluster as the service knows it. `joined`: its operator has dialled in at least once."""

    name: str
    version: str = ""
    k8s_uid: str = ""
    online: bool
    last_heartbeat: Moment | None = None
    joined: bool = True
    draining: bool = False


class Backends(Answer):
    backends: list[Backend]


class Registered(Backend):
    """`websocket_url`: where its operator dials in."""

    websocket_url: str


class Credential(Answer):
    """What may be shown of one: never its payload."""

    cred_name: str
    cred_type: str
    profile: str | None = None


class Credentials(Answer):
    credentials: list[Credential]


class Usage(Answer):
    """GPUs: of a pool, or of several together. OSMO writes them as text."""

    quota_used: int
    quota_free: int
    quota_limit: int
    total_usage: int
    total_capacity: int
    total_free: int


class PoolUsage(Pool):
    resource_usage: Usage


class NodeSet(Answer):
    """Pools that share nodes."""

    pools: list[PoolUsage]


class PoolQuotas(Answer):
    node_sets: list[NodeSet]
    resource_sum: Usage


class Resource(Answer):
    """A node. `exposed_fields`: what a person is shown of what it has; `usage_fields` and
    `non_workflow_usage_fields`: what is taken of it, by workflows and by others."""

    hostname: str
    backend: str
    resource_type: str
    exposed_fields: dict[str, JsonValue]
    usage_fields: dict[str, str]
    non_workflow_usage_fields: dict[str, str] = {}
    allocatable_fields: dict[str, str] = {}
    capacity_fields: dict[str, str] | None = None
    """With what the machine's own system keeps to itself, where its operator tells."""
    taints: list[dict[str, str | None]] = []
    conditions: list[str] | None = None
    pool_platform_labels: dict[str, list[str]] = {}


class Resources(Answer):
    resources: list[Resource]


class PendingReason(Answer):
    """`until`: when something happens by itself, if nothing changes before."""

    waits_for: str
    message: str
    change: str
    since: Moment | None = None
    until: Moment | None = None


class PendingGroup(Answer):
    name: str
    status: TaskStatus
    since: Moment
    reasons: list[PendingReason]


class WhyPending(Answer):
    name: str
    status: WorkflowStatus
    pool: str
    backend: str
    groups: list[PendingGroup]
    more_groups: int = 0


class Version(Answer):
    major: str
    minor: str = "0"
    revision: str = "0"
    hash: str = ""

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.revision}"
