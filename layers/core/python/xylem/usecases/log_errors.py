"""What a failed task said last: OSMO's error log, which is the tail of its containers' logs.

OSMO takes 100 lines of each container from its cluster once the workflow is cleaned up. Here they
are the last lines of the attempt's own log, as soon as it has failed.
"""

import json

from xylem.domain.ids import WorkflowId
from xylem.domain.values import replace
from xylem.ports.blobs import Blobs
from xylem.ports.logs import Logs
from xylem.ports.workflows import Workflows
from xylem.ports.world import Clock, Ids
from xylem.usecases.log_download import Download, answered
from xylem.usecases.log_lines import Wanted, choosing
from xylem.usecases.log_reading import Found, attempts, text

ERROR_LINES = 100


def download(
    workflow: str,
    wanted: Wanted,
    *,
    workflows: Workflows,
    logs: Logs,
    store: Blobs,
    clock: Clock,
    ids: Ids,
) -> Download:
    """As for a log: a line of it may be a megabyte long. Raises as `error_text` does."""
    id = workflows.resolve(workflow)
    said = error_text(id, wanted, workflows=workflows, logs=logs, store=store, clock=clock)
    return answered(id, said.encode(), store=store, ids=ids)


def error_text(
    workflow: WorkflowId,
    wanted: Wanted,
    *,
    workflows: Workflows,
    logs: Logs,
    store: Blobs,
    clock: Clock,
) -> str:
    """Of the task's newest attempt, or of `retry`; nothing where that has not failed. Without a
    task, where the error log of each attempt is, as OSMO says it: null of what did not fail.
    Raises as `text` does."""
    found = attempts(workflow, wanted, workflows)
    if wanted.task is None:
        places = {
            f"{one.attempt.task} retry-{one.attempt.retry}": f"/api/workflow/{workflow}/error_logs"
            f"?task_name={one.attempt.task}&retry_id={one.attempt.retry}"
            if _has_failed(one)
            else None
            for one in found
        }
        return f"Specify task for error logs.\n\n{json.dumps(places, indent=4)}"
    choosing(wanted)
    newest = max(found, key=lambda one: one.attempt.retry, default=None)
    if newest is None or not _has_failed(newest):
        return ""
    lines = wanted.last_n_lines or ERROR_LINES
    wanted = replace(wanted, retry=newest.attempt.retry, last_n_lines=lines)
    said = text(workflow, wanted, workflows=workflows, logs=logs, store=store, clock=clock)
    return "".join(f"{line}\n" for line in said)


def _has_failed(one: Found) -> bool:
    """An attempt that was replaced had failed; of a newest that never began nothing was said."""
    return one.attempt.retry < one.task.retry or (one.task.status.failed and bool(one.task.ordinal))
