"""What an operator says is taken in: vetted, greeted, split by workflow, queued. Nothing is decided
here; what is queued of a backend itself is `usecases.backends`', of its workflows `usecases.news`'.

Ingest is on the path of every frame of every cluster, so it reads nothing: who speaks is in the
connection's authorizer context. Only `hello` writes a row, and any frame notes that the backend
was seen, once a minute at most. A frame of an old connection is not looked up here either: the
connection itself is closed, at once when another boot took over, 60 s after its successor's
welcome in the same boot; what it says until then, or although its hello was refused, the Agent
drops (`Backends.speaks`).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from xylem.domain.errors import Forbidden, Gone, InvalidRequest, TooLarge
from xylem.domain.ids import BackendName, ConnectionId, WorkflowId
from xylem.ports.backends import Backends, Links, NewsQueue
from xylem.ports.world import Clock
from xylem.protocol.agent import (
    Anchor,
    Bundle,
    Event,
    Heartbeat,
    Hello,
    Inventory,
    JobResult,
    News,
    Nodes,
    OperatorMessage,
    PodObservation,
    Refusal,
    Welcome,
)
from xylem.protocol.limits import REASON_CHARS
from xylem.protocol.queues import BundleOf, EventsOf, Greeted, NodesOf, ResultOf, Retired, StockOf
from xylem.usecases.vetting import vet

OLD_CONNECTION_LIFE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a frame, for who counts and logs: `refused` as a whole, and why; else how many
    of its events were rejected, and how much of an inventory was left out."""

    kind: str
    refused: Literal["invalid_frame", "too_large", "not_yours"] | None = None
    why: str = ""
    rejected: int = 0
    left_out: int = 0


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
    try:
        vetted = vet(text, backend)
        if isinstance(vetted.message, Hello):
            hello = vetted.message
            _greet(hello, connection, backends=backends, links=links, news=news, clock=clock)
            return Taken(hello.type)
    except (Forbidden, InvalidRequest, TooLarge) as error:
        return _refuse(links, connection, error)
    message = vetted.message
    backends.seen(backend, clock())
    bodies = list(split(message, backend=backend, connection=connection)) if message else []
    if bodies:
        news.send(bodies)
    _say(links, connection, [rejected.model_dump_json() for rejected in vetted.rejected])
    kind = message.type if message else "news"
    return Taken(kind, rejected=len(vetted.rejected), left_out=vetted.left_out)


def split(
    message: OperatorMessage, *, backend: BackendName, connection: ConnectionId
) -> Iterator[str]:
    """The frame as bodies for the news queue, one for each workflow."""
    match message:
        case News(boot_id=boot_id, events=events):
            of = defaultdict(list)
            for event in events:
                of[event.pod.workflow].append(event)
            for workflow, part in of.items():
                yield EventsOf(
                    backend=backend,
                    connection=connection,
                    workflow=workflow,
                    boot_id=boot_id,
                    events=part,
                ).model_dump_json()
        case JobResult(workflow=workflow):
            yield ResultOf(
                backend=backend, connection=connection, workflow=workflow, result=message
            ).model_dump_json()
        case Bundle(boot_id=boot_id, events=events, results=results):
            told: dict[WorkflowId, tuple[list[Event], list[JobResult]]] = {}
            for result in results:
                told.setdefault(result.workflow, ([], []))[1].append(result)
            for event in events:
                told.setdefault(event.pod.workflow, ([], []))[0].append(event)
            for workflow, (its_events, its_results) in told.items():
                yield BundleOf(
                    backend=backend,
                    connection=connection,
                    workflow=workflow,
                    boot_id=boot_id,
                    events=its_events,
                    results=its_results,
                ).model_dump_json()
        case Inventory(anchors=anchors, pods=pods, tasks=tasks):
            shown: dict[WorkflowId, tuple[list[Anchor], list[PodObservation]]] = {}
            for anchor in anchors:
                shown.setdefault(anchor.workflow, ([], []))[0].append(anchor)
            for pod in pods:
                shown.setdefault(pod.workflow, ([], []))[1].append(pod)
            for workflow, (its_anchors, its_pods) in shown.items():
                yield StockOf(
                    backend=backend,
                    connection=connection,
                    workflow=workflow,
                    anchors=its_anchors,
                    pods=its_pods,
                    tasks=tasks,
                ).model_dump_json()
        case Nodes():
            yield NodesOf(backend=backend, connection=connection, nodes=message).model_dump_json()
        case Hello() | Heartbeat():
            return


def _greet(
    hello: Hello,
    connection: ConnectionId,
    *,
    backends: Backends,
    links: Links,
    news: NewsQueue,
    clock: Clock,
) -> None:
    before = backends.backend(hello.backend)
    backend = backends.hello(
        hello.backend,
        cluster_uid=hello.cluster_uid,
        boot_id=hello.boot_id,
        version=hello.version,
        connection=connection,
        now=clock(),
        data_keys=hello.data_keys,
    )
    try:
        welcome = Welcome(epoch=backend.epoch, bundles=True, nodes=True)
        links.push(connection, welcome.model_dump_json())
    except Gone:
        backends.disconnected(hello.backend, connection)
        return
    greeted = Greeted(backend=hello.backend, connection=connection)
    news.send([greeted.model_dump_json()])
    if before is None or before.connection in (None, connection):
        return
    old = before.connection
    assert old is not None
    if before.boot_id != hello.boot_id:
        links.close(old)
        return
    retired = Retired(backend=hello.backend, connection=old)
    news.send([retired.model_dump_json()], delay=OLD_CONNECTION_LIFE)


def _refuse(
    links: Links, connection: ConnectionId, error: Forbidden | InvalidRequest | TooLarge
) -> Taken:
    code = _CODE[type(error)]
    refusal = Refusal(code=code, message=str(error)[:REASON_CHARS])
    _say(links, connection, [refusal.model_dump_json()])
    return Taken("refused", code, refusal.message)


def _say(links: Links, connection: ConnectionId, texts: list[str]) -> None:
    try:
        for text in texts:
            links.push(connection, text)
    except Gone:
        return


_CODE: dict[
    type[Forbidden] | type[InvalidRequest] | type[TooLarge],
    Literal["invalid_frame", "too_large", "not_yours"],
] = {Forbidden: "not_yours", InvalidRequest: "invalid_frame", TooLarge: "too_large"}
