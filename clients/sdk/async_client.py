"""`AsyncClient`: what `Client` says, for programs that wait for many things at once.

There is one client, and it is not written twice: its own methods run here, up to where they would
wait. There the request, or the pause before it is tried again, is awaited, and the method runs once
more from its beginning with what came of it; so on, until it returns. Building a request and
reading an answer is a millisecond, and a method that is asked anew asks the same: keys of
submissions are made once for all of that.

    call ─▶ method of Client ─▶ asks ─▶ awaited ─┐
                  ▲                              │ with all answers so far
                  └──────────────────────────────┘

So retries, redirects, errors and models are the client's own, and what it learns to say can be
asked here the same day, with `ask`. Rejected: a second copy of every method, which would differ
from the first one day; and a thread for each call, of which a thousand followers want a thousand.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import update_wrapper
from itertools import count
from types import TracebackType
from typing import Any, Concatenate, NamedTuple, ParamSpec, Self, TypeVar, Unpack

import httpx

from clients.sdk.client import Client
from clients.sdk.live import HOLD_SECONDS
from clients.sdk.login import Login, is_loopback
from clients.sdk.models import ListedWorkflow, LogPage, Workflow
from clients.sdk.retry import Retries
from clients.sdk.waiting import PAGE, Listing, look_again_after, still_runs

P = ParamSpec("P")
R = TypeVar("R")

_OF_THE_WIRE = {"content-encoding", "content-length", "transfer-encoding"}
"""Headers that are true of an answer until it was read."""


class _Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    content: bytes


class _Asked(Exception):
    def __init__(self, request: httpx.Request) -> None:
        self.request = request


class _Paused(Exception):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class _Script(httpx.BaseTransport):
    """What happened to a call so far, told to the client as if it happened now."""

    def __init__(self) -> None:
        self._past: list[_Answer | httpx.TransportError | None] = []
        self._next = 0
        self._keys: Iterator[str] = iter(())

    def begin(self, past: list[_Answer | httpx.TransportError | None], keys: Iterator[str]) -> None:
        self._past, self._keys, self._next = past, keys, 0

    def key(self) -> str:
        return next(self._keys)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._next == len(self._past):
            raise _Asked(request)
        came = self._past[self._next]
        self._next += 1
        if isinstance(came, httpx.TransportError):
            raise came
        assert came is not None, "a client that asks anew asks the same"
        return httpx.Response(came.status, headers=came.headers, content=came.content)

    def sleep(self, seconds: float) -> None:
        if self._next == len(self._past):
            raise _Paused(seconds)
        self._next += 1


def _awaited(
    method: Callable[Concatenate[Client, P], R],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, R]]:
    async def asked(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self.ask(lambda client: method(client, *args, **kwargs))

    update_wrapper(asked, method)
    return asked


class AsyncClient:
    """Use it as an asynchronous context manager, or `aclose` it."""

    def __init__(
        self,
        login: Login,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        retries: Retries | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        new_key: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.url = login.url
        self._sleep = sleep
        self._clock = clock
        self._new_key = new_key
        self._script = _Script()
        self._client = Client(
            login,
            transport=self._script,
            retries=retries,
            sleep=self._script.sleep,
            new_key=self._script.key,
        )
        self._http = httpx.AsyncClient(transport=transport, trust_env=not is_loopback(login.url))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        self._client.close()
        await self._http.aclose()

    async def ask(self, call: Callable[[Client], R]) -> R:
        """Whatever a client can say: `await it.ask(lambda client: client.pools())`. It is called
        several times, and must ask the same each time."""
        past: list[_Answer | httpx.TransportError | None] = []
        keys: list[str] = []
        while True:
            self._script.begin(past, self._the_same(keys))
            try:
                return call(self._client)
            except _Asked as asked:
                request = asked.request
            except _Paused as paused:
                await self._sleep(paused.seconds)
                past.append(None)
                continue
            past.append(await self._answer(request))

    submit = _awaited(Client.submit)
    validate = _awaited(Client.validate)
    render = _awaited(Client.render)
    list_workflows = _awaited(Client.list_workflows)
    query = _awaited(Client.query)
    spec = _awaited(Client.spec)
    logs = _awaited(Client.logs)
    error_logs = _awaited(Client.error_logs)
    log_page = _awaited(Client.log_page)
    events = _awaited(Client.events)
    artifacts = _awaited(Client.artifacts)
    restart = _awaited(Client.restart)
    resubmit = _awaited(Client.resubmit)
    cancel = _awaited(Client.cancel)
    why_pending = _awaited(Client.why_pending)
    pools = _awaited(Client.pools)
    pool_quotas = _awaited(Client.pool_quotas)
    resources = _awaited(Client.resources)
    backends = _awaited(Client.backends)
    credentials = _awaited(Client.credentials)
    version = _awaited(Client.version)

    async def workflows(self, **wanted: Unpack[Listing]) -> AsyncIterator[ListedWorkflow]:
        """All that are wanted, the newest first, page by page as they are looked at."""
        cursor: str | None = ""
        while cursor is not None:
            page = await self.list_workflows(limit=PAGE, cursor=cursor or None, **wanted)
            for one in page.workflows:
                yield one
            cursor = page.cursor

    async def wait(self, workflow: str, *, timeout: float | None = None) -> Workflow:  # noqa: ASYNC109 - as `waiting.wait`
        """The workflow when it has ended. Raises `TimeoutError` after so many seconds."""
        begun = self._clock()
        while not (found := await self.query(workflow)).status.final:
            waited = self._clock() - begun
            still_runs(found, waited, timeout)
            await self._sleep(look_again_after(waited))
        return found

    async def follow_logs(
        self, workflow: str, *, task: str | None = None, retry: int | None = None
    ) -> AsyncIterator[LogPage]:
        """Pages of new records until the log is closed; each question is held while there are
        none."""
        page = await self.log_page(workflow, wait=0, task=task, retry=retry)
        while True:
            yield page
            if page.closed:
                return
            page = await self.log_page(
                workflow, cursor=page.cursor, wait=HOLD_SECONDS, task=task, retry=retry
            )

    def _the_same(self, keys: list[str]) -> Iterator[str]:
        """Those that were made before, in their order; then new ones, which are kept."""
        for number in count():
            if number == len(keys):
                keys.append(self._new_key())
            yield keys[number]

    async def _answer(self, request: httpx.Request) -> _Answer | httpx.TransportError:
        try:
            answer = await self._http.send(request)
        except httpx.TransportError as error:
            return error
        headers = answer.headers.multi_items()
        kept = [(name, value) for name, value in headers if name.lower() not in _OF_THE_WIRE]
        return _Answer(answer.status_code, kept, answer.content)
