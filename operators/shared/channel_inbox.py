"""What arrived on one channel and was not read yet, no larger than what it says.

Windows bound the bytes; a peer that says them one by one, or signals without end, would still make
an event of each. So bytes that follow each other become one event, of sizes only the last is kept,
and of other signals no more than a sender may have pending.
"""

import asyncio
from collections import deque

from xylem.protocol.channels import Bytes, Event, Signalled
from xylem.protocol.streams import OUTSIDE_PENDING

PIECE_BYTES = 64 * 1024
"""Of one event: what reads it writes it on at once."""


class ChannelInbox:
    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._bytes = bytearray()
        """Of the last event, if that is bytes: it is made when somebody takes it."""
        self._signals = 0
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        last = self._events[-1] if self._events else None
        match event:
            case Bytes(data=data, err=err):
                fits = len(self._bytes) + len(data) <= PIECE_BYTES
                if isinstance(last, Bytes) and last.err == err and fits:
                    self._bytes += data
                    return
                self._settle()
                self._bytes = bytearray(data)
            case Signalled(kind="resize") if isinstance(last, Signalled) and last.kind == "resize":
                self._events[-1] = event
                return
            case Signalled():
                if self._signals == OUTSIDE_PENDING:
                    return
                self._signals += 1
                self._settle()
            case _:
                self._settle()
        self._events.append(event)
        self._arrived.set()

    async def get(self) -> Event:
        while not self._events:
            self._arrived.clear()
            await self._arrived.wait()
        if len(self._events) == 1:
            self._settle()
        event = self._events.popleft()
        self._signals -= isinstance(event, Signalled)
        return event

    def _settle(self) -> None:
        last = self._events[-1] if self._events else None
        if isinstance(last, Bytes) and self._bytes:
            self._events[-1] = Bytes(last.channel, bytes(self._bytes), err=last.err)
        self._bytes = bytearray()
