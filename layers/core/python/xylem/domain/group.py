"""The life of a group: tasks that start together, wait for the same groups and end together.

    WAITING --UpstreamCompleted, the last one--> PROCESSING            StartGroup
       '------UpstreamFailed-------------------> FAILED_UPSTREAM       GroupEnded
    PROCESSING --HandedOver--------------------> PROCESSING            (its pods are in the mailbox)
       '------StartParked----------------------> PROCESSING            (says that an admin is asked)
       '------StartImpossible, CreateAnswered(failed)
              ---------------------------------> FAILED_SERVER_ERROR   CleanUp, GroupEnded
       '------PodSeen--> SCHEDULING, INITIALIZING, RUNNING, as its tasks
    any live state --an attempt ended that is to be tried again--> the same   Replaced
    any live state --its lead ended, or a task failed that may not--> an end   CleanUp, GroupEnded
    any live state --Cancelled--> FAILED_CANCELED  CleanUp (nobody waits for it: all are cancelled)
    WAITING, PROCESSING and not handed over --TimerDue--> FAILED_QUEUE_TIMEOUT   GroupEnded
    any other live state --AbsenceSeen, TimerDue--> the same   Observe
       '------ObserveAnswered: applies what it carries; what is not in it is lost, if the question
              was asked after that attempt's pods were made; what is overdue times out, if the
              question was asked after its time
    any state --AnchorSeen: a cleanup was answered and did not hold--> the same   CleanUp
    an ended state --Cancelled(force), its cleanup not answered--> the same   CleanUp, without grace

`decide` is total and pure. Late and repeated news returns the same state and no effect. What the
table does not list is `Refused`.

What a cluster may hold of a group is told by `incarnation`, `ordinal` (the last number given to a
mailbox row) and `pending` (mailbox rows that are not answered yet). `retry` counts a task's
attempts over all incarnations and never starts anew; no attempt is ever made twice. Another attempt
of a task is another ordinal of the same incarnation. Where it is of the lead, or the group wants
all of its tasks, the others begin anew in their pods (`restarts` counts that; they keep their
attempt, as with OSMO).

A start is a fact of the group alone: while a task has nothing of its own to tell, its status, the
ordinal of its create and the time follow from the group (`dressed`), and its row is left alone
(`bare`). So a group of a thousand tasks is started by the change of one row.

Deadlines follow from the state, too (`deadline`): what is stored of a timer is a moment in the
group's row, which every commit that changes the state sets anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from xylem.domain import task as tasks
from xylem.domain.effects import (
    CleanUp,
    Effect,
    GroupEnded,
    Observe,
    Refused,
    Replaced,
    StartGroup,
)
from xylem.domain.ids import BackendName, GroupId, JobId, TaskName, WorkflowId
from xylem.domain.plan import Limits
from xylem.domain.retries import judged, next_attempt
from xylem.domain.status import ExitCode, TaskStatus
from xylem.domain.task import PodSeen, Task


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
    """A mailbox row that is not answered. `created`: the highest create that was answered when this
    row was written; an `observe` says nothing about pods that were made after it. `asked_at`: when
    the row was written, by the service's clock. `covered`: of an answer in parts, the tasks that
    parts were whole for so far. `force`: a cleanup without grace."""

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
Decision = tuple[Group, tuple[Effect, ...]]


def decide(group: Group, event: GroupEvent, now: datetime) -> Decision:
    match event:
        case CleanupAnswered(ordinal=ordinal):
            return _cleanup_answered(group, ordinal)
        case AnchorSeen(incarnation=incarnation):
            return _anchor_seen(group, incarnation, now)
        case CreateAnswered():
            return _create_answered(group, event, now)
        case ObserveAnswered():
            return _observe_answered(group, event, now)
        case Cancelled():
            return _cancelled(group, event, now)
        case _ if group.status.final:
            return group, ()
        case PodSeen():
            return _pod_seen(group, event, now)
        case UpstreamCompleted() if group.status is TaskStatus.WAITING and group.waits_for:
            return _upstream_completed(group, now)
        case UpstreamFailed() if group.status is TaskStatus.WAITING:
            return _end_all(group, UPSTREAM_FAILED, now)
        case HandedOver() if to_start(group):
            return _handed_over(group, now), ()
        case StartImpossible(message=message) if group.status.handed_over:
            return _end_all(group, _server_error(message), now)
        case StartParked(message=message) if to_start(group):
            return replace(group, message=message), ()
        case AbsenceSeen():
            return _absence_seen(group, now)
        case TimerDue():
            return _timer_due(group, now)
        case _:
            return group, (Refused(f"group {group.name}: {event.kind} while {group.status}"),)


UPSTREAM_FAILED = Ending(TaskStatus.FAILED_UPSTREAM, "Upstream task failed.", ExitCode.UPSTREAM)


def _server_error(message: str) -> Ending:
    return Ending(TaskStatus.FAILED_SERVER_ERROR, message, ExitCode.SERVER_ERROR)


def ready(group: Group, now: datetime) -> Decision:
    """A new group: it starts at once if it waits for nothing."""
    return _process(group, now) if group.waits_for == 0 else (group, ())


def _upstream_completed(group: Group, now: datetime) -> Decision:
    group = replace(group, waits_for=group.waits_for - 1)
    return _process(group, now) if group.waits_for == 0 else (group, ())


def _process(group: Group, now: datetime) -> Decision:
    group = replace(group, status=TaskStatus.PROCESSING, processing_at=now)
    return _dress(group), (StartGroup(group.id),)


def _handed_over(group: Group, now: datetime) -> Group:
    """All of its tasks, or the attempts that replace others."""
    asked = replace(_ask(group, "create", group.incarnation, now), message="")
    if not group.placed:
        return _dress(replace(asked, placed=asked.ordinal))
    fresh = set(to_make(group))
    made = (replace(task, ordinal=asked.ordinal) if task in fresh else task for task in asked.tasks)
    return replace(asked, tasks=tuple(made))


def _dress(group: Group) -> Group:
    """Its tasks after a change of what they have from their group."""
    before = replace(group, placed=0)
    return replace(group, tasks=tuple(dressed(group, bare(before, task)) for task in group.tasks))


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
    if task.status is not TaskStatus.WAITING or group.processing_at is None:
        return task
    return replace(
        task,
        status=TaskStatus.PROCESSING,
        processing_at=group.processing_at,
        ordinal=group.placed,
    )


def bare(group: Group, task: Task) -> Task:
    """What a task's own row has to say: less what `dressed` adds again."""
    if task.status is not TaskStatus.PROCESSING:
        return task
    undressed = replace(task, status=TaskStatus.WAITING, processing_at=None, ordinal=0)
    return undressed if dressed(group, undressed) == task else task


def _ask(
    group: Group, kind: Order, incarnation: int, now: datetime, *, force: bool = False
) -> Group:
    ordinal = group.ordinal + 1
    row = Pending(incarnation, ordinal, kind, group.created, now, force=force)
    return replace(group, ordinal=ordinal, pending=(*group.pending, row))


def _answered(group: Group, ordinal: int) -> Group:
    return replace(group, pending=tuple(row for row in group.pending if row.ordinal != ordinal))


def _create_answered(group: Group, event: CreateAnswered, now: datetime) -> Decision:
    if group.awaits(event.ordinal, "create") is None:
        return group, ()
    group = _answered(group, event.ordinal)
    if event.status == "done":
        return replace(group, created=max(group.created, event.ordinal)), ()
    if event.status != "failed" or group.status.final:
        return group, ()
    if event.ordinal == group.placed:
        return _end_all(group, _server_error(f"CreateGroup job failed: {event.message}"), now)
    return _not_made(group, event, now)


def _not_made(group: Group, event: CreateAnswered, now: datetime) -> Decision:
    """Of attempts that were to replace others: each ends by itself."""
    effects: list[Effect] = []
    for task in group.tasks:
        if task.ordinal == event.ordinal:
            message = f"RescheduleTask job failed: {event.message}"
            group, more = decide(group, _disappeared(group, task, message), now)
            effects += more
    return group, tuple(effects)


def _disappeared(group: Group, task: Task, message: str) -> PodSeen:
    """What is to be thought of an attempt whose pod is not there."""
    return PodSeen(
        group.incarnation,
        task.name,
        task.retry,
        TaskStatus.FAILED_BACKEND_ERROR,
        exit_code=ExitCode.BACKEND_ERROR,
        message=message,
        disrupted=True,
    )


def _cleanup_answered(group: Group, ordinal: int) -> Decision:
    asked = group.awaits(ordinal, "cleanup")
    if asked is None:
        return group, ()
    group = _answered(group, ordinal)
    if asked.incarnation == group.incarnation:
        group = replace(group, cleanup=Cleanup.DONE)
    return group, ()


def _anchor_seen(group: Group, incarnation: int, now: datetime) -> Decision:
    """Only what was cleaned up and is there all the same; a live group's anchor is as it should
    be."""
    old = incarnation < group.incarnation
    cleaned = incarnation == group.incarnation and group.cleanup is Cleanup.DONE
    asked = any(row.kind == "cleanup" for row in group.pending)
    if asked or not (old or cleaned):
        return group, ()
    group = _ask(group, "cleanup", incarnation, now)
    return group, (CleanUp(group.id, incarnation, group.ordinal),)


def _absence_seen(group: Group, now: datetime) -> Decision:
    """An absence decides nothing: it makes us ask, once."""
    if not group.created or any(row.kind == "observe" for row in group.pending):
        return group, ()
    return _observe(group, now)


def _timer_due(group: Group, now: datetime) -> Decision:
    """One question is enough, if it was asked after the deadline: the mailbox of a backend that is
    away must not grow."""
    due = deadline(group)
    if due is None or now < due:
        return group, ()
    if not group.ordinal:
        # No mailbox row was ever written: there is no cluster to ask.
        return _end_all(group, _never_started(group), now)
    if any(row.kind == "observe" and row.asked_at >= due for row in group.pending):
        return group, ()
    return _observe(group, now)


def _observe(group: Group, now: datetime) -> Decision:
    group = _ask(group, "observe", group.incarnation, now)
    return group, (Observe(group.id, group.incarnation, group.ordinal),)


def _observe_answered(group: Group, event: ObserveAnswered, now: datetime) -> Decision:
    asked = group.awaits(event.ordinal, "observe")
    if asked is None:
        return group, ()
    group, whole = _covered(group, asked, event.tasks)
    effects: list[Effect] = []
    # What ran into its limit ends the others; those that finished before, finished.
    for seen in sorted(event.pods, key=_ran_too_long):
        group, more = decide(group, seen, now)
        effects += more
    there = {
        (seen.task, seen.retry) for seen in event.pods if seen.incarnation == group.incarnation
    }
    for task in group.tasks:
        made = 0 < task.ordinal <= asked.created
        lost = made and within(task, event.tasks) and (task.name, task.retry) not in there
        if lost and not group.status.final and not task.status.final:
            gone = _disappeared(group, task, "The pod disappeared from its cluster.")
            group, more = decide(group, gone, now)
            effects += more
    if asked.incarnation == group.incarnation:
        group, more = _time_out(group, asked.asked_at, event.tasks, now, whole=whole)
        effects += more
    return group, tuple(effects)


def _ran_too_long(seen: PodSeen) -> bool:
    return seen.status is TaskStatus.FAILED_EXEC_TIMEOUT


def _covered(group: Group, asked: Pending, part: TaskRange | None) -> tuple[Group, bool]:
    """The question is answered once the parts that came cover all tasks."""
    ranges = None if part is None else tuple(dict.fromkeys((*asked.covered, part)))
    if ranges is None or all(any(within(task, one) for one in ranges) for task in group.tasks):
        return _answered(group, asked.ordinal), True
    open_still = replace(asked, covered=ranges)
    pending = tuple(open_still if row is asked else row for row in group.pending)
    return replace(group, pending=pending), False


def within(task: Task, part: TaskRange | None) -> bool:
    return part is None or part[0] <= task.name <= part[1]


# Deadlines ---------------------------------------------------------------------------------------


def deadline(group: Group) -> datetime | None:
    """The earliest moment at which something of the group may be overdue; None: never."""
    return min((at for _, at in _deadlines(group)), default=None)


Deadline = Literal["waiting", "processing", "queue", "start", "execution"]


def _deadlines(group: Group) -> Iterator[tuple[Deadline, datetime]]:
    """By OSMO's count: in the queue while nothing was seen of the group but SCHEDULING; a task's
    start while it is INITIALIZING; its run from the group's first RUNNING. Beyond OSMO: waiting for
    groups upstream, and until something is seen of it."""
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


def _time_out(
    group: Group, asked_at: datetime, part: TaskRange | None, now: datetime, *, whole: bool
) -> Decision:
    """What was overdue when the backend was asked, and still is after its answer: of the group once
    all of it was answered, of a task with the part that covers it."""
    overdue = {kind for kind, at in _deadlines(group) if at <= asked_at}
    if whole and "execution" in overdue:
        return _end_all(group, execution_timeout(group.limits), now)
    if whole and "queue" in overdue:
        return _end_all(group, _queue_timeout("stayed in queue", group.limits.queue), now)
    if whole and "processing" in overdue:
        return _end_all(group, _never_started(group), now)
    effects: list[Effect] = []
    for task in group.tasks if "start" in overdue else ():
        since = task.received_at if task.status is TaskStatus.INITIALIZING else None
        if since is None or since + group.limits.start > asked_at or not within(task, part):
            continue
        late = PodSeen(
            group.incarnation,
            task.name,
            task.retry,
            TaskStatus.FAILED_START_TIMEOUT,
            exit_code=ExitCode.START_TIMEOUT,
            message=f"Task took longer than {in_words(group.limits.start)} to start.",
        )
        group, more = decide(group, late, now)
        effects += more
    return group, tuple(effects)


def _never_started(group: Group) -> Ending:
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


# News --------------------------------------------------------------------------------------------


def _pod_seen(group: Group, seen: PodSeen, now: datetime) -> Decision:
    task = group.task(seen.task)
    if task is None:
        return group, (Refused(f"group {group.name} has no task {seen.task}"),)
    if (seen.incarnation, seen.retry) < (group.incarnation, task.retry):
        return group, ()
    if (seen.incarnation, seen.retry) != (group.incarnation, task.retry) or not task.ordinal:
        return group, (Refused(f"attempt {seen.retry} of task {seen.task} was never started"),)
    if _ran_too_long(seen) and not seen.message:
        seen = replace(seen, message=execution_timeout(group.limits).message)
    moved = tasks.observe(task, seen, now)
    if moved is task:
        return group, ()
    if moved.status.final:
        moved = judged(moved, disrupted=seen.disrupted, retries=group.limits.retries)
    if moved.status is TaskStatus.RESCHEDULED:
        return _tried_again(group, moved, next_attempt(moved, disrupted=seen.disrupted, now=now))
    group = _with(group, moved)
    if moved.status.final:
        group = _spread(group, moved, now)
    return _settle(group, now)


def _tried_again(group: Group, ended: Task, again: Task) -> Decision:
    """The group stays what it was, RUNNING if it ran, and its limits go on counting."""
    restarts = len(group.tasks) > 1 and (ended.lead or not group.ignore_nonlead_status)
    group = replace(_with(group, again), restarts=group.restarts + restarts)
    return group, (Replaced(group.id, ended),)


def _spread(group: Group, ended: Task, now: datetime) -> Group:
    """What the end of one task means for the others: `reference/osmo-workflow-model.md` 2. The
    limit of a group's run is one for all of its tasks, whoever noticed it first."""
    if ended.status is TaskStatus.FAILED_EXEC_TIMEOUT:
        return _end_live(group, execution_timeout(group.limits), now)
    if ended.lead and not ended.status.failed:
        return _end_live(group, Ending(TaskStatus.COMPLETED, "Lead task finished"), now)
    if ended.lead:
        return _end_live(group, Ending(TaskStatus.FAILED, "Lead task failed."), now)
    if ended.status.failed and not group.ignore_nonlead_status:
        return _end_live(group, Ending(TaskStatus.FAILED, f"Task {ended.name} Failed."), now)
    return group


def _cancelled(group: Group, event: Cancelled, now: datetime) -> Decision:
    if not group.status.final:
        message = f"Task was canceled by user: {event.by}. {event.message}".rstrip()
        ending = Ending(TaskStatus.FAILED_CANCELED, message)
        return _end_all(group, ending, now, tell=False, force=event.force)
    asked = any(row.kind == "cleanup" and row.force for row in group.pending)
    if not event.force or asked or group.cleanup is Cleanup.DONE:
        return group, ()
    group = _ask(group, "cleanup", group.incarnation, now, force=True)
    group = replace(group, cleanup=Cleanup.ASKED)
    return group, (CleanUp(group.id, group.incarnation, group.ordinal, force=True),)


def _end_live(group: Group, ending: Ending, now: datetime) -> Group:
    return replace(group, tasks=tuple(ended_by(ending, task, now) for task in group.tasks))


def ended_by(ending: Ending, task: Task, now: datetime) -> Task:
    return tasks.end(task, ending.status, ending.message, now, ending.exit_code)


def _end_all(
    group: Group, ending: Ending, now: datetime, *, tell: bool = True, force: bool = False
) -> Decision:
    return _settle(_end_live(group, ending, now), now, tell=tell, force=force)


def _settle(group: Group, now: datetime, *, tell: bool = True, force: bool = False) -> Decision:
    """The group's own status from its tasks', and what follows when it ended."""
    status = _aggregate(group)
    if status.rank <= group.status.rank:
        return group, ()
    group = replace(
        group,
        status=status,
        scheduling_at=group.scheduling_at or _first(group, "scheduling_at"),
        initializing_at=group.initializing_at or _first(group, "initializing_at"),
        started_at=group.started_at or _first(group, "started_at"),
    )
    if not status.final:
        return _counted_from(group, now), ()
    group = replace(group, message=_failure(group), ended_at=_last_end(group) or now)
    told = (GroupEnded(group.id, status),) if tell else ()
    if not group.ordinal:
        # No mailbox row was ever written: no cluster holds anything of it, and the version of this
        # commit keeps a Worker that has rendered it from writing one.
        return replace(group, cleanup=Cleanup.DONE), told
    superseded = tuple(
        row.ordinal
        for row in group.pending
        if row.kind != "cleanup" and row.incarnation == group.incarnation
    )
    for ordinal in superseded:
        group = _answered(group, ordinal)
    group = _ask(group, "cleanup", group.incarnation, now, force=force)
    group = replace(group, cleanup=Cleanup.ASKED)
    effect = CleanUp(group.id, group.incarnation, group.ordinal, superseded, force)
    return group, (effect, *told)


def _counted_from(group: Group, now: datetime) -> Group:
    """From when the limits count: by the service's clock, or by the pod's as far as that can be
    true. A pod that started before its group was handed over, or after we heard of it, has a clock
    that is wrong."""
    since = group.scheduling_since or now
    if group.status is not TaskStatus.RUNNING or group.running_since is not None:
        return replace(group, scheduling_since=since)
    started = min(max(group.started_at or now, group.processing_at or now), now)
    return replace(group, scheduling_since=since, running_since=started)


def _aggregate(group: Group) -> TaskStatus:
    """OSMO's rules (its `task.py` L1905-1974); where they skip a status, the furthest one."""
    if any(not task.status.final for task in group.tasks):
        if any(task.status.final for task in group.tasks):
            return TaskStatus.RUNNING
        return max((task.status for task in group.tasks), key=lambda status: status.rank)
    statuses = [task.status for task in group.tasks]
    for status in (
        TaskStatus.FAILED_CANCELED,
        TaskStatus.FAILED_EXEC_TIMEOUT,
        TaskStatus.FAILED_QUEUE_TIMEOUT,
        TaskStatus.FAILED_UPSTREAM,
        TaskStatus.FAILED_SERVER_ERROR,
        TaskStatus.FAILED_PREEMPTED,
    ):
        if status in statuses:
            return status
    considered = [
        task.status for task in group.tasks if task.lead or not group.ignore_nonlead_status
    ]
    if TaskStatus.FAILED_EVICTED in considered:
        return TaskStatus.FAILED_EVICTED
    if any(status.failed for status in considered):
        return TaskStatus.FAILED
    return TaskStatus.COMPLETED


def _failure(group: Group) -> str:
    """Of the task that failed first, the lead's before the others'."""
    if not group.status.failed:
        return ""
    failed = [task for task in group.tasks if task.status.failed and task.message]
    failed.sort(key=lambda task: (task.exit_code is None, not task.lead))
    return failed[0].message if failed else ""


def _first(
    group: Group, field: Literal["scheduling_at", "initializing_at", "started_at"]
) -> datetime | None:
    times = [at for task in group.tasks if (at := getattr(task, field)) is not None]
    return min(times, default=None)


def _last_end(group: Group) -> datetime | None:
    return max((task.ended_at for task in group.tasks if task.ended_at), default=None)


def _with(group: Group, task: Task) -> Group:
    return replace(
        group, tasks=tuple(task if known.name == task.name else known for known in group.tasks)
    )
