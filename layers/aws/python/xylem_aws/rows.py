"""Values of the domain as rows of the table `workflows`, and back."""

from collections.abc import Iterable, Mapping
from typing import Any

from xylem.domain.group import Cleanup, Group
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
from xylem.domain.workflow import Workflow
from xylem.ports import Entry, Job, Stored
from xylem_aws.tables.workflows import (
    EntryRow,
    GroupRow,
    JobRow,
    TaskRow,
    WorkflowRow,
    due_key,
    group_key,
    job_key,
    live_key,
    task_key,
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
        live_groups=workflow.live,
        ended=dict(workflow.ended),
        submitted_at=workflow.submitted_at,
        started_at=workflow.started_at,
        ended_at=workflow.ended_at,
        templated=workflow.templated,
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
        live=int(row.live_groups),
        ended=row.ended,
        status=WorkflowStatus(row.status),
        priority=row.priority,
        labels=row.labels,
        started_at=row.started_at,
        ended_at=row.ended_at,
        templated=bool(row.templated),
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
        processing_at=group.processing_at,
        scheduling_at=group.scheduling_at,
        initializing_at=group.initializing_at,
        started_at=group.started_at,
        ended_at=group.ended_at,
    )


def task_row(group: Group, task: Task, position: int, index: Attributes | None = None) -> TaskRow:
    """`index`: user, pool and priority, which only the creation knows."""
    live = bool(task.ordinal) and not task.status.final
    place = live_key(group.backend, group.id, task.name, task.retry) if live else (None, None)
    return TaskRow(
        *task_key(group.workflow, group.id, task.name, task.retry),
        position=position,
        workflow=group.workflow,
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
        live_pk=place[0],
        live_sk=place[1],
        **(index or {}),
    )


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
            _task_of(task) for task in sorted(newest.values(), key=lambda task: task.position)
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
        processing_at=row.processing_at,
        scheduling_at=row.scheduling_at,
        initializing_at=row.initializing_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
    return Stored(group, int(row.version))


def _task_of(row: TaskRow) -> Task:
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
    )


def job_row(job: Job) -> JobRow:
    due_pk, due_sk = due_key(job.id, job.next_ring_at)
    return JobRow(
        *job_key(job.id),
        id=job.id,
        work=job.work,
        next_ring_at=job.next_ring_at,
        not_before=job.not_before,
        attempts=job.attempts,
        rings=job.rings,
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
        rings=int(row.rings),
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
    )
