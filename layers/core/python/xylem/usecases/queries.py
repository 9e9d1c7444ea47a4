"""What people ask about one workflow: its groups and tasks, its spec, its history.

Lists of them are `listing`'s.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from xylem.domain.detail import TaskDetail
from xylem.domain.errors import InvalidRequest, UnknownTask
from xylem.domain.group import Group
from xylem.domain.ids import GroupId, TaskName
from xylem.domain.task import Task
from xylem.domain.values import dataclass, field
from xylem.domain.workflow import Workflow
from xylem.ports.blobs import Blobs
from xylem.ports.workflows import AuditEntry, Workflows
from xylem.usecases.audit import Difference, load_differences
from xylem.usecases.specs import SpecFile, spec_key

MOST_RECORDS = 200
"""Of the audit in one page: one may have some KB of differences, and an answer holds 5 MB."""

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
