"""What a commit changed, in a form that can be kept: one row of differences per commit.

Each difference names a row and holds the fields that changed, as they were and as they are; for a
row that came or went, one side is None. Replaying the differences of a workflow in the order of
their versions rebuilds its rows. Bodies of mail are left out: they hold the tokens of tasks.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from xylem.domain.group import Group, bare
from xylem.domain.ids import GroupId, WorkflowId
from xylem.domain.task import Task
from xylem.domain.values import dataclass
from xylem.ports.backends import Mail
from xylem.ports.workflows import Commit, Creation, Laying, Reservation
from xylem.usecases.footprint import changed_tasks, mail_to_drop, mail_to_write

Plain = None | bool | int | str | list["Plain"] | dict[str, "Plain"]
"""What JSON can say, without fractions."""

Fields = dict[str, Plain]

CAME, WENT = 0, 1
"""Versions of what has none."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`row`: `workflow`, `counts/<shard>`, `group/<id>`, `task/<group>/<name>/<retry>`, `job/<id>`,
    `mail/<id>`. Of a row that came, empty fields (null, 0, false, "") are left out."""

    row: str
    before: Fields | None
    after: Fields | None


@dataclass(frozen=True, slots=True)
class Audit:
    """One commit. `entity` and the `version` that it reached name the commit: no other commit can
    bring the same entity to the same version."""

    workflow: WorkflowId
    entity: str
    version: int
    cause: str
    at: datetime
    differences: tuple[Difference, ...]

    @property
    def key(self) -> str:
        return f"{self.version:010d}#{self.entity}"

    def dump_differences(self) -> str:
        return json.dumps(
            [
                {"row": one.row, "before": one.before, "after": one.after}
                for one in self.differences
            ],
            separators=(",", ":"),
        )


def load_differences(text: str) -> tuple[Difference, ...]:
    return tuple(Difference(**one) for one in json.loads(text))


Audited = Commit | Creation | Reservation | Laying
"""Whatever is kept an audit of: a commit, a creation, or a part of a large one."""


def of(change: Audited) -> Audit:
    match change:
        case Commit():
            return of_commit(change)
        case Creation():
            return of_creation(change)
        case Reservation():
            return of_reservation(change)
        case Laying():
            return of_laying(change)


def of_commit(commit: Commit) -> Audit:
    differences: list[Difference] = []
    if moved := commit.workflow_change:
        differences.append(_difference("workflow", moved.before, moved.after, moved.version))
    for shard, counted in commit.counts.items():
        row = f"counts/{shard}"
        differences.append(_difference(row, counted.before, counted.after, counted.version))
    for change in commit.groups:
        row = f"group/{change.after.id}"
        differences.append(_difference(row, change.before, change.after, change.version))
        replaced = commit.replaced.get(change.after.id, ())
        for _, before, after in changed_tasks(change, replaced):
            differences.append(_difference(_task_row(change.after.id, after), before, after))
    differences += [_difference(f"job/{job.id}", None, job) for job in commit.jobs]
    ended = (*commit.jobs_done, *commit.jobs_dropped)
    differences += [Difference(f"job/{id}", {}, None) for id in ended]
    differences += [_difference(f"mail/{mail.id}", None, mail) for mail in mail_to_write(commit)]
    gone = (*commit.mail_done, *mail_to_drop(commit))
    differences += [Difference(f"mail/{id}", {}, None) for _, id in gone]
    entity, version = _name(commit)
    return Audit(commit.workflow, entity, version, commit.cause, commit.at, tuple(differences))


def of_creation(creation: Creation) -> Audit:
    workflow = creation.workflow
    differences = [_difference("workflow", None, workflow, 0)]
    for group in creation.groups:
        differences.append(_difference(f"group/{group.id}", None, group, 0))
        rows = (bare(group, task) for task in group.tasks)
        differences += [_difference(_task_row(group.id, task), None, task) for task in rows]
    differences += [_difference(f"job/{job.id}", None, job) for job in creation.jobs]
    if creation.removal is not None:
        differences.append(Difference(f"job/{creation.removal}", {}, None))
    cause = f"submitted by {workflow.user}"
    return Audit(workflow.id, "workflow", 1, cause, workflow.submitted_at, tuple(differences))


def of_reservation(reservation: Reservation) -> Audit:
    row = _difference(f"job/{reservation.removal.id}", None, reservation.removal)
    cause = f"begun by {reservation.by}"
    return Audit(reservation.workflow, "creation", 0, cause, reservation.at, (row,))


def of_laying(laying: Laying) -> Audit:
    """Parts of a creation are counted from 1."""
    differences = [
        _difference(f"counts/{shard}", None, counts, 0) for shard, counts in laying.counts.items()
    ]
    for group in laying.groups:
        differences.append(_difference(f"group/{group.id}", None, group, 0))
        differences += [
            _difference(_task_row(group.id, bare(group, task)), None, bare(group, task))
            for task in group.tasks
        ]
    differences += [_difference(_task_row(id, task), None, task) for id, _, task in laying.tasks]
    workflow = laying.workflow
    cause = f"submitted by {workflow.user}"
    at = workflow.submitted_at
    return Audit(workflow.id, "creation", laying.part, cause, at, tuple(differences))


def _name(commit: Commit) -> tuple[str, int]:
    """Jobs and mail come once and go once: a commit without an entity is named by one of those."""
    if commit.workflow_change:
        return "workflow", commit.workflow_change.version + 1
    for shard, change in commit.counts.items():
        return f"counts/{shard}", change.version + 1
    if commit.groups:
        return f"group/{commit.groups[0].after.id}", commit.groups[0].version + 1
    if gone := (*commit.jobs_done, *commit.jobs_dropped):
        return f"job/{gone[0]}", WENT
    if commit.mail_done:
        return f"mail/{commit.mail_done[0][1]}", WENT
    if commit.jobs:
        return f"job/{commit.jobs[0].id}", CAME
    return f"mail/{commit.mail[0].id}", CAME


def _task_row(group: GroupId, task: Task) -> str:
    return f"task/{group}/{task.name}/{task.retry}"


def _difference(row: str, before: object, after: object, version: int | None = None) -> Difference:
    """`version`: the row's before the change, for rows that have one; 0 for one that comes."""
    then, now = _fields(before), _fields(after)
    assert now is not None
    if then is None:
        came: Fields = {name: value for name, value in now.items() if value}
        if version is not None:
            came["version"] = version + 1
        return Difference(row, None, came)
    changed = [name for name in now if then[name] != now[name]]
    was = {name: then[name] for name in changed}
    is_ = {name: now[name] for name in changed}
    if version is not None:
        was["version"], is_["version"] = version, version + 1
    return Difference(row, was, is_)


def _fields(value: object) -> Fields | None:
    """A group's tasks are rows of their own; what a mail carries stays out of the audit."""
    if value is None:
        return None
    left_out = {Group: "tasks", Mail: "payload"}.get(type(value))
    plain = _plain(value)
    assert isinstance(plain, dict)
    return {name: part for name, part in plain.items() if name != left_out}


def _plain(value: Any) -> Plain:
    match value:
        case None | bool() | int():
            return value
        case str():
            return str(value)
        case bytes():
            return f"{len(value)} bytes"
        case datetime():
            return value.astimezone(UTC).isoformat()
        case timedelta():
            return value // timedelta(microseconds=1)
        case Mapping():
            return {str(name): _plain(part) for name, part in value.items()}
        case Iterable():
            return [_plain(part) for part in value]
        case _:
            return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
