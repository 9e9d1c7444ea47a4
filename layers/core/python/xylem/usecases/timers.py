"""Timers: a moment in the row of the group that it is of, and a doorbell at that moment.

Whoever sets a timer that is due soon rings for it itself; the Monitor's sweep rings for the others,
five minutes before they are due, and again for those that nobody heard. Sweeps may come late,
twice, overlapping, or not at all for once: each ring moves `next_ring_at` on condition of its old
value, and a ring too many finds nothing to do.

A timer that is due decides nothing about a group that a cluster has: it asks the backend to
`observe`, and the answer decides (`domain.group`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from xylem.domain.deadlines import deadline
from xylem.domain.errors import UnknownWorkflow
from xylem.domain.group import TimerDue
from xylem.domain.ids import GroupId, WorkflowId
from xylem.ports.jobs import Timer, Timers
from xylem.usecases import intents
from xylem.usecases.apply import RING_LATE, Engine, tell
from xylem.usecases.draft import Draft
from xylem.usecases.footprint import RING_AGAIN_AFTER

LONGEST_SILENCE = timedelta(minutes=15)
PAGE = 500
AT_ONCE = 25
"""Timers that are moved before they are rung for: a sweep that is killed leaves no more behind that
ring a minute late."""

EARLY = timedelta(seconds=30)
"""A ring that comes before the time, by less than this, comes of clocks that differ: it rings once
more. An earlier one is of a deadline that was set anew since, which has its own ring."""


def sweep_timers(*, engine: Engine, timers: Timers) -> int:
    """Ring for what is due within five minutes, or was rung for and is still there: how many."""
    total = 0
    while True:
        due = timers.due(engine.clock(), limit=PAGE)
        rung = sum(
            _ring(due[at : at + AT_ONCE], engine, timers) for at in range(0, len(due), AT_ONCE)
        )
        total += rung
        if len(due) < PAGE or not rung:
            return total


def _ring(some: Sequence[Timer], engine: Engine, timers: Timers) -> int:
    now = engine.clock()
    mine = []
    for timer in some:
        rings = timer.rings + 1 if timer.due_at <= now else 0
        if timers.move(timer, next_ring_at=_next_ring(timer.due_at, rings, now), rings=rings):
            mine.append(timer)
    for delay, rung in _by_delay(mine, now).items():
        engine.alarm.ring(rung, delay=timedelta(seconds=delay))
    return len(mine)


def look(workflow: WorkflowId, group: GroupId, *, engine: Engine) -> None:
    """Answer a ring: the group first, then its timer; what the ring said of either means
    nothing."""

    def fold(draft: Draft) -> timedelta:
        found = draft.group(group)
        due = deadline(found) if found else None
        if due is None:
            return timedelta()
        if due <= draft.now:
            draft.decide(group, TimerDue())
        return due - draft.now

    try:
        left, commit = intents.change_whole(workflow, "a timer", fold, engine=engine)
    except UnknownWorkflow:
        return
    tell(commit, engine=engine)
    if commit is None and timedelta() < left <= EARLY:
        engine.alarm.ring([(workflow, group)], delay=left + RING_LATE)


def _next_ring(due: datetime, rings: int, now: datetime) -> datetime:
    """A minute after it was due, then later each time."""
    silence: timedelta = RING_AGAIN_AFTER * 2 ** min(max(rings - 1, 0), 10)
    return max(due, now) + min(silence, LONGEST_SILENCE)


def _by_delay(timers: list[Timer], now: datetime) -> dict[int, list[tuple[WorkflowId, GroupId]]]:
    """In whole seconds, as SQS counts."""
    rung: dict[int, list[tuple[WorkflowId, GroupId]]] = {}
    for timer in timers:
        left = max(timer.due_at - now, timedelta())
        seconds = -(-(left + RING_LATE) // timedelta(seconds=1))
        rung.setdefault(seconds, []).append((timer.workflow, timer.group))
    return rung
