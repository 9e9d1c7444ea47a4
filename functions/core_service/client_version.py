"""What OSMO's client is told about its own version, which it says with each request.

    older than the oldest that is supported   400
    older than the latest                     two headers, which it shows to its user
    as new as this API, or newer              nothing, and nothing is read

Both versions are an admin's (`cli_config` of the config SERVICE); the latest is otherwise this
API's. A version that is none is a 400, where OSMO answers 500.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from functions.core_service.errors import problem
from xylem.domain.versions import Version, read_version

HEADER = "x-osmo-client-version"
SERVICE_HEADER = "x-osmo-service-version"
WARNING_HEADER = "x-osmo-warning"

API = Version(6, 4, 0)
"""Of OSMO's API, which this one is a superset of."""

OPEN_TO_ALL = "/client/"
"""Where a client that is too old learns of a newer one."""


async def told(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    said = request.headers.get(HEADER)
    if said is None or request.url.path.startswith(OPEN_TO_ALL):
        return await call_next(request)
    version = read_version(said)
    if version is None:
        return _refused(f"{HEADER}: {said[:50]} is no version: send one such as {API}.")
    if version >= API:
        return await call_next(request)
    config = request.app.state.services.configs.service()
    oldest = read_version(config.min_supported_version or "")
    if oldest is not None and version < oldest:
        return _refused(
            f"Your client {version} is too old for this service, which supports {oldest} and "
            f"newer: install {config.latest_version or API}."
        )
    answer = await call_next(request)
    latest = read_version(config.latest_version or "") or API
    if version < latest:
        answer.headers.update(_warning(version, latest))
    return answer


def _warning(version: Version, latest: Version) -> Mapping[str, str]:
    text = f"New client {latest} available. You have {version}: please update."
    return {
        SERVICE_HEADER: str(latest),
        WARNING_HEADER: base64.b64encode(text.encode()).decode(),
    }


def _refused(message: str) -> JSONResponse:
    body: dict[str, Any] = problem(message, "OSMO_ERROR")
    return JSONResponse(body, status_code=400)
