"""Workflows, groups, tasks and jobs as OSMO's clients know them: field for field, null for null.

Times are naive UTC with microseconds, durations are seconds, both as recorded from OSMO 6.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from xylem.domain.ids import pod_name, task_uuid
from xylem.domain.plan import Limits
from xylem.domain.status import WorkflowStatus
from xylem.ports.jobs import (
    Deliver,
    MergeLog,
    Notify,
    RemoveWorkflow,
    SettleGroup,
    StartGroups,
    SweepWorkflow,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from xylem.domain.app import AppUse
    from xylem.domain.credential import KnownCredential
    from xylem.domain.detail import TaskDetail
    from xylem.domain.group import Group
    from xylem.domain.ids import GroupId, WorkflowId, WorkflowUuid
    from xylem.domain.placement import Choice
    from xylem.domain.task import Task
    from xylem.ports.dead_letters import DeadQueue
    from xylem.ports.jobs import Job
    from xylem.ports.workflows import Entry
    from xylem.usecases.queries import Described, Records
    from xylem.usecases.why_pending import Facts, Waiting

View = dict[str, Any]

CANCELED = WorkflowStatus.FAILED_CANCELED

LOG_LINES = 1000
"""How many lines the links in an answer ask for, as OSMO's do."""

MOST_GROUPS = 1_000
"""In one answer: the first in the order of the spec."""


def submitted(id: str) -> View:
    return _submission(id, overview=f"/api/workflow/{id}", logs=f"/api/workflow/{id}/logs")


def validated(name: str) -> View:
    return _submission(name, logs="Workflow validation succeeded.")


def rendered(name: str, spec: str) -> View:
    return _submission(name, spec=spec)


def workflow(found: Described, now: datetime) -> View:
    it = found.workflow
    base = f"/api/workflow/{it.id}"
    return {
        "name": it.id,
        "uuid": it.uuid,
        "submitted_by": it.user,
        "cancelled_by": it.cancel.by if it.cancel and it.status is CANCELED else None,
        "spec": f"{base}/spec",
        "template_spec": f"{base}/spec?use_template=true",
        "logs": f"{base}/logs?last_n_lines={LOG_LINES}",
        "events": f"{base}/events",
        "overview": base,
        **_parent(it.parent),
        "dashboard_url": None,
        "grafana_url": None,
        "tags": list(it.tags),
        "submit_time": time(it.submitted_at),
        "start_time": time(it.started_at),
        "end_time": time(it.ended_at),
        "exec_timeout": it.limits.execution.total_seconds(),
        "queue_timeout": it.limits.queue.total_seconds(),
        "duration": seconds(it.started_at, it.ended_at),
        "queued_time": queued(it.submitted_at, it.started_at or it.ended_at, now),
        "status": it.status,
        "outputs": "",
        "groups": groups(found),
        "pool": it.pool,
        "backend": it.backend,
        **app(it.app),
        "plugins": {"rsync": False},
        "priority": it.priority,
        "labels": dict(it.labels),
        "warnings": it.refusal.splitlines(),
        **_limits(it.limits),
        **({"placement": placement(it.placement)} if it.placement else {}),
    }


def app(it: AppUse | None) -> View:
    return {
        "app_owner": it.owner if it else None,
        "app_name": it.name if it else None,
        "app_version": it.version if it else None,
    }


def _limits(it: Limits) -> View:
    """Those that OSMO's clients do not know, where somebody set them."""
    usual = Limits()
    ours = {
        "start_timeout": (it.start, usual.start),
        "waiting_timeout": (it.waiting, usual.waiting),
        "processing_timeout": (it.processing, usual.processing),
    }
    return {
        name: limit.total_seconds()
        for name, (limit, default) in ours.items()
        if limit is not None and limit != default
    }


def _parent(of: WorkflowId | None) -> View:
    if of is None:
        return {"parent_name": None, "parent_job_id": None}
    name, _, number = of.rpartition("-")
    return {"parent_name": name, "parent_job_id": int(number)}


def groups(found: Described) -> list[View]:
    names = {one.id: one.name for one in found.groups}
    waits_for: dict[GroupId, list[str]] = {}
    for one in found.groups:
        if one.status.failed or not one.status.final:
            for later in one.downstream:
                waits_for.setdefault(later, []).append(one.name)
    return [
        {
            **group(one, found),
            "remaining_upstream_groups": waits_for.get(one.id, []),
            "downstream_groups": [names[id] for id in one.downstream if id in names],
        }
        for one in found.groups
    ]


def group(it: Group, found: Described) -> View:
    earlier: dict[str, list[Task]] = {}
    for attempt in found.earlier.get(it.id, ()):
        earlier.setdefault(attempt.name, []).append(attempt)
    return {
        "name": it.name,
        "status": it.status,
        "start_time": time(it.started_at),
        "end_time": time(it.ended_at),
        "processing_start_time": time(it.processing_at),
        "scheduling_start_time": time(it.scheduling_at),
        "initializing_start_time": time(it.initializing_at),
        "failure_message": it.message or None,
        "tasks": [
            {
                **task(attempt, it, found.workflow.uuid),
                **detail(found.details.get((it.id, attempt.name, attempt.retry))),
            }
            for one in it.tasks
            for attempt in (*earlier.get(one.name, ()), one)
        ],
    }


def task(it: Task, of: Group, workflow: WorkflowUuid) -> View:
    base = f"/api/workflow/{of.workflow}"
    attempt = f"task_name={it.name}&retry_id={it.retry}"
    return {
        "name": it.name,
        "retry_id": it.retry,
        "status": it.status,
        "failure_message": it.message or None,
        "exit_code": it.exit_code,
        "logs": f"{base}/logs?last_n_lines={LOG_LINES}&{attempt}",
        "error_logs": f"{base}/error_logs?{attempt}" if it.status.failed else None,
        "processing_start_time": time(it.processing_at),
        "scheduling_start_time": time(it.scheduling_at),
        "initializing_start_time": time(it.initializing_at),
        "events": f"{base}/events?{attempt}",
        "start_time": time(it.started_at),
        "end_time": time(it.ended_at),
        "input_download_start_time": None,
        "input_download_end_time": None,
        "output_upload_start_time": None,
        "dashboard_url": None,
        "pod_name": pod_name(workflow, of.id, it.name, retry=it.retry, incarnation=of.incarnation),
        "pod_ip": it.pod_ip,
        "task_uuid": task_uuid(of.id, it.name),
        "node_name": it.node,
        "lead": it.lead,
    }


def detail(it: TaskDetail | None) -> View:
    """Ours: what explains an attempt, in the words of its cluster, where something does."""
    if it is None:
        return {}
    return {
        "detail": {
            "status": it.status,
            "time": time(it.told_at),
            "containers": [
                {
                    "name": one.name,
                    "state": one.state,
                    "reason": one.reason or None,
                    "message": one.message or None,
                    "exit_code": one.exit_code,
                    "restarts": one.restarts,
                    "start_time": time(one.started_at),
                    "end_time": time(one.ended_at),
                }
                for one in it.detail.containers
            ],
            "conditions": [
                {
                    "type": one.type,
                    "status": one.status,
                    "reason": one.reason or None,
                    "message": one.message or None,
                    "since": time(one.since),
                }
                for one in it.detail.conditions
            ],
            "warnings": [
                {
                    "reason": one.reason,
                    "message": one.message or None,
                    "count": one.count,
                    "time": time(one.at),
                }
                for one in it.detail.warnings
            ],
        }
    }


def entry(it: Entry, now: datetime) -> View:
    base = f"/api/workflow/{it.id}"
    return {
        "user": it.user,
        "name": it.id,
        "workflow_uuid": it.uuid,
        "submit_time": time(it.submitted_at),
        "start_time": time(it.started_at),
        "end_time": time(it.ended_at),
        "queued_time": queued(it.submitted_at, it.started_at or it.ended_at, now),
        "duration": seconds(it.started_at, it.ended_at),
        "status": it.status,
        "overview": base,
        "logs": f"{base}/logs",
        "error_logs": f"{base}/error_logs" if it.status.failed else None,
        "grafana_url": None,
        "dashboard_url": None,
        "pool": it.pool,
        **app(it.app),
        "priority": it.priority,
        "labels": dict(it.labels),
    }


def audit(it: Records) -> View:
    return {
        "records": [
            {
                "entity": one.entity,
                "version": one.version,
                "cause": one.cause,
                "at": time(one.at),
                "changes": [
                    {"row": change.row, "before": change.before, "after": change.after}
                    for change in one.differences
                ],
            }
            for one in it.records
        ],
        "cursor": it.cursor,
    }


def placement(it: Choice | None) -> View | None:
    """Ours: how the pool was chosen, where several were named."""
    if it is None:
        return None
    return {
        "pool": it.pool,
        "time": time(it.at),
        "considered": [
            {
                "pool": one.pool,
                "outcome": one.outcome,
                "gpus_wanted": one.gpus_wanted,
                "gpus_free": one.gpus_free,
                "gpus_capacity": one.gpus_capacity,
                "quota_left": one.quota_left,
                "tasks_short": one.tasks_short,
                "nodes": one.nodes,
                "reasons": list(one.reasons),
            }
            for one in it.considered
        ],
    }


def why_pending(facts: Facts, waiting: Sequence[Waiting]) -> View:
    """Ours. The first groups of a large workflow, and how many more there are."""
    it = facts.workflow
    return {
        "name": it.id,
        "status": it.status,
        "pool": it.pool,
        "backend": it.backend,
        "time": time(facts.now),
        "groups": [
            {
                "name": one.group,
                "status": one.status,
                "since": time(one.since),
                "reasons": [
                    {
                        "waits_for": reason.gate,
                        "message": reason.message,
                        "since": time(reason.since),
                        "change": reason.change,
                        "until": time(reason.at),
                    }
                    for reason in one.reasons
                ],
            }
            for one in waiting[:MOST_GROUPS]
        ],
        "more_groups": max(len(waiting) - MOST_GROUPS, 0),
    }


def credential(it: KnownCredential) -> View:
    return {"cred_name": it.name, "cred_type": it.kind, "profile": it.profile}


def job(it: Job) -> View:
    return {
        "id": it.id,
        "kind": it.work.kind,
        "workflow": it.work.workflow,
        "groups": _groups_of(it),
        "status": "PARKED" if it.parked else "WAITING",
        "attempts": it.attempts,
        "park_at": it.park_at if it.parkable else None,
        "conflicts": it.conflicts,
        "rings": it.rings,
        "last_error": it.last_error or None,
        "not_before": time(it.not_before),
        "next_ring_time": time(it.next_ring_at),
    }


def _groups_of(it: Job) -> list[str]:
    match it.work:
        case StartGroups(groups=groups):
            return list(groups)
        case SettleGroup(group=group) | MergeLog(group=group):
            return [group]
        case SweepWorkflow() | RemoveWorkflow() | Notify() | Deliver():
            return []
        case _:
            assert_never(it.work)


def dead_queue(it: DeadQueue) -> View:
    return {
        "queue": it.word,
        "depth": it.depth,
        "letters": [
            {
                "id": letter.id,
                "sent_time": time(letter.sent_at),
                "received": letter.received,
                "about": letter.body,
            }
            for letter in it.letters
        ],
    }


def time(at: datetime | None) -> str | None:
    return at.replace(tzinfo=None).isoformat() if at else None


def queued(submitted: datetime, until: datetime | None, now: datetime) -> float:
    return ((until or now) - submitted).total_seconds()


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def _submission(
    name: str, *, overview: str | None = None, logs: str | None = None, spec: str | None = None
) -> View:
    return {
        "name": name,
        "overview": overview,
        "logs": logs,
        "spec": spec,
        "dashboard_url": None,
        "warnings": [],
    }
