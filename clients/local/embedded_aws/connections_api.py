"""@connections: how a function sends to a socket, asks about it, closes it.

https://docs.aws.amazon.com/apigatewaymanagementapi/latest/apireference/. Stock ministack answers
GET with names that no SDK reads and takes messages of any size. A call needs
`execute-api:ManageConnections` and is recorded like those of other services.
"""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote

from clients.local.embedded_aws.api_definitions import find_api
from clients.local.embedded_aws.asgi import (
    ApiAddress,
    Receive,
    Scope,
    Send,
    read_body,
    respond,
)
from clients.local.embedded_aws.calls import ACCESS_KEY, Call, Callers, CallJournal
from clients.local.embedded_aws.usage import Usage
from clients.local.embedded_aws.websocket_api import NORMAL, OpenSocket, WebSocketApis
from clients.local.embedded_aws.websocket_stream import MAX_MESSAGE

PREFIX = "/@connections/"

Answer = tuple[int, str | None, bytes]
"""Status, error type, body."""

GONE: Answer = (410, "GoneException", b'{"message": "Gone"}')
TOO_LARGE: Answer = (413, "PayloadTooLargeException", b'{"message": "Message too long"}')
TOO_FAST: Answer = (429, "LimitExceededException", b'{"message": "Too Many Requests"}')


def is_connections(address: ApiAddress) -> bool:
    return unquote(address.raw_path).startswith(PREFIX)


class ConnectionsApi:
    def __init__(
        self,
        sockets: WebSocketApis,
        journal: CallJournal,
        callers: Callers,
        usage: Usage,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sockets = sockets
        self._journal = journal
        self._callers = callers
        self._usage = usage
        self._clock = clock

    async def handle(self, address: ApiAddress, scope: Scope, receive: Receive, send: Send) -> None:
        # A byte more than is allowed is enough to refuse it.
        body = await read_body(receive, limit=4 * MAX_MESSAGE)
        method = scope["method"]
        connection = unquote(address.raw_path).removeprefix(PREFIX)
        if body is None:
            status, error, answer = TOO_LARGE
        else:
            socket = self._sockets.find(address.api, connection)
            status, error, answer = self._answer(method, socket, body)
        self._record(address, scope, connection, status, len(body or b""))
        headers = [(b"content-type", b"application/json")]
        if error is not None:
            headers.append((b"x-amzn-errortype", error.encode()))
        await respond(send, status, headers, answer)

    def _answer(self, method: str, socket: OpenSocket | None, body: bytes) -> Answer:
        if socket is None or socket.close_with.done():
            return GONE
        match method:
            case "POST":
                if len(body) > MAX_MESSAGE:
                    return TOO_LARGE
                try:
                    socket.outbox.put_nowait(body.decode("utf-8", "replace"))
                except asyncio.QueueFull:
                    return TOO_FAST
                return 200, None, b""
            case "GET":
                return 200, None, _description(socket)
            case "DELETE":
                socket.close(NORMAL)
                return 204, None, b""
            case _:
                return 403, "ForbiddenException", b'{"message": "Forbidden"}'

    def _record(
        self, address: ApiAddress, scope: Scope, connection: str, status: int, size: int
    ) -> None:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        query = parse_qs(scope["query_string"].decode("latin-1"))
        api = find_api(address.api)
        path = (scope["method"], "@connections", connection)
        resource = api.arn(address.stage, *path) if api else "*"
        who = self._callers.who(ACCESS_KEY.get()(headers, query))
        if scope["method"] == "POST" and status == 200:
            self._usage.message(who, "@connections", size, out=True)
        self._journal.add(
            Call(
                at=self._clock(),
                who=who,
                operation=f"execute-api:{scope['method']} @connections",
                allow=(("execute-api:ManageConnections", resource),),
                status=status,
                request_bytes=size,
            )
        )


def _description(socket: OpenSocket) -> bytes:
    connection = socket.connection
    return json.dumps(
        {
            "connectedAt": _iso(connection.connected_at),
            "lastActiveAt": _iso(socket.last_active),
            "identity": {"sourceIp": connection.source_ip, "userAgent": connection.user_agent},
        }
    ).encode()


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
