"""A gate between an operator and the service, that somebody can close: bytes pass, are cut, or are
answered with errors.

It is a TCP relay in a thread of its own, on the loopback alone. What it answers in place of the
service is what API Gateway answers when it is in trouble: a handshake gets a 503, or is welcomed
and closed with 1011 (RFC 6455, section 7.4.1), or finds nobody who listens.
"""

import asyncio
import base64
import contextlib
import hashlib
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Mode = Literal["open", "refuse", "503", "1011"]
TROUBLE: tuple[Mode, ...] = ("refuse", "503", "1011")

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_PIECE = 64 * 1024
_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_INTERNAL_ERROR = b"\x88\x02" + struct.pack(">H", 1011)


class Gate:
    """`refused` counts the handshakes that were answered in place of the service."""

    def __init__(self, port: int) -> None:
        self.refused = 0
        self.port = _free_port()
        self._service = port
        self._mode: Mode = "open"
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.set("open")

    def set(self, mode: Mode) -> None:
        asyncio.run_coroutine_threadsafe(self._set(mode), self._loop).result()

    def cut(self) -> int:
        """Every connection, without a word: how many there were."""
        return asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    def close(self) -> None:
        self.set("refuse")
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _set(self, mode: Mode) -> None:
        self._mode = mode
        if mode == "refuse" and self._server is not None:
            self._server.close()
            self._server = None
        elif mode != "refuse" and self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _cut(self) -> int:
        relays, self._relays = self._relays, set()
        for writer in relays:
            writer.transport.abort()
        return len(relays) // 2

    async def _serve(self, client: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode != "open":
            self.refused += 1
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                request = await client.readuntil(b"\r\n\r\n")
                writer.write(_UNAVAILABLE if self._mode == "503" else _broken(request))
                await writer.drain()
            writer.close()
            return
        try:
            service, to_service = await asyncio.open_connection("127.0.0.1", self._service)
        except OSError:
            writer.transport.abort()
            return
        self._relays |= {writer, to_service}
        async with asyncio.TaskGroup() as both:
            both.create_task(self._relay(client, to_service, writer))
            both.create_task(self._relay(service, writer, to_service))

    async def _relay(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
    ) -> None:
        """Until one side ends; then the other does, too."""
        with contextlib.suppress(OSError):
            while piece := await source.read(_PIECE):
                target.write(piece)
                await target.drain()
        for writer in (target, back):
            self._relays.discard(writer)
            writer.close()


@contextmanager
def gate(port: int) -> Iterator[Gate]:
    made = Gate(port)
    try:
        yield made
    finally:
        made.close()


def _broken(request: bytes) -> bytes:
    """A handshake that succeeds, and the close that follows it at once."""
    found = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
    key = found.group(1) if found else b""
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + _INTERNAL_ERROR


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
