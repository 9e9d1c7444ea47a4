"""A guard before a Kubernetes API: it lets through what roles allow, and remembers what was asked.

What an API server with RBAC would refuse is refused here in its words, so an operator that works
through the guard works with these roles. Requests are told apart as the API server does it
(kubernetes.io/docs/reference/access-authn-authz/authorization): a verb of the API for each method,
`list` and `watch` where no name is given.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.builders_chart import Grant

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
WORDS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def asked_for(method: str, path: str, *, watching: bool = False) -> Grant:
    """`/api/v1/namespaces/a/pods/b`: the right that this takes, for the one name."""
    root, *parts = path.strip("/").split("/")
    group = "" if root == "api" else parts.pop(0)
    parts.pop(0)  # the version
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces":
        _, namespace, *parts = parts
    resource, *rest = parts
    name = rest[0] if rest else ""
    if len(rest) > 1:
        resource = f"{resource}/{rest[1]}"
    verb = WORDS.get(method) or ("get" if name else "watch" if watching else "list")
    return namespace, group, resource, name, verb


@dataclass
class Guard:
    """`used`: the grants that were needed, as the roles have them; `refused`: what none allows."""

    kubeconfig: Path
    grants: Set[Grant]
    used: set[Grant] = field(default_factory=set)
    refused: list[Grant] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def until_used(self, *grants: Grant) -> None:
        while not set(grants) <= self.used:
            self.asked.clear()
            await self.asked.wait()

    def allows(self, asked: Grant) -> bool:
        namespace, group, resource, name, verb = asked
        fitting = {
            (where, group, resource, which, verb)
            for where in (namespace, "")
            for which in (name, "*")
        } & self.grants
        # Of two that would do, the narrower one was meant.
        self.used |= set(sorted(fitting, reverse=True)[:1])
        if not fitting:
            self.refused.append(asked)
        self.asked.set()
        return bool(fitting)

    @asynccontextmanager
    async def open(self, folder: Path) -> AsyncIterator[Path]:
        """A kubeconfig that leads through it."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        [cluster] = config["clusters"]
        behind = cluster["cluster"]["server"]
        async with httpx.AsyncClient(base_url=behind, timeout=None, trust_env=False) as client:

            async def answer(request: Request) -> Response:
                return await self._answer(request, client)

            app = Starlette(routes=[Route("/{path:path}", answer, methods=METHODS)])
            server = _Server(
                uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
            )
            async with _serving(server) as port:
                cluster["cluster"]["server"] = (
                    urlsplit(behind)._replace(netloc=f"127.0.0.1:{port}").geturl()
                )
                through = folder / "kubeconfig"
                through.write_text(json.dumps(config))
                yield through

    async def _answer(self, request: Request, client: httpx.AsyncClient) -> Response:
        watching = request.query_params.get("watch") == "true"
        asked = asked_for(request.method, request.url.path, watching=watching)
        if not self.allows(asked):
            told = f"{asked[2]} is forbidden: cannot {asked[4]} it in {asked[0] or 'the cluster'}"
            status = {"kind": "Status", "apiVersion": "v1", "code": 403, "message": told}
            return JSONResponse(status, status_code=403)
        headers = [(key, value) for key, value in request.headers.raw if key != b"host"]
        sent = client.build_request(
            request.method,
            httpx.URL(request.url.path, query=request.url.query.encode()),
            headers=headers,
            content=await request.body(),
        )
        found = await client.send(sent, stream=True)

        async def body() -> AsyncIterator[bytes]:
            try:
                async for piece in found.aiter_raw():
                    yield piece
            finally:
                await found.aclose()

        kept = {"content-type": found.headers.get("content-type", "application/json")}
        return StreamingResponse(body(), status_code=found.status_code, headers=kept)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@asynccontextmanager
async def _serving(server: _Server) -> AsyncIterator[int]:
    task = asyncio.create_task(server.serve())
    await server.listening.wait()
    try:
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        server.force_exit = True
        await task
