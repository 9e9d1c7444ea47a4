"""Correction 4, on the wire: what a WebSocket API refuses frame by frame, and how a socket closes.

API Gateway takes text frames of up to 32 KB and messages of up to 128 KB, closes with 1009 beyond
and with 1003 at the first binary frame, and negotiates no compression
(https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
ASGI shows whole messages only, and the server below ministack (hypercorn 0.18) reports every closed
socket as 1006, whatever its client said; its own size limit counts characters and can leave the
closing handshake hanging.

Seam: `hypercorn.protocol.h11.WSStream`, the class of a socket's stream, is replaced by a subclass
that counts bytes as frames arrive and passes the close code on. It concerns the sockets of APIs
only.
"""

from typing import Any

from clients.local.embedded_aws.asgi import api_address
from clients.local.embedded_aws.seams import Seam

STREAM = Seam("hypercorn.protocol.h11", "WSStream")
STREAM_CLOSED = Seam("hypercorn.protocol.events", "StreamClosed")
REMOTE_CLOSING = Seam("wsproto.connection", "ConnectionState")
MESSAGE = Seam("wsproto.events", "Message")
BYTES_MESSAGE = Seam("wsproto.events", "BytesMessage")
PING = Seam("wsproto.events", "Ping")
CLOSE = Seam("wsproto.events", "CloseConnection")
STREAM_METHODS = tuple(
    Seam("hypercorn.protocol.ws_stream", f"WSStream.{name}")
    for name in ("handle", "_handle_events", "_accept", "_send_wsproto_event")
)
SEAMS = (
    STREAM,
    STREAM_CLOSED,
    REMOTE_CLOSING,
    MESSAGE,
    BYTES_MESSAGE,
    PING,
    CLOSE,
    *STREAM_METHODS,
)

MAX_FRAME = 32 * 1024
MAX_MESSAGE = 128 * 1024

# RFC 6455, section 7.4.1
NO_STATUS = 1005
UNSUPPORTED = 1003
TOO_BIG = 1009


class IncomingFrames:
    """Counts a socket's incoming bytes. A frame may come in pieces, as it arrives."""

    def __init__(self) -> None:
        self._frame = 0
        self._message = 0

    def refusal(
        self, size: int, *, binary: bool, frame_ends: bool, message_ends: bool
    ) -> int | None:
        """The code to close with because of this piece; None when it is welcome."""
        if binary:
            return UNSUPPORTED
        self._frame += size
        self._message += size
        if self._frame > MAX_FRAME or self._message > MAX_MESSAGE:
            return TOO_BIG
        if frame_ends:
            self._frame = 0
        if message_ends:
            self._message = 0
        return None


def install() -> None:
    STREAM.wrap(_api_stream)


def _api_stream(stock: Any) -> Any:
    stream_closed, close, message = STREAM_CLOSED.get(), CLOSE.get(), MESSAGE.get()
    binary_message, ping = BYTES_MESSAGE.get(), PING.get()
    remote_closing = REMOTE_CLOSING.get().REMOTE_CLOSING

    class ApiStream(stock):  # type: ignore[misc]  # the base is known at run time only
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self._frames = IncomingFrames()
            # Set when it is known how the socket ended; then the application has been told.
            self._ended = False

        async def handle(self, event: Any) -> None:
            if self._ended and isinstance(event, stream_closed):
                self.closed = True
            else:
                await super().handle(event)

        async def _accept(self, accept: Any) -> None:
            if api_address(self.scope["path"]) is not None:
                self.handshake.extensions = None
            await super()._accept(accept)

        async def _handle_events(self) -> None:
            if api_address(self.scope["path"]) is None:
                await super()._handle_events()
                return
            for event in self.connection.events():
                if isinstance(event, close):
                    await self._end(event.code or NO_STATUS, event.reason)
                    if self.connection.state is remote_closing:
                        await self._send_wsproto_event(event.response())
                    await self.send(stream_closed(stream_id=self.stream_id))
                elif isinstance(event, ping):
                    await self._send_wsproto_event(event.response())
                elif isinstance(event, message) and not self._ended:
                    await self._receive(event)

        async def _receive(self, event: Any) -> None:
            binary = isinstance(event, binary_message)
            refusal = self._frames.refusal(
                len(event.data if binary else event.data.encode()),
                binary=binary,
                frame_ends=event.frame_finished,
                message_ends=event.message_finished,
            )
            if refusal is not None:
                await self._send_wsproto_event(close(code=refusal))
                await self._end(refusal, None)
                return
            self.buffer.extend(event)
            if event.message_finished:
                await self.app_put(self.buffer.to_message())
                self.buffer.clear()

        async def _end(self, code: int, reason: str | None) -> None:
            if not self._ended:
                self._ended = True
                await self.app_put(
                    {"type": "websocket.disconnect", "code": int(code), "reason": reason or ""}
                )

    return ApiStream
