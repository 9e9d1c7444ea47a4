"""Values of the domain as rows of the table `workflows`, and back."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from xylem.domain.deadlines import deadline
from xylem.domain.group import Cleanup, Group, dressed
from xylem.domain.ids import (
    BackendName,
    GroupId,
    JobId,
    PoolName,
    TaskName,
    UserName,
    WorkflowId,
    WorkflowUuid,
)
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.task import Task
from xylem.domain.values import replace
from xylem.domain.workflow import Counts, Workflow
from xylem.ports.jobs import Job
from xylem.ports.stored import Change, Stored
from xylem.ports.workflows import Entry
from xylem.usecases.footprint import changed_timer, first_ring_of_new
from xylem_aws.tables.workflows import (
    CountsRow,
    EntryRow,
    GroupRow,
    JobRow,
    TaskRow,
    WorkflowRow,
    counts_key,
    due_key,
    group_key,
    job_key,
    live_key,
    task_key,
    timer_key,
    workflow_key,
)

Attributes = Mapping[str, Any]


def workflow_row(workflow: Workflow, version: int) -> WorkflowRow:
    return WorkflowRow(
        *workflow_key(workflow.id),
        version=version,
        uuid=workflow.uuid,
        name=workflow.name,
        user=workflow.user,
        pool=workflow.pool,
        backend=workflow.backend,
        status=workflow.status,
        priority=workflow.priority,
        labels=dict(workflow.labels),
        shards=workflow.shards,
        counts=workflow.counts,
        amounts=dict(workflow.amounts),
        limits=workflow.limits,
        cancel=workflow.cancel,
        sweeping=workflow.sweeping,
        submitted_at=workflow.submitted_at,
        started_at=workflow.started_at,
        ended_at=workflow.ended_at,
        parent=workflow.parent,
        templated=workflow.templated,
        placement=workflow.placement,
        tags=workflow.tags or None,
        app=workflow.app,
        refusal=workflow.refusal or None,
        heard_by=workflow.heard_by or None,
    )


def workflow_of(id: WorkflowId, row: WorkflowRow) -> Stored[Workflow]:
    workflow = Workflow(
        id=id,
        uuid=WorkflowUuid(row.uuid),
        name=row.name,
        user=UserName(row.user),
        pool=PoolName(row.pool),
        backend=BackendName(row.backend),
        submitted_at=row.submitted_at,
        shards=int(row.shards),
        counts=row.counts,
        amounts=row.amounts,
        limits=row.limits,
        cancel=row.cancel,
        sweeping=row.sweeping,
        status=WorkflowStatus(row.status),
        priority=row.priority,
        labels=row.labels,
        started_at=row.started_at,
        ended_at=row.ended_at,
        parent=None if row.parent is None else WorkflowId(row.parent),
        templated=bool(row.templated),
        placement=row.placement,
        tags=row.tags or (),
        app=row.app,
        refusal=row.refusal or "",
        heard_by=row.heard_by or (),
    )
    return Stored(workflow, int(row.version))


def group_row(group: Group, version: int, position: int | None = None) -> GroupRow:
    """`position` is written once, when the workflow is created, and left alone by changes."""
    return GroupRow(
        *group_key(group.workflow, group.id),
        version=version,
        position=position,
        id=group.id,
        workflow=group.workflow,
        name=group.name,
        backend=group.backend,
        status=group.status,
        waits_for=group.waits_for,
        downstream=group.downstream,
        ignore_nonlead_status=group.ignore_nonlead_status,
        message=group.message,
        incarnation=group.incarnation,
        ordinal=group.ordinal,
        created=group.created,
        pending=group.pending,
        cleanup=group.cleanup,
        placed=group.placed,
        shards=group.shards,
        limits=group.limits,
        settling=group.settling,
        restarts=group.restarts or None,
        waiting_since=group.waiting_since,
        scheduling_since=group.scheduling_since,
        running_since=group.running_since,
        processing_at=group.processing_at,
        scheduling_at=group.scheduling_at,
        initializing_at=group.initializing_at,
        started_at=group.started_at,
        ended_at=group.ended_at,
    )


def new_group_row(group: Group, position: int) -> GroupRow:
    row = group_row(group, 1, position)
    due = deadline(group)
    return set_timer(row, due, first_ring_of_new(due)) if due else row


def counts_row(workflow: WorkflowId, shard: int, counts: Counts, version: int) -> CountsRow:
    return CountsRow(*counts_key(workflow, shard), version=version, counts=counts)


def set_timer(row: GroupRow, due_at: datetime, next_ring_at: datetime, rings: int = 0) -> GroupRow:
    row.due_at, row.next_ring_at, row.rings = due_at, next_ring_at, rings
    row.due_pk, row.due_sk = timer_key(
        GroupId(row.id), next_ring_at=next_ring_at, due_at=due_at, rings=rings
    )
    return row


def group_rows(change: Change[Group], at: datetime) -> tuple[GroupRow, GroupRow]:
    """The row before the change and after it. A timer that is as it was is in neither."""
    before = group_row(change.before, change.version)
    after = group_row(change.after, change.version + 1)
    timer = changed_timer(change, at)
    if timer is None:
        return before, after
    if timer.due_at is not None and timer.next_ring_at is not None:
        set_timer(after, timer.due_at, timer.next_ring_at)
    else:
        # Whatever it was, it goes.
        set_timer(before, at, at)
    return before, after


def task_row(group: Group, task: Task, position: int, index: Attributes | None = None) -> TaskRow:
    """`task`: what its own row has to say (`domain.group.bare`). `index`: user, pool and priority,
    which only the creation knows."""
    live = bool(task.ordinal) and not task.status.final
    place = live_key(group.backend, group.id, task.name, task.retry) if live else (None, None)
    return _task_row(group.workflow, group.id, task, position, place, index or {})


def laid_task_row(workflow: Workflow, group: GroupId, task: Task, position: int) -> TaskRow:
    """Of a task that was not handed over, without its group at hand."""
    return _task_row(workflow.id, group, task, position, (None, None), index_of(workflow))


def _task_row(
    workflow: WorkflowId,
    group: GroupId,
    task: Task,
    position: int,
    live: tuple[str | None, str | None],
    index: Attributes,
) -> TaskRow:
    return TaskRow(
        *task_key(workflow, group, task.name, task.retry),
        position=position,
        workflow=workflow,
        name=task.name,
        lead=task.lead,
        retry=task.retry,
        status=task.status,
        ordinal=task.ordinal,
        exit_code=task.exit_code,
        message=task.message,
        uid=task.uid,
        node=task.node,
        pod_ip=task.pod_ip,
        processing_at=task.processing_at,
        scheduling_at=task.scheduling_at,
        initializing_at=task.initializing_at,
        start=task.started_at,
        ended_at=task.ended_at,
        received_at=task.received_at,
        exit_rules=task.exit_rules or None,
        disruptions=task.disruptions or None,
        asked_again=task.asked_again or None,
        resources=task.wants,
        live_pk=live[0],
        live_sk=live[1],
        **index,
    )


def index_of(workflow: Workflow) -> Attributes:
    """What of a workflow the index of live attempts shows."""
    return {"user": workflow.user, "pool": workflow.pool, "priority": workflow.priority}


def group_of(row: GroupRow, tasks: Iterable[TaskRow]) -> Stored[Group]:
    """The newest attempt of each task, in the order of the spec."""
    newest: dict[str, TaskRow] = {}
    for task in tasks:
        known = newest.get(task.name)
        if known is None or task.retry > known.retry:
            newest[task.name] = task
    group = Group(
        id=GroupId(row.id),
        workflow=WorkflowId(row.workflow),
        name=row.name,
        backend=BackendName(row.backend),
        tasks=tuple(
            task_of(task) for task in sorted(newest.values(), key=lambda task: task.position)
        ),
        status=TaskStatus(row.status),
        waits_for=int(row.waits_for),
        downstream=row.downstream,
        ignore_nonlead_status=bool(row.ignore_nonlead_status),
        message=row.message,
        incarnation=int(row.incarnation),
        ordinal=int(row.ordinal),
        created=int(row.created),
        pending=row.pending,
        cleanup=Cleanup(row.cleanup),
        placed=int(row.placed),
        shards=int(row.shards),
        limits=row.limits,
        settling=row.settling,
        restarts=int(row.restarts or 0),
        waiting_since=row.waiting_since,
        scheduling_since=row.scheduling_since,
        running_since=row.running_since,
        processing_at=row.processing_at,
        scheduling_at=row.scheduling_at,
        initializing_at=row.initializing_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
    whole = replace(group, tasks=tuple(dressed(group, task) for task in group.tasks))
    return Stored(whole, int(row.version))


def task_of(row: TaskRow) -> Task:
    return Task(
        name=TaskName(row.name),
        lead=bool(row.lead),
        retry=int(row.retry),
        status=TaskStatus(row.status),
        ordinal=int(row.ordinal),
        exit_code=None if row.exit_code is None else int(row.exit_code),
        message=row.message,
        uid=row.uid,
        node=row.node,
        pod_ip=row.pod_ip,
        processing_at=row.processing_at,
        scheduling_at=row.scheduling_at,
        initializing_at=row.initializing_at,
        started_at=row.start,
        ended_at=row.ended_at,
        received_at=row.received_at,
        exit_rules=row.exit_rules or (),
        disruptions=int(row.disruptions or 0),
        asked_again=int(row.asked_again or 0),
        wants=row.resources,
    )


def job_row(job: Job) -> JobRow:
    due_pk, due_sk = due_key(job)
    return JobRow(
        *job_key(job.id),
        id=job.id,
        work=job.work,
        next_ring_at=job.next_ring_at,
        not_before=job.not_before,
        attempts=job.attempts,
        park_at=job.park_at,
        conflicts=job.conflicts,
        rings=job.rings,
        removing=job.removing,
        last_error=job.last_error,
        due_pk=due_pk,
        due_sk=due_sk,
    )


def job_of(row: JobRow) -> Job:
    return Job(
        id=JobId(row.id),
        work=row.work,
        next_ring_at=row.next_ring_at,
        not_before=row.not_before,
        attempts=int(row.attempts),
        park_at=int(row.park_at),
        conflicts=int(row.conflicts),
        rings=int(row.rings),
        removing=bool(row.removing),
        last_error=row.last_error,
    )


def entry_row(entry: Entry, key: tuple[str, str]) -> EntryRow:
    return EntryRow(
        *key,
        id=entry.id,
        uuid=entry.uuid,
        user=entry.user,
        pool=entry.pool,
        status=entry.status,
        priority=entry.priority,
        submitted_at=entry.submitted_at,
        started_at=entry.started_at,
        ended_at=entry.ended_at,
        labels=dict(entry.labels),
        tags=entry.tags or None,
        app=entry.app,
    )


def entry_of(row: EntryRow) -> Entry:
    return Entry(
        id=WorkflowId(row.id),
        uuid=WorkflowUuid(row.uuid),
        user=UserName(row.user),
        pool=PoolName(row.pool),
        status=WorkflowStatus(row.status),
        priority=row.priority,
        submitted_at=row.submitted_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        labels=row.labels,
        tags=row.tags or (),
        app=row.app,
    )
