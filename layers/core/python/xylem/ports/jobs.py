"""Jobs, the timers of groups, and the queues that ring for both."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from xylem.domain.ids import (  # noqa: TC001 - pydantic reads rows by them
    GroupId,
    JobId,
    TaskName,
    WorkflowId,
)
from xylem.domain.values import dataclass
from xylem.ports.task_tokens import Attempt

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class StartGroups:
    """Render these groups of one workflow and put them into their backend's mailbox."""

    workflow: WorkflowId
    groups: tuple[GroupId, ...]
    kind: Literal["start_groups"] = "start_groups"


@dataclass(frozen=True, slots=True)
class SettleGroup:
    """Finish what follows from the end of a group (`domain.group.Settling`)."""

    workflow: WorkflowId
    group: GroupId
    kind: Literal["settle_group"] = "settle_group"


@dataclass(frozen=True, slots=True)
class SweepWorkflow:
    """Finish the walk over a workflow's groups (`domain.workflow.Sweeping`)."""

    workflow: WorkflowId
    kind: Literal["sweep_workflow"] = "sweep_workflow"


@dataclass(frozen=True, slots=True)
class RemoveWorkflow:
    """Take away the rows of a workflow whose creation was never finished."""

    workflow: WorkflowId
    kind: Literal["remove_workflow"] = "remove_workflow"


@dataclass(frozen=True, slots=True)
class MergeLog:
    """Put the chunks of one attempt's log together, until it is closed (`usecases.log_merging`)."""

    workflow: WorkflowId
    group: GroupId
    incarnation: int
    task: TaskName
    retry: int
    kind: Literal["merge_log"] = "merge_log"

    @property
    def attempt(self) -> Attempt:
        return Attempt(self.workflow, self.group, self.incarnation, self.task, self.retry)


@dataclass(frozen=True, slots=True)
class Notify:
    """The workflow ended, and somebody wants to hear of it (`usecases.notifying`)."""

    workflow: WorkflowId
    kind: Literal["notify"] = "notify"


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send one message. `hearer`: to whom, as `domain.notification` writes it."""

    workflow: WorkflowId
    hearer: str
    kind: Literal["deliver"] = "deliver"


Work = StartGroups | SettleGroup | SweepWorkflow | RemoveWorkflow | MergeLog | Notify | Deliver
"""What a job does: a union tagged by `kind`; new kinds of job join here."""

PARK_AFTER = 5
"""Attempts of a job before an admin is asked: OSMO's `max_retry_per_job`."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job's row. It owns its retries: `next_ring_at` is when the Delayed Job Monitor rings for
    it if nobody has done it by then; before `not_before` nobody tries it. With as many `attempts`
    as `park_at` it waits for an admin. `removing`: of a removal, that it has begun."""

    id: JobId
    work: Work
    next_ring_at: datetime
    not_before: datetime
    attempts: int = 0
    park_at: int = PARK_AFTER
    conflicts: int = 0
    rings: int = 0
    removing: bool = False
    last_error: str = ""

    @property
    def parkable(self) -> bool:
        """What others wait for, and what was begun, goes on for ever."""
        return isinstance(self.work, StartGroups)

    @property
    def parked(self) -> bool:
        return self.parkable and self.attempts >= self.park_at


class Jobs(Protocol):
    def load(self, id: JobId) -> Job | None: ...

    def add(self, job: Job) -> None:
        """Of what no commit decides: it has a commit of its own."""
        ...

    def finish(self, id: JobId) -> None:
        """What `add` added is done: its row goes, whether or not it is there."""
        ...

    def update(self, job: Job, *, expected: Job) -> bool:
        """Write times, attempts, conflicts, rings and error, if the row exists with `expected`'s
        attempts, `park_at` and `next_ring_at`. False: it was refused; load again or leave it."""
        ...

    def drop(self, job: Job) -> bool:
        """Take a parked job away, if it is still as it was read. False: it was refused."""
        ...

    def due(self, now: datetime, *, limit: int) -> list[Job]:
        """Jobs whose `next_ring_at` has passed, found through the index, read consistently. Parked
        ones are not among them."""
        ...

    def parked(self, *, limit: int) -> list[Job]:
        """Jobs that wait for an admin."""
        ...


@dataclass(frozen=True, slots=True)
class Timer:
    """When something of a group may be overdue, as its row says. `next_ring_at`: when the Monitor
    rings for it next; `rings` after it was due."""

    workflow: WorkflowId
    group: GroupId
    due_at: datetime
    next_ring_at: datetime
    rings: int = 0


class Timers(Protocol):
    """Rows of groups, seen as their timers."""

    def due(self, now: datetime, *, limit: int) -> list[Timer]:
        """Timers whose `next_ring_at` has passed, found through the index, read consistently."""
        ...

    def move(self, timer: Timer, *, next_ring_at: datetime, rings: int) -> bool:
        """If it is still the timer that was read. False: it was refused; leave it."""
        ...


class Alarm(Protocol):
    """The timers' own queue."""

    def ring(self, timers: Sequence[tuple[WorkflowId, GroupId]], *, delay: timedelta) -> None:
        """Have the Monitor look at these groups after `delay`. Never raises: a lost ring is a delay
        that the next sweep makes good."""
        ...


class Doorbell(Protocol):
    def ring(self, jobs: Sequence[JobId], *, delay: timedelta = timedelta()) -> None:
        """Tell the Worker. Never raises: a lost ring is a delay that the Monitor makes good."""
        ...

    def depth(self) -> int:
        """About how many doorbells wait in the queue."""
        ...
