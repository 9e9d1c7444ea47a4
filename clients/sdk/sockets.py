"""The only file of the clients that knows `websockets`, imported by those who follow a log.

No pings: API Gateway does not promise to answer them. A socket that is dead without a word is no
loss, because a follower reads now and then as well.
"""

from collections.abc import Mapping

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from clients.sdk.live import Lost
from clients.sdk.login import is_loopback

OPEN_SECONDS = 10
CLOSE_SECONDS = 1
MESSAGE_BYTES = 128 * 1024
"""API Gateway's largest message."""


class Dialled:
    """Raises `Lost` when it cannot be had."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        try:
            self._socket: ClientConnection = connect(
                url,
                additional_headers=headers,
                open_timeout=OPEN_SECONDS,
                close_timeout=CLOSE_SECONDS,
                ping_interval=None,
                max_size=MESSAGE_BYTES,
                proxy=None if is_loopback(url) else True,
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            raise Lost(str(error)) from error

    def send(self, text: str) -> None:
        try:
            self._socket.send(text)
        except ConnectionClosed as error:
            raise Lost(str(error)) from error

    def receive(self, seconds: float) -> str | None:
        try:
            return str(self._socket.recv(timeout=seconds))
        except TimeoutError:
            return None
        except ConnectionClosed as error:
            raise Lost(str(error)) from error

    def close(self) -> None:
        self._socket.close()
