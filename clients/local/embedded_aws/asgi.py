"""The words of ASGI that our data planes use, and the URL form under which APIs are reached.

`<api>.execute-api.localhost` does not resolve for every client, so an API is addressed by path:
`/_aws/execute-api/<api>/<stage>/…`, for HTTP, WebSocket and @connections alike.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PREFIX = "/_aws/execute-api/"


@dataclass(frozen=True, slots=True)
class ApiAddress:
    api: str
    stage: str
    raw_path: str
    """What follows the stage, as it was sent; begins with a slash."""


def api_address(raw_path: str) -> ApiAddress | None:
    if not raw_path.startswith(PREFIX):
        return None
    api, _, rest = raw_path.removeprefix(PREFIX).partition("/")
    stage, _, path = rest.partition("/")
    return ApiAddress(unquote(api), unquote(stage) or "$default", f"/{path}")


def raw_path_of(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1")


async def read_body(receive: Receive, *, limit: int) -> bytes | None:
    """The body of a request; None when it is larger than `limit` or the client went away."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


async def respond(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes, *, head: bool = False
) -> None:
    if status not in (204, 304):
        headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})
