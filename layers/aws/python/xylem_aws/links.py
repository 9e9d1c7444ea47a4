"""Open sockets, through API Gateway's @connections."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from xylem.domain.errors import Gone, TooLarge
from xylem.domain.ids import ConnectionId
from xylem.protocol.limits import FRAME_BYTES, MESSAGE_BYTES

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient


AT_ONCE = 16
"""Pushes. A call to @connections takes some 20 ms, nearly all of it waiting; botocore keeps ten
connections open, and its clients may be shared by threads
(https://boto3.amazonaws.com/v1/documentation/api/latest/guide/clients.html)."""


class ApiGatewayLinks:
    def __init__(self, sockets: "ApiGatewayManagementApiClient") -> None:
        self._sockets = sockets

    def push(self, connection: ConnectionId, text: str) -> None:
        self._post(connection, text, FRAME_BYTES)

    def pass_on(self, connection: ConnectionId, text: str) -> None:
        """As `push`, of what one side of a session says to the other: it may be several frames."""
        self._post(connection, text, MESSAGE_BYTES)

    def _post(self, connection: ConnectionId, text: str, most: int) -> None:
        data = text.encode()
        if len(data) > most:
            raise TooLarge(f"a message of {len(data)} bytes: at most {most} are sent")
        try:
            self._sockets.post_to_connection(ConnectionId=connection, Data=data)
        except self._sockets.exceptions.GoneException:
            raise Gone(f"connection {connection}") from None

    def push_all(self, connections: Sequence[ConnectionId], text: str) -> list[ConnectionId]:
        def is_gone(connection: ConnectionId) -> bool:
            try:
                self.push(connection, text)
            except Gone:
                return True
            except (ClientError, BotoCoreError):
                return False
            return False

        with ThreadPoolExecutor(max(1, min(AT_ONCE, len(connections)))) as pool:
            gone = list(pool.map(is_gone, connections))
        return [each for each, went in zip(connections, gone, strict=True) if went]

    def close(self, connection: ConnectionId) -> None:
        try:
            self._sockets.delete_connection(ConnectionId=connection)
        except self._sockets.exceptions.GoneException:
            return
