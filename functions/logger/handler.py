"""HTTP API events in; use cases; answers out. No FastAPI: a pod waits for this cold start."""

import base64
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from functions.logger.services import Remembered, Services
from xylem.domain import errors
from xylem.ports.task_tokens import Attempt
from xylem.protocol.following import said_record
from xylem.protocol.runtime import (
    AtBarrier,
    DatasetContents,
    DatasetFinish,
    DatasetListing,
    DatasetStart,
    InputPage,
    InputQuery,
    LogEnd,
    OutputQuery,
)
from xylem.usecases import (
    following,
    log_download,
    log_errors,
    log_reading,
    logs,
    long_logs,
    runtime,
)
from xylem.usecases.log_lines import Wanted
from xylem.usecases.shared_pages import MOST_AGE
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger, traced

if TYPE_CHECKING:
    from xylem.domain.plan import DatasetInput
    from xylem.usecases.runtime_datasets import Listings

app = APIGatewayHttpResolver()
T = TypeVar("T", bound=BaseModel)

STATUS: dict[type[errors.XylemError], int] = {
    errors.InvalidSpec: 400,
    errors.InvalidRequest: 400,
    errors.UnknownWorkflow: 400,
    errors.UnknownTask: 400,
    errors.UnknownPool: 400,
    errors.UnknownBackend: 400,
    errors.UnknownJob: 404,
    errors.NotFound: 404,
    errors.NotYet: 425,
    errors.TooMany: 429,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.TooLarge: 413,
    errors.Refused: 409,
    errors.KeyReused: 422,
    errors.Conflict: 503,
    errors.Gone: 410,
    errors.Unavailable: 503,
    logs.BadBatch: 422,
}
REMEMBERED = Remembered()

PATH_CHARS = 200
NAME_CHARS = 256
"""More than any workflow's name has; DynamoDB refuses a key of more than 2 KB."""

MOST_NUMBER = 2**63 - 1
"""What Python takes as a length; no number of ours comes near it."""

ECHO_CHARS = 200
NUMBER: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=-MOST_NUMBER, le=MOST_NUMBER)])


class Malformed(errors.InvalidRequest):
    """A parameter of a wrong form, in the words in which FastAPI says it on OSMO's routes."""

    def __init__(self, name: str, text: str, error: ValidationError) -> None:
        [found] = error.errors(include_url=False, include_context=False, include_input=False)
        super().__init__(f"query.{name}: {found['msg']}")
        self.detail = [
            {"type": found["type"], "loc": ["query", name], "msg": found["msg"]}
            | {"input": text[:ECHO_CHARS]}
        ]


@app.exception_handler(errors.XylemError)
def known(error: errors.XylemError) -> Response[str]:
    status = STATUS[type(error)]
    body = {"message": str(error), "error_code": error.code, "workflow_id": error.workflow}
    later = {"Retry-After": str(error.retry_after)} if isinstance(error, errors.TooMany) else None
    return Response(status, "application/json", json.dumps(body), later)


@app.exception_handler(Malformed)
def malformed(error: Malformed) -> Response[str]:
    body = {"message": str(error), "error_code": error.code, "workflow_id": None}
    answer = json.dumps({**body, "detail": error.detail})
    return Response(HTTPStatus.UNPROCESSABLE_ENTITY, "application/json", answer)


@app.not_found
def nothing(_: NotFoundError) -> Response[str]:
    """No such route, or not with this method: the resolver knows no difference."""
    event = app.current_event
    message = f"There is nothing at {event.http_method} {event.path[:PATH_CHARS]}."
    body = {"message": message, "error_code": "not_found", "workflow_id": None}
    return Response(HTTPStatus.NOT_FOUND, "application/json", json.dumps(body))


@app.exception_handler(Exception)
def unknown(error: Exception) -> Response[str]:
    logger.exception("a request failed")
    message = "Internal server error: it was logged, try again."
    body = {"message": message, "error_code": "internal", "workflow_id": None}
    return Response(HTTPStatus.INTERNAL_SERVER_ERROR, "application/json", json.dumps(body))


@app.get("/api/workflow/<name>/logs")
def read(name: str) -> Response[str]:
    _require_reader(name)
    has = _has()
    found = log_download.download(
        _possible(name),
        _wanted(),
        workflows=has.workflows,
        logs=has.logs,
        store=has.store,
        clock=has.clock,
        ids=has.ids,
    )
    return _answer_of(found)


@app.get("/api/workflow/<name>/error_logs")
def read_errors(name: str) -> Response[str]:
    _require_reader(name)
    has = _has()
    found = log_errors.download(
        _possible(name),
        _wanted(),
        workflows=has.workflows,
        logs=has.logs,
        store=has.store,
        clock=has.clock,
        ids=has.ids,
    )
    return _answer_of(found)


@app.get("/api/workflow/<name>/logs/follow")
def follow(name: str) -> Response[str]:
    _require_reader(name)
    has = _has()
    wanted = _wanted()
    place = (_possible(name), wanted, _query("cursor") or "")
    age = max(0, min(_number("age") or 0, MOST_AGE.seconds))
    told = partial(
        following.tell_reached, wanted.task, wanted.retry, followers=has.followers, links=has.links
    )
    page = _remembered().pages.page(
        place,
        age=timedelta(seconds=age),
        now=has.clock(),
        read=lambda: log_reading.follow(
            *place,
            _number("wait") or 0,
            workflows=has.workflows,
            logs=has.logs,
            store=has.store,
            clock=has.clock,
            wait=time.sleep,
            # With an age it looks whether a push was lost, and the others need not.
            tell=told if age else log_reading.nobody,
        ),
    )
    records = [
        said_record(shown.attempt.task, shown.attempt.retry, shown.record) for shown in page.records
    ]
    return _json(
        {
            "records": [record.model_dump() for record in records],
            "cursor": page.cursor,
            "closed": page.closed,
            "live": has.websocket_url,
        }
    )


@app.get("/api/workflow/<name>/artifacts")
def list_artifacts(name: str) -> Response[str]:
    from xylem.usecases import artifacts  # noqa: PLC0415 - no pod waits for what people ask

    _require_reader(name)
    has = _has()
    page = artifacts.page(
        _possible(name),
        task=_query("task_name"),
        cursor=_query("cursor") or None,
        workflows=has.workflows,
        data=has.data,
    )
    return _json({"artifacts": [asdict(one) for one in page.artifacts], "cursor": page.cursor})


@app.post("/runtime/logs")
def take() -> Response[str]:
    attempt = _attempt()
    has = _has()
    offset = _number("offset") or 0
    if offset < 0:
        raise errors.InvalidRequest(f"offset is {offset}: it must not be negative.")
    stored = logs.put(
        attempt,
        offset,
        _bytes(),
        logs=has.logs,
        store=has.store,
        ids=has.ids,
        ends=_remembered().ends,
        became_long=_merge_later,
        length=_number("length"),
        mask=_remembered().masks.of(attempt, _token(), has.task_secrets),
        tell=partial(following.tell, attempt, followers=has.followers, links=has.links),
    )
    return _json(stored.model_dump())


@app.post("/runtime/logs/end")
def finish() -> Response[str]:
    attempt = _attempt()
    end = _body(LogEnd)
    has = _has()
    stored = logs.end(attempt, end.length, logs=has.logs, ends=_remembered().ends)
    if stored.closed:
        following.tell_end(attempt, followers=has.followers, links=has.links)
    return _json(stored.model_dump())


@app.post("/runtime/token")
def renew() -> Response[str]:
    attempt = _attempt(expired_ok=True)
    has = _has()
    token = runtime.renew(attempt, workflows=has.workflows, tokens=has.task_tokens, clock=has.clock)
    return _json(token.model_dump())


@app.post("/runtime/barrier")
def arrive() -> Response[str]:
    attempt = _attempt()
    has = _has()
    barrier = runtime.arrive(
        attempt, _body(AtBarrier), workflows=has.workflows, logs=has.logs, wait=time.sleep
    )
    return _json(barrier.model_dump())


@app.post("/runtime/group")
def group() -> Response[str]:
    state = runtime.group_state(_attempt(), workflows=_has().workflows)
    return _json(state.model_dump())


@app.post("/runtime/inputs")
def inputs() -> Response[str]:
    attempt = _attempt()
    has = _has()
    query = _body(InputQuery)

    def of_dataset(wanted: "DatasetInput") -> InputPage:
        from xylem.usecases import runtime_datasets  # noqa: PLC0415 - for who has datasets alone

        return runtime_datasets.inputs(
            attempt, wanted, query, listings=_listings(), engine=has.datasets
        )

    page = runtime.inputs(
        attempt,
        query,
        workflows=has.workflows,
        store=has.store,
        data=has.data,
        of_dataset=of_dataset,
    )
    return _json(page.model_dump())


@app.post("/runtime/outputs")
def outputs() -> Response[str]:
    attempt = _attempt()
    return _json(runtime.outputs(attempt, _body(OutputQuery), data=_has().data).model_dump())


def _merge_later(attempt: Attempt) -> None:
    has = _has()
    long_logs.merge_later(attempt, jobs=has.jobs, ids=has.ids, clock=has.clock)


@app.post("/runtime/dataset/<step>")
def write_dataset(step: str) -> Response[str]:
    from xylem.usecases import runtime_datasets  # noqa: PLC0415 - for who has datasets alone

    attempt = _attempt()
    has = _has()
    given: dict[str, Any] = {
        "workflows": has.workflows,
        "store": has.store,
        "engine": has.datasets,
    }
    answer: BaseModel
    match step:
        case "start":
            answer = runtime_datasets.start(attempt, _body(DatasetStart), **given)
        case "contents":
            answer = runtime_datasets.contents(attempt, _body(DatasetContents), **given)
        case "listing":
            answer = runtime_datasets.listing(attempt, _body(DatasetListing), **given)
        case "finish":
            answer = runtime_datasets.finish(attempt, _body(DatasetFinish), **given)
        case _:
            raise NotFoundError
    return _json(answer.model_dump())


@cache
def _listings() -> "Listings":
    from xylem.usecases.runtime_datasets import Listings  # noqa: PLC0415 - as above

    return Listings()


@logger.inject_lambda_context(clear_state=True)
@traced
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return answer(event, context, ports(), REMEMBERED)


def answer(
    event: dict[str, Any], context: LambdaContext, has: Services, remembered: Remembered
) -> dict[str, Any]:
    app.context.update(has=has, remembered=remembered)
    return app.resolve(event, context)


def _has() -> Services:
    found: Services = app.context["has"]
    return found


def _remembered() -> Remembered:
    found: Remembered = app.context["remembered"]
    return found


def _attempt(*, expired_ok: bool = False) -> Attempt:
    """Raises `Unauthenticated`."""
    return _has().task_tokens.verify(_token(), _has().clock(), expired_ok=expired_ok)


def _token() -> str:
    given = app.current_event.headers.get("authorization", "")
    kind, _, token = given.partition(" ")
    if kind.lower() != "bearer" or not token:
        raise errors.Unauthenticated("This route takes the token of a task, as a bearer.")
    return token.strip()


def _require_reader(name: str) -> None:
    """The gateway's authorizer stands before these routes; what its word allows is checked here.
    Raises `Forbidden`, `UnknownWorkflow`."""
    from xylem.usecases import reading_rights  # noqa: PLC0415 - no pod waits for what people ask

    has = _has()
    reading_rights.require_reader(
        reading_rights.said(app.current_event.request_context.authorizer.get_lambda or {}),
        _possible(name),
        workflows=has.workflows,
        stored=lambda: has.configs.roles(),
    )


def _possible(name: str) -> str:
    """Raises `UnknownWorkflow`."""
    if len(name) > NAME_CHARS:
        raise errors.UnknownWorkflow(
            f"Workflow {name[:NAME_CHARS]}... was not found: no id is that long."
        )
    return name


def _wanted() -> Wanted:
    """An attempt is one of a task: without one `retry_id` says nothing, as with OSMO."""
    task, retry = _query("task_name") or None, _number("retry_id")
    return Wanted(
        task=task,
        retry=retry if task else None,
        last_n_lines=_number("last_n_lines") or None,
        query=_query("query") or None,
        stream=_query("stream"),
        since=_moment("since"),
        until=_moment("until"),
    )


def _moment(name: str) -> datetime | None:
    text = _query(name)
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise errors.InvalidRequest(
            f"{name} is {text[:40]!r}: it must be a time, as 2026-06-01T12:00:00Z."
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _query(name: str) -> str | None:
    return (app.current_event.query_string_parameters or {}).get(name)


def _number(name: str) -> int | None:
    """Raises `Malformed`."""
    text = _query(name)
    if text is None:
        return None
    try:
        return NUMBER.validate_python(text)
    except ValidationError as error:
        raise Malformed(name, text, error) from None


def _bytes() -> bytes:
    """API Gateway hands over what is not text as base64."""
    body = app.current_event.body or ""
    try:
        if app.current_event.is_base64_encoded:
            return base64.b64decode(body)
        return body.encode("latin-1")
    except ValueError:
        raise errors.InvalidRequest(
            "The body is text: send bytes, as application/octet-stream."
        ) from None


def _body(model: type[T]) -> T:
    try:
        text = app.current_event.decoded_body or "{}"
    except ValueError:
        raise errors.InvalidRequest("The body is no JSON: it is not even text.") from None
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise errors.InvalidRequest(f"The body is wrong at {where}: {first['msg']}") from None


def _answer_of(found: log_download.Download) -> Response[str]:
    if found.url:
        return Response(HTTPStatus.TEMPORARY_REDIRECT, "text/plain", "", {"Location": found.url})
    headers = {"X-Content-Type-Options": "nosniff"}
    return Response(HTTPStatus.OK, "text/plain; charset=utf-8", found.body.decode(), headers)


def _json(body: object) -> Response[str]:
    """Lambda escapes it once more, so it is shortest as it is."""
    return Response(HTTPStatus.OK, "application/json", json.dumps(body, ensure_ascii=False))
