"""What people ask about workflows: one of them with its groups and tasks, or a list.

Lists are read from list rows by time of submission and filtered as they come; nothing is scanned,
and who has enough stops reading.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from xylem.domain.app import AppUse
from xylem.domain.detail import TaskDetail
from xylem.domain.errors import InvalidRequest, UnknownTask
from xylem.domain.group import Group
from xylem.domain.ids import GroupId, TaskName
from xylem.domain.label_filter import LabelSelector
from xylem.domain.status import WorkflowStatus
from xylem.domain.task import Task
from xylem.domain.values import dataclass, field
from xylem.domain.workflow import Workflow
from xylem.ports.blobs import Blobs
from xylem.ports.workflows import AuditEntry, Entry, Scope, Workflows
from xylem.usecases.audit import Difference, load_differences
from xylem.usecases.specs import SpecFile, spec_key

MOST_ENTRIES = 1_000
"""OSMO's limit on one page of a list."""

MOST_RECORDS = 200
"""Of the audit in one page: one may have some KB of differences, and an answer holds 5 MB."""

FURTHEST_OFFSET = 1_000_000
"""What lies before the page is read and passed over."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is to hold. Empty: everything; of `statuses`, but FAILED_SUBMISSION. `name`: part
    of the id."""

    users: Sequence[str] = ()
    pools: Sequence[str] = ()
    statuses: Sequence[str] = ()
    priorities: Sequence[str] = ()
    name: str = ""
    after: datetime | None = None
    before: datetime | None = None
    tags: Sequence[str] = ()
    """One of them."""
    labels: Sequence[LabelSelector] = ()
    """All of them."""
    no_labels: Sequence[str] = ()
    """None of these keys."""
    app: tuple[str, int | None] | None = None
    """Its name, and a version of it."""


@dataclass(frozen=True, slots=True)
class Page:
    entries: tuple[Entry, ...]
    more: bool


MOST_DETAILS = 500
"""Beside one workflow: some hundred bytes each as a rule, 20 KB at the most."""

AttemptKey = tuple[GroupId, TaskName, int]


@dataclass(frozen=True, slots=True)
class Described:
    """A workflow with its groups in the order of the spec. `earlier`: the attempts that newer ones
    replaced, by group and in their order, where they were asked for; `details`: what explains
    attempts, where it was."""

    workflow: Workflow
    groups: tuple[Group, ...]
    earlier: Mapping[GroupId, Sequence[Task]] = field(default_factory=dict)
    details: Mapping[AttemptKey, TaskDetail] = field(default_factory=dict)


def describe(
    id_or_uuid: str,
    *,
    workflows: Workflows,
    with_groups: bool = True,
    with_earlier_attempts: bool = False,
    with_details: bool = False,
) -> Described:
    """Raises `UnknownWorkflow`."""
    id = workflows.resolve(id_or_uuid)
    workflow = workflows.workflow(id).value
    groups = workflows.groups(id, shards=workflow.shards) if with_groups else []
    earlier: dict[GroupId, list[Task]] = {}
    if with_earlier_attempts:
        found = workflows.earlier_attempts(id, shards=workflow.shards)
        for group, task in sorted(found, key=lambda one: one.task.retry):
            earlier.setdefault(group, []).append(task)
    told = {}
    if with_details:
        found_details = workflows.details(id, shards=workflow.shards, limit=MOST_DETAILS)
        told = {(one.group, one.task, one.retry): one for one in found_details}
    return Described(workflow, tuple(stored.value for stored in groups), earlier, told)


def find_task(described: Described, name: str) -> tuple[Group, Task]:
    """Raises `UnknownTask`."""
    for group in described.groups:
        task = group.task(TaskName(name))
        if task is not None:
            return group, task
    raise UnknownTask(f"Task {name} of workflow {described.workflow.id} is not found.")


@dataclass(frozen=True, slots=True)
class Record:
    """What one commit changed, and by whose word. `entity` and the `version` that it came to name
    it."""

    entity: str
    version: int
    cause: str
    at: datetime
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Records:
    """`cursor`: where the next page begins; None: there is none."""

    records: tuple[Record, ...]
    cursor: str | None


def audit(id_or_uuid: str, *, workflows: Workflows, cursor: str = "", limit: int = 100) -> Records:
    """What happened to a workflow: a page of its commits, by entity version. Raises
    `UnknownWorkflow`, `InvalidRequest`."""
    if not 0 < limit <= MOST_RECORDS:
        raise InvalidRequest(f"limit is {limit}: it must be from 1 to {MOST_RECORDS}.")
    id = workflows.workflow(workflows.resolve(id_or_uuid)).value.id
    found = workflows.audit(id, after=cursor, limit=limit)
    records = tuple(map(_record, found))
    return Records(records, found[-1].key if len(found) == limit else None)


def _record(entry: AuditEntry) -> Record:
    version, _, entity = entry.key.partition("#")
    differences = load_differences(entry.differences)
    return Record(entity, int(version), entry.cause, entry.at, differences)


def spec_file(id_or_uuid: str, *, workflows: Workflows, store: Blobs) -> SpecFile:
    """Raises `UnknownWorkflow`, `InvalidRequest` when retention has taken the spec away."""
    workflow = workflows.workflow(workflows.resolve(id_or_uuid)).value
    body = store.get(spec_key(workflow.uuid))
    if workflow.refusal:
        raise InvalidRequest(
            f"{workflow.id} was refused when it was submitted: its spec was not kept.",
            workflow=workflow.id,
        )
    if body is None:
        raise InvalidRequest(f"The spec of {workflow.id} has expired.", workflow=workflow.id)
    return SpecFile.load(body)


def page(
    wanted: Filter, *, workflows: Workflows, limit: int, offset: int, newest_first: bool
) -> Page:
    """`order` decides which end is read first, as in OSMO. Raises `InvalidRequest`."""
    if not 0 < limit <= MOST_ENTRIES:
        raise InvalidRequest(f"limit is {limit}: it must be from 1 to {MOST_ENTRIES}.")
    if not 0 <= offset <= FURTHEST_OFFSET:
        raise InvalidRequest(f"offset is {offset}: it must be from 0 to {FURTHEST_OFFSET}.")
    entries = matching(wanted, workflows, newest_first=newest_first)
    found = list(islice(entries, offset, offset + limit + 1))
    return Page(tuple(found[:limit]), more=len(found) > limit)


def matching(wanted: Filter, workflows: Workflows, *, newest_first: bool) -> Iterator[Entry]:
    """Lazily."""
    entries: Iterable[Entry] = workflows.entries(
        _scope(wanted), newest_first=newest_first, after=wanted.after, before=wanted.before
    )
    for entry in entries:
        if (
            (not wanted.users or entry.user in wanted.users)
            and (not wanted.pools or entry.pool in wanted.pools)
            and _has_status(entry, wanted)
            and (not wanted.priorities or entry.priority in wanted.priorities)
            and wanted.name in entry.id
            and (not wanted.tags or not set(wanted.tags).isdisjoint(entry.tags))
            and all(one.selects(entry.labels.get(one.key)) for one in wanted.labels)
            and not any(key in entry.labels for key in wanted.no_labels)
            and _is_from(entry.app, wanted.app)
        ):
            yield entry


def _is_from(app: AppUse | None, wanted: tuple[str, int | None] | None) -> bool:
    if wanted is None:
        return True
    name, version = wanted
    return app is not None and app.name == name and version in (None, app.version)


def _has_status(entry: Entry, wanted: Filter) -> bool:
    """Refused submissions are shown to who asks for them, as with OSMO."""
    if not wanted.statuses:
        return entry.status is not WorkflowStatus.FAILED_SUBMISSION
    return entry.status in wanted.statuses


def _scope(wanted: Filter) -> Scope:
    """The shortest list that holds all that is wanted."""
    if len(wanted.users) == 1:
        return Scope("user", wanted.users[0])
    if len(wanted.pools) == 1:
        return Scope("pool", wanted.pools[0])
    return Scope("all")
