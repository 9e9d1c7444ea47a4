"""What explains attempts, in rows of their own: read by people, and where something new is told."""

from collections.abc import Iterable, Iterator
from itertools import islice

from pynamodb.exceptions import PutError

from xylem.domain.detail import TaskDetail
from xylem.domain.ids import GroupId, TaskName, WorkflowId, shard_of
from xylem.domain.status import TaskStatus
from xylem_aws.tables.workflows import DetailRow, detail_key, details_key
from xylem_aws.transaction import refused

PAGE = 200
"""Rows of some hundred bytes; who wants few of them pays for few."""


def of_workflow(workflow: WorkflowId, *, shards: int, limit: int) -> list[TaskDetail]:
    return list(islice(_of(workflow, range(shards), limit), limit))


def _of(workflow: WorkflowId, shards: Iterable[int], limit: int) -> Iterator[TaskDetail]:
    for shard in shards:
        rows = DetailRow.query(details_key(workflow, shard), page_size=min(PAGE, limit))
        yield from map(_detail, rows)


def of_group(
    workflow: WorkflowId, group: GroupId, first: TaskName, last: TaskName
) -> list[TaskDetail]:
    pk = details_key(workflow, shard_of(group))
    between = DetailRow.sk.between(f"{group}#{first}", f"{group}#{last}#~")
    found = map(_detail, DetailRow.query(pk, between, consistent_read=True))
    return [one for one in found if first <= one.task <= last]


def keep(workflow: WorkflowId, told: TaskDetail) -> bool:
    """Whether it was written: not where what is told later was faster, or the same was, which
    several processes hear at once when a message comes again."""
    row = DetailRow(
        *detail_key(workflow, told.group, told.task, told.retry),
        group=told.group,
        task=told.task,
        retry=told.retry,
        status=told.status,
        told_at=told.told_at,
        place=told.place,
        detail=told.detail,
    )
    others = (DetailRow.status != row.status) | (DetailRow.detail != row.detail)
    is_news = (DetailRow.place < row.place) | ((DetailRow.place == row.place) & others)
    try:
        row.save(condition=DetailRow.pk.does_not_exist() | is_news)
    except PutError as error:
        if refused(error):
            return False
        raise
    return True


def _detail(row: DetailRow) -> TaskDetail:
    return TaskDetail(
        group=GroupId(row.group),
        task=TaskName(row.task),
        retry=int(row.retry),
        status=TaskStatus(row.status),
        told_at=row.told_at,
        detail=row.detail,
    )
