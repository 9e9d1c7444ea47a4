"""`Connections` on DynamoDB: each socket twice, by itself and by whose it is."""

from datetime import datetime, timedelta
from typing import Literal

from pynamodb.exceptions import DoesNotExist

from xylem.domain.ids import BackendName, ConnectionId, UserName
from xylem.ports.connections import Socket
from xylem_aws.tables.binding import bind
from xylem_aws.tables.connections import SOCKET, SocketRow, principal_key, socket_key
from xylem_aws.transaction import in_our_words

LONGEST_LIFE = timedelta(hours=2, minutes=10)
"""API Gateway ends a socket after two hours; the row goes some time later by itself (TTL)."""


class DynamoConnections:
    def __init__(self, region: str, table: str) -> None:
        bind(SocketRow, table=table, region=region)

    def put(
        self,
        connection: ConnectionId,
        *,
        kind: Literal["user", "operator"],
        subject: UserName,
        backend: BackendName | None,
        now: datetime,
    ) -> None:
        for key in ((socket_key(connection), SOCKET), (principal_key(kind, subject), connection)):
            with in_our_words(connection):
                SocketRow(
                    *key,
                    connection=connection,
                    kind=kind,
                    subject=subject,
                    backend=backend,
                    connected_at=now,
                    expires_at=int((now + LONGEST_LIFE).timestamp()),
                ).save()

    def get(self, connection: ConnectionId) -> Socket | None:
        with in_our_words(connection):
            try:
                row = SocketRow.get(socket_key(connection), SOCKET, consistent_read=True)
            except DoesNotExist:
                return None
        return _socket(row)

    def of(self, kind: Literal["user", "operator"], subject: UserName) -> list[Socket]:
        with in_our_words(subject):
            return [_socket(row) for row in SocketRow.query(principal_key(kind, subject))]

    def delete(self, connection: ConnectionId) -> None:
        known = self.get(connection)
        if known is None:
            return
        keys = (
            (socket_key(connection), SOCKET),
            (principal_key(known.kind, known.subject), connection),
        )
        for key in keys:
            with in_our_words(connection):
                SocketRow(*key).delete()


def _socket(row: SocketRow) -> Socket:
    return Socket(
        ConnectionId(row.connection),
        row.kind,  # type: ignore[arg-type]  # one of the two, as we wrote it
        UserName(row.subject),
        BackendName(row.backend) if row.backend else None,
        row.connected_at,
    )
