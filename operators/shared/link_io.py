"""The only file that knows `websockets` towards the service: it pumps a `Link`, or a side of a
session, until that is done or it is cancelled.

One task dials when the link wants a connection and wakes when it wants to be woken; each connection
has a task of its own, with a sender and a receiver that live no longer than their socket.
Everything runs in one event loop, so the link needs no lock.

No pings: API Gateway does not promise to answer them. A peer that is gone without a word is noticed
by TCP (`TCP_USER_TIMEOUT`: what was sent, a heartbeat at least, must be acknowledged by the other
kernel) and by the link, when news stays unanswered.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.frames import CloseCode

from operators.shared.clock import now
from operators.shared.metrics import FRAME_BYTES, FRAMES
from operators.shared.settings import BadSettings
from xylem.protocol import limits

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

log = logging.getLogger(__name__)

OPEN_SECONDS = 20
CLOSE_SECONDS = 2
SEND_SECONDS = 60
TCP_SILENCE_MS = 120_000
TICK_SECONDS = 0.02
"""What is due and cannot be done yet (a socket is slow) must not turn the loop into a spin."""


class Conversation(Protocol[T_co]):
    """What is pumped: `xylem.protocol.link.Link`, `xylem.protocol.attachment.SessionSide`. What
    comes of a frame, or of time, are orders for its owner."""

    @property
    def done(self) -> bool: ...
    @property
    def wake_at(self) -> datetime | None: ...
    def dial(self, now: datetime) -> int | None: ...
    def opened(self, number: int, now: datetime) -> None: ...
    def closed(
        self, number: int, now: datetime, *, retry_after: timedelta | None = None
    ) -> None: ...
    def finished(self, number: int, now: datetime) -> bool: ...
    def received(self, number: int, text: str, now: datetime) -> Sequence[T_co]: ...
    def ticked(self, now: datetime) -> Sequence[T_co]: ...
    def to_send(self, number: int, now: datetime) -> list[str]: ...


class Pump(Generic[T]):
    def __init__(
        self,
        url: str,
        headers: Callable[[], Mapping[str, str]],
        link: Conversation[T],
        take: Callable[[T], None],
        agent: str = "xylem-operator",
    ) -> None:
        """`headers` say who dials. `take` gets every order of the link, in the event loop, and must
        not block."""
        self._url = url
        self._headers = headers
        self._agent = agent
        self._link = link
        self._take = take
        self._changed = asyncio.Event()
        self._senders: dict[int, asyncio.Event] = {}

    def stir(self) -> None:
        """Something was reported or answered: there may be something to send."""
        self._changed.set()
        self._wake_senders()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while not self._link.done:
                moment = now()
                for order in self._link.ticked(moment):
                    self._take(order)
                number = self._link.dial(moment)
                if number is not None:
                    group.create_task(self._connection(number))
                if await self._is_due(self._link.wake_at):
                    self._wake_senders()

    async def _is_due(self, moment: datetime | None) -> bool:
        """Waits until then, or until something changed: then the moment may be another."""
        seconds = None if moment is None else max((moment - now()).total_seconds(), TICK_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return True
        self._changed.clear()
        return False

    def _wake_senders(self) -> None:
        for sender in self._senders.values():
            sender.set()

    async def _connection(self, number: int) -> None:
        retry_after: timedelta | None = None
        try:
            async with connect(
                self._url,
                additional_headers=self._headers(),
                open_timeout=OPEN_SECONDS,
                close_timeout=CLOSE_SECONDS,
                ping_interval=None,
                max_size=limits.MESSAGE_BYTES,
                compression=None,
                proxy=None if _is_local(self._url) else True,
                user_agent_header=self._agent,
            ) as peer:
                _notice_silence(peer)
                self._link.opened(number, now())
                self._senders[number] = asyncio.Event()
                self._changed.set()
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._send(peer, number))
                        group.create_task(self._receive(peer, number))
                finally:
                    await peer.close(CloseCode.GOING_AWAY)
        except* InvalidStatus as refused:
            error = refused.exceptions[0]
            if isinstance(error, InvalidStatus):
                retry_after = _retry_after(error)
            log.warning("the service refused the connection: %s", error)
        except* ConnectionClosed as closed:
            log.info("connection %d ended: %s", number, closed.exceptions[0])
        except* (OSError, WebSocketException, TimeoutError, BadSettings) as failed:
            log.warning("connection %d failed: %r", number, failed.exceptions[0])
        finally:
            self._senders.pop(number, None)
            self._link.closed(number, now(), retry_after=retry_after)
            self._changed.set()

    async def _send(self, peer: ClientConnection, number: int) -> None:
        stirred = self._senders[number]
        while not self._link.finished(number, now()):
            stirred.clear()
            for text in self._link.to_send(number, now()):
                async with asyncio.timeout(SEND_SECONDS):
                    await peer.send(in_frames(text))
                FRAMES.labels("up").inc()
                FRAME_BYTES.labels("up").inc(len(text))
            self._changed.set()
            await stirred.wait()
        await peer.close()

    async def _receive(self, peer: ClientConnection, number: int) -> None:
        while True:
            text = await peer.recv(decode=True)
            FRAMES.labels("down").inc()
            FRAME_BYTES.labels("down").inc(len(text))
            for order in self._link.received(number, text, now()):
                self._take(order)
            self.stir()


def in_frames(text: str) -> str | list[str]:
    """API Gateway takes frames of 32 KB, and messages of several."""
    if len(text if text.isascii() else text.encode()) <= limits.FRAME_BYTES:
        return text
    step = limits.FRAME_BYTES if text.isascii() else limits.FRAME_BYTES // 4
    return [text[start : start + step] for start in range(0, len(text), step)]


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def _notice_silence(peer: ClientConnection) -> None:
    raw = peer.transport.get_extra_info("socket")
    if raw is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_SILENCE_MS)


def _retry_after(refused: InvalidStatus) -> timedelta | None:
    text = refused.response.headers.get("Retry-After", "")
    return timedelta(seconds=int(text)) if text.isdecimal() and len(text) < 6 else None


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
