"""Workflows, once they are there: listed, and looked at."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from functions.core_service import large, listed, task_views, views
from functions.core_service.identity import User, require_read
from functions.core_service.names import NAME_CHARS, Name, Priority
from functions.core_service.services import Has
from functions.core_service.views import View
from xylem.domain.errors import InvalidRequest
from xylem.domain.label_filter import label_selector
from xylem.domain.status import WorkflowStatus
from xylem.ports.listing import Filter
from xylem.usecases import listing, queries

router = APIRouter(prefix="/api/workflow")

CURSOR_CHARS = 1_000
"""DynamoDB's sort keys have 1,024 bytes."""

NameOfAny = Annotated[str, Field(max_length=NAME_CHARS)]


class ListQuery(BaseModel):
    users: list[NameOfAny] = []
    name: str = ""
    statuses: list[listed.WorkflowStatus] = []
    offset: int = 0
    limit: int = 20
    cursor: Annotated[str, Field(max_length=CURSOR_CHARS)] = ""
    """Where the page before this one ended. Ours."""
    order: listed.Order = listed.Order.ASC
    all_users: bool = False
    pools: list[NameOfAny] = []
    all_pools: bool = False
    submitted_before: datetime | None = None
    submitted_after: datetime | None = None
    priority: list[Priority] = []
    tags: list[str] = []
    app: str | None = None
    label: list[str] = []
    no_label: list[str] = []


@router.get("")
def list_workflows(
    query: Annotated[ListQuery, Query()], who: User, has: Has, request: Request
) -> Response:
    pools = query.pools if query.pools and not query.all_pools else _own_pool(who, query, has)
    statuses = [
        WorkflowStatus(one) for one in query.statuses if one.value in WorkflowStatus.__members__
    ]
    if query.statuses and not statuses:
        return large.answer({"workflows": [], "more_entries": False}, request)
    wanted = Filter(
        users=() if query.all_users else (query.users or [who.subject]),
        pools=pools,
        statuses=statuses,
        priorities=query.priority,
        name=query.name,
        after=_utc(query.submitted_after),
        before=_utc(query.submitted_before),
        tags=query.tags,
        labels=[label_selector(one) for one in query.label],
        no_labels=query.no_label,
        app=_app(query.app),
    )
    page = listing.page(
        wanted,
        workflows=has.engine.workflows,
        limit=query.limit,
        offset=query.offset,
        cursor=query.cursor,
        newest_first=query.order is listed.Order.DESC,
    )
    now = has.engine.clock()
    shown = [views.entry(one, now) for one in page.entries]
    further = {"cursor": page.cursor} if page.cursor else {}
    return large.answer({"workflows": shown, "more_entries": page.more, **further}, request)


@router.get("/{name}")
def get_workflow(
    name: Name,
    who: User,
    has: Has,
    request: Request,
    skip_groups: bool = False,
    verbose: bool = False,
) -> Response:
    """`verbose`: every attempt of each task, not the newest alone, and what explains them."""
    found = queries.describe(
        name,
        workflows=has.engine.workflows,
        with_groups=not skip_groups,
        with_earlier_attempts=verbose and not skip_groups,
        with_details=verbose and not skip_groups,
    )
    require_read(who, found.workflow, has)
    return large.answer(views.workflow(found, has.engine.clock()), request)


@router.get("/{name}/task/{task_name}")
def get_task(name: Name, task_name: str, who: User, has: Has) -> View:
    found = queries.describe(name, workflows=has.engine.workflows)
    require_read(who, found.workflow, has)
    _, task = queries.find_task(found, task_name)
    return task_views.one(task, found.workflow.id)


@router.get("/{name}/spec", response_class=PlainTextResponse)
def get_spec(name: Name, who: User, has: Has, use_template: bool = False) -> PlainTextResponse:
    _require_read(name, who, has)
    file = queries.spec_file(name, workflows=has.engine.workflows, store=has.engine.store)
    text = file.template if use_template and file.template else file.rendered
    return PlainTextResponse(text)


@router.get("/{name}/audit")
def get_audit(
    name: Name,
    who: User,
    has: Has,
    cursor: Annotated[str, Query(max_length=CURSOR_CHARS)] = "",
    limit: int = 100,
) -> View:
    """Every change of the workflow: what, by whose word, when, from what to what. Ours alone."""
    _require_read(name, who, has)
    found = queries.audit(name, workflows=has.engine.workflows, cursor=cursor, limit=limit)
    return views.audit(found)


def _require_read(name: str, who: User, has: Has) -> None:
    """Raises `Forbidden`, `UnknownWorkflow`."""
    workflows = has.engine.workflows
    require_read(who, workflows.workflow(workflows.resolve(name)).value, has)


def _own_pool(who: User, query: ListQuery, has: Has) -> list[str]:
    """All pools where those are asked for, else the one that the caller set. Raises
    `InvalidRequest`."""
    if query.all_pools:
        return []
    pool = has.identity.profile(who.subject).pool
    if pool is None:
        raise InvalidRequest("No pool selected!", code="USER")
    return [pool]


def _app(text: str | None) -> tuple[str, int | None] | None:
    """`name` or `name:version`. Raises `InvalidRequest`."""
    if text is None:
        return None
    name, colon, version = text.partition(":")
    if colon and not (version.isascii() and version.isdigit()):
        raise InvalidRequest(f"app: {text[:100]} is none: write NAME or NAME:VERSION.")
    return name, int(version[:9]) if colon else None


def _utc(at: datetime | None) -> datetime | None:
    """OSMO's clients send naive UTC."""
    if at is None or at.tzinfo is not None:
        return at
    return at.replace(tzinfo=UTC)
