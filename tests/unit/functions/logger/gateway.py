"""The Logger as API Gateway asks it: the real handler's routes, everything that it stores in
memory."""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

from tests.builders import NOON
from tests.stories.world import World
from tests.unit.functions.core_service.gateway import WEBSOCKET_URL, Answer, answered
from tests.unit.functions.environment import Context
from xylem.memory.blobs import MemoryBlobs
from xylem.memory.followers import MemoryFollowers
from xylem.ports.task_tokens import Attempt
from xylem.protocol.spool import Record, encode

LAST = NOON.replace(year=NOON.year + 10)


class ServicesOf:
    """A world's ports, as the routes ask for them."""

    def __init__(self, world: World) -> None:
        self.workflows = world.workflows
        self.configs = world.configs
        self.logs = world.logs
        self.store = world.store
        self.data = MemoryBlobs()
        self.jobs = world.jobs
        self.task_tokens = world.tokens
        self.task_secrets = world.task_secrets
        self.followers = MemoryFollowers()
        self.links = world.links
        self.datasets = world
        self.clock = world.clock
        self.ids = world.ids
        self.websocket_url = WEBSOCKET_URL


class Logger:
    def __init__(self, world: World) -> None:
        from functions.logger.services import Remembered  # noqa: PLC0415 - as `answer`

        self.services = ServicesOf(world)
        self._remembered = Remembered()

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        token: str | None = None,
        who: Mapping[str, str] | None = None,
    ) -> Answer:
        """`who`: what the authorizer found."""
        event = {
            "version": "2.0",
            "rawPath": path,
            "headers": {"authorization": f"Bearer {token}"} if token else {},
            "queryStringParameters": dict(query or {}),
            "requestContext": {
                "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
                "stage": "$default",
                "requestId": "request",
                "authorizer": {"lambda": dict(who)} if who else {},
            },
            "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
            "isBase64Encoded": isinstance(body, bytes),
        }
        return self.answer(event)

    def answer(self, event: dict[str, Any]) -> Answer:
        from functions.logger.handler import answer  # noqa: PLC0415 - it reads the environment

        context: Any = Context("logger")
        found = answer(event, context, self.services, self._remembered)
        headers = {name.lower(): value for name, value in found["headers"].items()}
        return answered({**found, "headers": headers})

    def sent(self, attempt: Attempt, *records: Record) -> None:
        """As a task's sidecar does with all that was printed."""
        batch = gzip.compress(b"".join(encode(record) for record in records))
        token = self.services.task_tokens.sign(attempt, expires=LAST)
        stored = self.ask("POST", "/runtime/logs", query={"offset": "0"}, body=batch, token=token)
        length = json.dumps({"length": stored.body["next"]}).encode()
        self.ask("POST", "/runtime/logs/end", body=length, token=token)
