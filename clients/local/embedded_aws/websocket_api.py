"""Corrections 3 and 4: WebSocket APIs, with our own data plane in front of ministack's definitions.

Stock ministack runs the events of a *function* one after the other, across all connections: one
slow frame stalls every operator and every connect. On AWS each frame is an invocation of its own,
frames of one connection run at the same time and finish in any order; here they do, too, as many as
the function's pool serves. Both the speed and the disorder of AWS come with it.

Also set right (correction 4): the text of an exception was sent to the client, a handler's answer
was returned without a route response, an unknown route was ignored, idle sockets stayed for ever,
an authorizer that raises Unauthorized gave 500, subprotocols were not negotiated. Limits of frames
and close codes are in `websocket_stream`, @connections in `connections_api`. Sources:
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html
and, for the limits, apigateway-execution-service-websocket-limits-table.html.

Sockets end with the server; what was open before a restart is Gone.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from clients.local.embedded_aws import websocket_messages as messages
from clients.local.embedded_aws.api_definitions import Api, Definition, find_api, function_of
from clients.local.embedded_aws.asgi import ApiAddress, Receive, Scope, Send
from clients.local.embedded_aws.authorizers import (
    Decision,
    Refused,
    Sources,
    answer_of,
    identity,
    policy_decision,
)
from clients.local.embedded_aws.http_api import EVALUATE
from clients.local.embedded_aws.http_messages import headers_and_cookies, query_parameters
from clients.local.embedded_aws.lambda_functions import LambdaFunctions
from clients.local.embedded_aws.request_ids import gateway_request_id
from clients.local.embedded_aws.usage import Key, Meter, Usage, function_name
from clients.local.embedded_aws.websocket_messages import Connection

GOING_AWAY = 1001  # RFC 6455; what API Gateway closes idle and old sockets with
NORMAL = 1000

# How many messages of one socket are being handled before no more are read from it.
MESSAGES_AT_ONCE = 100

# How many messages wait for a client that reads slowly before its sender is told so.
OUTBOX_MESSAGES = 512

MINUTES = Key(Meter.WEBSOCKET_MINUTES, "websocket-api", "sockets")

_REFUSED_WORDS = {401: "Unauthorized", 403: "Forbidden", 500: "Internal server error"}


@dataclass(slots=True)
class OpenSocket:
    """A connection as @connections sees it."""

    connection: Connection
    last_active: float
    outbox: asyncio.Queue[str] = field(
        default_factory=lambda: asyncio.Queue(maxsize=OUTBOX_MESSAGES)
    )
    close_with: asyncio.Future[int] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self, code: int) -> None:
        if not self.close_with.done():
            self.close_with.set_result(code)


@dataclass(frozen=True, slots=True)
class _Handshake:
    headers: dict[str, str]
    query: str
    subprotocols: tuple[str, ...]


class WebSocketApis:
    def __init__(
        self,
        functions: LambdaFunctions,
        usage: Usage,
        *,
        idle_seconds: float,
        life_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._functions = functions
        self.usage = usage
        self._idle_seconds = idle_seconds
        self._life_seconds = life_seconds
        self._clock = clock
        self._sockets: dict[str, OpenSocket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        usage.also(self._open_minutes)

    def find(self, api: str, connection: str) -> OpenSocket | None:
        """An open socket of an API; None when it is gone."""
        socket = self._sockets.get(connection)
        return socket if socket is not None and socket.connection.api == api else None

    async def close_all(self) -> None:
        """For the end of the server: return when every client has been told."""
        sockets = list(self._sockets.values())
        for socket in sockets:
            socket.close(GOING_AWAY)
        for socket in sockets:
            await socket.gone.wait()

    def serves(self, address: ApiAddress) -> bool:
        api = find_api(address.api)
        return api is not None and api.is_websocket

    async def handle(self, address: ApiAddress, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        api = find_api(address.api)
        stage = api.stage(address.stage) if api else None
        if api is None or stage is None:
            await _refuse(send, 403, "Forbidden", None)
            return
        session = _Session(self, api, stage, scope, receive, send)
        accepted = await session.connect()
        if accepted:
            socket = session.socket
            self._sockets[socket.connection.id] = socket
            try:
                await session.run(idle=self._idle_seconds, life=self._life_seconds)
            finally:
                del self._sockets[socket.connection.id]
                self.usage.add(*MINUTES, self._minutes(socket))
                socket.gone.set()
            await session.disconnect()

    async def invoke(self, api: Api, definition: Definition, event: dict[str, Any]) -> Any:
        return await self._functions.invoke(function_of(definition), event, scope=api.scope)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Not in a group of its socket: what was received is handled also when that is gone."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def now(self) -> float:
        return self._clock()

    def _open_minutes(self) -> Iterable[tuple[Key, float]]:
        for socket in self._sockets.values():
            yield MINUTES, self._minutes(socket)

    def _minutes(self, socket: OpenSocket) -> float:
        return (self._clock() - socket.connection.connected_at) / 60


class _Session:
    """One socket from handshake to disconnect."""

    def __init__(
        self,
        apis: WebSocketApis,
        api: Api,
        stage: Definition,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        headers, cookies = headers_and_cookies(scope["headers"])
        if cookies:
            headers["cookie"] = "; ".join(cookies)
        self._apis = apis
        self._api = api
        self._stage_variables = stage.get("stageVariables") or {}
        self._receive = receive
        self._send = send
        self._handshake = _Handshake(
            headers, scope["query_string"].decode("latin-1"), tuple(scope.get("subprotocols") or ())
        )
        now = apis.now()
        self.socket = OpenSocket(
            Connection(
                id=messages.new_connection_id(),
                api=api.id,
                stage=stage["stageName"],
                domain=f"{api.id}.execute-api.localhost",
                connected_at=now,
                source_ip=(scope.get("client") or ("127.0.0.1",))[0],
                user_agent=headers.get("user-agent", ""),
            ),
            last_active=now,
        )
        self._authorizer: dict[str, str] | None = None
        self._ended: tuple[int, str] = (GOING_AWAY, "Going away")

    async def connect(self) -> bool:
        """Authorize, run $connect, accept. False: the handshake was refused."""
        route = self._api.routes().get(messages.CONNECT)
        subprotocol = None
        if route is not None:
            context = self._context(messages.CONNECT, "CONNECT")
            if route.get("authorizationType") == "CUSTOM":
                decision = await self._authorize(route, context)
                if isinstance(decision, Refused):
                    await self._refuse(decision.status, _REFUSED_WORDS[decision.status], context)
                    return False
                self._authorizer = messages.as_strings(decision.context)
                context["authorizer"] = self._authorizer
            elif (route.get("authorizationType") or "NONE") != "NONE":
                await self._refuse(500, "Internal server error", context)
                return False
            event = messages.connect_event(context, self._handshake.headers, self._handshake.query)
            status, answer = await self._integrate(route, event)
            if not 200 <= status < 300:
                words = "Forbidden" if status < 500 else "Internal server error"
                await self._refuse(status, words, context)
                return False
            subprotocol = self._chosen_subprotocol(answer)
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol})
        return True

    async def run(self, *, idle: float, life: float) -> None:
        """Handle messages until the socket ends, on whichever side."""
        reading = asyncio.create_task(self._read())
        writing = asyncio.create_task(self._write())
        ageing = asyncio.create_task(self._age(idle=idle, life=life))
        closing = self.socket.close_with
        try:
            endings: list[asyncio.Future[Any]] = [reading, writing, ageing, closing]
            done, _ = await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
            if reading not in done:
                code = closing.result() if closing.done() else GOING_AWAY
                await self._flush(writing)
                self._ended = code, "" if code == NORMAL else "Going away"
                await self._send({"type": "websocket.close", "code": code})
        finally:
            closing.cancel()
            for task in (reading, writing, ageing):
                task.cancel()

    async def disconnect(self) -> None:
        """Best effort, as on AWS; after the socket is closed."""
        route = self._api.routes().get(messages.DISCONNECT)
        if route is not None:
            code, reason = self._ended
            context = self._context(messages.DISCONNECT, "DISCONNECT")
            await self._integrate(route, messages.disconnect_event(context, code, reason))

    async def _authorize(self, route: Definition, context: dict[str, Any]) -> Decision:
        authorizer = self._api.authorizer(route)
        if authorizer is None:
            return Refused(500)
        sources = Sources(
            headers=self._handshake.headers,
            query=query_parameters(self._handshake.query),
            stage_variables=self._stage_variables,
            context={},
        )
        if identity(authorizer.get("identitySource") or [], sources) is None:
            return Refused(401)
        arn = self._api.arn(self.socket.connection.stage, messages.CONNECT)
        event = messages.authorizer_event(
            context,
            self._handshake.headers,
            self._handshake.query,
            arn=arn,
            stage_variables=self._stage_variables,
        )
        answer = answer_of(await self._apis.invoke(self._api, authorizer, event))
        if isinstance(answer, Refused):
            return answer
        return policy_decision(answer, arn, evaluate=EVALUATE.get())

    async def _integrate(self, route: Definition, event: dict[str, Any]) -> tuple[int, Any]:
        """The status and the whole answer of a route's function; 502 when it failed."""
        integration = self._api.integration(route)
        if integration is None:
            return 500, None
        outcome = await self._apis.invoke(self._api, integration, event)
        if outcome.failed:
            return 502, None
        try:
            answer = json.loads(outcome.payload)
            return int(answer.get("statusCode", 200)), answer
        except (ValueError, TypeError, AttributeError):
            # A route without an answer, like $disconnect, may return anything.
            return 200, None

    async def _read(self) -> None:
        room = asyncio.Semaphore(MESSAGES_AT_ONCE)
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._ended = int(message.get("code") or 1006), message.get("reason") or ""
                return
            self.socket.last_active = self._apis.now()
            await room.acquire()
            handling = self._apis.spawn(self._handle(message.get("text") or ""))
            handling.add_done_callback(lambda _: room.release())

    async def _handle(self, text: str) -> None:
        definition = self._api.definition
        key = messages.select_route(definition.get("routeSelectionExpression") or "", text)
        routes = self._api.routes()
        route = routes.get(key) or routes.get(messages.DEFAULT)
        context = self._context(route["routeKey"] if route else key, "MESSAGE")
        if route is None:
            self._say(
                messages.error_frame("Forbidden", self.socket.connection, context["requestId"])
            )
            return
        function = function_name(function_of(self._api.integration(route) or {}))
        self._apis.usage.message(function, route["routeKey"], len(text.encode()), out=False)
        status, answer = await self._integrate(route, messages.message_event(context, text))
        if status == 502 and answer is None:
            words = "Internal server error"
            self._say(messages.error_frame(words, self.socket.connection, context["requestId"]))
        elif answer and self._api.answers_on_socket(route) and answer.get("body"):
            body = answer["body"]
            self._say(body if isinstance(body, str) else json.dumps(body))

    def _say(self, text: str) -> None:
        # A client that does not read what it is told misses it.
        with contextlib.suppress(asyncio.QueueFull):
            self.socket.outbox.put_nowait(text)
            self._apis.usage.message("websocket-api", "answer", len(text.encode()), out=True)

    async def _write(self) -> None:
        while True:
            text = await self.socket.outbox.get()
            await self._send({"type": "websocket.send", "text": text})
            self.socket.last_active = self._apis.now()

    async def _flush(self, writing: asyncio.Task[None]) -> None:
        """What was posted before a close still goes out."""
        writing.cancel()
        while not self.socket.outbox.empty():
            await self._send({"type": "websocket.send", "text": self.socket.outbox.get_nowait()})

    async def _age(self, *, idle: float, life: float) -> None:
        """Return when the socket has been silent for too long or is too old."""
        end_of_life = self.socket.connection.connected_at + life
        while True:
            until = min(end_of_life, self.socket.last_active + idle)
            remaining = until - self._apis.now()
            if remaining <= 0:
                return
            await asyncio.sleep(remaining)

    def _context(self, route_key: str, event_type: str) -> dict[str, Any]:
        return messages.request_context(
            self.socket.connection,
            route_key=route_key,
            event_type=event_type,
            request_id=gateway_request_id(),
            now=self._apis.now(),
            authorizer=self._authorizer,
        )

    def _chosen_subprotocol(self, answer: Any) -> str | None:
        """The $connect integration chooses among what the client offered, by a header."""
        headers = (answer or {}).get("headers") or {}
        chosen = {name.lower(): value for name, value in headers.items()}.get(
            "sec-websocket-protocol"
        )
        return chosen if chosen in self._handshake.subprotocols else None

    async def _refuse(self, status: int, words: str, context: dict[str, Any]) -> None:
        await _refuse(self._send, status, words, context)


async def _refuse(send: Send, status: int, words: str, context: dict[str, Any] | None) -> None:
    """Answer the handshake with an HTTP status."""
    body: dict[str, Any] = {"message": words}
    if context is not None:
        body |= {"connectionId": context["connectionId"], "requestId": context["requestId"]}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": json.dumps(body).encode()})
