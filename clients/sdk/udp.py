"""A UDP port of this machine that leads to one of a running task: all who send to it share one
channel, each as a flow of its own (`operators.shared.datagrams`).

Datagrams may be lost, as everywhere: while there is no session, and while the channel has no room.
"""

import asyncio
from collections import OrderedDict
from typing import cast

from clients.sdk.sessions import SessionBroken, opened
from operators.shared.datagrams import FLOWS, datagrams, framed
from operators.shared.session_io import ChannelOver, SessionLine
from xylem.protocol.channels import Broken, Bytes, Exited, Reset

WAITING = 256
"""Datagrams that were heard here and are not yet said there."""

Address = tuple[str | int, ...]


class UdpPort(asyncio.DatagramProtocol):
    def __init__(self, port: int) -> None:
        """`port` is the task's."""
        self._port = port
        self._transport: asyncio.DatagramTransport | None = None
        self._numbers: OrderedDict[Address, int] = OrderedDict()
        self._addresses: dict[int, Address] = {}
        self._begun = 0
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own is none of this class (python/cpython: asyncio/selector_events.py).
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait(framed(self._flow(addr), data))

    def _flow(self, address: Address) -> int:
        number = self._numbers.get(address)
        if number is None:
            if len(self._numbers) == FLOWS:
                _, oldest = self._numbers.popitem(last=False)
                del self._addresses[oldest]
            self._begun = number = (self._begun + 1) % 2**32
            self._numbers[address] = number
            self._addresses[number] = address
        self._numbers.move_to_end(address)
        return number

    async def carry(self, line: SessionLine) -> None:
        """As long as the session lives, and the relay there. Raises `SessionBroken`."""
        channel = opened(line, {"kind": "udp", "port": self._port})
        saying = asyncio.create_task(self._say(line, channel))
        heard = bytearray()
        try:
            async for event in line.events(channel):
                match event:
                    case Bytes(data=data, err=False):
                        heard += data
                        for flow, datagram in datagrams(heard):
                            self._hear(flow, datagram)
                        line.consumed(channel, data)
                    case Bytes(data=data):
                        line.consumed(channel, data)
                    case Exited(how=why) | Reset(why=why):
                        raise SessionBroken(f"the relay ended: {why.decode(errors='replace')}")
                    case Broken(why=reason):
                        raise SessionBroken(f"the session ended: {reason}")
                    case _:
                        pass
        finally:
            saying.cancel()

    async def _say(self, line: SessionLine, channel: int) -> None:
        try:
            while True:
                await line.write(channel, await self._waiting.get())
        except ChannelOver:
            return

    def _hear(self, flow: int, datagram: bytes) -> None:
        address = self._addresses.get(flow)
        if address is not None and self._transport is not None:
            self._transport.sendto(datagram, address)
