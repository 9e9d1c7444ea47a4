"""A side of a session with its sockets: what is written waits for room, what arrives is read
channel by channel. The operator's end and the command line both work with it.

Everything runs in one event loop. `run` pumps until the session is over; who writes to a channel
that is over, or in a session that is, gets `ChannelOver`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from operators.shared.channel_inbox import ChannelInbox
from operators.shared.clock import now
from operators.shared.link_io import Pump
from xylem.protocol.attachment import Over, SessionSide
from xylem.protocol.channels import CHANNELS, Broken, Bytes, Event, Exited, Opened, Reset
from xylem.protocol.streams import Outside


class ChannelOver(Exception):
    """Nothing more can be said on this channel; the message says why."""


class SessionLine:
    def __init__(
        self,
        url: str,
        headers: Callable[[], Mapping[str, str]],
        side: SessionSide,
        *,
        agent: str = "xylem-operator",
    ) -> None:
        self._side = side
        self._pump: Pump[Event | Over] = Pump(url, headers, self, self._take, agent)
        self._inboxes: dict[int, ChannelInbox] = {}
        self._opened: asyncio.Queue[Opened] = asyncio.Queue()
        self._moved = asyncio.Event()
        self.over: asyncio.Future[Over] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Until the session is over and its sockets are closed."""
        await self._pump.run()

    @property
    def reordered(self) -> int:
        """Frames that overtook others."""
        return self._side.channels.reordered

    # Of our owner --------------------------------------------------------------------------------

    def open(self, what: bytes) -> int:
        """Raises `ChannelOver` where there are too many."""
        channel = self._side.channels.open(what)
        if channel is None:
            raise ChannelOver("too many channels are open, or the session is over")
        self._inboxes[channel] = ChannelInbox()
        self._pump.stir()
        return channel

    async def next_opened(self) -> Opened:
        """The next channel that the other side opened."""
        return await self._opened.get()

    async def write(self, channel: int, data: bytes, *, err: bool = False) -> None:
        """Raises `ChannelOver`."""
        left = memoryview(data)
        while left:
            if channel not in self._inboxes or self._side.over is not None:
                raise ChannelOver("the other side has gone")
            self._moved.clear()
            taken = self._side.channels.write(channel, bytes(left), err=err)
            left = left[taken:]
            if taken:
                self._pump.stir()
            else:
                await self._moved.wait()

    def finish(self, channel: int) -> None:
        self._side.channels.finish(channel)
        self._pump.stir()

    def exit(self, channel: int, how: bytes) -> None:
        self._side.channels.exit(channel, how)
        self._pump.stir()

    def signal(self, channel: int, kind: Outside, data: bytes) -> None:
        self._side.channels.signal(channel, kind, data)
        self._pump.stir()

    def reset(self, channel: int, why: str) -> None:
        self._side.channels.reset(channel, why.encode())
        self._inboxes.pop(channel, None)
        self._pump.stir()

    def consumed(self, channel: int, data: bytes) -> None:
        """These bytes are written on: there is room for more."""
        self._side.channels.consumed(channel, len(data))
        self._pump.stir()

    async def events(self, channel: int) -> AsyncIterator[Event]:
        """Until its exit, its reset, or the end of the session. Tell `consumed` of `Bytes`."""
        inbox = self._inboxes.setdefault(channel, ChannelInbox())
        try:
            while True:
                event = await inbox.get()
                yield event
                if isinstance(event, Exited | Reset | Broken):
                    return
        finally:
            self._inboxes.pop(channel, None)

    def leave(self, code: str, message: str = "") -> None:
        """Over, and nothing that is on its way counts any more."""
        self._side.leave(code, message, now())
        self._ended(Over(code, message))
        self._pump.stir()

    async def settled(self) -> None:
        """Returns when no channel has anything left to say, or the session is over."""
        while not (self._side.channels.is_idle or self.over.done()):
            self._moved.clear()
            await self._moved.wait()

    # What the pump asks --------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        return self._side.done

    @property
    def wake_at(self) -> datetime | None:
        return self._side.wake_at

    def dial(self, now: datetime) -> int | None:
        return self._side.dial(now)

    def opened(self, number: int, now: datetime) -> None:
        self._side.opened(number, now)

    def closed(self, number: int, now: datetime, *, retry_after: timedelta | None = None) -> None:
        self._side.closed(number, now, retry_after=retry_after)

    def finished(self, number: int, now: datetime) -> bool:
        return self._side.finished(number, now)

    def received(self, number: int, text: str, now: datetime) -> Sequence[Event | Over]:
        events = self._side.received(number, text, now)
        self._moved.set()
        return events

    def ticked(self, now: datetime) -> Sequence[Event | Over]:
        return self._side.ticked(now)

    def to_send(self, number: int, now: datetime) -> list[str]:
        return self._side.to_send(number, now)

    def _take(self, event: Event | Over) -> None:
        match event:
            case Over():
                self._ended(event)
            case Broken():
                pass  # the end of the session follows it
            case Opened(channel=channel):
                if self._opened.qsize() == CHANNELS:
                    self.reset(channel, "too many channels wait to be served")
                    return
                self._inboxes[channel] = ChannelInbox()
                self._opened.put_nowait(event)
            case _:
                inbox = self._inboxes.get(event.channel)
                if inbox is not None:
                    inbox.put(event)
                elif isinstance(event, Bytes):
                    self._side.channels.consumed(event.channel, len(event.data))

    def _ended(self, over: Over) -> None:
        if not self.over.done():
            self.over.set_result(over)
        for inbox in self._inboxes.values():
            inbox.put(Broken(over.message or over.code))
        self._moved.set()
