"""The server: ministack with its corrections, our data planes before it, one port on loopback.

    request ──▶ front ─┬─ /_aws/execute-api/<HTTP API>/…        ──▶ http_api        ─┐
                       ├─ /_aws/execute-api/<WebSocket API>/…   ──▶ websocket_api   ─┼─▶ lambda_pool
                       ├─ …/@connections/<id>                   ──▶ connections_api  │
                       ├─ /_xylem/usage                         ──▶ usage            │
                       └─ all AWS APIs                          ──▶ ministack       ─┘

The socket is bound and listening before anything is loaded: a taken port is refused at once, and a
Lambda that a queue starts right after the load finds the endpoint open.

At SIGTERM: no more connections, sockets are closed with 1001, everything is saved (which is little,
see `definitions`), processes end. hypercorn's own graceful shutdown waits for clients that may
never leave, so the process ends by `os._exit` when what matters is done.
"""

import asyncio
import contextlib
import importlib
import logging
import os
import signal
import socket
from collections.abc import Iterable
from typing import Any

from clients.local.embedded_aws import (
    api_definitions,
    calls,
    cloudformation,
    definitions,
    durable_items,
    dynamodb_usage,
    http_api,
    lambda_functions,
    scheduler,
    seams,
    sqs_delay,
    sqs_poller,
    usage,
    websocket_stream,
)
from clients.local.embedded_aws.asgi import (
    ApiAddress,
    Receive,
    Scope,
    Send,
    api_address,
    raw_path_of,
    respond,
)
from clients.local.embedded_aws.calls import ApiRequest, Callers, CallJournal
from clients.local.embedded_aws.connections_api import ConnectionsApi, is_connections
from clients.local.embedded_aws.definitions import Definitions, changes_definitions
from clients.local.embedded_aws.durable_items import DurableItems
from clients.local.embedded_aws.function_logs import FunctionLogs
from clients.local.embedded_aws.http_api import HttpApis
from clients.local.embedded_aws.item_store import ItemStore
from clients.local.embedded_aws.lambda_files import LambdaFiles
from clients.local.embedded_aws.lambda_functions import LambdaFunctions
from clients.local.embedded_aws.lambda_pool import LambdaPool
from clients.local.embedded_aws.lambda_process import Host
from clients.local.embedded_aws.seams import Seam
from clients.local.embedded_aws.settings import LOOPBACK, Settings
from clients.local.embedded_aws.state_files import StateFiles
from clients.local.embedded_aws.websocket_api import WebSocketApis

log = logging.getLogger(__name__)

APP = Seam("ministack.app", "app", ("scope", "receive", "send"))
LOAD_STATE = Seam("ministack.app", "_load_persisted_state", ())
REGISTRY = Seam("ministack.app", "SERVICE_REGISTRY")
SERVE = Seam(
    "hypercorn.asyncio.run", "worker_serve", ("app", "config", "sockets", "shutdown_trigger")
)
CONFIG = Seam("hypercorn.config", "Config")
SOCKETS = Seam("hypercorn.config", "Sockets")
WRAP_APP = Seam("hypercorn.utils", "wrap_app", ("app", "wsgi_max_body_size", "mode"))
SEAMS = (APP, LOAD_STATE, REGISTRY, SERVE, CONFIG, SOCKETS, WRAP_APP)

CORRECTIONS = (
    api_definitions,
    calls,
    cloudformation,
    definitions,
    durable_items,
    dynamodb_usage,
    http_api,
    lambda_functions,
    scheduler,
    sqs_delay,
    sqs_poller,
    websocket_stream,
)

KEEP_ALIVE_SECONDS = 75.0

# Clients that are in the middle of a request get this long at the end.
GRACE_SECONDS = 0.5


def listen(port: int) -> socket.socket:
    """The socket of the server; OSError when the port is taken. 0 takes any."""
    # With the protocol named, asyncio switches Nagle's algorithm off; without, an answer whose head
    # and body are written one after the other takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError:
        listener.close()
        raise
    listener.listen(1024)
    return listener


def all_seams() -> Iterable[Seam]:
    yield from SEAMS
    for correction in CORRECTIONS:
        yield from correction.SEAMS


async def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT. Does not return: the process ends."""
    # It warns at each start that asymmetric keys of KMS need another package; we use none.
    logging.getLogger("kms").setLevel(logging.ERROR)
    importlib.import_module("ministack.app")
    seams.check(all_seams())
    server = _Server(settings)
    server.install(asyncio.get_running_loop())
    await server.run(listener)


class _Server:
    """What the corrections share, put together once."""

    def __init__(self, settings: Settings) -> None:
        host = Host(
            python=settings.lambda_python,
            runtime=settings.runtime,
            endpoint=settings.endpoint,
            temporary=settings.temporary,
        )
        self._files = StateFiles(
            settings.definitions,
            encode=definitions.ENCODE.get(),
            decode=definitions.DECODE.get(),
        )
        self._definitions = Definitions(self._files, modules_of=_modules_of)
        self._items = DurableItems(
            ItemStore(settings.items),
            save_tables=lambda: self._definitions.save_service("dynamodb"),
        )
        self._usage = usage.Usage()
        self._logs = FunctionLogs(settings.logs, self._usage)
        self._pool = LambdaPool(self._logs, self._usage)
        self._functions = LambdaFunctions(self._pool, LambdaFiles(settings.functions), host)
        self._journal = CallJournal(settings.calls)
        self._callers = Callers(_function_names)
        self._http = HttpApis(self._functions, self._usage)
        self._websockets = WebSocketApis(
            self._functions,
            self._usage,
            idle_seconds=settings.websocket_idle_seconds,
            life_seconds=settings.websocket_life_seconds,
        )
        self._connections = ConnectionsApi(
            self._websockets, self._journal, self._callers, self._usage
        )

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        durable_items.install(self._items)
        dynamodb_usage.install()
        definitions.install(self._files, self._definitions)
        lambda_functions.install(self._functions, loop)
        calls.install(self._journal, self._callers, self._usage, after=self._keep)
        cloudformation.install()
        sqs_delay.install()
        sqs_poller.install(self._usage)
        websocket_stream.install()

        def save_schedules() -> None:
            loop.call_soon_threadsafe(self._definitions.save_service, "scheduler")

        scheduler.install(save=save_schedules, usage=self._usage)
        LOAD_STATE.wrap(self._cleaning)

    async def run(self, listener: socket.socket) -> None:
        config = CONFIG.get()()
        config.keep_alive_timeout = KEEP_ALIVE_SECONDS
        config.graceful_timeout = GRACE_SECONDS
        config.websocket_max_message_size = websocket_stream.MAX_MESSAGE
        config.loglevel = "WARNING"
        listener.setblocking(False)
        sockets = SOCKETS.get()(secure_sockets=[], insecure_sockets=[listener], quic_sockets=[])
        app = WRAP_APP.get()(self.front, config.wsgi_max_body_size, "asgi")
        background = [
            asyncio.create_task(self._items.flush_in_background()),
            asyncio.create_task(self._journal.flush_in_background()),
            asyncio.create_task(self._logs.flush_in_background()),
            asyncio.create_task(self._pool.reap()),
        ]
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        serving = asyncio.create_task(
            SERVE.get()(app, config, sockets=sockets, shutdown_trigger=stop.wait)
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        failed = not stopping.done()
        if failed:
            log.critical("the server failed", exc_info=serving.exception())
        for task in background:
            task.cancel()
        await self._end()
        logging.shutdown()
        os._exit(1 if failed else 0)

    async def front(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        is_request = scope["type"] in ("http", "websocket")
        path = raw_path_of(scope) if is_request else ""
        if path == usage.PATH:
            headers = [(b"content-type", b"application/json")]
            await respond(send, 200, headers, self._usage.as_json())
            return
        address = api_address(path) if is_request else None
        data_plane = self._data_plane(scope, address) if address else None
        if address is not None and data_plane is not None:
            await data_plane.handle(address, scope, receive, send)
        else:
            await APP.get()(scope, receive, send)

    def _data_plane(
        self, scope: Scope, address: ApiAddress
    ) -> HttpApis | WebSocketApis | ConnectionsApi | None:
        if scope["type"] == "websocket":
            return self._websockets if self._websockets.serves(address) else None
        if is_connections(address):
            return self._connections
        return self._http if self._http.serves(address) else None

    def _keep(self, request: ApiRequest, action: str) -> None:
        """After each call, before its answer leaves."""
        if request.service == "cloudformation":
            self._definitions.watch_stacks()
        if changes_definitions(action, request.method):
            self._definitions.save_service(request.service)

    def _cleaning(self, stock: Any) -> Any:
        def load_persisted_state() -> None:
            stock()
            self._files.forget_unused_blobs()
            self._functions.forget_unused_files()

        return load_persisted_state

    async def _end(self) -> None:
        self._definitions.save_all()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await self._websockets.close_all()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await self._pool.close()
        self._items.commit()
        self._journal.flush()
        self._logs.flush()


def _modules_of(service: str) -> tuple[str, ...]:
    entry: dict[str, Any] = REGISTRY.get().get(service) or {}
    modules = [entry[key] for key in ("module",) if key in entry]
    # Creating a function or an API also makes log groups and permissions.
    return (*modules, *entry.get("sub_modules", ()))


def _function_names() -> list[str]:
    functions = lambda_functions.FUNCTIONS.get().all_values()
    return [function["config"]["FunctionName"] for function in functions]
