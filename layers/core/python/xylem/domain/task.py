"""One attempt of a task, as far as it is known.

An attempt is started with its group, moved by observations of its pod, and ended by its pod or by
what its group decides for it. `STARTED`, `SEEN` and `ENDED` say which status may follow which; what
they do not list changes nothing. The picture in `docs/state-machines.md` is made of them.

What a pod's end comes to, by exit rules and budgets, is in `retries`. After a RESCHEDULED attempt
comes a next one, which begins as PROCESSING. Times are the pod's own where it told them, with the
time of receipt beside them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from xylem.domain.detail import saying
from xylem.domain.exits import ExitRule
from xylem.domain.ids import TaskName
from xylem.domain.node import Amounts
from xylem.domain.status import TaskStatus
from xylem.domain.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class Task:
    """`ordinal`: of the mailbox row that creates this attempt's pod; 0 until it was handed over.
    `received_at`: when the news that made the last change reached us. `exit_rules`: the task's own,
    then its pool's. `disruptions`, `asked_again`: how many of the attempts before ended by a
    disruption, and how many because a rule asked for another."""

    name: TaskName
    lead: bool = False
    retry: int = 0
    status: TaskStatus = TaskStatus.WAITING
    ordinal: int = 0
    exit_code: int | None = None
    message: str = ""
    uid: str | None = None
    node: str | None = None
    pod_ip: str | None = None
    processing_at: datetime | None = None
    scheduling_at: datetime | None = None
    initializing_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    received_at: datetime | None = None
    exit_rules: tuple[ExitRule, ...] = ()
    disruptions: int = 0
    asked_again: int = 0
    wants: Amounts | None = None
    """What its spec asks for itself; None: nothing, so it has what its platform gives."""


@dataclass(frozen=True, slots=True)
class PodSeen:
    """An observation of the pod of attempt (`incarnation`, `task`, `retry`). `disrupted`: it ended
    by what the node, the scheduler or the cluster did, not by its command. `said`: why it waits or
    ended, in the cluster's own words."""

    incarnation: int
    task: TaskName
    retry: int
    status: TaskStatus
    uid: str = ""
    exit_code: int | None = None
    message: str = ""
    node: str | None = None
    pod_ip: str | None = None
    scheduled_at: datetime | None = None
    initializing_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    disrupted: bool = False
    said: str = ""
    kind: Literal["pod_seen"] = "pod_seen"


Moves = Mapping[TaskStatus, frozenset[TaskStatus]]
"""From a status to those that may follow it."""

_POD_ENDS = frozenset(
    {
        TaskStatus.COMPLETED,
        TaskStatus.FAILED,
        TaskStatus.FAILED_BACKEND_ERROR,
        TaskStatus.FAILED_EVICTED,
        TaskStatus.FAILED_EXEC_TIMEOUT,
        TaskStatus.FAILED_IMAGE_PULL,
        TaskStatus.FAILED_PREEMPTED,
        TaskStatus.FAILED_START_ERROR,
    }
)
_DECIDED = frozenset(
    {
        TaskStatus.COMPLETED,
        TaskStatus.FAILED,
        TaskStatus.FAILED_CANCELED,
        TaskStatus.FAILED_EXEC_TIMEOUT,
        TaskStatus.FAILED_SERVER_ERROR,
    }
)
_NOT_STARTED = frozenset({TaskStatus.FAILED_QUEUE_TIMEOUT})

STARTED: Moves = {TaskStatus.WAITING: frozenset({TaskStatus.PROCESSING})}
"""With its group."""

SEEN: Moves = {
    TaskStatus.PROCESSING: _POD_ENDS
    | {TaskStatus.SCHEDULING, TaskStatus.INITIALIZING, TaskStatus.RUNNING},
    TaskStatus.SCHEDULING: _POD_ENDS | {TaskStatus.INITIALIZING, TaskStatus.RUNNING},
    TaskStatus.INITIALIZING: _POD_ENDS | {TaskStatus.RUNNING, TaskStatus.FAILED_START_TIMEOUT},
    TaskStatus.RUNNING: _POD_ENDS,
}
"""By what its pod shows, which may skip a status. What comes late shows nothing new."""

ENDED: Moves = {
    TaskStatus.WAITING: _NOT_STARTED | {TaskStatus.FAILED_CANCELED, TaskStatus.FAILED_UPSTREAM},
    TaskStatus.PROCESSING: _NOT_STARTED | _DECIDED,
    TaskStatus.SCHEDULING: _NOT_STARTED | _DECIDED,
    TaskStatus.INITIALIZING: _DECIDED,
    TaskStatus.RUNNING: _DECIDED,
}
"""By its group. What has ended already stays as it is."""

SHOWN = frozenset().union(*SEEN.values())
"""Every status that a pod can show."""

_NOWHERE: frozenset[TaskStatus] = frozenset()


def start(task: Task, ordinal: int, at: datetime) -> Task:
    """The attempt started with its group, `ordinal` being that of the create that carries it."""
    if TaskStatus.PROCESSING not in STARTED.get(task.status, _NOWHERE):
        return task
    return replace(task, status=TaskStatus.PROCESSING, processing_at=at, ordinal=ordinal)


def observe(task: Task, seen: PodSeen, now: datetime) -> Task:
    """The attempt after an observation of it; the same object when that was nothing new."""
    if seen.status not in SEEN.get(task.status, _NOWHERE):
        return task
    reached = seen.status.rank
    return replace(
        task,
        status=seen.status,
        exit_code=seen.exit_code if seen.status.final else None,
        message=saying(seen.message, seen.said) if seen.status.failed else seen.message,
        uid=seen.uid or task.uid,
        node=seen.node or task.node,
        pod_ip=seen.pod_ip or task.pod_ip,
        scheduling_at=task.scheduling_at or seen.scheduled_at or now,
        initializing_at=task.initializing_at
        or seen.initializing_at
        or (now if reached == TaskStatus.INITIALIZING.rank else None),
        started_at=task.started_at
        or seen.started_at
        or (now if reached == TaskStatus.RUNNING.rank else None),
        ended_at=(seen.ended_at or now) if seen.status.final else None,
        received_at=now,
    )


def end(
    task: Task, status: TaskStatus, message: str, now: datetime, exit_code: int | None = None
) -> Task:
    """The attempt ended by decision, not by its pod."""
    if status not in ENDED.get(task.status, _NOWHERE):
        return task
    return replace(
        task, status=status, message=message, exit_code=exit_code, ended_at=now, received_at=now
    )
