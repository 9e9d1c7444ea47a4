"""Everything that can become of a group, found by trying: from a group that waits, every event that
its rows allow and some that they do not, in every state that is new, until there is none.

A state is what rules of the machines look at: statuses, attempts, what was handed over, what is
asked of the cluster, and whether much time has passed. There are two moments, ninety days apart,
which is more than any limit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from tests.builders import NOON, a_group, a_task
from xylem.domain.effects import Effect, Replaced
from xylem.domain.exits import ExitRule
from xylem.domain.group import (
    AbsenceSeen,
    AnchorSeen,
    Cancelled,
    CleanupAnswered,
    CreateAnswered,
    Group,
    GroupEvent,
    HandedOver,
    ObserveAnswered,
    StartImpossible,
    StartParked,
    TimerDue,
    UpstreamCompleted,
    UpstreamFailed,
)
from xylem.domain.plan import Limits, Retries
from xylem.domain.status import ExitCode, TaskStatus
from xylem.domain.task import SHOWN, PodSeen, Task
from xylem.domain.transitions import TABLE, Transition, decide
from xylem.domain.values import replace

LATE = NOON + timedelta(days=90)
SAID = "what the pod says"
_OF_PODS = (SAID, "The pod disappeared", "RescheduleTask job failed", "Task took longer than")

_RULES = (
    ExitRule("reschedule", ((3, 3),)),
    ExitRule("complete", ((4, 4),)),
    ExitRule("fail", ((5, 5),)),
    ExitRule("complete", ((ExitCode.BACKEND_ERROR, ExitCode.BACKEND_ERROR),)),
)
_LIMITS = Limits(waiting=timedelta(days=60), retries=Retries(disrupted=1, asked=1))

Edge = tuple[TaskStatus, TaskStatus]


@dataclass(slots=True)
class Explored:
    """What happened at all: the moves of groups by the row of the table that made them, those of
    tasks by who made them, and the effects by row."""

    groups: dict[tuple[type, Transition], set[Edge]] = field(default_factory=dict)
    effects: dict[tuple[type, Transition], set[type[Effect]]] = field(default_factory=dict)
    started: set[Edge] = field(default_factory=set)
    seen: set[Edge] = field(default_factory=set)
    ended: set[Edge] = field(default_factory=set)


@cache
def explored() -> Explored:
    """Of a task alone, and of a lead with another task that counts, or does not: these without
    looking at the clock or at the cluster, which is the same for one and for two."""
    found = Explored()
    pair = (a_task("lead", lead=True), a_task("side"))
    waiting = a_group(waits_for=1, limits=_LIMITS, waiting_since=NOON)
    for rules in (_RULES[:3], _RULES[3:]):
        alone = a_task("lead", lead=True, exit_rules=rules)
        _explore(replace(waiting, tasks=(alone,)), (NOON, LATE), found)
    for ignore in (True, False):
        group = replace(waiting, tasks=pair, ignore_nonlead_status=ignore)
        _explore(group, (NOON,), found)
    return found


def _explore(begin: Group, moments: Sequence[datetime], found: Explored) -> None:
    ahead = [(begin, moments[0])]
    known = {_key(begin, moments[0])}
    while ahead:
        group, now = ahead.pop()
        for moment in moments:
            for event in _events(group, clock=len(moments) > 1):
                if moment < now or (moment > now and not isinstance(event, TimerDue)):
                    continue
                after, effects = decide(group, event, moment)
                _note(found, group, event, after, effects)
                if (key := _key(after, moment)) not in known:
                    known.add(key)
                    ahead.append((after, moment))


def _key(group: Group, now: datetime) -> tuple[object, ...]:
    tasks = tuple(
        (task.status, task.disruptions, task.asked_again, bool(task.ordinal))
        for task in group.tasks
    )
    if group.status.final:
        return group.status, group.cleanup, now
    asked = frozenset((row.kind, row.asked_at) for row in group.pending)
    return group.status, tasks, asked, group.waits_for, now


def _events(group: Group, *, clock: bool) -> Iterator[GroupEvent]:
    yield from (UpstreamCompleted(), UpstreamFailed(), HandedOver(), StartParked("no"))
    yield from (CreateAnswered(0, "done"), ObserveAnswered(0, ()))
    yield from (StartImpossible("no"), Cancelled("alice"), Cancelled("alice", force=True))
    if clock:
        yield from (TimerDue(), AbsenceSeen(), AnchorSeen(group.incarnation))
    shown = [_seen(task, task.status) for task in group.tasks if task.status in SHOWN]
    for row in group.pending:
        match row.kind:
            case "create":
                yield CreateAnswered(row.ordinal, "done")
                yield CreateAnswered(row.ordinal, "failed", "no")
            case "cleanup":
                yield CleanupAnswered(row.ordinal)
            case "observe":
                yield ObserveAnswered(row.ordinal, ())
                yield ObserveAnswered(row.ordinal, tuple(shown))
                for seen in _pods(group):
                    others = (one for one in shown if one.task != seen.task)
                    yield ObserveAnswered(row.ordinal, (seen, *others))
    yield from _pods(group)


def _pods(group: Group) -> Iterator[PodSeen]:
    """Every status, of ends by the infrastructure and of each code that a rule names one; of what
    has ended, late news."""
    for task in group.tasks:
        if task.status.final:
            yield _seen(task, TaskStatus.RUNNING)
        else:
            for status in TaskStatus:
                yield _seen(task, status)
            yield _seen(task, TaskStatus.FAILED_BACKEND_ERROR, disrupted=True)
            for rule in task.exit_rules:
                yield _seen(task, TaskStatus.FAILED, exit_code=rule.codes[0][0])


def _seen(task: Task, status: TaskStatus, **fields: Any) -> PodSeen:
    return PodSeen(0, task.name, task.retry, status, message=SAID, **fields)


def _note(
    found: Explored, before: Group, event: GroupEvent, after: Group, effects: tuple[Effect, ...]
) -> None:
    rows = TABLE[type(event)]
    row = next((one for one in rows if before.status in one.states and one.when(before)), None)
    if row is None:
        assert after == before
        return
    key = type(event), row
    found.effects.setdefault(key, set()).update(map(type, effects))
    edges = found.groups.setdefault(key, set())
    if after.status is not before.status:
        edges.add((before.status, after.status))
    replaced = {one.attempt.name: one.attempt for one in effects if isinstance(one, Replaced)}
    for old, new in zip(before.tasks, after.tasks, strict=True):
        last = replaced.get(old.name, new)
        if last.status is not old.status:
            _note_task(found, old, last)
        if last is not new:
            _note_task(found, Task(new.name, status=TaskStatus.PROCESSING), new)


def _note_task(found: Explored, old: Task, new: Task) -> None:
    edge = old.status, new.status
    if old.status is new.status:
        return
    if old.status is TaskStatus.WAITING and not new.status.final:
        found.started.add(edge)
    elif new.message.startswith(_OF_PODS):
        found.seen.add(edge)
    else:
        found.ended.add(edge)
