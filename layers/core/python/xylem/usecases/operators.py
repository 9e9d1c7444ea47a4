"""What an operator says is taken in: greeted, split by workflow, queued. Nothing is decided here;
what is queued of a backend itself is `usecases.backends`', of its workflows `usecases.news`'.

Ingest is on the path of every frame of every cluster, so it reads nothing: who speaks is in the
connection's authorizer context. Only `hello` writes a row, and any frame notes that the backend
was seen, once a minute at most. A frame of an old connection is not looked up either: the
connection itself is closed, at once when another boot took over, 60 s after its successor's
welcome in the same boot.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from pydantic import ValidationError

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
    operator_message,
)
from xylem.protocol.limits import FRAME_BYTES
from xylem.protocol.queues import BundleOf, EventsOf, Greeted, NodesOf, ResultOf, Retired, StockOf

OLD_CONNECTION_LIFE = timedelta(seconds=60)


def take(
    text: str,
    *,
    backend: BackendName,
    connection: ConnectionId,
    backends: Backends,
    links: Links,
    news: NewsQueue,
    clock: Clock,
) -> None:
    """One frame of `backend`'s operator. A bad one is answered with a `Refusal` that says why.

    Raises `Unavailable` when the queue did not take the news: it is not acknowledged, so the
    operator says it again."""
    try:
        message = _parse(text, backend)
        if isinstance(message, Hello):
            _greet(message, connection, backends=backends, links=links, news=news, clock=clock)
            return
    except (Forbidden, InvalidRequest, TooLarge) as error:
        _refuse(links, connection, error)
        return
    backends.seen(backend, clock())
    bodies = list(split(message, backend=backend, connection=connection))
    if bodies:
        news.send(bodies)


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


def _parse(text: str, backend: BackendName) -> OperatorMessage:
    size = len(text.encode())
    if size > FRAME_BYTES:
        raise TooLarge(f"a frame of {size} bytes: at most {FRAME_BYTES} are taken")
    try:
        message = operator_message.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"not a message of an operator: {where}: {first['msg']}") from None
    if isinstance(message, Hello) and message.backend != backend:
        raise Forbidden(
            f"this credential is for backend {backend}, not for {message.backend}: "
            f"make one with `xylem backend token {message.backend}`"
        )
    return message


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
) -> None:
    refusal = Refusal(code=_CODE[type(error)], message=str(error))
    try:
        links.push(connection, refusal.model_dump_json())
    except Gone:
        return


_CODE = {Forbidden: "not_yours", InvalidRequest: "invalid_frame", TooLarge: "too_large"}
