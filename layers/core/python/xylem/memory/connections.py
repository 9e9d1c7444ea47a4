"""Open sockets and whose they are, in a dictionary."""

from datetime import datetime
from typing import Literal

from xylem.domain.ids import BackendName, ConnectionId, UserName
from xylem.ports.connections import Socket


class MemoryConnections:
    def __init__(self) -> None:
        self._sockets: dict[ConnectionId, Socket] = {}

    def put(
        self,
        connection: ConnectionId,
        *,
        kind: Literal["user", "operator"],
        subject: UserName,
        backend: BackendName | None,
        now: datetime,
    ) -> None:
        self._sockets[connection] = Socket(connection, kind, subject, backend, now)

    def get(self, connection: ConnectionId) -> Socket | None:
        return self._sockets.get(connection)

    def of(self, kind: Literal["user", "operator"], subject: UserName) -> list[Socket]:
        mine = [
            socket
            for socket in self._sockets.values()
            if (socket.kind, socket.subject) == (kind, subject)
        ]
        return sorted(mine, key=lambda socket: socket.connection)

    def delete(self, connection: ConnectionId) -> None:
        self._sockets.pop(connection, None)
