"""Tasks across workflows: listed, or what they ask for summed up.

They are found through the list rows of their workflows, the newest first, of which a request reads
so many and no more: beyond those, a list ends early. Of workflows that ended nothing is read where
only tasks that live are wanted.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from xylem.domain.errors import InvalidRequest
from xylem.domain.node import Amounts, total
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.task import Task
from xylem.domain.values import dataclass
from xylem.ports.listing import Filter as WorkflowFilter
from xylem.ports.workflows import Entry, Workflows
from xylem.usecases import listing

MOST_TASKS = 1_000
"""Of one page; OSMO's."""

MOST_WORKFLOWS = 300
"""Whose tasks one request reads: 10 ms each."""

FURTHEST_OFFSET = 100_000

_ORDER = (TaskStatus.SCHEDULING, TaskStatus.INITIALIZING, TaskStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Filter:
    """Empty: everything. `workflow`: part of the id. A task without a start is after any time."""

    workflow: str = ""
    statuses: Sequence[TaskStatus] = ()
    users: Sequence[str] = ()
    pools: Sequence[str] = ()
    nodes: Sequence[str] = ()
    priorities: Sequence[str] = ()
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    workflow: Entry
    task: Task


@dataclass(frozen=True, slots=True)
class Sum:
    """What tasks ask for together. `workflow`: of one, where they are summed by workflow."""

    user: str
    pool: str
    priority: str
    wants: Amounts
    workflow: str | None = None


def page(wanted: Filter, *, workflows: Workflows, limit: int, offset: int) -> list[Found]:
    """By how near to running they are, then the newest first. Raises `InvalidRequest`."""
    if limit <= 0:
        raise InvalidRequest(f"limit is {limit}: it must be 1 or more.", code="USER")
    if not 0 <= offset <= FURTHEST_OFFSET:
        raise InvalidRequest(f"offset is {offset}: it must be from 0 to {FURTHEST_OFFSET}.")
    found = sorted(_matching(wanted, workflows), key=_place)
    return found[offset : offset + min(limit, MOST_TASKS)]


def sums(wanted: Filter, *, workflows: Workflows, by_workflow: bool) -> list[Sum]:
    """By user, pool, workflow and priority."""
    groups: dict[tuple[str, str, str, str | None], list[Amounts]] = {}
    for one in _matching(wanted, workflows):
        it = one.workflow
        key = (it.user, it.pool, it.priority, it.id if by_workflow else None)
        groups.setdefault(key, []).append(one.task.wants or Amounts())
    found = [
        Sum(user, pool, priority, total(amounts), workflow)
        for (user, pool, priority, workflow), amounts in groups.items()
    ]
    return sorted(found, key=lambda it: (it.user, it.pool, it.workflow or "", it.priority))


def _matching(wanted: Filter, workflows: Workflows) -> Iterator[Found]:
    alive = bool(wanted.statuses) and not any(one.final for one in wanted.statuses)
    of_workflow = WorkflowFilter(
        users=wanted.users,
        pools=wanted.pools,
        priorities=wanted.priorities,
        name=wanted.workflow,
        statuses=[one for one in WorkflowStatus if not one.final] if alive else (),
    )
    fits = _fits(wanted)
    for entry in islice(listing.every(of_workflow, workflows), MOST_WORKFLOWS):
        shards = workflows.workflow(entry.id).value.shards
        for group in workflows.groups(entry.id, shards=shards):
            yield from (Found(entry, task) for task in group.value.tasks if fits(task))


def _fits(wanted: Filter) -> Callable[[Task], bool]:
    def fits(task: Task) -> bool:
        started = task.started_at
        return (
            (not wanted.statuses or task.status in wanted.statuses)
            and (not wanted.nodes or task.node in wanted.nodes)
            and (wanted.after is None or started is None or started >= wanted.after)
            and (wanted.before is None or (started is not None and started < wanted.before))
        )

    return fits


def _place(one: Found) -> tuple[int, float, float, str]:
    """Those without a start come first, as the newest."""
    task = one.task
    rank = _ORDER.index(task.status) if task.status in _ORDER else len(_ORDER)
    started = -task.started_at.timestamp() if task.started_at else float("-inf")
    return rank, started, -one.workflow.submitted_at.timestamp(), task.name
