"""The one place where an error becomes an HTTP answer: of the domain, and of the framework.

The body is OSMO's: `message`, `error_code`, `workflow_id`. Not found is 400 on its routes, as
recorded; nothing of ours ever answers 500 for what a user did. What FastAPI refuses before a route
is reached (no such route, no such method, a parameter or body of a wrong form) has FastAPI's own
`detail` with OSMO, and keeps it here, beside the three: one shape for whoever reads any error, and
what OSMO's clients know of those.
"""

import logging
import math

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from xylem.domain import errors

log = logging.getLogger(__name__)

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
}

SECRET = "/api/credentials"
"""What is sent there is repeated nowhere, not even to who sent it."""

_ECHO_CHARS = 200
"""Of what a caller sent, in the answer that refuses it."""

_ECHO_VALUES = 20
_ECHO_DEPTH = 4

Echo = str | int | float | bool | None | list["Echo"] | dict[str, "Echo"]
Problem = dict[str, Echo]


def problem(message: str, code: str, workflow: str | None = None) -> Problem:
    return {"message": _text(message), "error_code": code, "workflow_id": workflow}


def answered(error: errors.XylemError) -> JSONResponse:
    body = problem(str(error), error.code, error.workflow)
    headers = {}
    if isinstance(error, errors.TooMany):
        headers["Retry-After"] = str(error.retry_after)
    return JSONResponse(body, status_code=STATUS[type(error)], headers=headers)


def install(app: FastAPI) -> None:
    @app.exception_handler(errors.XylemError)
    async def known(request: Request, error: errors.XylemError) -> JSONResponse:
        return answered(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        where = ".".join(str(part) for part in found[0]["loc"])
        body = problem(f"{_short(where)}: {found[0]['msg']}", "USAGE")
        if request.url.path.startswith(SECRET):
            found = [{"type": one["type"], "loc": one["loc"], "msg": one["msg"]} for one in found]
        return JSONResponse({**body, "detail": echo(found)}, status_code=422)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        asked = f"{request.method} {_short(request.url.path)}"
        body = {**_refusal(error, asked), "detail": echo(error.detail)}
        return JSONResponse(body, status_code=error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
        body = problem(
            "Internal server error. It was logged; the same request may work.", "internal"
        )
        return JSONResponse(body, status_code=500)


def _refusal(error: HTTPException, asked: str) -> Problem:
    match error.status_code:
        case 404:
            return problem(f"There is nothing at {asked}.", "not_found")
        case 405:
            allowed = (error.headers or {}).get("Allow", "another method")
            return problem(f"{asked} is not possible there: use {allowed}.", "not_allowed")
        case _:
            return problem(str(error.detail), "USAGE")


def echo(value: object, depth: int = _ECHO_DEPTH) -> Echo:
    """A value of the caller's, or about it, in a form and length that any answer can hold."""
    match value:
        case None | bool():
            return value
        case int():
            return value if abs(value) < 2**63 else _short(str(value))
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return _short(value)
        case bytes():
            return _short(value.decode(errors="replace"))
        case dict() if depth:
            some = list(value.items())[:_ECHO_VALUES]
            return {_short(str(key)): echo(one, depth - 1) for key, one in some}
        case list() | tuple() if depth:
            return [echo(one, depth - 1) for one in value[:_ECHO_VALUES]]
        case list() | tuple():
            return []
        case _:
            return {}


def _short(text: str) -> str:
    return _text(text if len(text) <= _ECHO_CHARS else f"{text[:_ECHO_CHARS]}...")


def _text(text: str) -> str:
    """JSON can say half of a surrogate pair; UTF-8 cannot."""
    return text.encode(errors="replace").decode()
