"""Procedures: what is done to a cluster, step by step, as generators that do nothing themselves.

A procedure yields one `Call` (or several `Together`) and is sent the result, or a `KubeError` is
thrown into it; what it returns is its outcome. So a story of six requests reads from top to bottom,
as if it blocked, and yet a test can stop it between any two steps, let another procedure or another
process in, or never resume it: that is a crash. `drive` is the shell, `Hands` performs the calls.

Rejected: `async` functions over an asynchronous client (the same stories, but a test could not hold
one at a chosen step without patching), and a machine with a state per step (the order of the steps,
which is what the rules are about, would be spread over a table).
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

import httpx

from operators.shared.resources import (
    Expired,
    Json,
    Kind,
    KubeError,
    Page,
    Throttled,
    Unreachable,
)

T = TypeVar("T")

FETCH_SECONDS = 30
FETCH_BYTES = 16 * 1024 * 1024
"""Of a payload behind a URL, still compressed: several times the specs of 4 MB that are
accepted."""

THREADS = 16
"""Requests in flight. Below the 20 to 50 a second that API servers grant one client by default."""


@dataclass(frozen=True, slots=True)
class Read:
    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Create:
    kind: Kind
    body: Json


@dataclass(frozen=True, slots=True)
class Replace:
    kind: Kind
    body: Json


@dataclass(frozen=True, slots=True)
class Patch:
    kind: Kind
    name: str
    operations: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    kind: Kind
    name: str
    uid: str | None = None
    resource_version: str | None = None
    grace_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class List:
    """One page of a quorum list."""

    kind: Kind
    selector: str
    following: str | None = None


@dataclass(frozen=True, slots=True)
class Learn:
    """What the cluster calls the objects of a kind that we have no name for."""

    api_version: str
    name: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """The body behind a presigned URL."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait, at most so long; less when something happens to the pods of `group`."""

    seconds: float
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """Report this pod as it is now. The result is whether that was said to the service: a pod that
    is removed by force is released after its last observation was."""

    pod: Json


@dataclass(frozen=True, slots=True)
class Together:
    """All at once; the result is a list with each one's result or error, in order."""

    calls: tuple["Call", ...]


Call = Read | Create | Replace | Patch | Delete | List | Learn | Fetch | Pause | Say
Step = Call | Together
Procedure = Generator[Step, Any, T]


def read(kind: Kind, name: str) -> Procedure[Json]:
    return cast("Json", (yield Read(kind, name)))


def create(kind: Kind, body: Json) -> Procedure[Json]:
    return cast("Json", (yield Create(kind, body)))


def replace(kind: Kind, body: Json) -> Procedure[Json]:
    return cast("Json", (yield Replace(kind, body)))


def learn(api_version: str, name: str) -> Procedure[Kind]:
    """Raises `NotFound` for a kind that the cluster does not know."""
    return cast("Kind", (yield Learn(api_version, name)))


def pages(kind: Kind, selector: str, take: Callable[[list[Json]], None]) -> Procedure[None]:
    """All pages of a list, each handed on before the next is fetched: thousands of pods as JSON
    fill more memory than what is concluded from them. A list that expires half way is for another
    day."""
    following: str | None = None
    while True:
        try:
            page = cast("Page", (yield List(kind, selector, following)))
        except Expired as expired:
            raise Unreachable(f"the list expired between two pages: {expired}") from expired
        take(page.items)
        following = page.next
        if following is None:
            return


def listing(kind: Kind, selector: str) -> Procedure[list[Json]]:
    items: list[Json] = []
    yield from pages(kind, selector, items.extend)
    return items


def fetch(url: str) -> Procedure[bytes]:
    return cast("bytes", (yield Fetch(url)))


def together(calls: Sequence[Call]) -> Procedure[list[Json | KubeError | None]]:
    if not calls:
        return []
    return cast("list[Json | KubeError | None]", (yield Together(tuple(calls))))


class Cluster(Protocol):
    """What a call needs of `operators.shared.kube.Kube`; the tests have one in memory."""

    def read(self, kind: Kind, name: str) -> Json: ...
    def create(self, kind: Kind, body: Json) -> Json: ...
    def replace(self, kind: Kind, body: Json) -> Json: ...
    def patch(self, kind: Kind, name: str, operations: list[Json]) -> Json: ...
    def delete(
        self,
        kind: Kind,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_seconds: int | None = None,
    ) -> object: ...
    def page(self, kind: Kind, selector: str, following: str | None = None) -> Page: ...
    def kind(self, api_version: str, name: str) -> Kind: ...


def ask(cluster: Cluster, call: Call) -> object:
    """One call, done now. Raises `KubeError`."""
    match call:
        case Read(kind, name):
            return cluster.read(kind, name)
        case Create(kind, body):
            return cluster.create(kind, body)
        case Replace(kind, body):
            return cluster.replace(kind, body)
        case Patch(kind, name, operations):
            return cluster.patch(kind, name, list(operations))
        case Delete(kind, name, uid, version, grace):
            return cluster.delete(
                kind, name, uid=uid, resource_version=version, grace_seconds=grace
            )
        case List(kind, selector, following):
            return cluster.page(kind, selector, following)
        case Learn(api_version, name):
            return cluster.kind(api_version, name)
        case Fetch(url):
            return _fetched(url)
        case Pause() | Say():
            raise TypeError(f"{call} is not for the cluster")


async def drive(procedure: Procedure[T], perform: Callable[[Call], Awaitable[object]]) -> T:
    """Runs a procedure to its end. What it does not catch is raised here."""
    try:
        step = next(procedure)
        while True:
            try:
                result = await _performed(step, perform)
            except KubeError as error:
                step = procedure.throw(error)
            else:
                step = procedure.send(result)
    except StopIteration as end:
        return cast("T", end.value)
    finally:
        procedure.close()


async def _performed(step: Step, perform: Callable[[Call], Awaitable[object]]) -> object:
    if not isinstance(step, Together):
        return await perform(step)

    async def outcome(call: Call) -> object:
        try:
            return await perform(call)
        except KubeError as error:
            return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(outcome(call)) for call in step.calls]
    return [task.result() for task in tasks]


THROTTLED_TRIES = 5
"""Of one call; then its procedure begins anew, later."""

Sleep = Callable[[float], Awaitable[None]]


class Hands:
    """Performs calls in a few threads: they bound how much is asked of the API server at once, and
    a procedure that waits holds none of them.

    An API server that is asked too much says 429 and for how long to leave it alone. That is meant
    for all of us, so nobody asks until then; the call was not done, so it is made again as it is.
    To begin its procedure anew would ask for what it had done already, of a server that has too
    much to do."""

    def __init__(
        self,
        cluster: Cluster,
        say: Callable[[Json], bool],
        threads: int = THREADS,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._cluster = cluster
        self._say = say
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="kube")
        self._stirred: dict[str, asyncio.Event] = {}
        self._clock = clock
        self._sleep = sleep
        self._quiet_until = 0.0

    async def perform(self, call: Call) -> object:
        if isinstance(call, Pause):
            await self._pause(call)
            return None
        if isinstance(call, Say):
            return self._say(call.pod)
        return await self._asked(call)

    async def _asked(self, call: Call) -> object:
        loop = asyncio.get_running_loop()
        tries = 0
        while True:
            while (quiet := self._quiet_until - self._clock()) > 0:
                await self._sleep(quiet)
            try:
                return await loop.run_in_executor(self._threads, ask, self._cluster, call)
            except Throttled as throttled:
                self._quiet_until = max(self._quiet_until, self._clock() + throttled.after)
                tries += 1
                if tries == THROTTLED_TRIES:
                    raise

    def stir(self, group: str) -> None:
        """Something happened to a pod of this group: who waits for it looks again."""
        if group in self._stirred:
            self._stirred[group].set()

    async def _pause(self, pause: Pause) -> None:
        if pause.group is None:
            await asyncio.sleep(pause.seconds)
            return
        event = self._stirred.setdefault(pause.group, asyncio.Event())
        try:
            async with asyncio.timeout(pause.seconds):
                await event.wait()
        except TimeoutError:
            return
        finally:
            if self._stirred.get(pause.group) is event:
                del self._stirred[pause.group]


def _fetched(url: str) -> bytes:
    """Plain HTTP is for this machine's own service alone. Presigned URLs are secrets: errors do not
    name them."""
    parsed = httpx.URL(url)
    if parsed.scheme != "https" and parsed.host not in {"127.0.0.1", "localhost", "::1"}:
        raise Unreachable("the payload's URL is not https")
    content = bytearray()
    try:
        with httpx.stream("GET", url, timeout=FETCH_SECONDS, follow_redirects=False) as response:
            if response.status_code != 200:
                raise Unreachable(f"the payload's URL answered {response.status_code}")
            for piece in response.iter_raw():
                content += piece
                if len(content) > FETCH_BYTES:
                    raise Unreachable(f"the payload is larger than {FETCH_BYTES} bytes")
    except (httpx.HTTPError, ssl.SSLError) as error:
        raise Unreachable(f"the payload was not fetched: {type(error).__name__}") from error
    return bytes(content)
