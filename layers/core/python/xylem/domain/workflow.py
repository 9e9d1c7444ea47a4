"""The life of a workflow: what its groups amount to.

It runs from its first running group on, and ends with its last one: `TABLE`. How it ends follows
from how they did: `VERDICTS`. The picture in `docs/state-machines.md` is made of both.

Groups are counted, not named: a group of a large workflow moves without its workflow being written.
The counts (`Counts`) of a small workflow are in its own row; those of a large one are a row for
each shard of its groups, and the workflow keeps what each shard amounts to (`Amount`), which
changes a few times in its life.

An intent on the workflow (`Sweeping`) is a walk over all of its groups that is not finished: to
start those that wait for nothing, or to cancel all. While one is open the workflow does not end;
who finishes it decides that.
"""

from collections.abc import Callable, Mapping, Set
from datetime import datetime
from typing import Literal

from xylem.domain.app import AppUse
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
from xylem.domain.values import dataclass, field, replace


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
    tags: tuple[str, ...] = ()
    """Sorted; of those that an admin allows."""
    app: AppUse | None = None
    """What it was submitted from, where it was."""
    refusal: str = ""
    """Why it was refused at its submission. It has no groups then, and never moves."""
    heard_by: tuple[str, ...] = ()
    """Who is to hear of its end, as `domain.notification` writes them."""


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
    for row in TABLE:
        if workflow.status in row.states and row.when(workflow, whole):
            return row.then(workflow, whole, at)
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


def _every_group_ended(workflow: Workflow, whole: Amount) -> bool:
    return not whole.live and workflow.sweeping is None


def _a_group_runs(workflow: Workflow, whole: Amount) -> bool:
    return whole.ran


def _end(workflow: Workflow, whole: Amount, at: datetime) -> Workflow:
    return replace(workflow, status=verdict(set(whole.failures)), ended_at=at)


def _run(workflow: Workflow, whole: Amount, at: datetime) -> Workflow:
    return replace(workflow, status=WorkflowStatus.RUNNING, started_at=at)


def verdict(failures: Set[TaskStatus]) -> WorkflowStatus:
    """How the workflow ended whose groups failed in these ways, and in no other."""
    own = failures - {TaskStatus.FAILED_UPSTREAM}
    for row in VERDICTS:
        if row.failure in failures and (not row.alone or len(own) == 1):
            return row.to
    return WorkflowStatus.FAILED if failures else WorkflowStatus.COMPLETED


# The tables --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a group failed as `failure` says, the workflow ends as `to`. `alone`: and no group
    failed in another way, but for those downstream of it."""

    failure: TaskStatus
    to: WorkflowStatus
    alone: bool = False


VERDICTS: tuple[Verdict, ...] = (
    Verdict(TaskStatus.FAILED_CANCELED, WorkflowStatus.FAILED_CANCELED),
    Verdict(TaskStatus.FAILED_SERVER_ERROR, WorkflowStatus.FAILED_SERVER_ERROR),
    Verdict(TaskStatus.FAILED_EXEC_TIMEOUT, WorkflowStatus.FAILED_EXEC_TIMEOUT),
    Verdict(TaskStatus.FAILED_QUEUE_TIMEOUT, WorkflowStatus.FAILED_QUEUE_TIMEOUT),
    Verdict(TaskStatus.FAILED_EVICTED, WorkflowStatus.FAILED_EVICTED, alone=True),
    Verdict(TaskStatus.FAILED_PREEMPTED, WorkflowStatus.FAILED_PREEMPTED, alone=True),
)
"""The first that holds: upstream's, `reference/osmo-workflow-model.md` 3.4. Beyond them a workflow
of which a group failed is FAILED, and any other COMPLETED."""


@dataclass(frozen=True, slots=True)
class Transition:
    """While the workflow is in one of `states` and `when` holds of what its groups amount to,
    `then` makes it one of `to`."""

    states: frozenset[WorkflowStatus]
    when: Callable[[Workflow, Amount], bool]
    then: Callable[[Workflow, Amount, datetime], Workflow]
    to: frozenset[WorkflowStatus]


LIVE = frozenset({WorkflowStatus.PENDING, WorkflowStatus.RUNNING})
ENDED = frozenset({WorkflowStatus.COMPLETED, WorkflowStatus.FAILED, *(row.to for row in VERDICTS)})

TABLE: tuple[Transition, ...] = (
    Transition(LIVE, _every_group_ended, _end, ENDED),
    Transition(
        frozenset({WorkflowStatus.PENDING}),
        _a_group_runs,
        _run,
        frozenset({WorkflowStatus.RUNNING}),
    ),
)
