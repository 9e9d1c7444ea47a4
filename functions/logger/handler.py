"""HTTP API events in; use cases; answers out. No FastAPI: a pod waits for this cold start."""

import base64
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ValidationError

from xylem.domain import errors
from xylem.ports.task_tokens import Attempt
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
    masks,
    runtime,
)
from xylem.usecases.log_lines import Wanted
from xylem.usecases.shared_pages import MOST_AGE, SharedPages
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
    errors.Conflict: 503,
    errors.Gone: 410,
    errors.Unavailable: 503,
    logs.BadBatch: 422,
}
ENDS = logs.KnownEnds()
MASKS = masks.KnownMasks()
PAGES = SharedPages()

PATH_CHARS = 200
NAME_CHARS = 256
"""More than any workflow's name has; DynamoDB refuses a key of more than 2 KB."""

MOST_NUMBER = 2**63 - 1
"""What Python takes as a length; no number of ours comes near it."""


@app.exception_handler(errors.XylemError)
def known(error: errors.XylemError) -> Response[str]:
    status = STATUS[type(error)]
    body = {"message": str(error), "error_code": error.code, "workflow_id": error.workflow}
    later = {"Retry-After": str(error.retry_after)} if isinstance(error, errors.TooMany) else None
    return Response(status, "application/json", json.dumps(body), later)


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
    has = ports()
    found = log_download.download(
        _possible(name),
        _wanted(),
        workflows=has.workflows,
        logs=has.logs,
        store=has.store,
        clock=has.clock,
        ids=has.ids,
    )
    if found.url:
        return Response(HTTPStatus.TEMPORARY_REDIRECT, "text/plain", "", {"Location": found.url})
    return _text(found.body)


@app.get("/api/workflow/<name>/error_logs")
def read_errors(name: str) -> Response[str]:
    _require_reader(name)
    has = ports()
    lines = log_errors.error_text(
        _possible(name),
        _wanted(),
        workflows=has.workflows,
        logs=has.logs,
        store=has.store,
        clock=has.clock,
    )
    return _text("".join(f"{line}\n" for line in lines).encode())


@app.get("/api/workflow/<name>/logs/follow")
def follow(name: str) -> Response[str]:
    _require_reader(name)
    has = ports()
    place = (_possible(name), _wanted(), _query("cursor") or "")
    page = PAGES.page(
        place,
        age=timedelta(seconds=max(0, min(_number("age") or 0, MOST_AGE.seconds))),
        now=has.clock(),
        read=lambda: log_reading.follow(
            *place,
            _number("wait") or 0,
            workflows=has.workflows,
            logs=has.logs,
            store=has.store,
            clock=has.clock,
            wait=time.sleep,
        ),
    )
    records = [
        {
            "task": shown.attempt.task,
            "retry": shown.attempt.retry,
            "stream": shown.record.stream.name.lower(),
            "time": shown.record.at.isoformat(),
            "text": shown.record.data.decode(errors="replace"),
        }
        for shown in page.records
    ]
    return _json(
        {
            "records": records,
            "cursor": page.cursor,
            "closed": page.closed,
            "live": has.websocket_url,
        }
    )


@app.get("/api/workflow/<name>/artifacts")
def list_artifacts(name: str) -> Response[str]:
    from xylem.usecases import artifacts  # noqa: PLC0415 - no pod waits for what people ask

    _require_reader(name)
    has = ports()
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
    has = ports()
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
        ends=ENDS,
        became_long=_merge_later,
        length=_number("length"),
        mask=MASKS.of(attempt, _token(), has.task_secrets),
        tell=partial(following.tell, attempt, followers=has.followers, links=has.links),
    )
    return _json(stored.model_dump())


@app.post("/runtime/logs/end")
def finish() -> Response[str]:
    attempt = _attempt()
    end = _body(LogEnd)
    has = ports()
    stored = logs.end(attempt, end.length, logs=has.logs, ends=ENDS)
    if stored.closed:
        following.tell_end(attempt, followers=has.followers, links=has.links)
    return _json(stored.model_dump())


@app.post("/runtime/token")
def renew() -> Response[str]:
    attempt = _attempt(expired_ok=True)
    has = ports()
    token = runtime.renew(attempt, workflows=has.workflows, tokens=has.task_tokens, clock=has.clock)
    return _json(token.model_dump())


@app.post("/runtime/barrier")
def arrive() -> Response[str]:
    attempt = _attempt()
    has = ports()
    barrier = runtime.arrive(
        attempt, _body(AtBarrier), workflows=has.workflows, logs=has.logs, wait=time.sleep
    )
    return _json(barrier.model_dump())


@app.post("/runtime/group")
def group() -> Response[str]:
    state = runtime.group_state(_attempt(), workflows=ports().workflows)
    return _json(state.model_dump())


@app.post("/runtime/inputs")
def inputs() -> Response[str]:
    attempt = _attempt()
    has = ports()
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
    return _json(runtime.outputs(attempt, _body(OutputQuery), data=ports().data).model_dump())


def _merge_later(attempt: Attempt) -> None:
    has = ports()
    long_logs.merge_later(attempt, jobs=has.jobs, ids=has.ids, clock=has.clock)


@app.post("/runtime/dataset/<step>")
def write_dataset(step: str) -> Response[str]:
    from xylem.usecases import runtime_datasets  # noqa: PLC0415 - for who has datasets alone

    attempt = _attempt()
    has = ports()
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
    return app.resolve(event, context)


def _attempt(*, expired_ok: bool = False) -> Attempt:
    """Raises `Unauthenticated`."""
    return ports().task_tokens.verify(_token(), ports().clock(), expired_ok=expired_ok)


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

    reading_rights.require_reader(
        reading_rights.said(app.current_event.request_context.authorizer.get_lambda or {}),
        _possible(name),
        workflows=ports().workflows,
        stored=lambda: ports().configs.roles(),
    )


def _possible(name: str) -> str:
    """Raises `UnknownWorkflow`."""
    if len(name) > NAME_CHARS:
        raise errors.UnknownWorkflow(
            f"Workflow {name[:NAME_CHARS]}... was not found: no id is that long."
        )
    return name


def _wanted() -> Wanted:
    return Wanted(
        task=_query("task_name"),
        retry=_number("retry_id"),
        last_n_lines=_number("last_n_lines"),
        query=_query("query"),
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
    text = _query(name)
    if text is None or text == "":
        return None
    try:
        number: int | None = int(text)
    except ValueError:
        number = None
    if number is None or abs(number) > MOST_NUMBER:
        raise errors.InvalidRequest(f"{name} is {text[:40]!r}: it must be a whole number.")
    return number


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


def _text(body: bytes) -> Response[str]:
    headers = {"X-Content-Type-Options": "nosniff"}
    return Response(HTTPStatus.OK, "text/plain; charset=utf-8", body.decode(), headers)


def _json(body: object) -> Response[str]:
    return Response(HTTPStatus.OK, "application/json", json.dumps(body))
