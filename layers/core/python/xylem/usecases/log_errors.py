"""What a failed task said last: OSMO's error log, which is the tail of its containers' logs.

OSMO takes 100 lines of each container from its cluster once the workflow is cleaned up. Here they
are the last lines of the attempt's own log, as soon as it has failed.
"""

import json
from collections.abc import Iterator

from xylem.domain.values import replace
from xylem.ports.blobs import Blobs
from xylem.ports.logs import Logs
from xylem.ports.workflows import Workflows
from xylem.ports.world import Clock
from xylem.usecases.log_lines import Wanted, choosing
from xylem.usecases.log_reading import attempts, text

ERROR_LINES = 100


def error_text(
    workflow: str, wanted: Wanted, *, workflows: Workflows, logs: Logs, store: Blobs, clock: Clock
) -> Iterator[str]:
    """Of the task's newest attempt, or of `retry`; nothing where that has not failed. Without a
    task, which ones there are. Raises as `text` does."""
    choosing(wanted)
    found = attempts(workflow, wanted, workflows)
    failed = [
        one
        for one in found
        if one.attempt.retry < one.task.retry or one.task.status.failed and one.task.ordinal
    ]
    if wanted.task is None:
        id = workflows.resolve(workflow)
        links = {
            f"{one.attempt.task} retry-{one.attempt.retry}"
            if one.attempt.retry
            else str(one.attempt.task): f"/api/workflow/{id}/error_logs"
            f"?task_name={one.attempt.task}&retry_id={one.attempt.retry}"
            for one in failed
        }
        return iter(["Specify task for error logs.", "", json.dumps(links)])
    newest = max(one.attempt.retry for one in found)
    if not any(one.attempt.retry == newest for one in failed):
        return iter([])
    lines = wanted.last_n_lines or ERROR_LINES
    wanted = replace(wanted, retry=newest, last_n_lines=lines)
    return text(workflow, wanted, workflows=workflows, logs=logs, store=store, clock=clock)
