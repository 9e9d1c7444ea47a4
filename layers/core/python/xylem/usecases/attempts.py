"""Which attempts a task has had, until when each may speak, and new tokens for those that may.

A group's row knows the newest attempt of each task. An older one ended when its successor was made;
it may still send its log for a day: an outage of ours must not cost what a task has printed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from xylem.domain.errors import Forbidden, Gone
from xylem.domain.group import Group
from xylem.domain.task import Task
from xylem.ports import Attempt, Clock, TaskTokens, Workflows

TOKEN_LIFE = timedelta(hours=1)
RENEWED_AFTER_END = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Renewed:
    token: str
    life: timedelta


def ended_at(group: Group, attempt: Attempt) -> datetime | None:
    """When the attempt ended; None while it lives. Raises `Forbidden` for one that never was."""
    task = group.task(attempt.task)
    if task is None or attempt.retry > task.retry or attempt.incarnation > group.incarnation:
        raise Forbidden(
            f"There is no attempt {attempt.retry} of task {attempt.task}.",
            workflow=attempt.workflow,
        )
    if is_newest(group, task, attempt):
        return (task.ended_at or _unknown()) if task.status.final else None
    return task.processing_at or group.processing_at or _unknown()


def is_newest(group: Group, task: Task, attempt: Attempt) -> bool:
    return (attempt.incarnation, attempt.retry) == (group.incarnation, task.retry)


def current_group(attempt: Attempt, *, workflows: Workflows) -> Group:
    """The group of an attempt that lives. Raises `Gone` when it has ended, `Forbidden`."""
    group = group_of(attempt, workflows=workflows)
    if ended_at(group, attempt) is not None:
        raise Gone(
            f"Attempt {attempt.retry} of task {attempt.task} has ended.", workflow=attempt.workflow
        )
    return group


def group_of(attempt: Attempt, *, workflows: Workflows) -> Group:
    """Raises `Forbidden`."""
    stored = workflows.group(attempt.workflow, attempt.group)
    if stored is None:
        raise Forbidden("The token's group is not one of its workflow.", workflow=attempt.workflow)
    return stored.value


def renew(attempt: Attempt, *, workflows: Workflows, tokens: TaskTokens, clock: Clock) -> Renewed:
    """`attempt` is what a token of ours says, expired or not. Raises `Gone` a day after its end,
    `Forbidden`."""
    now = clock()
    ended = ended_at(group_of(attempt, workflows=workflows), attempt)
    if ended is not None and now - ended >= RENEWED_AFTER_END:
        raise Gone(
            f"Attempt {attempt.retry} of task {attempt.task} ended more than 24 hours ago.",
            workflow=attempt.workflow,
        )
    return Renewed(tokens.sign(attempt, expires=now + TOKEN_LIFE), TOKEN_LIFE)


def _unknown() -> datetime:
    """Long ago: what has no time of its end is not waited for."""
    return datetime(1970, 1, 1, tzinfo=UTC)
