"""Workflows, where they come from: submit, validate, render, resubmit, restart."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict

from functions.core_service import views
from functions.core_service.identity import User, require_read
from functions.core_service.names import Name, Priority, known_length
from functions.core_service.once import HEADER
from functions.core_service.services import Has, clusters_of
from functions.core_service.text import Text
from functions.core_service.views import View
from xylem import spec
from xylem.domain import idempotency
from xylem.domain.app import AppUse
from xylem.domain.errors import InvalidRequest, InvalidSpec
from xylem.domain.values import replace
from xylem.usecases import again, apps, notifying, placing, submit

router = APIRouter(prefix="/api/pool/{pool_name}/workflow")


class TemplateSpec(BaseModel):
    """What OSMO's client sends: the YAML as a string, and the variables of its template."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "file": "workflow:\n  name: hello\n  tasks:\n"
                "  - {name: hello, image: alpine, command: [echo, hi]}\n"
            }
        }
    )

    file: Text
    set_variables: list[Text] = []
    set_string_variables: list[Text] = []
    uploaded_templated_spec: Text | None = None


class SubmitQuery(BaseModel):
    workflow_id: str | None = None
    app_uuid: str | None = None
    app_version: int | None = None
    dry_run: bool = False
    validation_only: bool = False
    priority: Priority = Priority.NORMAL
    env_vars: list[str] = []
    label: list[str] = []


async def fingerprint(request: Request) -> str:
    """Of a request under an idempotency key; else nothing."""
    if HEADER not in request.headers:
        return ""
    url = request.url
    return idempotency.fingerprint("POST", url.path, url.query.encode(), await request.body())


Fingerprint = Annotated[str, Depends(fingerprint)]
Key = Annotated[str | None, Header(max_length=idempotency.KEY_CHARS)]


@router.post("")
def submit_workflow(
    pool_name: str,
    query: Annotated[SubmitQuery, Query()],
    who: User,
    has: Has,
    fingerprint: Fingerprint,
    body: TemplateSpec | None = None,
    idempotency_key: Key = None,
) -> View:
    """`pool_name`: one pool, or several with commas between them, of which the one is chosen that
    starts the workflow soonest. `Idempotency-Key`: the same user's second submission under one key
    within 24 h is answered with the first's name and makes nothing."""
    request = _request(query, body, who, has)
    request = replace(request, idempotency=idempotency_key, fingerprint=fingerprint)
    if query.dry_run:
        placing.named(pool_name, has.pools)
        name, text = spec.dry_run(submit.render(request), labels=query.label)
        return views.rendered(name, text)
    return _submit(request, pool_name, who, has, validation_only=query.validation_only)


def _request(query: SubmitQuery, body: TemplateSpec | None, who: User, has: Has) -> submit.Request:
    """Of the workflow in the body, or of the earlier one that is named. Raises
    `InvalidRequest`."""
    said: dict[str, Any] = {
        "env_vars": query.env_vars,
        "labels": query.label,
        "priority": query.priority.value,
    }
    if query.workflow_id is not None:
        if body is not None:
            raise InvalidRequest(
                "Send the workflow in the body, or name an earlier one in `workflow_id`: not both."
            )
        name = known_length(query.workflow_id)
        _require_read(name, who, has)
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
        app=_app(query, who, has),
        set_variables=body.set_variables,
        set_string_variables=body.set_string_variables,
        **said,
    )


def _require_read(name: str, who: User, has: Has) -> None:
    """Whoever submits a workflow again can read its spec afterwards. Raises `Forbidden`,
    `UnknownWorkflow`."""
    workflows = has.engine.workflows
    require_read(who, workflows.workflow(workflows.resolve(name)).value, has)


def _app(query: SubmitQuery, who: User, has: Has) -> AppUse | None:
    """Raises `InvalidRequest`."""
    if query.app_uuid is None:
        return None
    return apps.used(query.app_uuid, query.app_version, apps=has.apps, by=who.subject)


def _submit(
    request: submit.Request, pool: str, who: User, has: Has, *, validation_only: bool = False
) -> View:
    if not validation_only:
        earlier = submit.made_before(request, engine=has.engine)
        if earlier is not None:
            return views.submitted(earlier)
    try:
        checked = submit.check(
            request,
            pool,
            pools=has.pools,
            configs=has.configs,
            workflows=has.engine.workflows,
            credentials=has.credentials,
            dataset_configs=has.datasets.dataset_configs,
            clusters=clusters_of(has),
            admin=who.admin,
        )
    except InvalidSpec as refused:
        if not validation_only and has.configs.workflow().keep_refused_submissions:
            submit.keep_refusal(request, pool, refused, pools=has.pools, engine=has.engine)
        raise
    if validation_only:
        return views.validated(checked.plan.name)
    submit.require_room(request, checked, workflows=has.engine.workflows, configs=has.configs)
    hearers = notifying.heard_by(
        who.subject, identity=has.identity, credentials=has.credentials, configs=has.configs
    )
    request = replace(request, heard_by=hearers)
    return views.submitted(submit.submit(request, checked, engine=has.engine))


@router.post("/{name}/restart")
def restart_workflow(
    pool_name: str,
    name: Name,
    who: User,
    has: Has,
    fingerprint: Fingerprint,
    idempotency_key: Key = None,
) -> View:
    """A new workflow of what did not complete; `Idempotency-Key` as for a submission."""
    _require_read(name, who, has)
    request = again.restart(
        name, by=who.subject, workflows=has.engine.workflows, store=has.engine.store
    )
    request = replace(request, idempotency=idempotency_key, fingerprint=fingerprint)
    return _submit(request, pool_name, who, has)
