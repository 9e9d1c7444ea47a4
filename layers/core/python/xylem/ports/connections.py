"""The sockets that are open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from xylem.domain.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from xylem.domain.ids import BackendName, ConnectionId, UserName


@dataclass(frozen=True, slots=True)
class Socket:
    """An open connection, and whose it is: the authorizer checked that at `$connect`."""

    connection: ConnectionId
    kind: Literal["user", "operator"]
    subject: UserName
    backend: BackendName | None
    connected_at: datetime


class Connections(Protocol):
    """Who is connected to the WebSocket API. API Gateway may forget to say goodbye, so a row that
    nobody took away expires after the longest life of a socket."""

    def put(
        self,
        connection: ConnectionId,
        *,
        kind: Literal["user", "operator"],
        subject: UserName,
        backend: BackendName | None,
        now: datetime,
    ) -> None: ...

    def get(self, connection: ConnectionId) -> Socket | None: ...

    def of(self, kind: Literal["user", "operator"], subject: UserName) -> list[Socket]:
        """Every socket of one principal, by connection."""
        ...

    def delete(self, connection: ConnectionId) -> None:
        """Deleting what is not there is no error."""
        ...


# Configs, store, tokens -------------------------------------------------------------------------
