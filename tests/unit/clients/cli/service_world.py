"""The command line before the real Core Service, everything that it stores in memory."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console

from clients.cli.__main__ import run
from clients.cli.session import Session
from tests.stories.world import World
from tests.unit.clients.cli.world import Said
from tests.unit.functions.core_service.gateway import CoreService, a_loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ADMIN = "osmo-admin"
PASSED_ON = {"idempotency-key"}


class ServiceWorld(httpx.BaseTransport):
    """`before` sees each request and may raise in its place; `after` sees what was answered, before
    the client does."""

    def __init__(self) -> None:
        self.world = World()
        self.service = CoreService(self.world)
        self.asked: list[str] = []
        self.before: Callable[[httpx.Request], None] = lambda request: None
        self.after: Callable[[httpx.Request], None] = lambda request: None
        self._who = ("root", ADMIN)

    @property
    def writes(self) -> list[str]:
        return [one for one in self.asked if not one.startswith("GET ")]

    def xylem(
        self,
        *arguments: str | Path,
        stdin: str = "",
        who: str = "root",
        roles: str = ADMIN,
        environ: dict[str, str] | None = None,
        terminal: bool = False,
    ) -> Said:
        self._who = (who, roles)
        out, err = StringIO(), StringIO()
        session = Session(
            out=Console(file=out, width=200, color_system=None, force_terminal=terminal),
            err=Console(file=err, width=200, color_system=None),
            stdin=StringIO(stdin),
            environ={"XYLEM_URL": "https://xylem.test", **(environ or {})},
            transport=self,
            now=self.world.clock,
        )
        code = run([str(one) for one in arguments], session)
        return Said(code, out.getvalue(), err.getvalue())

    def done(self, *arguments: str | Path, **more: Any) -> str:
        """What it printed. It has to work."""
        said = self.xylem(*arguments, **more)
        assert said.code == 0, said
        return said.out

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        self.before(request)
        body = request.read()
        who, roles = self._who
        with a_loop():
            answer = self.service.ask(
                request.method,
                request.url.path,
                query=request.url.query.decode(),
                body=body.decode() if body else None,
                who=who,
                roles=roles,
                headers={
                    name: value for name, value in request.headers.items() if name in PASSED_ON
                },
            )
        self.after(request)
        if isinstance(answer.body, str) and "json" not in answer.headers.get("content-type", ""):
            return httpx.Response(answer.status, text=answer.body)
        return httpx.Response(answer.status, json=answer.body)
