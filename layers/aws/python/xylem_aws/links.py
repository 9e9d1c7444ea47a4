"""Open sockets, through API Gateway's @connections."""

from typing import TYPE_CHECKING

from xylem.domain.errors import Gone, TooLarge
from xylem.domain.ids import ConnectionId
from xylem.protocol.limits import FRAME_BYTES

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient


class ApiGatewayLinks:
    def __init__(self, sockets: "ApiGatewayManagementApiClient") -> None:
        self._sockets = sockets

    def push(self, connection: ConnectionId, text: str) -> None:
        data = text.encode()
        if len(data) > FRAME_BYTES:
            raise TooLarge(f"a frame of {len(data)} bytes: at most {FRAME_BYTES} are sent")
        try:
            self._sockets.post_to_connection(ConnectionId=connection, Data=data)
        except self._sockets.exceptions.GoneException:
            raise Gone(f"connection {connection}") from None

    def close(self, connection: ConnectionId) -> None:
        try:
            self._sockets.delete_connection(ConnectionId=connection)
        except self._sockets.exceptions.GoneException:
            return
