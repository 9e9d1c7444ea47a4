"""The words on our own queues. Each body is one message of a tagged union.

The news queue carries what operators said, split by workflow, from ingest to the Agent. Its
messages are the only copy between ingest and commit, but not the only copy: the operator says
everything again that was not acknowledged. The jobs queue carries doorbells: the key of a job's
row.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from xylem.domain.ids import BackendName, ConnectionId, GroupId, JobId, WorkflowId
from xylem.protocol.agent import Anchor, Event, JobResult, Nodes, PodObservation, TaskRange
from xylem.protocol.message import LATER, Message


class FromBackend(Message):
    """`connection`: where the answer goes. `tries`: how often it was sent anew after conflicts."""

    backend: BackendName
    connection: ConnectionId
    tries: int = 0


class EventsOf(FromBackend):
    """News of one workflow."""

    type: Literal["events"] = "events"
    workflow: WorkflowId
    boot_id: str
    events: list[Event]


class ResultOf(FromBackend):
    """The answer to one mailbox row."""

    type: Literal["result"] = "result"
    workflow: WorkflowId
    result: JobResult


class BundleOf(FromBackend):
    """News of one workflow, and answers to mailbox rows of it."""

    type: Literal["bundle"] = "bundle"
    workflow: WorkflowId
    boot_id: str
    events: list[Event]
    results: list[JobResult]


class StockOf(FromBackend):
    """What an inventory chunk says of one workflow: its anchors, and every pod of theirs; of the
    tasks in `tasks` alone where the chunk is whole for these only."""

    type: Literal["stock"] = "stock"
    workflow: WorkflowId
    anchors: list[Anchor]
    pods: list[PodObservation]
    tasks: TaskRange | None = None


class NodesOf(FromBackend):
    """Facts about the backend's nodes."""

    type: Literal["nodes"] = "nodes"
    nodes: Nodes


class Greeted(FromBackend):
    """The backend said hello: its mailbox is to be pushed."""

    type: Literal["greeted"] = "greeted"


class Retired(FromBackend):
    """The connection was replaced by a successor of the same boot; its time is over."""

    type: Literal["retired"] = "retired"


NewsMessage = Annotated[
    EventsOf | ResultOf | BundleOf | StockOf | NodesOf | Greeted | Retired,
    Field(discriminator="type"),
]
news_message: TypeAdapter[NewsMessage] = TypeAdapter(NewsMessage, config=LATER)


class Doorbell(Message):
    """Look at this job's row."""

    type: Literal["job"] = "job"
    job: JobId


class TimerDue(Message):
    """Look at this group: something of it may be overdue."""

    type: Literal["timer"] = "timer"
    workflow: WorkflowId
    group: GroupId
