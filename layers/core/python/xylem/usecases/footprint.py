"""What a commit amounts to in rows. Memory and DynamoDB ask here, so they write and count alike.

A transaction holds 100 actions, *all counted*: entities, list entries, jobs, mail, audit.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from xylem.domain.deadlines import deadline
from xylem.domain.group import Group, bare
from xylem.domain.ids import BackendName, MailId
from xylem.domain.task import Task
from xylem.domain.workflow import Workflow
from xylem.ports.backends import Mail
from xylem.ports.stored import Change
from xylem.ports.workflows import Commit, Creation, Entry, Laying

LISTS = 3
"""A workflow stands in the list of all, in its user's and in its pool's."""

AUDIT = 1


def entry(workflow: Workflow) -> Entry:
    """What the lists show of it."""
    return Entry(
        id=workflow.id,
        uuid=workflow.uuid,
        user=workflow.user,
        pool=workflow.pool,
        status=workflow.status,
        priority=workflow.priority,
        submitted_at=workflow.submitted_at,
        started_at=workflow.started_at,
        ended_at=workflow.ended_at,
        labels=workflow.labels,
        tags=workflow.tags,
        app=workflow.app,
    )


def changed_entry(change: Change[Workflow]) -> Entry | None:
    """None: the lists show what they showed."""
    after = entry(change.after)
    return after if after != entry(change.before) else None


def changed_tasks(
    change: Change[Group], replaced: Iterable[Task] = ()
) -> list[tuple[int, Task | None, Task]]:
    """The attempts whose own rows moved or are new: position in the group, as the row was (None:
    new), as it is. `replaced`: those that ended and are the newest no more; they keep their rows.

    What an attempt has from its group is written with the group."""
    known = {(task.name, task.retry): task for task in change.before.tasks}
    positions = {task.name: position for position, task in enumerate(change.after.tasks)}
    given_the_same = _given(change.before) == _given(change.after)
    moved = []
    for task in (*replaced, *change.after.tasks):
        was = known.get((task.name, task.retry))
        if was is task and given_the_same:
            continue
        before = None if was is None else bare(change.before, was)
        after = bare(change.after, task)
        if before != after:
            moved.append((positions[task.name], before, after))
    return moved


_given = attrgetter("processing_at", "placed")
"""What an attempt has from its group."""


class NewTimer(NamedTuple):
    """`due_at` None: the group has no deadline any more."""

    due_at: datetime | None
    next_ring_at: datetime | None


def changed_timer(change: Change[Group], at: datetime) -> NewTimer | None:
    """None: the group's deadline is what it was."""
    due = deadline(change.after)
    if due == deadline(change.before):
        return None
    return NewTimer(due, first_ring(due, at) if due else None)


RUNG_AT_ONCE = timedelta(minutes=5)
"""Whoever sets a timer that is due sooner rings for it; SQS delays a message by 15 minutes at the
most, so there is room for a sweep that comes late, twice or not at all once."""

RING_AGAIN_AFTER = timedelta(seconds=60)


def first_ring(due: datetime, now: datetime) -> datetime:
    """When the Monitor has to ring: five minutes before it is due, or, where that is past and who
    set the timer has rung, a minute after it was due."""
    if due - now > RUNG_AT_ONCE:
        return due - RUNG_AT_ONCE
    return max(due, now) + RING_AGAIN_AFTER


def first_ring_of_new(due: datetime) -> datetime:
    """Who submits rings for no timer, so the Monitor does with its next sweep if it is due soon:
    what a new group may wait or take to its cluster may be a few minutes."""
    return due - RUNG_AT_ONCE


def mail_to_write(commit: Commit) -> list[Mail]:
    """Without what the same commit takes back: a transaction has one action for each row."""
    dropped = {id for _, id in commit.mail_dropped}
    return [mail for mail in commit.mail if mail.id not in dropped]


def mail_to_drop(commit: Commit) -> list[tuple[BackendName, MailId]]:
    """Without what the same commit would have written, and what it deletes on condition."""
    settled = {mail.id for mail in commit.mail} | {id for _, id in commit.mail_done}
    return [(backend, id) for backend, id in commit.mail_dropped if id not in settled]


def actions(commit: Commit) -> int:
    moved = commit.workflow_change
    return (
        (1 if moved or commit.uncancelled else 0)
        + len(commit.counts)
        + (LISTS if moved and changed_entry(moved) else 0)
        + sum(
            1 + len(changed_tasks(change, commit.replaced.get(change.after.id, ())))
            for change in commit.groups
        )
        + len(commit.jobs)
        + len(commit.jobs_done)
        + len(commit.jobs_dropped)
        + len(mail_to_write(commit))
        + len(commit.mail_done)
        + len(mail_to_drop(commit))
        + AUDIT
    )


def creation_actions(creation: Creation) -> int:
    """Counter (or removal), uuid and workflow are a row each, and so is a caller's key."""
    return (
        3
        + LISTS
        + sum(1 + len(group.tasks) for group in creation.groups)
        + len(creation.jobs)
        + (1 if creation.idempotency else 0)
        + AUDIT
    )


def laying_actions(laying: Laying) -> int:
    """The check of the removal comes first."""
    return (
        1
        + sum(1 + len(group.tasks) for group in laying.groups)
        + len(laying.tasks)
        + len(laying.counts)
        + AUDIT
    )


RESERVATION_ACTIONS = 2 + AUDIT
