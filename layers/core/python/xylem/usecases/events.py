"""What a cluster said of a workflow's pods, as OSMO's clients read it: a line for each condition,
container and warning, by time.

    2026-06-01 12:00:00+00:00 [train] PodScheduled: False, Reason: Unschedulable, Message: ...
    2026-06-01 12:00:05+00:00 [train retry-1] FailedScheduling: 0/3 nodes are available. (7 times)

The first is OSMO's line of a condition (and ours of a container), the second its line of an event:
clients find a task's by its name in brackets, behind a date and a time. What goes well is not
among them, because an operator tells what explains something. What has no moment of its own has
that at which it was told.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from operator import itemgetter

from xylem.domain.detail import TaskDetail
from xylem.domain.ids import TaskName
from xylem.ports.workflows import Workflows
from xylem.usecases.queries import describe, find_task

MOST_ATTEMPTS = 1_000
"""Of a whole workflow: each has 19 lines at the most. Who names a task has all of its attempts."""

MOST_LINES = 5_000
"""In one answer, the newest: 700 bytes at the most each, and Lambda answers 6 MB. OSMO has 100."""


def text(
    id_or_uuid: str, *, task: str | None = None, retry: int | None = None, workflows: Workflows
) -> list[str]:
    """As with OSMO, `retry` is of a task, and without one the task's newest attempt is meant.
    Raises `UnknownWorkflow`, `UnknownTask`."""
    if not task:
        workflow = workflows.workflow(workflows.resolve(id_or_uuid)).value
        found = workflows.details(workflow.id, shards=workflow.shards, limit=MOST_ATTEMPTS)
        return _by_time(found)
    described = describe(id_or_uuid, workflows=workflows)
    group, newest = find_task(described, task)
    name = TaskName(task)
    wanted = newest.retry if retry is None else retry
    of_task = workflows.group_details(described.workflow.id, group.id, name, name)
    return _by_time(one for one in of_task if one.retry == wanted)


def _by_time(found: Iterable[TaskDetail]) -> list[str]:
    in_order = sorted(found, key=lambda told: (told.task, told.retry))
    lines = sorted((line for told in in_order for line in _lines(told)), key=itemgetter(0))
    return [f"{at} {said}" for at, said in lines[-MOST_LINES:]]


def _lines(told: TaskDetail) -> Iterator[tuple[datetime, str]]:
    who = f"[{told.task} retry-{told.retry}]" if told.retry else f"[{told.task}]"
    for condition in told.detail.conditions:
        because = _because(condition.reason, condition.message)
        at = _at(told, condition.since)
        yield at, f"{who} {condition.type}: {condition.status}{because}"
    for container in told.detail.containers:
        because = _because(container.reason, container.message)
        code = "" if container.exit_code is None else f", Exit code: {container.exit_code}"
        restarts = f", Restarts: {container.restarts}" if container.restarts else ""
        at = _at(told, container.ended_at or container.started_at)
        yield at, f"{who} Container {container.name}: {container.state}{because}{code}{restarts}"
    for warning in told.detail.warnings:
        times = f" ({warning.count} times)" if warning.count > 1 else ""
        yield _at(told, warning.at), f"{who} {warning.reason}: {warning.message}{times}"


def _at(told: TaskDetail, at: datetime | None) -> datetime:
    return (at or told.told_at).astimezone(UTC)


def _because(reason: str, message: str) -> str:
    said = f", Reason: {reason}" if reason else ""
    return f"{said}, Message: {message}" if message else said
