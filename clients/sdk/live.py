"""Pages of a log as they come: over a WebSocket where there is one, else by asking again and again.

    read                what came after a cursor, over HTTP; the first answer says where to dial
    dial, subscribe     from then on chunks are pushed, and reads fill what pushes leave out
    poll                while there is no socket: the Logger holds each question for a while

A socket that cannot be had is tried again every half minute; one that was refused by the service,
with its reason, is not. API Gateway ends a socket after two hours, and one on which nothing is said
after ten minutes, so the subscription is said again every five.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from pydantic import ValidationError

from clients.sdk.following import Follower
from clients.sdk.models import LogPage, LogRecord
from xylem.protocol.following import Follow, Following, Refusal, ToFollower, to_follower

DIAL_AGAIN_SECONDS = 30.0
SAY_AGAIN_SECONDS = 300.0
ANSWER_SECONDS = 10.0
HOLD_SECONDS = 20
"""The Logger's longest."""


class Lost(Exception):
    """There is no socket, or no more."""


class NotWanted(Exception):
    """The service will not push this, and says why."""


class Socket(Protocol):
    def send(self, text: str) -> None:
        """Raises `Lost`."""
        ...

    def receive(self, seconds: float) -> str | None:
        """None: nothing came for so long. Raises `Lost`."""
        ...

    def close(self) -> None: ...


class World(NamedTuple):
    """`read`: cursor, age, seconds to hold. `dial` raises `Lost`. `clock`: seconds. `chance`: from
    0 to 1."""

    read: Callable[[str, int, int], LogPage]
    dial: Callable[[str], Socket]
    clock: Callable[[], float]
    chance: Callable[[], float]


def pages(question: Follow, world: World, *, every: float | None = None) -> Iterator[LogPage]:
    """Until the log is closed. `every`: a page as often as that, though it be empty, and not more
    often."""
    page = world.read("", 0, 0)
    yield page
    follower = _follower(page, world)
    while follower is None and not page.closed:
        page = world.read(page.cursor, 0, _hold(every))
        yield page
    wanted = True
    while follower is not None and not follower.closed:
        if wanted:
            try:
                yield from _pushed(question, page.live or "", follower, world, every)
            except Lost:
                pass
            except NotWanted:
                wanted = False
        yield from _bridged(follower, world, every)


def _follower(page: LogPage, world: World) -> Follower | None:
    """None: of a service that does not push."""
    if page.closed or page.live is None:
        return None
    return Follower(page.cursor, world.clock(), world.chance)


def _bridged(follower: Follower, world: World, every: float | None) -> Iterator[LogPage]:
    """By asking, until it is time to dial again."""
    until = world.clock() + DIAL_AGAIN_SECONDS
    while not follower.closed and world.clock() < until:
        page = world.read(follower.cursor, 0, _hold(every))
        follower.read(page, world.clock())
        yield page


def _pushed(
    question: Follow, url: str, follower: Follower, world: World, every: float | None
) -> Iterator[LogPage]:
    """Raises `Lost`, `NotWanted`."""
    socket = world.dial(url)
    waiting: list[LogRecord] = []
    try:
        text = question.model_dump_json()
        followers = _subscribe(socket, text, world)
        now = world.clock()
        follower.subscribed(now, followers=followers)
        say_at, show_at = now + SAY_AGAIN_SECONDS, now + (every or 0)
        while not follower.closed:
            now = world.clock()
            if now >= say_at:
                socket.send(text)
                say_at = now + SAY_AGAIN_SECONDS
            elif read := follower.next_read(now):
                page = world.read(read.cursor, read.age, 0)
                follower.read(page, world.clock())
                waiting += page.records
            else:
                moments = [follower.wake_at(), say_at, *([show_at] if every else [])]
                said = _understood(socket.receive(max(0.0, min(moments) - now)))
                waiting += follower.told(said, world.clock()) if said else ()
            if world.clock() >= show_at if every else waiting:
                show_at = world.clock() + (every or 0)
                yield _page(waiting, follower)
                waiting = []
        yield _page(waiting, follower)
    except Lost:
        if waiting:
            yield _page(waiting, follower)
        raise
    finally:
        socket.close()


def _page(records: list[LogRecord], follower: Follower) -> LogPage:
    return LogPage(records=records, cursor=follower.cursor, closed=follower.closed)


def _subscribe(socket: Socket, text: str, world: World) -> int:
    """How many follow now. Raises `Lost`, `NotWanted`. What is pushed before the answer is found by
    the read that follows it."""
    socket.send(text)
    until = world.clock() + ANSWER_SECONDS
    while (left := until - world.clock()) > 0:
        match _understood(socket.receive(left)):
            case Following(followers=followers):
                return followers
            case Refusal(message=message):
                raise NotWanted(message)
    raise Lost


def _understood(text: str | None) -> ToFollower | None:
    """None: nothing was said, or what is of a later release, or API Gateway's own word."""
    try:
        return to_follower.validate_json(text) if text else None
    except ValidationError:
        return None


def _hold(every: float | None) -> int:
    return HOLD_SECONDS if every is None else max(1, int(every))
