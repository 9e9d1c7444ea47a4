"""The Core Service as API Gateway asks it: events of payload 2.0 into Mangum, the real application
behind it, everything that it stores in memory."""

import asyncio
import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

from mangum import Mangum

from functions.core_service.api import Application
from tests.stories.world import World
from xylem.domain.target import PUBLIC
from xylem.memory.queues import MemoryDeadLetters
from xylem.memory.rates import MemoryRates
from xylem.memory.tokens import MemoryProviders, MemorySigner
from xylem.ports.tokens import Providers, Signer
from xylem.usecases.limits import Limiter, PerSecond

NO_LIMITS = PerSecond()
WEBSOCKET_URL = "wss://sockets.test/live"
SUBMIT = "/api/pool/default/workflow"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any


class ServicesOf:
    """A world's ports, as the routes ask for them."""

    def __init__(
        self,
        world: World,
        dead_letters: MemoryDeadLetters | None = None,
        signer: Signer | None = None,
        providers: Providers | None = None,
        limits: PerSecond = NO_LIMITS,
    ) -> None:
        self.engine = world
        self.joining = world
        self.entering = world
        self.websocket_url = WEBSOCKET_URL
        self.pools = world.pools
        self.configs = world.configs
        self.backends = world.backends
        self.jobs = world.jobs
        self.credentials = world.credentials
        self.datasets = world
        self.identity = world.identity
        self.apps = world.apps
        self.signer: Signer = signer or MemorySigner()
        self.rates = MemoryRates()
        self.limiter = Limiter(lambda: self.rates, limits)
        self.providers: Providers = providers or MemoryProviders()
        self.answers = world.answers
        self.receivers = PUBLIC
        self._secrets = count(1)
        self.dead_letters = dead_letters or MemoryDeadLetters("jobs", "news", "timers")

    def new_secret(self) -> str:
        return f"{next(self._secrets):T>43}"


class CoreService:
    def __init__(
        self,
        world: World | None = None,
        signer: Signer | None = None,
        providers: Providers | None = None,
        limits: PerSecond = NO_LIMITS,
    ) -> None:
        self.world = world or World()
        self.dead_letters = MemoryDeadLetters("jobs", "news", "timers")
        services = ServicesOf(self.world, self.dead_letters, signer, providers, limits)
        self.rates = services.rates
        self._handler = Mangum(Application(services), lifespan="off")

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: str | bytes | None = None,
        content_type: str | None = "application/json",
        who: str = "alice",
        roles: str = "osmo-user",
        kind: Literal["user", "operator"] = "user",
        headers: Mapping[str, str] | None = None,
        context: Mapping[str, str] | None = None,
    ) -> Answer:
        """`query` as on the wire. `who` is what the authorizer found, or all of `context`."""
        return answered(
            self.answer(
                method,
                path,
                query=query,
                body=body,
                content_type=content_type,
                who=who,
                roles=roles,
                kind=kind,
                headers=headers,
                context=context,
            )
        )

    def answer(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: str | bytes | None = None,
        content_type: str | None = None,
        who: str = "alice",
        roles: str = "osmo-user",
        kind: Literal["user", "operator"] = "user",
        headers: Mapping[str, str] | None = None,
        context: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        """What Lambda gives back."""
        event = {
            "version": "2.0",
            "routeKey": "ANY /api/{proxy+}",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {
                "host": "api.test",
                **({"content-type": content_type} if content_type else {}),
                **(headers or {}),
            },
            "requestContext": {
                "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
                "authorizer": {"lambda": context or {"kind": kind, "subject": who, "roles": roles}},
            },
            **_body(body),
        }
        return self._handler(event, object())  # type: ignore[arg-type]  # nobody looks

    def submit(self, spec: str, *, query: str = "", **more: Any) -> Answer:
        return self.ask("POST", SUBMIT, query=query, body=json.dumps({"file": spec}), **more)

    def kept(self) -> str:
        """All that is stored anywhere; what lies in a queue is taken, and named."""
        world = self.world
        rows = {
            name: value
            for name, value in vars(world.rows).items()
            if name not in {"workflows", "jobs", "timers"}
        }
        queues = [world.doorbell.take(), world.alarm.take(), world.news.take(), world.links.take()]
        configs = [vars(world.configs.rows), world.backends.all()]
        return repr([rows, queues, configs, world.store.keys()])


def answered(answer: Mapping[str, Any]) -> Answer:
    return Answer(answer["statusCode"], answer["headers"], _parsed(answer["body"]))


def _body(body: str | bytes | None) -> dict[str, Any]:
    """API Gateway hands over what is not text as base64."""
    if body is None:
        return {"isBase64Encoded": False}
    if isinstance(body, bytes):
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return {"body": body, "isBase64Encoded": False}


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except json.JSONDecodeError:
        return body


@contextmanager
def a_loop() -> Iterator[None]:
    """Mangum takes the thread's, which the threads of a transfer do not have."""
    if threading.current_thread() is threading.main_thread():
        yield
        return
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()
