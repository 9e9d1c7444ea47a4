"""Workflows: submit, validate, look at, list, cancel."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from functions.core_service import views
from functions.core_service.identity import User
from functions.core_service.services import Has
from functions.core_service.text import Text
from functions.core_service.views import View
from xylem import spec
from xylem.domain.access import require_owner
from xylem.domain.errors import InvalidRequest, InvalidSpec, UnknownWorkflow
from xylem.domain.status import WorkflowStatus
from xylem.usecases import again, cancel, placing, queries, submit, why_pending

router = APIRouter(prefix="/api")

Priority = Literal["HIGH", "NORMAL", "LOW"]

NAME_CHARS = 256
"""More than any name has; DynamoDB refuses a key of more than 2 KB."""

CURSOR_CHARS = 1_000
"""DynamoDB's sort keys have 1,024 bytes."""

MESSAGE_CHARS = 1_000
"""It is written into every task that is cancelled."""


def _workflow(name: str) -> str:
    """Raises `UnknownWorkflow`."""
    if len(name) > NAME_CHARS:
        raise UnknownWorkflow(f"Workflow {name[:NAME_CHARS]}... was not found: no id is that long.")
    return name


Name = Annotated[str, Depends(_workflow)]
NameOfAny = Annotated[str, Field(max_length=NAME_CHARS)]


class TemplateSpec(BaseModel):
    """What OSMO's client sends: the YAML as a string, and the variables of its template."""

    file: Text
    set_variables: list[Text] = []
    set_string_variables: list[Text] = []
    uploaded_templated_spec: Text | None = None


class SubmitQuery(BaseModel):
    workflow_id: str | None = None
    dry_run: bool = False
    validation_only: bool = False
    priority: Priority = "NORMAL"
    env_vars: list[str] = []
    label: list[str] = []


class ListQuery(BaseModel):
    users: list[NameOfAny] = []
    name: str = ""
    statuses: list[WorkflowStatus] = []
    offset: int = 0
    limit: int = 20
    order: Literal["ASC", "DESC"] = "ASC"
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


@router.post("/pool/{pool_name}/workflow")
def submit_workflow(
    pool_name: str,
    query: Annotated[SubmitQuery, Query()],
    who: User,
    has: Has,
    body: TemplateSpec | None = None,
    idempotency_key: Annotated[str | None, Header(max_length=128)] = None,
) -> View:
    """`pool_name`: one pool, or several with commas between them, of which the one is chosen that
    starts the workflow soonest. `Idempotency-Key`: the same user's second submission under one key
    within 24 h is answered with the first's name and makes nothing."""
    request = _request(query, body, who, has, idempotency_key)
    if query.dry_run:
        placing.named(pool_name, has.pools)
        name, text = spec.dry_run(submit.render(request), labels=query.label)
        return views.rendered(name, text)
    return _submit(request, pool_name, who, has, validation_only=query.validation_only)


def _request(
    query: SubmitQuery, body: TemplateSpec | None, who: User, has: Has, key: str | None
) -> submit.Request:
    """Of the workflow in the body, or of the earlier one that is named. Raises
    `InvalidRequest`."""
    said: dict[str, Any] = {
        "env_vars": query.env_vars,
        "labels": query.label,
        "priority": query.priority,
        "idempotency": key,
    }
    if query.workflow_id is not None:
        if body is not None:
            raise InvalidRequest(
                "Send the workflow in the body, or name an earlier one in `workflow_id`: not both."
            )
        name = _workflow(query.workflow_id)
        return again.resubmission(
            name, by=who.subject, workflows=has.engine.workflows, store=has.engine.store, **said
        )
    if body is None:
        raise InvalidRequest(
            "Send the workflow in the body, as {'file': '<YAML>'}, "
            "or name an earlier one in `workflow_id`."
        )
    if body.uploaded_templated_spec is not None:
        spec.check_size(body.uploaded_templated_spec, "The template")
    return submit.Request(
        text=body.file,
        user=who.subject,
        template=body.uploaded_templated_spec,
        set_variables=body.set_variables,
        set_string_variables=body.set_string_variables,
        **said,
    )


def _submit(
    request: submit.Request, pool: str, who: User, has: Has, *, validation_only: bool = False
) -> View:
    try:
        checked = submit.check(
            request,
            pool,
            pools=has.pools,
            configs=has.configs,
            workflows=has.engine.workflows,
            credentials=has.credentials,
            clusters=has.clusters,
            admin=who.admin,
        )
    except InvalidSpec as refused:
        if not validation_only:
            submit.keep_refusal(request, pool, refused, pools=has.pools, engine=has.engine)
        raise
    if validation_only:
        return views.validated(checked.plan.name)
    return views.submitted(submit.submit(request, checked, engine=has.engine))


@router.post("/pool/{pool_name}/workflow/{name}/restart")
def restart_workflow(
    pool_name: str,
    name: Name,
    who: User,
    has: Has,
    idempotency_key: Annotated[str | None, Header(max_length=128)] = None,
) -> View:
    """A new workflow of what did not complete; `Idempotency-Key` as for a submission."""
    request = again.restart(
        name, by=who.subject, workflows=has.engine.workflows, store=has.engine.store
    )
    return _submit(replace(request, idempotency=idempotency_key), pool_name, who, has)


@router.get("/workflow")
def list_workflows(query: Annotated[ListQuery, Query()], who: User, has: Has) -> View:
    if not query.pools and not query.all_pools:
        raise InvalidRequest("No pool selected!", code="USER")
    for parameter in ("tags", "app", "label", "no_label"):
        if getattr(query, parameter):
            raise InvalidRequest(f"A list by `{parameter}` is not supported yet: leave it out.")
    wanted = queries.Filter(
        users=() if query.all_users else (query.users or [who.subject]),
        pools=() if query.all_pools else query.pools,
        statuses=query.statuses,
        priorities=query.priority,
        name=query.name,
        after=_utc(query.submitted_after),
        before=_utc(query.submitted_before),
    )
    page = queries.page(
        wanted,
        workflows=has.engine.workflows,
        limit=query.limit,
        offset=query.offset,
        newest_first=query.order == "DESC",
    )
    now = has.engine.clock()
    shown = [views.entry(one, now) for one in page.entries]
    return {"workflows": shown, "more_entries": page.more}


@router.get("/workflow/{name}")
def get_workflow(
    name: Name, who: User, has: Has, skip_groups: bool = False, verbose: bool = False
) -> View:
    """`verbose`: every attempt of each task, not the newest alone."""
    found = queries.describe(
        name,
        workflows=has.engine.workflows,
        with_groups=not skip_groups,
        with_earlier_attempts=verbose and not skip_groups,
    )
    return views.workflow(found, has.engine.clock())


@router.get("/workflow/{name}/task/{task_name}")
def get_task(name: Name, task_name: str, who: User, has: Has) -> View:
    found = queries.describe(name, workflows=has.engine.workflows)
    group, task = queries.find_task(found, task_name)
    return views.task(task, group, found.workflow.uuid)


@router.get("/workflow/{name}/why-pending")
def get_why_pending(name: Name, who: User, has: Has) -> View:
    """Ours: what each group that does not run waits for, since when, and what would change it."""
    facts = why_pending.asked(
        name,
        workflows=has.engine.workflows,
        jobs=has.jobs,
        pools=has.pools,
        clusters=has.clusters,
        store=has.engine.store,
    )
    return views.why_pending(facts, why_pending.explained(facts))


@router.get("/workflow/{name}/spec")
def get_spec(name: Name, who: User, has: Has, use_template: bool = False) -> PlainTextResponse:
    file = queries.spec_file(name, workflows=has.engine.workflows, store=has.engine.store)
    text = file.template if use_template and file.template else file.rendered
    return PlainTextResponse(text)


@router.get("/workflow/{name}/audit")
def get_audit(
    name: Name,
    who: User,
    has: Has,
    cursor: Annotated[str, Query(max_length=CURSOR_CHARS)] = "",
    limit: int = 100,
) -> View:
    """Every change of the workflow: what, by whose word, when, from what to what. Ours alone."""
    found = queries.audit(name, workflows=has.engine.workflows, cursor=cursor, limit=limit)
    return views.audit(found)


class CancelQuery(BaseModel):
    message: str | None = None
    force: bool = False


@router.post("/workflow/{name}/cancel")
def cancel_workflow(
    name: Name, query: Annotated[CancelQuery, Query()], who: User, has: Has
) -> View:
    """Answers when the cancel is recorded; clusters end what they hold in their own time."""
    found = queries.describe(name, workflows=has.engine.workflows, with_groups=False).workflow
    require_owner(who, found.user, found.id)
    message = query.message or ""
    if len(message) > MESSAGE_CHARS:
        raise InvalidRequest(
            f"message has {len(message)} characters; the most is {MESSAGE_CHARS}.", code="USER"
        )
    id = cancel.cancel(
        found.id, by=who.subject, message=message, force=query.force, engine=has.engine
    )
    return {"name": id}


def _utc(at: datetime | None) -> datetime | None:
    """OSMO's clients send naive UTC."""
    if at is None or at.tzinfo is not None:
        return at
    return at.replace(tzinfo=UTC)
