"""The life of a group: tasks that start together, wait for the same groups and end together.

    WAITING --UpstreamCompleted, the last one--> PROCESSING            StartGroup
       '------UpstreamFailed-------------------> FAILED_UPSTREAM       GroupEnded
    PROCESSING --HandedOver--------------------> PROCESSING            (its pods are in the mailbox)
       '------CreateAnswered(failed)-----------> FAILED_SERVER_ERROR   CleanUp, GroupEnded
       '------PodSeen--> SCHEDULING, INITIALIZING, RUNNING, as its tasks
    any live state --its lead ended, or a task failed that may not--> an end   CleanUp, GroupEnded
    any live state --AbsenceSeen--> the same   Observe
       '------ObserveAnswered: applies what it carries; what is not in it is lost, if the question
              was asked after that attempt's pods were made
    any state --AnchorSeen: a cleanup was answered and did not hold--> the same   CleanUp

`decide` is total and pure. Late and repeated news returns the same state and no effect. What the
table does not list is `Refused`.

What a cluster may hold of a group is told by `incarnation`, `ordinal` (the last number given to a
mailbox row) and `pending` (mailbox rows that are not answered yet). `retry` counts a task's
attempts over all incarnations and never starts anew; no attempt is ever made twice.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from xylem.domain import task as tasks
from xylem.domain.effects import CleanUp, Effect, GroupEnded, Observe, Refused, StartGroup
from xylem.domain.ids import BackendName, GroupId, TaskName, WorkflowId
from xylem.domain.status import ExitCode, TaskStatus
from xylem.domain.task import PodSeen, Task


class Cleanup(StrEnum):
    """Of the current incarnation: nothing to clean yet, asked of the backend, answered by it."""

    NONE = "none"
    ASKED = "asked"
    DONE = "done"


Order = Literal["create", "cleanup", "observe"]


@dataclass(frozen=True, slots=True)
class Pending:
    """A mailbox row that is not answered. `created`: the highest create that was answered when this
    row was written; an `observe` says nothing about pods that were made after it."""

    incarnation: int
    ordinal: int
    kind: Order
    created: int


@dataclass(frozen=True, slots=True)
class Group:
    """`tasks` are the newest attempts. `waits_for`: upstream groups that have not completed yet."""

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

    An answer that is larger than a frame comes in parts: `tasks` bounds the names of the tasks for
    which this one is whole (both included; None: all), and only theirs can be missing. While `more`
    are to come the question stays open."""

    ordinal: int
    pods: tuple[PodSeen, ...]
    tasks: tuple[str, str] | None = None
    more: bool = False
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
            return _anchor_seen(group, incarnation)
        case CreateAnswered():
            return _create_answered(group, event, now)
        case ObserveAnswered():
            return _observe_answered(group, event, now)
        case _ if group.status.final:
            return group, ()
        case PodSeen():
            return _pod_seen(group, event, now)
        case UpstreamCompleted() if group.status is TaskStatus.WAITING and group.waits_for:
            return _upstream_completed(group, now)
        case UpstreamFailed() if group.status is TaskStatus.WAITING:
            return _end_all(
                group,
                TaskStatus.FAILED_UPSTREAM,
                "Upstream task failed.",
                now,
                ExitCode.UPSTREAM,
            )
        case HandedOver() if group.status.handed_over and _not_handed_over(group):
            return _handed_over(group), ()
        case StartImpossible(message=message) if group.status.handed_over:
            return _end_all(
                group, TaskStatus.FAILED_SERVER_ERROR, message, now, ExitCode.SERVER_ERROR
            )
        case AbsenceSeen():
            return _absence_seen(group)
        case _:
            return group, (Refused(f"group {group.name}: {event.kind} while {group.status}"),)


def ready(group: Group, now: datetime) -> Decision:
    """A new group: it starts at once if it waits for nothing."""
    return _process(group, now) if group.waits_for == 0 else (group, ())


def _upstream_completed(group: Group, now: datetime) -> Decision:
    group = replace(group, waits_for=group.waits_for - 1)
    return _process(group, now) if group.waits_for == 0 else (group, ())


def _process(group: Group, now: datetime) -> Decision:
    waiting = (
        replace(task, status=TaskStatus.PROCESSING, processing_at=now) for task in group.tasks
    )
    group = replace(group, status=TaskStatus.PROCESSING, tasks=tuple(waiting), processing_at=now)
    return group, (StartGroup(group.id),)


def _not_handed_over(group: Group) -> bool:
    return any(task.ordinal == 0 and not task.status.final for task in group.tasks)


def _handed_over(group: Group) -> Group:
    ordinal = group.ordinal + 1
    handed = (
        replace(task, ordinal=ordinal) if task.ordinal == 0 and not task.status.final else task
        for task in group.tasks
    )
    return replace(_ask(group, "create", group.incarnation), tasks=tuple(handed))


def _ask(group: Group, kind: Order, incarnation: int) -> Group:
    ordinal = group.ordinal + 1
    row = Pending(incarnation, ordinal, kind, group.created)
    return replace(group, ordinal=ordinal, pending=(*group.pending, row))


def _answered(group: Group, ordinal: int) -> Group:
    return replace(group, pending=tuple(row for row in group.pending if row.ordinal != ordinal))


def _create_answered(group: Group, event: CreateAnswered, now: datetime) -> Decision:
    if group.awaits(event.ordinal, "create") is None:
        return group, ()
    group = _answered(group, event.ordinal)
    if event.status == "done":
        return replace(group, created=max(group.created, event.ordinal)), ()
    if event.status == "failed" and not group.status.final:
        return _end_all(
            group,
            TaskStatus.FAILED_SERVER_ERROR,
            f"CreateGroup job failed: {event.message}",
            now,
            ExitCode.SERVER_ERROR,
        )
    return group, ()


def _cleanup_answered(group: Group, ordinal: int) -> Decision:
    asked = group.awaits(ordinal, "cleanup")
    if asked is None:
        return group, ()
    group = _answered(group, ordinal)
    if asked.incarnation == group.incarnation:
        group = replace(group, cleanup=Cleanup.DONE)
    return group, ()


def _anchor_seen(group: Group, incarnation: int) -> Decision:
    """Only what was cleaned up and is there all the same; a live group's anchor is as it should
    be."""
    old = incarnation < group.incarnation
    cleaned = incarnation == group.incarnation and group.cleanup is Cleanup.DONE
    asked = any(row.kind == "cleanup" for row in group.pending)
    if asked or not (old or cleaned):
        return group, ()
    group = _ask(group, "cleanup", incarnation)
    return group, (CleanUp(group.id, incarnation, group.ordinal),)


def _absence_seen(group: Group) -> Decision:
    """An absence decides nothing: it makes us ask, once."""
    if not group.created or any(row.kind == "observe" for row in group.pending):
        return group, ()
    group = _ask(group, "observe", group.incarnation)
    return group, (Observe(group.id, group.incarnation, group.ordinal),)


def _observe_answered(group: Group, event: ObserveAnswered, now: datetime) -> Decision:
    asked = group.awaits(event.ordinal, "observe")
    if asked is None:
        return group, ()
    if not event.more:
        group = _answered(group, event.ordinal)
    effects: list[Effect] = []
    for seen in event.pods:
        group, more = decide(group, seen, now)
        effects += more
    there = {
        (seen.task, seen.retry) for seen in event.pods if seen.incarnation == group.incarnation
    }
    for task in group.tasks:
        covered = event.tasks is None or event.tasks[0] <= task.name <= event.tasks[1]
        made = 0 < task.ordinal <= asked.created
        lost = covered and made and (task.name, task.retry) not in there
        if lost and not group.status.final and not task.status.final:
            gone = PodSeen(
                group.incarnation,
                task.name,
                task.retry,
                TaskStatus.FAILED_BACKEND_ERROR,
                exit_code=ExitCode.BACKEND_ERROR,
                message="The pod disappeared from its cluster.",
            )
            group, more = decide(group, gone, now)
            effects += more
    return group, tuple(effects)


def _pod_seen(group: Group, seen: PodSeen, now: datetime) -> Decision:
    task = group.task(seen.task)
    if task is None:
        return group, (Refused(f"group {group.name} has no task {seen.task}"),)
    if (seen.incarnation, seen.retry) < (group.incarnation, task.retry):
        return group, ()
    if (seen.incarnation, seen.retry) != (group.incarnation, task.retry) or not task.ordinal:
        return group, (Refused(f"attempt {seen.retry} of task {seen.task} was never started"),)
    moved = tasks.observe(task, seen, now)
    if moved is task:
        return group, ()
    group = _with(group, moved)
    if moved.status.final:
        group = _spread(group, moved, now)
    return _settle(group, now)


def _spread(group: Group, ended: Task, now: datetime) -> Group:
    """What the end of one task means for the others: `reference/osmo-workflow-model.md` 2."""
    if ended.lead and not ended.status.failed:
        return _end_live(group, TaskStatus.COMPLETED, "Lead task finished", now)
    if ended.lead:
        return _end_live(group, TaskStatus.FAILED, "Lead task failed.", now)
    if ended.status.failed and not group.ignore_nonlead_status:
        return _end_live(group, TaskStatus.FAILED, f"Task {ended.name} Failed.", now)
    return group


def _end_live(group: Group, status: TaskStatus, message: str, now: datetime) -> Group:
    ended = tuple(tasks.end(task, status, message, now) for task in group.tasks)
    return replace(group, tasks=ended)


def _end_all(
    group: Group, status: TaskStatus, message: str, now: datetime, exit_code: int
) -> Decision:
    ended = tuple(tasks.end(task, status, message, now, exit_code) for task in group.tasks)
    return _settle(replace(group, tasks=ended), now)


def _settle(group: Group, now: datetime) -> Decision:
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
        return group, ()
    group = replace(group, message=_failure(group), ended_at=_last_end(group) or now)
    ended = GroupEnded(group.id, status)
    if not group.ordinal:
        # No mailbox row was ever written: no cluster holds anything of it, and the version of this
        # commit keeps a Worker that has rendered it from writing one.
        return replace(group, cleanup=Cleanup.DONE), (ended,)
    superseded = tuple(
        row.ordinal
        for row in group.pending
        if row.kind != "cleanup" and row.incarnation == group.incarnation
    )
    for ordinal in superseded:
        group = _answered(group, ordinal)
    group = replace(_ask(group, "cleanup", group.incarnation), cleanup=Cleanup.ASKED)
    return group, (CleanUp(group.id, group.incarnation, group.ordinal, superseded), ended)


def _aggregate(group: Group) -> TaskStatus:
    """OSMO's rules (its `task.py` L1905-1974); where they skip a status, the furthest one."""
    if any(not task.status.final for task in group.tasks):
        if any(task.status.final for task in group.tasks):
            return TaskStatus.RUNNING
        return max((task.status for task in group.tasks), key=lambda status: status.rank)
    statuses = [task.status for task in group.tasks]
    for status in (
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
