"""What an operator says is taken in: vetted, greeted, split by workflow, queued. Nothing is decided
here; what is queued of a backend itself is `usecases.backends`', of its workflows `usecases.news`'.

Ingest is on the path of every frame of every cluster, so it reads nothing: who speaks is in the
connection's authorizer context. Only `hello` writes a row, and any frame notes that the backend
was seen, once a minute at most. A frame of an old connection is not looked up here either: the
connection itself is closed, at once when another boot took over, 60 s after its successor's
welcome in the same boot; what it says until then, or although its hello was refused, the Agent
drops (`Backends.speaks`).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from xylem.domain.errors import Forbidden, Gone, InvalidRequest, TooLarge
from xylem.domain.ids import BackendName, ConnectionId
from xylem.ports.backends import Backends, Links, NewsQueue
from xylem.ports.world import Clock
from xylem.protocol import greeting
from xylem.protocol.greeting import Hello
from xylem.protocol.limits import NAME_CHARS, REASON_CHARS

OLD_CONNECTION_LIFE = timedelta(seconds=60)

Code = Literal["invalid_frame", "too_large", "not_yours", "other_cluster"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a frame, for who counts and logs: `refused` as a whole, and why; else how many
    of its events were rejected, and how much of an inventory was left out."""

    kind: str
    refused: Code | None = None
    why: str = ""
    rejected: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Wires:
    """Where a frame came from, and what it may lead to."""

    backend: BackendName
    connection: ConnectionId
    backends: Backends
    links: Links
    news: NewsQueue
    clock: Clock


def take(
    text: str,
    *,
    backend: BackendName,
    connection: ConnectionId,
    backends: Backends,
    links: Links,
    news: NewsQueue,
    clock: Clock,
) -> Taken:
    """One frame of `backend`'s operator. A bad one is answered with a `Refusal` that says why, an
    event that will never be applied with a `Rejected`.

    Raises `Unavailable` when the queue did not take the news: it is not acknowledged, so the
    operator says it again."""
    wires = Wires(backend, connection, backends, links, news, clock)
    try:
        match greeting.read(text):
            case Hello() as hello:
                _greet(hello, wires)
                return Taken("hello")
            case greeting.Heartbeat():
                backends.seen(backend, clock())
                return Taken("heartbeat")
            case None:
                return _take_vetted(text, wires)
    except (Forbidden, InvalidRequest, TooLarge) as error:
        return _refuse(error, wires)


def _take_vetted(text: str, wires: Wires) -> Taken:
    # 100 ms of a new process's first answer, which an idle cluster does not wait for.
    from xylem.protocol import agent  # noqa: PLC0415 - see above
    from xylem.usecases.partition import split  # noqa: PLC0415 - see above
    from xylem.usecases.vetting import vet  # noqa: PLC0415 - see above

    vetted = vet(text)
    message = vetted.message
    if isinstance(message, agent.Hello):
        said = Hello(
            message.backend,
            message.cluster_uid,
            message.boot_id,
            message.version,
            message.data_keys,
        )
        _greet(said, wires)
        return Taken("hello")
    wires.backends.seen(wires.backend, wires.clock())
    if message is not None:
        bodies = list(split(message, backend=wires.backend, connection=wires.connection))
        if bodies:
            wires.news.send(bodies)
    _say([rejected.model_dump_json() for rejected in vetted.rejected], wires)
    kind = message.type if message else "news"
    return Taken(kind, rejected=len(vetted.rejected), left_out=vetted.left_out)


def _greet(hello: Hello, wires: Wires) -> None:
    _require_own(hello, wires.backend)
    backends, connection = wires.backends, wires.connection
    before = backends.backend(hello.backend)
    backend = backends.hello(
        hello.backend,
        cluster_uid=hello.cluster_uid,
        boot_id=hello.boot_id,
        version=hello.version,
        connection=connection,
        now=wires.clock(),
        data_keys=hello.data_keys,
    )
    try:
        wires.links.push(connection, greeting.welcome(backend.epoch))
    except Gone:
        backends.disconnected(hello.backend, connection)
        return
    wires.news.send([greeting.greeted(hello.backend, connection)])
    if before is None or before.connection in (None, connection):
        return
    old = before.connection
    assert old is not None
    if before.boot_id != hello.boot_id:
        wires.links.close(old)
        return
    wires.news.send([greeting.retired(hello.backend, old)], delay=OLD_CONNECTION_LIFE)


def _require_own(hello: Hello, backend: BackendName) -> None:
    if hello.backend != backend:
        raise Forbidden(
            f"this credential is for backend {backend}, not for {hello.backend[:NAME_CHARS]}: "
            "make one with `xylem backend token`"
        )
    if len(hello.version) > NAME_CHARS:
        raise InvalidRequest(f"version: at most {NAME_CHARS} characters")


def _refuse(error: Forbidden | InvalidRequest | TooLarge, wires: Wires) -> Taken:
    code = _code(error)
    why = str(error)[:REASON_CHARS]
    _say([greeting.refusal(code, why)], wires)
    return Taken("refused", code, why)


def _code(error: Forbidden | InvalidRequest | TooLarge) -> Code:
    match error:
        case Forbidden(code="other_cluster"):
            return "other_cluster"
        case Forbidden():
            return "not_yours"
        case InvalidRequest():
            return "invalid_frame"
        case TooLarge():
            return "too_large"


def _say(texts: list[str], wires: Wires) -> None:
    try:
        for text in texts:
            wires.links.push(wires.connection, text)
    except Gone:
        return
