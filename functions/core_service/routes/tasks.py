"""Tasks across workflows: which there are, and what they ask for together."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from functions.core_service import listed, task_views
from functions.core_service.identity import User
from functions.core_service.names import Priority
from functions.core_service.routes.workflows import NameOfAny
from functions.core_service.services import Has
from functions.core_service.views import View
from xylem.domain.errors import InvalidRequest
from xylem.domain.status import TaskStatus
from xylem.usecases import task_list

router = APIRouter(prefix="/api/task")


class ListQuery(BaseModel):
    workflow_id: str = ""
    statuses: list[listed.TaskGroupStatus] = []
    users: list[NameOfAny] = []
    all_users: bool = False
    pools: list[NameOfAny] = []
    all_pools: bool = False
    nodes: list[str] = []
    started_after: datetime | None = None
    started_before: datetime | None = None
    offset: int = 0
    limit: int = 20
    order: listed.Order = listed.Order.ASC
    summary: bool = False
    aggregate_by_workflow: bool = False
    priority: list[Priority] = []


@router.get("")
def list_tasks(query: Annotated[ListQuery, Query()], who: User, has: Has) -> View:
    """`summary`: what they ask for, by user, pool and priority; `aggregate_by_workflow`: by
    workflow as well."""
    if query.limit <= 0:
        raise InvalidRequest(f"limit is {query.limit}: it must be 1 or more.", code="USER")
    statuses = [TaskStatus(one) for one in query.statuses if one.value in TaskStatus.__members__]
    if query.statuses and not statuses:
        return {"summaries" if query.summary or query.aggregate_by_workflow else "tasks": []}
    wanted = task_list.Filter(
        workflow=query.workflow_id,
        statuses=statuses,
        users=() if query.all_users else (query.users or [who.subject]),
        pools=_pools(query, who, has),
        nodes=query.nodes,
        priorities=query.priority,
        after=_utc(query.started_after),
        before=_utc(query.started_before),
    )
    workflows = has.engine.workflows
    if query.summary or query.aggregate_by_workflow:
        by_workflow = query.aggregate_by_workflow
        found = task_list.sums(wanted, workflows=workflows, by_workflow=by_workflow)
        summed = found if query.order is listed.Order.DESC else found[::-1]
        return {"summaries": [task_views.summed(one) for one in summed]}
    page = task_list.page(wanted, workflows=workflows, limit=query.limit, offset=query.offset)
    shown = page if query.order is listed.Order.DESC else page[::-1]
    return {"tasks": [task_views.listed(one, has.engine.clock()) for one in shown]}


def _pools(query: ListQuery, who: User, has: Has) -> list[str]:
    """Raises `InvalidRequest`."""
    if query.all_pools:
        return []
    if query.pools:
        return query.pools
    pool = has.identity.profile(who.subject).pool
    if pool is None:
        raise InvalidRequest("No pool selected!", code="USER")
    return [pool]


def _utc(at: datetime | None) -> datetime | None:
    """OSMO's clients send naive UTC."""
    if at is None or at.tzinfo is not None:
        return at
    return at.replace(tzinfo=UTC)
