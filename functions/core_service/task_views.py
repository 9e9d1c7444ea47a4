"""Tasks in lists as OSMO's clients know them: cores and GPUs are whole, memory and storage GiB."""

from datetime import datetime

from functions.core_service.views import View, time
from xylem.domain.ids import WorkflowId
from xylem.domain.node import CORE, Amounts
from xylem.domain.task import Task
from xylem.usecases.task_list import Found, Sum

_GIB = 1024**3


def one(it: Task, workflow: WorkflowId) -> View:
    return {
        "workflow_id": workflow,
        "task_name": it.name,
        "node": it.node,
        "start_time": time(it.started_at),
        "end_time": time(it.ended_at),
        "status": it.status,
        **_wants(it.wants or Amounts()),
    }


def listed(found: Found, now: datetime) -> View:
    workflow, it = found.workflow, found.task
    base = f"/api/workflow/{workflow.id}"
    attempt = f"task_name={it.name}&retry_id={it.retry}"
    until = it.ended_at or now
    return {
        "user": workflow.user,
        "workflow_id": workflow.id,
        "workflow_uuid": workflow.uuid,
        "task_name": it.name,
        "retry_id": it.retry,
        "pool": workflow.pool,
        "node": it.node,
        "start_time": time(it.started_at),
        "end_time": time(it.ended_at),
        "duration": (until - it.started_at).total_seconds() if it.started_at else None,
        "status": it.status,
        "overview": base,
        "logs": f"{base}/logs?{attempt}",
        "error_logs": f"{base}/error_logs?{attempt}" if it.status.failed else None,
        "grafana_url": None,
        "dashboard_url": None,
        **_wants(it.wants or Amounts()),
        "priority": workflow.priority,
    }


def summed(it: Sum) -> View:
    shown = {
        "user": it.user,
        "pool": it.pool,
        **_wants(it.wants),
        "priority": it.priority,
    }
    return shown if it.workflow is None else {**shown, "workflow_id": it.workflow}


def _wants(it: Amounts) -> View:
    return {
        "storage": it.storage / _GIB,
        "cpu": -(-it.cpu // CORE),
        "memory": it.memory / _GIB,
        "gpu": it.gpu,
    }
