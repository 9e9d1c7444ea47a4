"""Clusters, their mailboxes and nodes, and the wires to their operators."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from xylem.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xylem.domain.ids import BackendName, ConnectionId, MailId, WorkflowId
    from xylem.domain.node import Node
    from xylem.domain.registration import Registration


@dataclass(frozen=True, slots=True)
class Mail:
    """A job for a backend: a mailbox row, pushed until it is answered. `payload` is gzipped JSON;
    where it is too large for a frame it lies in the store under `payload_key`, locked, and
    `payload` is its data key.

    `sealed_by`: the key of ours that `payload` is sealed under, as that of every create is, which
    holds secrets. Without one it is in the open."""

    id: MailId
    backend: BackendName
    workflow: WorkflowId
    kind: Literal["create", "cleanup", "observe"]
    ordinal: int
    after: int
    written_at: datetime
    payload: bytes | None = None
    payload_key: str | None = None
    sealed_by: str | None = None


# Workflows -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Backend:
    """A cluster as the service knows it. `connection` None: it never said hello, or said goodbye.
    `previous`: the connection before, which the same boot may use for another 60 s."""

    name: BackendName
    cluster_uid: str
    boot_id: str
    version: str
    epoch: int
    connection: ConnectionId | None
    previous: ConnectionId | None
    connected_at: datetime
    last_seen: datetime
    data_keys: bool = False
    """Whether its operator opens a payload with the data key that comes beside it."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a frame says about nodes: those as they are, and the names of those that are gone. With
    `whole` all that there are from its first to its last name. `number` counts the frames of a
    boot."""

    backend: BackendName
    boot_id: str
    number: int
    nodes: tuple[Node, ...]
    gone: tuple[str, ...] = ()
    whole: tuple[str, str] | None = None


class Backends(Protocol):
    def backend(self, name: BackendName) -> Backend | None: ...

    def all(self) -> list[Backend]: ...

    def hello(
        self,
        name: BackendName,
        *,
        cluster_uid: str,
        boot_id: str,
        version: str,
        connection: ConnectionId,
        now: datetime,
        data_keys: bool = False,
    ) -> Backend:
        """Counts the epoch and makes `connection` the current one. Raises `Forbidden` when the name
        belongs to another cluster."""
        ...

    def seen(self, name: BackendName, now: datetime) -> None:
        """Any frame counts. The row is written once a minute at most (the caller need not care)."""
        ...

    def disconnected(self, name: BackendName, connection: ConnectionId) -> None:
        """Only if it is still the current one."""
        ...

    def speaks(self, name: BackendName, connection: ConnectionId, now: datetime) -> bool:
        """Whether this is the backend's connection, or its previous one in the same boot. Who was
        heard a minute ago may still be."""
        ...

    def mailbox(self, name: BackendName) -> list[Mail]:
        """All unanswered rows, consistently read, by key."""
        ...

    def registration(self, name: BackendName) -> Registration | None:
        """What admins decided about this name, consistently read. None: nobody registered it."""
        ...

    def registrations(self) -> list[Registration]:
        """By name; those that were removed are among them."""
        ...

    def register(self, registration: Registration) -> None:
        """Keep it in the place of the version before. Raises `Conflict` when somebody else changed
        it meanwhile."""
        ...

    def forget(self, name: BackendName) -> None:
        """The backend and its nodes as if it had never said hello. Its registration stays, and so
        does its mailbox. Forgetting what is not known is no error."""
        ...

    def nodes(self, name: BackendName) -> list[Node]:
        """By name, as far as its operator told of them: a read that may lag."""
        ...

    def note_nodes(self, facts: NodeFacts) -> int:
        """Write what changed, and take away what is gone; how many rows that were. What a newer
        frame of the same boot said stays."""
        ...


class Links(Protocol):
    """Open sockets, by connection."""

    def push(self, connection: ConnectionId, text: str) -> None:
        """Raises `Gone` when there is nobody any more, `TooLarge` for more than one frame."""
        ...

    def close(self, connection: ConnectionId) -> None:
        """Closing what is gone is no error."""
        ...


class NewsQueue(Protocol):
    """From ingest to the Agent: durable once `send` returned."""

    def send(self, bodies: Sequence[str], *, delay: timedelta = timedelta()) -> None:
        """Raises `Unavailable` unless all of them were accepted."""
        ...
