"""A user cancels a workflow: recorded at once, in whatever state it is.

A small workflow is cancelled whole by the transaction that records it. A large one gets the record
and an intent, which visits its groups one after the other; a group that has not started by then
does not start any more, because every start checks that there is no cancel. What a cluster holds is
cleaned up by the mailbox, however long the cluster is away.
"""

from xylem.domain.errors import InvalidRequest, TooLarge
from xylem.domain.group import Cancelled
from xylem.domain.ids import UserName, WorkflowId
from xylem.domain.status import WorkflowStatus
from xylem.domain.values import replace
from xylem.domain.workflow import Cancel, Sweeping
from xylem.ports.jobs import SweepWorkflow
from xylem.usecases import intents
from xylem.usecases.apply import Engine, tell
from xylem.usecases.draft import Draft, a_new_job


def cancel(
    id_or_uuid: str, *, by: UserName, message: str = "", force: bool = False, engine: Engine
) -> WorkflowId:
    """Raises `UnknownWorkflow`; `InvalidRequest` for a workflow that has ended otherwise.
    Cancelling again changes nothing, but that `force` ends the grace of what is still being
    deleted."""
    id = engine.workflows.resolve(id_or_uuid)
    cause = f"cancelled by {by}"
    begun = False
    _finish_walk(id, engine)
    try:
        _, commit = intents.change(
            id, cause, lambda draft: _whole(draft, by, message, force), engine=engine
        )
    except TooLarge:
        begun, commit = intents.change(
            id, cause, lambda draft: _begin(draft, by, message, force), engine=engine
        )
    tell(commit, engine=engine)
    if begun:
        _finish_walk(id, engine)
    return id


def _finish_walk(id: WorkflowId, engine: Engine) -> None:
    """An intent on the workflow is finished before anything else is decided about it."""
    if engine.workflows.workflow(id).value.sweeping is not None:
        intents.sweep_workflow(id, engine=engine, job=None)


def _whole(draft: Draft, by: UserName, message: str, force: bool) -> None:
    workflow = draft.workflow()
    if not _record(draft, by, message, force):
        return
    if workflow.shards > 1:
        raise TooLarge("its groups are in several shards", workflow=workflow.id)
    event = Cancelled(by, message, force)
    draft.decide_all((id, event) for id in draft.all_groups())


def _begin(draft: Draft, by: UserName, message: str, force: bool) -> bool:
    """Whether there is a walk to finish."""
    if not _record(draft, by, message, force):
        return False
    job = a_new_job(SweepWorkflow(draft.workflow().id), ids=draft.ids, now=draft.now)
    draft.add_job(job)
    draft.change_workflow(replace(draft.workflow(), sweeping=Sweeping(job.id, "cancel")))
    return True


def _record(draft: Draft, by: UserName, message: str, force: bool) -> bool:
    """False: there is nothing to do. Raises `InvalidRequest`."""
    workflow = draft.workflow()
    cancelled = workflow.cancel is not None
    over = workflow.status.final and workflow.status is not WorkflowStatus.FAILED_CANCELED
    if over and not cancelled and not force:
        raise InvalidRequest(f"Workflow {workflow.id} is already finished.", code="USER")
    if cancelled and not force:
        return False
    if not cancelled and (force or not workflow.status.final):
        record = Cancel(by, draft.now, message, force)
        draft.change_workflow(replace(workflow, cancel=record))
    elif workflow.cancel is not None and not workflow.cancel.force:
        draft.change_workflow(replace(workflow, cancel=replace(workflow.cancel, force=True)))
    return True
