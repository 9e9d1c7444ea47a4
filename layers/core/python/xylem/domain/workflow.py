"""The life of a workflow: what its groups amount to.

    PENDING --the first group runs--> RUNNING --the last group ended--> COMPLETED | FAILED...
       '------------------the last group ended------------------------------^

Groups are counted, not named: a group of a large workflow moves without its workflow being written.
The counts (`Counts`) of a small workflow are in its own row; those of a large one are a row for
each shard of its groups, and the workflow keeps what each shard amounts to (`Amount`), which
changes a few times in its life.

An intent on the workflow (`Sweeping`) is a walk over all of its groups that is not finished: to
start those that wait for nothing, or to cancel all. While one is open the workflow does not end;
who finishes it decides that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from xylem.domain.ids import (
    BackendName,
    GroupId,
    JobId,
    PoolName,
    UserName,
    WorkflowId,
    WorkflowUuid,
)
from xylem.domain.placement import Choice
from xylem.domain.plan import Limits
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.values import replace


@dataclass(frozen=True, slots=True)
class Counts:
    """Groups of one shard. `live`: those that have not ended. `ended`: how many ended in which
    status. `ran`: whether one of them was ever RUNNING."""

    live: int
    ended: Mapping[TaskStatus, int] = field(default_factory=dict)
    ran: bool = False


@dataclass(frozen=True, slots=True)
class Amount:
    """What the counts of a shard mean to the workflow."""

    live: bool
    ran: bool = False
    failures: tuple[TaskStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody wants the workflow to end. `force`: without grace."""

    by: UserName
    at: datetime
    message: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True)
class Sweeping:
    """An intent: every group is visited once, shard by shard, by id. `job` is the job that finishes
    it, and its name; `after` is the last group that was visited in `shard`."""

    job: JobId
    kind: Literal["start", "cancel"]
    shard: int = 0
    after: GroupId | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    """`counts` are of a workflow of one shard, `amounts` of one of several, by shard."""

    id: WorkflowId
    uuid: WorkflowUuid
    name: str
    user: UserName
    pool: PoolName
    backend: BackendName
    submitted_at: datetime
    counts: Counts = Counts(0)
    shards: int = 1
    amounts: Mapping[int, Amount] = field(default_factory=dict)
    status: WorkflowStatus = WorkflowStatus.PENDING
    cancel: Cancel | None = None
    sweeping: Sweeping | None = None
    priority: str = "NORMAL"
    labels: Mapping[str, str] = field(default_factory=dict)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    parent: WorkflowId | None = None
    """The workflow of which this one is a restart, or another submission."""
    templated: bool = False
    """Whether a template, apart from the rendered spec, was submitted and is stored."""
    limits: Limits = Limits()
    placement: Choice | None = None
    """How its pool was chosen, where several were named."""


def counted(counts: Counts, status: TaskStatus) -> Counts:
    """The counts after one of their groups reached `status`; the same object when that is nothing
    to count. A group runs first once and ends once."""
    if status.final:
        ended = {**counts.ended, status: counts.ended.get(status, 0) + 1}
        return replace(counts, live=counts.live - 1, ended=ended)
    if status is TaskStatus.RUNNING and not counts.ran:
        return replace(counts, ran=True)
    return counts


def amount(counts: Counts) -> Amount:
    failures = {status for status, count in counts.ended.items() if count and status.failed}
    return Amount(counts.live > 0, counts.ran, tuple(sorted(failures)))


def moved(workflow: Workflow, shard: int, counts: Counts, at: datetime) -> Workflow:
    """The workflow after the counts of one of its shards became these, by something that happened
    at `at`; the same object when that changes nothing of it."""
    if workflow.status.final:
        return workflow
    if workflow.shards == 1:
        if counts == workflow.counts:
            return workflow
        return _judged(replace(workflow, counts=counts), at)
    now = amount(counts)
    if workflow.amounts.get(shard) == now:
        return workflow
    return _judged(replace(workflow, amounts={**workflow.amounts, shard: now}), at)


def swept(workflow: Workflow, at: datetime) -> Workflow:
    """The intent is finished: the end that had to wait for it is decided now."""
    return _judged(replace(workflow, sweeping=None), at)


def _judged(workflow: Workflow, at: datetime) -> Workflow:
    whole = _whole(workflow)
    if not whole.live and workflow.sweeping is None and not workflow.status.final:
        return replace(workflow, status=_verdict(set(whole.failures)), ended_at=at)
    if whole.ran and workflow.status is WorkflowStatus.PENDING:
        return replace(workflow, status=WorkflowStatus.RUNNING, started_at=at)
    return workflow


def _whole(workflow: Workflow) -> Amount:
    if workflow.shards == 1:
        return amount(workflow.counts)
    parts = workflow.amounts.values()
    return Amount(
        live=any(part.live for part in parts),
        ran=any(part.ran for part in parts),
        failures=tuple(sorted({status for part in parts for status in part.failures})),
    )


def _verdict(failures: set[TaskStatus]) -> WorkflowStatus:
    """Upstream's rule, `reference/osmo-workflow-model.md` 3.4."""
    for status in (
        TaskStatus.FAILED_CANCELED,
        TaskStatus.FAILED_SERVER_ERROR,
        TaskStatus.FAILED_EXEC_TIMEOUT,
        TaskStatus.FAILED_QUEUE_TIMEOUT,
    ):
        if status in failures:
            return WorkflowStatus(status.value)
    own = failures - {TaskStatus.FAILED_UPSTREAM}
    if len(own) == 1:
        return WorkflowStatus(own.pop().value)
    return WorkflowStatus.FAILED if failures else WorkflowStatus.COMPLETED
