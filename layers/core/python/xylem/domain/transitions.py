"""What comes of an event that happens to a group: a table, and the actions that it names.

`decide` is total and pure: of the event's rows in `TABLE` the first whose `states` and `when` hold
acts. Late and repeated news returns the same state and no effect; what no row takes is `Refused`.
The picture in `docs/state-machines.md` is made of the table.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from xylem.domain import task as tasks
from xylem.domain.deadlines import (
    deadline,
    deadlines,
    execution_timeout,
    in_words,
    never_started,
    queue_timeout,
)
from xylem.domain.detail import saying
from xylem.domain.effects import (
    CleanUp,
    Effect,
    GroupEnded,
    Observe,
    Refused,
    Replaced,
    StartGroup,
)
from xylem.domain.group import (
    AbsenceSeen,
    AnchorSeen,
    Cancelled,
    Cleanup,
    CleanupAnswered,
    CreateAnswered,
    Ending,
    Group,
    GroupEvent,
    HandedOver,
    ObserveAnswered,
    Order,
    Pending,
    StartImpossible,
    StartParked,
    TaskRange,
    TimerDue,
    UpstreamCompleted,
    UpstreamFailed,
    bare,
    dressed,
    to_make,
    to_start,
    within,
)
from xylem.domain.retries import judged, next_attempt
from xylem.domain.status import ExitCode, TaskStatus
from xylem.domain.task import PodSeen, Task
from xylem.domain.values import dataclass, replace

Decision = tuple[Group, tuple[Effect, ...]]


def decide(group: Group, event: GroupEvent, now: datetime) -> Decision:
    for row in TABLE[type(event)]:
        if group.status in row.states and row.when(group):
            return row.then(group, event, now)
    return group, (Refused(f"group {group.name}: {event.kind} while {group.status}"),)


def ready(group: Group, now: datetime) -> Decision:
    """A new group: it starts at once if it waits for nothing."""
    return _process(group, now) if group.waits_for == 0 else (group, ())


UPSTREAM_FAILED = Ending(TaskStatus.FAILED_UPSTREAM, "Upstream task failed.", ExitCode.UPSTREAM)


def _server_error(message: str) -> Ending:
    return Ending(TaskStatus.FAILED_SERVER_ERROR, message, ExitCode.SERVER_ERROR)


def _nothing(group: Group, event: GroupEvent, now: datetime) -> Decision:
    return group, ()


def _upstream_failed(group: Group, event: UpstreamFailed, now: datetime) -> Decision:
    return _end_all(group, UPSTREAM_FAILED, now)


def _start_impossible(group: Group, event: StartImpossible, now: datetime) -> Decision:
    return _end_all(group, _server_error(event.message), now)


def _start_parked(group: Group, event: StartParked, now: datetime) -> Decision:
    return replace(group, message=event.message), ()


def _upstream_completed(group: Group, event: UpstreamCompleted, now: datetime) -> Decision:
    group = replace(group, waits_for=group.waits_for - 1)
    return _process(group, now) if group.waits_for == 0 else (group, ())


def _process(group: Group, now: datetime) -> Decision:
    group = replace(group, status=TaskStatus.PROCESSING, processing_at=now)
    return _dress(group), (StartGroup(group.id),)


def _handed_over(group: Group, event: HandedOver, now: datetime) -> Decision:
    """All of its tasks, or the attempts that replace others."""
    asked = replace(_ask(group, "create", group.incarnation, now), message="")
    if not group.placed:
        return _dress(replace(asked, placed=asked.ordinal)), ()
    fresh = set(to_make(group))
    made = (replace(task, ordinal=asked.ordinal) if task in fresh else task for task in asked.tasks)
    return replace(asked, tasks=tuple(made)), ()


def _dress(group: Group) -> Group:
    """Its tasks after a change of what they have from their group."""
    before = replace(group, placed=0)
    return replace(group, tasks=tuple(dressed(group, bare(before, task)) for task in group.tasks))


def _ask(
    group: Group, kind: Order, incarnation: int, now: datetime, *, force: bool = False
) -> Group:
    ordinal = group.ordinal + 1
    row = Pending(incarnation, ordinal, kind, _all_created(group), now, force=force)
    return replace(group, ordinal=ordinal, pending=(*group.pending, row))


def _all_created(group: Group) -> int:
    """The pods of creates up to this ordinal are made. Creates of several attempts are under way at
    once, and a later one may be answered first."""
    unanswered = (row.ordinal for row in group.pending if row.kind == "create")
    return min(group.created, min(unanswered, default=group.ordinal + 1) - 1)


def _answered(group: Group, ordinal: int) -> Group:
    return replace(group, pending=tuple(row for row in group.pending if row.ordinal != ordinal))


def _create_answered(group: Group, event: CreateAnswered, now: datetime) -> Decision:
    if group.awaits(event.ordinal, "create") is None:
        return group, ()
    group = _answered(group, event.ordinal)
    if event.status == "done":
        return replace(group, created=max(group.created, event.ordinal)), ()
    if event.status != "failed":
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


def _cleanup_answered(group: Group, event: CleanupAnswered, now: datetime) -> Decision:
    asked = group.awaits(event.ordinal, "cleanup")
    if asked is None:
        return group, ()
    group = _answered(group, event.ordinal)
    if asked.incarnation == group.incarnation:
        group = replace(group, cleanup=Cleanup.DONE)
    return group, ()


def _anchor_seen(group: Group, event: AnchorSeen, now: datetime) -> Decision:
    """Only what was cleaned up and is there all the same; a live group's anchor is as it should
    be."""
    incarnation = event.incarnation
    old = incarnation < group.incarnation
    cleaned = incarnation == group.incarnation and group.cleanup is Cleanup.DONE
    asked = any(row.kind == "cleanup" for row in group.pending)
    if asked or not (old or cleaned):
        return group, ()
    group = _ask(group, "cleanup", incarnation, now)
    return group, (CleanUp(group.id, incarnation, group.ordinal),)


def _absence_seen(group: Group, event: AbsenceSeen, now: datetime) -> Decision:
    """An absence decides nothing: it makes us ask, once."""
    if not group.created or any(row.kind == "observe" for row in group.pending):
        return group, ()
    return _observe(group, now)


def _give_up(group: Group, event: TimerDue, now: datetime) -> Decision:
    return _end_all(group, never_started(group), now) if _overdue(group, now) else (group, ())


def _timer_due(group: Group, event: TimerDue, now: datetime) -> Decision:
    """One question is enough, if it was asked after the deadline: the mailbox of a backend that is
    away must not grow."""
    due = _overdue(group, now)
    if due is None or any(row.kind == "observe" and row.asked_at >= due for row in group.pending):
        return group, ()
    return _observe(group, now)


def _overdue(group: Group, now: datetime) -> datetime | None:
    """Since when; None: it is not."""
    due = deadline(group)
    return due if due is not None and due <= now else None


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
        if made and within(task, event.tasks) and (task.name, task.retry) not in there:
            gone = _disappeared(group, task, "The pod disappeared from its cluster.")
            group, more = decide(group, gone, now)
            effects += more
    if asked.incarnation == group.incarnation:
        group, more = _time_out(group, asked.asked_at, event, now, whole=whole)
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


def _time_out(
    group: Group, asked_at: datetime, answer: ObserveAnswered, now: datetime, *, whole: bool
) -> Decision:
    """What was overdue when the backend was asked, and still is after its answer: of the group once
    all of it was answered, of a task with the part that covers it."""
    said = {(seen.task, seen.retry): seen.said for seen in answer.pods}
    overdue = {kind for kind, at in deadlines(group) if at <= asked_at}
    if whole and "execution" in overdue:
        return _end_all(group, execution_timeout(group.limits), now)
    if whole and "queue" in overdue:
        ending = queue_timeout(group.limits)
        why = next(filter(None, said.values()), "")
        return _end_all(group, replace(ending, message=saying(ending.message, why)), now)
    if whole and "processing" in overdue:
        return _end_all(group, never_started(group), now)
    effects: list[Effect] = []
    for task in group.tasks:
        since = task.received_at if task.status is TaskStatus.INITIALIZING else None
        if since is None or since + group.limits.start > asked_at or not within(task, answer.tasks):
            continue
        late = PodSeen(
            group.incarnation,
            task.name,
            task.retry,
            TaskStatus.FAILED_START_TIMEOUT,
            exit_code=ExitCode.START_TIMEOUT,
            message=f"Task took longer than {in_words(group.limits.start)} to start.",
            said=said.get((task.name, task.retry), ""),
        )
        group, more = decide(group, late, now)
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
    if seen.status not in tasks.SHOWN:
        return group, (Refused(f"task {seen.task}: no pod shows {seen.status}"),)
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
    message = f"Task was canceled by user: {event.by}. {event.message}".rstrip()
    ending = Ending(TaskStatus.FAILED_CANCELED, message)
    return _end_all(group, ending, now, tell=False, force=event.force)


def _hurry(group: Group, event: Cancelled, now: datetime) -> Decision:
    """Force ends the grace of a cleanup that is on its way, once."""
    asked = any(row.force for row in group.pending)
    if not event.force or asked or group.cleanup is Cleanup.DONE:
        return group, ()
    group = _ask(group, "cleanup", group.incarnation, now, force=True)
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
    group = replace(group, message=_failure(group), ended_at=_last_end(group))
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
    """From when the limits count: from when we heard of it, by the service's clock. A pod's clock
    may be slow by hours, and a limit that counts from there would end what has just begun. Late is
    no harm: the pod itself keeps the limit of its run."""
    since = group.scheduling_since or now
    if group.status is not TaskStatus.RUNNING:
        return replace(group, scheduling_since=since)
    return replace(group, scheduling_since=since, running_since=now)


def _aggregate(group: Group) -> TaskStatus:
    """OSMO's rules (its `task.py` L1905-1974); where they skip a status, the furthest one."""
    if any(not task.status.final for task in group.tasks):
        if any(task.status.final for task in group.tasks):
            return TaskStatus.RUNNING
        return max((task.status for task in group.tasks), key=lambda status: status.rank)
    of_any = {task.status for task in group.tasks}
    counted = of_any
    if group.ignore_nonlead_status:
        counted = {task.status for task in group.tasks if task.lead}
    for row in OUTCOMES:
        if not row.failures.isdisjoint(counted if row.counted else of_any):
            return row.to
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


def _last_end(group: Group) -> datetime:
    """Of a group of which every task has ended."""
    return max(task.ended_at for task in group.tasks if task.ended_at is not None)


def _with(group: Group, task: Task) -> Group:
    return replace(
        group, tasks=tuple(task if known.name == task.name else known for known in group.tasks)
    )


# The tables --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where all tasks ended, one of them as one of `failures`, the group ends as `to`. `counted`:
    one that counts, which is the lead, or each where `ignoreNonleadStatus` is false."""

    failures: frozenset[TaskStatus]
    to: TaskStatus
    counted: bool = False


def _any_task(status: TaskStatus) -> Outcome:
    return Outcome(frozenset({status}), status)


OUTCOMES: tuple[Outcome, ...] = (
    _any_task(TaskStatus.FAILED_CANCELED),
    _any_task(TaskStatus.FAILED_EXEC_TIMEOUT),
    _any_task(TaskStatus.FAILED_QUEUE_TIMEOUT),
    _any_task(TaskStatus.FAILED_UPSTREAM),
    _any_task(TaskStatus.FAILED_SERVER_ERROR),
    _any_task(TaskStatus.FAILED_PREEMPTED),
    Outcome(frozenset({TaskStatus.FAILED_EVICTED}), TaskStatus.FAILED_EVICTED, counted=True),
    Outcome(
        frozenset(status for status in TaskStatus if status.failed),
        TaskStatus.FAILED,
        counted=True,
    ),
)
"""The first that holds; beyond them the group is COMPLETED."""

Action = Callable[[Group, Any, datetime], Decision]
"""Of the event of its row."""


def _always(group: Group) -> bool:
    return True


def _waits(group: Group) -> bool:
    return group.waits_for > 0


def _never_given(group: Group) -> bool:
    """No mailbox row was ever written: there is no cluster to ask."""
    return not group.ordinal


@dataclass(frozen=True, slots=True)
class Transition:
    """While the group is in one of `states` and `when` holds, `then` says what comes of the event.
    `to`: the states to which that may lead, besides staying; `effects`: what may be asked for."""

    states: frozenset[TaskStatus]
    then: Action
    to: frozenset[TaskStatus] = frozenset()
    effects: frozenset[type[Effect]] = frozenset()
    when: Callable[[Group], bool] = _always


WAITING, PROCESSING = TaskStatus.WAITING, TaskStatus.PROCESSING
SEEN = frozenset({TaskStatus.SCHEDULING, TaskStatus.INITIALIZING, TaskStatus.RUNNING})
GIVEN = SEEN | {PROCESSING}
LIVE = GIVEN | {WAITING}
ENDED = frozenset({TaskStatus.COMPLETED, *(row.to for row in OUTCOMES)})
ANY = LIVE | ENDED

_BY_PODS = SEEN | {
    TaskStatus.COMPLETED,
    TaskStatus.FAILED,
    TaskStatus.FAILED_EVICTED,
    TaskStatus.FAILED_EXEC_TIMEOUT,
    TaskStatus.FAILED_PREEMPTED,
}
_BY_CREATE = frozenset(
    {
        TaskStatus.RUNNING,
        TaskStatus.COMPLETED,
        TaskStatus.FAILED,
        TaskStatus.FAILED_PREEMPTED,
        TaskStatus.FAILED_SERVER_ERROR,
    }
)
"""Of an attempt that replaces another, and cannot be made: it ends, and its task with it."""

_ENDS: frozenset[type[Effect]] = frozenset({CleanUp, GroupEnded})

_LATE = Transition(ENDED, _nothing)
"""What has ended stays as it is."""

TABLE: Mapping[type, tuple[Transition, ...]] = {
    UpstreamCompleted: (
        Transition(
            frozenset({WAITING}),
            _upstream_completed,
            to=frozenset({PROCESSING}),
            effects=frozenset({StartGroup}),
            when=_waits,
        ),
        _LATE,
    ),
    UpstreamFailed: (
        Transition(
            frozenset({WAITING}),
            _upstream_failed,
            to=frozenset({TaskStatus.FAILED_UPSTREAM}),
            effects=frozenset({GroupEnded}),
        ),
        _LATE,
    ),
    HandedOver: (Transition(GIVEN, _handed_over, when=to_start), _LATE),
    StartParked: (Transition(GIVEN, _start_parked, when=to_start), _LATE),
    StartImpossible: (
        Transition(
            GIVEN,
            _start_impossible,
            to=frozenset({TaskStatus.FAILED_SERVER_ERROR}),
            effects=_ENDS,
        ),
        _LATE,
    ),
    CreateAnswered: (
        Transition(frozenset({WAITING}) | ENDED, _create_answered),
        Transition(GIVEN, _create_answered, to=_BY_CREATE, effects=_ENDS | {Replaced}),
    ),
    PodSeen: (
        Transition(frozenset({WAITING}), _pod_seen, effects=frozenset({Refused})),
        Transition(GIVEN, _pod_seen, to=_BY_PODS, effects=_ENDS | {Replaced, Refused}),
        _LATE,
    ),
    ObserveAnswered: (
        Transition(frozenset({WAITING}) | ENDED, _observe_answered),
        Transition(
            GIVEN,
            _observe_answered,
            to=_BY_PODS | {TaskStatus.FAILED_QUEUE_TIMEOUT},
            effects=_ENDS | {Replaced, Refused},
        ),
    ),
    AbsenceSeen: (Transition(LIVE, _absence_seen, effects=frozenset({Observe})), _LATE),
    TimerDue: (
        Transition(
            frozenset({WAITING, PROCESSING}),
            _give_up,
            to=frozenset({TaskStatus.FAILED_QUEUE_TIMEOUT}),
            effects=frozenset({GroupEnded}),
            when=_never_given,
        ),
        Transition(LIVE, _timer_due, effects=frozenset({Observe})),
        _LATE,
    ),
    Cancelled: (
        Transition(
            LIVE,
            _cancelled,
            to=frozenset({TaskStatus.FAILED_CANCELED}),
            effects=frozenset({CleanUp}),
        ),
        Transition(ENDED, _hurry, effects=frozenset({CleanUp})),
    ),
    CleanupAnswered: (Transition(ANY, _cleanup_answered),),
    AnchorSeen: (Transition(ANY, _anchor_seen, effects=frozenset({CleanUp})),),
}
