"""`Idempotency-Key`: every POST takes it. A request and its retries under one key do their work
once, and have one answer, which a header says was given before."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from functions.core_service.errors import answered
from xylem.domain.errors import XylemError

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"

BY_ITSELF = "/api/pool/"
"""Submissions keep their keys with the workflow that they make (`usecases/submit.py`)."""


async def once(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    key = request.headers.get(HEADER)
    path = request.url.path
    if key is None or request.method != "POST" or path.startswith(BY_ITSELF):
        return await call_next(request)
    # Who sends no key waits for no import.
    from functions.core_service.identity import subject_of  # noqa: PLC0415 - see above
    from xylem.domain.idempotency import fingerprint  # noqa: PLC0415 - see above
    from xylem.ports.answers import Answer  # noqa: PLC0415 - see above
    from xylem.usecases import once as keys  # noqa: PLC0415 - see above

    user = subject_of(request)
    if user is None:
        return await call_next(request)
    has = request.app.state.services
    print_ = fingerprint("POST", path, request.url.query.encode(), await request.body())
    claim = has.engine.ids()

    def begun() -> Answer | None:
        return keys.begin(
            user,
            key,
            print_,
            claim=claim,
            answers=has.answers,
            clock=has.engine.clock,
            wait=has.engine.wait,
        )

    try:
        earlier = await run_in_threadpool(begun)
    except XylemError as error:
        return answered(error)
    if earlier is not None:
        headers = {REPLAYED: "true"}
        kind = earlier.content_type
        return Response(earlier.body, earlier.status, headers=headers, media_type=kind)
    response = await call_next(request)
    # What `call_next` gives streams, which its declared type does not say.
    body = b"".join([part async for part in response.body_iterator])  # type: ignore[attr-defined]
    answer = Answer(response.status_code, response.headers.get("content-type", ""), body)

    def ended() -> None:
        keys.end(
            user,
            key,
            print_,
            answer,
            claim=claim,
            answers=has.answers,
            clock=has.engine.clock,
        )

    try:
        await run_in_threadpool(ended)
    except XylemError as error:
        return answered(error)
    return Response(body, response.status_code, headers=dict(response.headers))
