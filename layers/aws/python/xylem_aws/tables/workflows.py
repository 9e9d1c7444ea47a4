"""The table `workflows`: workflows with their groups and attempts, jobs, audit, lists, numbers."""

import hashlib
from datetime import datetime
from typing import Annotated, Literal, cast

from pydantic import Field
from pynamodb.attributes import (
    BooleanAttribute,
    DiscriminatorAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection, KeysOnlyProjection
from pynamodb.models import Model

from xylem.domain.app import AppUse
from xylem.domain.detail import Detail
from xylem.domain.exits import ExitRule
from xylem.domain.group import Pending, Settling
from xylem.domain.ids import BackendName, GroupId, JobId, TaskName, UserName, WorkflowId, shard_of
from xylem.domain.node import Amounts
from xylem.domain.placement import Choice
from xylem.domain.plan import Limits
from xylem.domain.workflow import Amount, Cancel, Counts, Sweeping
from xylem.ports import listing
from xylem.ports.jobs import Job, Timer, Work
from xylem.ports.listing import Scope
from xylem_aws.tables.attributes import Json
from xylem_aws.tables.keys import moment, shard


class DueIndex(GlobalSecondaryIndex["DueKeys"]):
    """Which jobs and which groups' timers are due, over 16 shards each. It lags, so what it gives
    is read again, or changed on condition."""

    class Meta:
        index_name = "due"
        projection = KeysOnlyProjection()

    due_pk = UnicodeAttribute(hash_key=True)
    due_sk = UnicodeAttribute(range_key=True)


class LiveIndex(GlobalSecondaryIndex["LiveKeys"]):
    """Attempts between hand-over and end, by backend."""

    class Meta:
        index_name = "live"
        projection = IncludeProjection(
            ["workflow", "user", "pool", "node", "status", "start", "priority", "resources"]
        )

    live_pk = UnicodeAttribute(hash_key=True)
    live_sk = UnicodeAttribute(range_key=True)


class WorkflowsTable(Model):
    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    due = DueIndex()
    live = LiveIndex()


class WorkflowRow(WorkflowsTable):
    version = NumberAttribute()
    uuid = UnicodeAttribute()
    name = UnicodeAttribute()
    user = UnicodeAttribute()
    pool = UnicodeAttribute()
    backend = UnicodeAttribute()
    status = UnicodeAttribute()
    priority = UnicodeAttribute()
    labels = Json(dict[str, str])
    shards = NumberAttribute()
    counts = Json(Counts)
    amounts = Json(dict[int, Amount])
    limits = Json(Limits)
    cancel = Json(Cancel, null=True)
    sweeping = Json(Sweeping, null=True)
    submitted_at = UTCDateTimeAttribute()
    started_at = UTCDateTimeAttribute(null=True)
    ended_at = UTCDateTimeAttribute(null=True)
    parent = UnicodeAttribute(null=True)
    templated = BooleanAttribute()
    placement = Json(Choice, null=True)
    tags = Json(tuple[str, ...], null=True)
    app = Json(AppUse, null=True)
    refusal = UnicodeAttribute(null=True)
    heard_by = Json(tuple[str, ...], null=True)


class UuidRow(WorkflowsTable):
    workflow = UnicodeAttribute()


class ShardRow(WorkflowsTable):
    """A group, one of its attempts, or the counters of their shard: they share a partition, and
    `row` says which it is."""

    row = DiscriminatorAttribute()


class CountsRow(ShardRow, discriminator="counts"):
    """Only where a workflow has several shards."""

    version = NumberAttribute()
    counts = Json(Counts)


class GroupRow(ShardRow, discriminator="group"):
    """`position`: in the spec; written once, so a row that is made for a change has none. From
    `due_at` on the group's timer, where it has one: `rings` since it was due."""

    version = NumberAttribute()
    position = NumberAttribute(null=True)
    id = UnicodeAttribute()
    workflow = UnicodeAttribute()
    name = UnicodeAttribute()
    backend = UnicodeAttribute()
    status = UnicodeAttribute()
    waits_for = NumberAttribute()
    downstream = Json(tuple[GroupId, ...])
    ignore_nonlead_status = BooleanAttribute()
    message = UnicodeAttribute()
    incarnation = NumberAttribute()
    ordinal = NumberAttribute()
    created = NumberAttribute()
    pending = Json(tuple[Pending, ...])
    cleanup = UnicodeAttribute()
    placed = NumberAttribute()
    shards = NumberAttribute()
    limits = Json(Limits)
    settling = Json(Settling, null=True)
    restarts = NumberAttribute(null=True)
    waiting_since = UTCDateTimeAttribute(null=True)
    scheduling_since = UTCDateTimeAttribute(null=True)
    running_since = UTCDateTimeAttribute(null=True)
    processing_at = UTCDateTimeAttribute(null=True)
    scheduling_at = UTCDateTimeAttribute(null=True)
    initializing_at = UTCDateTimeAttribute(null=True)
    started_at = UTCDateTimeAttribute(null=True)
    ended_at = UTCDateTimeAttribute(null=True)
    due_at = UTCDateTimeAttribute(null=True)
    next_ring_at = UTCDateTimeAttribute(null=True)
    rings = NumberAttribute(null=True)
    due_pk = UnicodeAttribute(null=True)
    due_sk = UnicodeAttribute(null=True)


class TaskRow(ShardRow, discriminator="task"):
    """One attempt. `position`: in its group. `live_*` stand on it between hand-over and end.

    `user`, `pool` and `priority` are for the index alone, written when the workflow is created."""

    position = NumberAttribute()
    workflow = UnicodeAttribute()
    name = UnicodeAttribute()
    lead = BooleanAttribute()
    retry = NumberAttribute()
    status = UnicodeAttribute()
    ordinal = NumberAttribute()
    exit_code = NumberAttribute(null=True)
    message = UnicodeAttribute()
    uid = UnicodeAttribute(null=True)
    node = UnicodeAttribute(null=True)
    pod_ip = UnicodeAttribute(null=True)
    processing_at = UTCDateTimeAttribute(null=True)
    scheduling_at = UTCDateTimeAttribute(null=True)
    initializing_at = UTCDateTimeAttribute(null=True)
    start = UTCDateTimeAttribute(null=True)
    ended_at = UTCDateTimeAttribute(null=True)
    received_at = UTCDateTimeAttribute(null=True)
    exit_rules = Json(tuple[ExitRule, ...], null=True)
    disruptions = NumberAttribute(null=True)
    asked_again = NumberAttribute(null=True)
    resources = Json(Amounts, null=True)
    user = UnicodeAttribute(null=True)
    pool = UnicodeAttribute(null=True)
    priority = UnicodeAttribute(null=True)
    live_pk = UnicodeAttribute(null=True)
    live_sk = UnicodeAttribute(null=True)


class DetailRow(WorkflowsTable):
    """What explains one attempt, in a partition that no commit reads. `place`: what is told later
    sorts behind."""

    group = UnicodeAttribute()
    task = UnicodeAttribute()
    retry = NumberAttribute()
    status = UnicodeAttribute()
    told_at = UTCDateTimeAttribute()
    place = UnicodeAttribute()
    detail = Json(Detail)


class JobRow(WorkflowsTable):
    id = UnicodeAttribute()
    work = Json(cast("type[Work]", Annotated[Work, Field(discriminator="kind")]))
    next_ring_at = UTCDateTimeAttribute()
    not_before = UTCDateTimeAttribute()
    attempts = NumberAttribute()
    park_at = NumberAttribute()
    conflicts = NumberAttribute()
    rings = NumberAttribute()
    removing = BooleanAttribute()
    last_error = UnicodeAttribute()
    due_pk = UnicodeAttribute()
    due_sk = UnicodeAttribute()


class AuditRow(WorkflowsTable):
    """One commit. `differences`: JSON, as `xylem.usecases.audit` dumps them."""

    cause = UnicodeAttribute()
    at = UTCDateTimeAttribute()
    differences = UnicodeAttribute()


class EntryRow(WorkflowsTable):
    id = UnicodeAttribute()
    uuid = UnicodeAttribute()
    user = UnicodeAttribute()
    pool = UnicodeAttribute()
    status = UnicodeAttribute()
    priority = UnicodeAttribute()
    submitted_at = UTCDateTimeAttribute()
    started_at = UTCDateTimeAttribute(null=True)
    ended_at = UTCDateTimeAttribute(null=True)
    labels = Json(dict[str, str])
    tags = Json(tuple[str, ...], null=True)
    app = Json(AppUse, null=True)


class CounterRow(WorkflowsTable):
    number = NumberAttribute()


class IdempotencyRow(WorkflowsTable):
    """`request`: what the key came with, hashed. `expires_at`: seconds since 1970; DynamoDB removes
    it some time later (TTL)."""

    workflow = UnicodeAttribute()
    request = UnicodeAttribute(null=True)
    expires_at = NumberAttribute()


class LiveKeys(WorkflowsTable):
    """What of the index `live` is read."""

    workflow = UnicodeAttribute()
    live_pk = UnicodeAttribute()
    live_sk = UnicodeAttribute()


class DueKeys(WorkflowsTable):
    """What the index `due` gives of a job or a group: keys alone."""

    due_pk = UnicodeAttribute()
    due_sk = UnicodeAttribute()


Key = tuple[str, str]
"""`pk` and `sk`."""


def workflow_key(id: WorkflowId) -> Key:
    return f"W#{id}", "WORKFLOW"


def uuid_key(uuid: str) -> Key:
    return f"X#{uuid}", "WORKFLOW"


def shard_key(workflow: WorkflowId, shard: int) -> str:
    return f"G#{workflow}#{shard}"


def counts_key(workflow: WorkflowId, shard: int) -> Key:
    return shard_key(workflow, shard), "COUNTS"


def group_key(workflow: WorkflowId, group: GroupId) -> Key:
    """Every row of the group has an `sk` that begins with this one; this one sorts first."""
    return shard_key(workflow, shard_of(group)), f"{group}#"


def task_key(workflow: WorkflowId, group: GroupId, task: TaskName, retry: int) -> Key:
    return shard_key(workflow, shard_of(group)), f"{group}#T#{task}#{retry:06d}"


def details_key(workflow: WorkflowId, shard: int) -> str:
    return f"D#{workflow}#{shard}"


def detail_key(workflow: WorkflowId, group: GroupId, task: TaskName, retry: int) -> Key:
    return details_key(workflow, shard_of(group)), f"{group}#{task}#{retry:06d}"


def live_key(backend: BackendName, group: GroupId, task: TaskName, retry: int) -> Key:
    return live_partition(backend, shard(group)), f"{group}#T#{task}#{retry:06d}"


def live_partition(backend: BackendName, shard: int) -> str:
    return f"{backend}#{shard}"


def job_key(id: JobId) -> Key:
    return f"J#{id}", "JOB"


DueKind = Literal["job", "parked", "timer"]


def due_partition(kind: DueKind, shard: int) -> str:
    return f"{kind}#{shard}"


def due_key(job: Job) -> Key:
    """A parked job is among the parked ones, by the time at which it would have been rung for."""
    kind: DueKind = "parked" if job.parked else "job"
    return due_partition(kind, shard(job.id)), f"{moment(job.next_ring_at)}#{job.id}"


def timer_key(group: GroupId, *, next_ring_at: datetime, due_at: datetime, rings: int) -> Key:
    """All of the timer is in its key, so a sweep reads nothing but the index."""
    place = f"{moment(next_ring_at)}#{moment(due_at)}#{rings:06d}"
    return due_partition("timer", shard(group)), place


def timer_of(row: DueKeys) -> Timer:
    """From the keys alone. Raises `ValueError` for what is no timer's."""
    _, workflow, _ = row.pk.split("#")
    next_ring_at, due_at, rings = row.due_sk.split("#")
    return Timer(
        workflow=WorkflowId(workflow),
        group=GroupId(row.sk.removesuffix("#")),
        due_at=datetime.fromisoformat(due_at),
        next_ring_at=datetime.fromisoformat(next_ring_at),
        rings=int(rings),
    )


def due_until(now: datetime) -> str:
    """At or after the `due_sk` of everything that is due by now: `~` sorts behind every id."""
    return f"{moment(now)}#~"


def audit_key(workflow: WorkflowId, key: str = "") -> Key:
    return f"A#{workflow}", key


def list_partitions(scope: Scope) -> list[str]:
    """Where the entries of this list lie."""
    name = "all" if scope.kind == "all" else f"{scope.kind}:{scope.name}"
    return [f"L#{name}#{number}" for number in range(scope.parts)]


def entry_keys(
    workflow: WorkflowId, user: str, pool: str, submitted_at: datetime
) -> tuple[Key, Key, Key]:
    """The workflow's places in the lists of all, of its user and of its pool."""
    place = listing.place(submitted_at, workflow)
    [mine] = list_partitions(Scope("user", user))
    [its] = list_partitions(Scope("pool", pool))
    return (
        (list_partitions(Scope("all"))[listing.part_of(workflow)], place),
        (mine, place),
        (its, place),
    )


def counter_key(name: str) -> Key:
    return f"N#{name}", "COUNTER"


def idempotency_key(user: UserName, key: str) -> Key:
    """Hashed: a caller's key may be longer than DynamoDB's, and may hold what separates ours."""
    return f"I#{user}#{hashlib.sha256(key.encode()).hexdigest()}", "KEY"
