"""The life of a workflow: what its groups amount to.

    PENDING --the first group runs--> RUNNING --the last group ended--> COMPLETED | FAILED...
       '------------------the last group ended------------------------------^

The workflow row does not name its groups, it counts them; it is written only when that changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from xylem.domain.ids import BackendName, PoolName, UserName, WorkflowId, WorkflowUuid
from xylem.domain.status import TaskStatus, WorkflowStatus


@dataclass(frozen=True, slots=True)
class Workflow:
    """`live`: groups that have not ended. `ended`: how many groups ended in which status."""

    id: WorkflowId
    uuid: WorkflowUuid
    name: str
    user: UserName
    pool: PoolName
    backend: BackendName
    submitted_at: datetime
    live: int
    ended: Mapping[TaskStatus, int] = field(default_factory=dict)
    status: WorkflowStatus = WorkflowStatus.PENDING
    priority: str = "NORMAL"
    labels: Mapping[str, str] = field(default_factory=dict)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    templated: bool = False
    """Whether a template, apart from the rendered spec, was submitted and is stored."""


def group_moved(workflow: Workflow, status: TaskStatus, at: datetime) -> Workflow:
    """The workflow after one of its groups reached `status` at `at`; the same object when that does
    not change what its groups amount to. A group ends once, so each end is counted once."""
    if workflow.status.final:
        return workflow
    if status.final:
        ended = {**workflow.ended, status: workflow.ended.get(status, 0) + 1}
        workflow = replace(workflow, live=workflow.live - 1, ended=ended)
        if workflow.live == 0:
            return replace(workflow, status=_verdict(workflow.ended), ended_at=at)
        return workflow
    if status is TaskStatus.RUNNING and workflow.status is WorkflowStatus.PENDING:
        return replace(workflow, status=WorkflowStatus.RUNNING, started_at=at)
    return workflow


def _verdict(ended: Mapping[TaskStatus, int]) -> WorkflowStatus:
    """Upstream's rule, `reference/osmo-workflow-model.md` 3.4."""
    for status in (
        TaskStatus.FAILED_CANCELED,
        TaskStatus.FAILED_SERVER_ERROR,
        TaskStatus.FAILED_EXEC_TIMEOUT,
        TaskStatus.FAILED_QUEUE_TIMEOUT,
    ):
        if ended.get(status):
            return WorkflowStatus(status.value)
    failures = {status for status, count in ended.items() if count and status.failed}
    failures.discard(TaskStatus.FAILED_UPSTREAM)
    if len(failures) == 1:
        return WorkflowStatus(failures.pop().value)
    if failures or ended.get(TaskStatus.FAILED_UPSTREAM):
        return WorkflowStatus.FAILED
    return WorkflowStatus.COMPLETED
