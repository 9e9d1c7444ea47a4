"""When something of a group is overdue, and how that ends it.

Deadlines follow from the state: what is stored of a timer is a moment in the group's row, which
every commit that changes the state sets anew. By OSMO's count a group is in the queue while nothing
was seen of it but SCHEDULING, a task starts while it is INITIALIZING, and a run counts from the
group's first RUNNING. Beyond OSMO there is a limit for waiting and for getting to the cluster.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from xylem.domain.group import Ending, Group
from xylem.domain.plan import Limits
from xylem.domain.status import TaskStatus


def deadline(group: Group) -> datetime | None:
    """The earliest moment at which something of the group may be overdue; None: never."""
    return min((at for _, at in deadlines(group)), default=None)


Deadline = Literal["waiting", "processing", "queue", "start", "execution"]


def deadlines(group: Group) -> Iterator[tuple[Deadline, datetime]]:
    """What counts now, and until when."""
    limits = group.limits
    if group.status.final:
        return
    if group.status is TaskStatus.WAITING and group.waiting_since and limits.waiting is not None:
        yield "waiting", group.waiting_since + limits.waiting
    if group.status is TaskStatus.PROCESSING and group.processing_at is not None:
        yield "processing", group.processing_at + limits.processing
    if group.status is TaskStatus.SCHEDULING and group.scheduling_since is not None:
        yield "queue", group.scheduling_since + group.limits.queue
    if group.running_since is not None:
        yield "execution", group.running_since + group.limits.execution
    starting = [
        task.received_at
        for task in group.tasks
        if task.status is TaskStatus.INITIALIZING and task.received_at is not None
    ]
    if starting:
        yield "start", min(starting) + group.limits.start


def queue_timeout(limits: Limits) -> Ending:
    return _queue_timeout("stayed in queue", limits.queue)


def never_started(group: Group) -> Ending:
    """It waited for too long, or its cluster never showed it."""
    if group.status is TaskStatus.WAITING and group.limits.waiting is not None:
        return _queue_timeout("waited for tasks upstream", group.limits.waiting)
    return _queue_timeout("was not seen in its cluster for", group.limits.processing)


def _queue_timeout(did: str, limit: timedelta) -> Ending:
    message = f"Task {did} longer than the set limit of {in_words(limit)}."
    return Ending(TaskStatus.FAILED_QUEUE_TIMEOUT, message)


def execution_timeout(limits: Limits) -> Ending:
    message = f"Task ran longer than the set limit of {in_words(limits.execution)}."
    return Ending(TaskStatus.FAILED_EXEC_TIMEOUT, message)


def in_words(limit: timedelta) -> str:
    """`30 minutes`, `1 hours`: OSMO's way, in the largest unit that divides it."""
    for unit, name in (
        (timedelta(days=1), "days"),
        (timedelta(hours=1), "hours"),
        (timedelta(minutes=1), "minutes"),
        (timedelta(seconds=1), "seconds"),
        (timedelta(milliseconds=1), "milliseconds"),
    ):
        if limit % unit == timedelta(0):
            return f"{limit // unit} {name}"
    return f"{limit // timedelta(microseconds=1)} microseconds"
