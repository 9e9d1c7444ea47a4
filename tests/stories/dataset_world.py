"""The command line, the Core Service behind its gateway, and an object store, all in this process
and with a clock of their own: what is asked over HTTP, they are asked in the form of the wire."""

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
from xylem.domain.dataset_config import Bucket, DatasetConfig, Mode
from xylem.domain.ids import UserName
from xylem.domain.values import replace
from xylem.usecases.dataset_cleanup import Cleaned, clean_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path

API = "https://xylem.test"


class DatasetWorld(httpx.BaseTransport):
    """`prod` is the default bucket. `before` is called with each request to the store, and may
    answer it instead."""

    def __init__(self) -> None:
        self.world = World()
        self.service = CoreService(self.world)
        self.puts: list[str] = []
        self.gets: list[str] = []
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self.web: dict[str, bytes] = {}
        self.user = "alice"
        store = self.world.dataset_store.uri
        buckets = {
            "prod": Bucket(f"{store}/prod"),
            "lab": Bucket(f"{store}/lab"),
            "frozen": Bucket(f"{store}/prod"),
        }
        config = DatasetConfig(buckets, "prod")
        self.world.dataset_configs.change_datasets(
            lambda _: config, author=UserName("root"), now=self.world.clock()
        )

    def freeze(self, bucket: str) -> None:
        def into(config: DatasetConfig) -> DatasetConfig:
            frozen = replace(config.buckets[bucket], mode=Mode.READ_ONLY)
            return replace(config, buckets={**config.buckets, bucket: frozen})

        self.world.dataset_configs.change_datasets(
            into, author=UserName("root"), now=self.world.clock()
        )

    def xylem(self, *arguments: str | Path, stdin: str = "", user: str = "alice") -> Said:
        self.user = user
        out, err = StringIO(), StringIO()
        session = Session(
            out=Console(file=out, width=200, color_system=None),
            err=Console(file=err, width=200),
            stdin=StringIO(stdin),
            environ={"XYLEM_URL": API},
            transport=self,
            now=self.world.clock,
        )
        code = run([str(one) for one in arguments], session)
        return Said(code, out.getvalue(), err.getvalue())

    def done(self, *arguments: str | Path, **more: str) -> Said:
        said = self.xylem(*arguments, **more)
        assert said.code == 0, said
        return said

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Of the service, as a program does."""
        return self.service.ask(method, path, **more)

    def later(self, by: timedelta) -> Cleaned:
        """Time passes, and the Monitor sweeps."""
        self.world.clock.advance(by)
        return clean_up(engine=self.world)

    def stored(self) -> list[str]:
        """The contents, by their hashes."""
        keys = self.world.dataset_store.all_keys()
        return [key.rpartition("/")[2] for key in keys if "/hashes/" in key]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        if str(request.url).startswith(self.world.dataset_store.url):
            return self._store(request, body)
        if str(request.url) in self.web:
            found = self.web[str(request.url)]
            headers = {"ETag": '"of-the-web"', "Content-Length": str(len(found))}
            return httpx.Response(200, headers=headers, stream=httpx.ByteStream(found))
        with a_loop():
            answer = self.service.ask(
                request.method,
                request.url.path,
                query=request.url.query.decode(),
                body=body.decode() if body else None,
                who=self.user,
            )
        location = answer.headers.get("location")
        if location:
            return httpx.Response(answer.status, headers={"Location": location})
        return httpx.Response(answer.status, json=answer.body)

    def _store(self, request: httpx.Request, body: bytes) -> httpx.Response:
        assert "authorization" not in request.headers, "the store is told no token of ours"
        instead = self.before(request)
        if instead is not None:
            return instead
        status, answer = self.world.dataset_store.answer(
            request.method, str(request.url), request.headers, body
        )
        if "/hashes/" in request.url.path and status == 200:
            (self.puts if request.method == "PUT" else self.gets).append(request.url.path)
        return httpx.Response(status, stream=httpx.ByteStream(answer))
