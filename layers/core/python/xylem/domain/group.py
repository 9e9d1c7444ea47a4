"""A group: tasks that start together, wait for the same groups and end together.

Here is what it is, what can happen to it, and what follows from its state alone; what comes of an
event is in `transitions`.

What a cluster may hold of a group is told by `incarnation`, `ordinal` (the last number given to a
mailbox row) and `pending` (mailbox rows that are not answered yet). `retry` counts a task's
attempts over all incarnations and never starts anew; no attempt is ever made twice. Another attempt
of a task is another ordinal of the same incarnation. Where it is of the lead, or the group wants
all of its tasks, the others begin anew in their pods (`restarts` counts that; they keep their
attempt, as with OSMO).

A start is a fact of the group alone: while a task has nothing of its own to tell, its status, the
ordinal of its create and the time follow from the group (`dressed`), and its row is left alone
(`bare`). So a group of a thousand tasks is started by the change of one row.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from xylem.domain import task as tasks
from xylem.domain.ids import BackendName, GroupId, JobId, TaskName, WorkflowId
from xylem.domain.plan import Limits
from xylem.domain.status import TaskStatus
from xylem.domain.task import PodSeen, Task
from xylem.domain.values import dataclass, replace


class Cleanup(StrEnum):
    """Of the current incarnation: nothing to clean yet, asked of the backend, answered by it."""

    NONE = "none"
    ASKED = "asked"
    DONE = "done"


Order = Literal["create", "cleanup", "observe"]


TaskRange = tuple[str, str]
"""Two bounds of task names, both included, by string order."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A mailbox row that is not answered. `created`: every create up to this ordinal was answered
    when this row was written; an `observe` says nothing about pods that were made after it.
    `asked_at`: when the row was written, by the service's clock. `covered`: of an answer in parts,
    the tasks that parts were whole for so far. `force`: a cleanup without grace."""

    incarnation: int
    ordinal: int
    kind: Order
    created: int
    asked_at: datetime
    covered: tuple[TaskRange, ...] = ()
    force: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """How tasks ended that ended by decision, not by their pods."""

    status: TaskStatus
    message: str
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Settling:
    """The group ended, and not all that follows from it is written yet: an intent. First its live
    tasks end as `ending` says, then the groups downstream are told, if `tell`. `cursor` counts
    both; `job` is the job that finishes it, and the intent's own name."""

    job: JobId
    ending: Ending | None
    tell: bool
    cursor: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """`tasks` are the newest attempts. `waits_for`: upstream groups that have not completed yet.
    `placed`: the ordinal of the create that carried all tasks of this incarnation. `shards`: over
    how many the rows of the workflow's groups are spread. `restarts`: how often its running tasks
    were to begin anew. `..._since`: by the service's clock."""

    id: GroupId
    workflow: WorkflowId
    name: str
    backend: BackendName
    tasks: tuple[Task, ...]
    status: TaskStatus = TaskStatus.WAITING
    waits_for: int = 0
    downstream: tuple[GroupId, ...] = ()
    ignore_nonlead_status: bool = True
    message: str = ""
    incarnation: int = 0
    ordinal: int = 0
    created: int = 0
    pending: tuple[Pending, ...] = ()
    cleanup: Cleanup = Cleanup.NONE
    placed: int = 0
    shards: int = 1
    limits: Limits = Limits()
    settling: Settling | None = None
    restarts: int = 0
    waiting_since: datetime | None = None
    scheduling_since: datetime | None = None
    running_since: datetime | None = None
    processing_at: datetime | None = None
    scheduling_at: datetime | None = None
    initializing_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def task(self, name: TaskName) -> Task | None:
        return next((task for task in self.tasks if task.name == name), None)

    def awaits(self, ordinal: int, kind: Order | None = None) -> Pending | None:
        """The unanswered row of this number; of this kind, where one is given: an answer to another
        kind of question answers nothing."""
        for row in self.pending:
            if row.ordinal == ordinal and kind in (None, row.kind):
                return row
        return None


@dataclass(frozen=True, slots=True)
class UpstreamCompleted:
    kind: Literal["upstream_completed"] = "upstream_completed"


@dataclass(frozen=True, slots=True)
class UpstreamFailed:
    kind: Literal["upstream_failed"] = "upstream_failed"


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The Worker rendered the pods of every attempt that has none; a mailbox row carries them."""

    kind: Literal["handed_over"] = "handed_over"


@dataclass(frozen=True, slots=True)
class StartImpossible:
    """The Worker can never render this group."""

    message: str
    kind: Literal["start_impossible"] = "start_impossible"


@dataclass(frozen=True, slots=True)
class StartParked:
    """The Worker failed too often; an admin is asked."""

    message: str
    kind: Literal["start_parked"] = "start_parked"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The whole workflow is cancelled; every group of it is told so. `force`: without grace."""

    by: str
    message: str = ""
    force: bool = False
    kind: Literal["cancelled"] = "cancelled"


@dataclass(frozen=True, slots=True)
class TimerDue:
    """The group's deadline may have passed. That decides nothing: the backend is asked."""

    kind: Literal["timer_due"] = "timer_due"


@dataclass(frozen=True, slots=True)
class CreateAnswered:
    ordinal: int
    status: Literal["done", "failed", "superseded"]
    message: str = ""
    kind: Literal["create_answered"] = "create_answered"


@dataclass(frozen=True, slots=True)
class CleanupAnswered:
    ordinal: int
    kind: Literal["cleanup_answered"] = "cleanup_answered"


@dataclass(frozen=True, slots=True)
class ObserveAnswered:
    """`pods`: every pod of that incarnation, by a quorum read begun after the request's receipt.

    An answer that is larger than a frame comes in parts, in any order: `tasks` bounds the names of
    the tasks for which this one is whole (None: all), and only theirs can be missing. The question
    stays open until every task was covered."""

    ordinal: int
    pods: tuple[PodSeen, ...]
    tasks: TaskRange | None = None
    kind: Literal["observe_answered"] = "observe_answered"


@dataclass(frozen=True, slots=True)
class AbsenceSeen:
    """An inventory that covers this group has no pod of a task that should have one."""

    kind: Literal["absence_seen"] = "absence_seen"


@dataclass(frozen=True, slots=True)
class AnchorSeen:
    """An inventory shows an anchor of `incarnation` that is not closed."""

    incarnation: int
    kind: Literal["anchor_seen"] = "anchor_seen"


GroupEvent = (
    UpstreamCompleted
    | UpstreamFailed
    | HandedOver
    | StartImpossible
    | StartParked
    | Cancelled
    | TimerDue
    | PodSeen
    | CreateAnswered
    | CleanupAnswered
    | ObserveAnswered
    | AbsenceSeen
    | AnchorSeen
)


def to_start(group: Group) -> bool:
    """There are attempts that may be given to its cluster and were not."""
    return not group.status.final and bool(to_make(group))


def to_make(group: Group) -> list[Task]:
    """The attempts that no mailbox row carries yet, and that may begin."""
    return [
        task for task in group.tasks if task.status is TaskStatus.PROCESSING and not task.ordinal
    ]


def dressed(group: Group, task: Task) -> Task:
    """A task that has nothing of its own yet, with what it has from its group."""
    if group.processing_at is None:
        return task
    return tasks.start(task, group.placed, group.processing_at)


def bare(group: Group, task: Task) -> Task:
    """What a task's own row has to say: less what `dressed` adds again."""
    from_group = task.processing_at == group.processing_at and task.ordinal == group.placed
    if task.status is not TaskStatus.PROCESSING or group.processing_at is None or not from_group:
        return task
    return replace(task, status=TaskStatus.WAITING, processing_at=None, ordinal=0)


def within(task: Task, part: TaskRange | None) -> bool:
    return part is None or part[0] <= task.name <= part[1]
