"""The one place where an error of the domain becomes an HTTP answer.

The body is OSMO's: `message`, `error_code`, `workflow_id`. Not found is 400 on its routes, as
recorded; nothing of ours ever answers 500 for what a user did.
"""

import logging

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from xylem.domain import errors

log = logging.getLogger(__name__)

STATUS: dict[type[errors.XylemError], int] = {
    errors.InvalidSpec: 400,
    errors.InvalidRequest: 400,
    errors.UnknownWorkflow: 400,
    errors.UnknownTask: 400,
    errors.UnknownPool: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.TooLarge: 413,
    errors.Refused: 409,
    errors.Conflict: 503,
    errors.Gone: 410,
    errors.Unavailable: 503,
}


def problem(message: str, code: str, workflow: str | None = None) -> dict[str, str | None]:
    return {"message": message, "error_code": code, "workflow_id": workflow}


def install(app: FastAPI) -> None:
    @app.exception_handler(errors.XylemError)
    async def known(request: Request, error: errors.XylemError) -> JSONResponse:
        body = problem(str(error), error.code, error.workflow)
        return JSONResponse(body, status_code=STATUS[type(error)])

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
        body = problem(
            "Internal server error. It was logged; the same request may work.", "internal"
        )
        return JSONResponse(body, status_code=500)
