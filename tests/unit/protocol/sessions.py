"""Two sides of a session, and a network between them that loses, doubles, reorders and cuts."""

import heapq
import random
from collections import defaultdict
from dataclasses import dataclass, field

from xylem.protocol.channels import (
    Broken,
    Bytes,
    Channels,
    Event,
    Exited,
    Finished,
    Opened,
    Reset,
    Signalled,
)
from xylem.protocol.limits import MESSAGE_BYTES
from xylem.protocol.session import Frame, Side

SID = "a" * 32


@dataclass
class Heard:
    """What one side was told of a channel."""

    what: bytes | None = None
    data: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    finished: bool = False
    exited: bytes | None = None
    signals: list[tuple[str, bytes]] = field(default_factory=list)
    reset: bytes | None = None
    unread: int = 0


class Pair:
    """`reads`: whether what arrives is consumed at once."""

    def __init__(
        self,
        seed: int = 0,
        *,
        loss: float = 0.0,
        doubled: float = 0.0,
        delay: tuple[float, float] = (0.03, 0.05),
        reads: bool = True,
    ) -> None:
        self.now = 100.0
        self.sides: dict[Side, Channels] = {
            "client": Channels(SID, "client", self.now),
            "operator": Channels(SID, "operator", self.now),
        }
        self.heard: dict[Side, dict[int, Heard]] = {
            "client": defaultdict(Heard),
            "operator": defaultdict(Heard),
        }
        self.broken: dict[Side, str] = {}
        self.frames = 0
        self.reads = reads
        self.loss, self.doubled, self.delay = loss, doubled, delay
        self._random = random.Random(seed)
        self._travelling: list[tuple[float, int, Side, Frame]] = []
        self._count = 0
        self.generation = 0
        self.attach()

    @property
    def client(self) -> Channels:
        return self.sides["client"]

    @property
    def operator(self) -> Channels:
        return self.sides["operator"]

    def attach(self) -> None:
        self.generation += 1
        for side in self.sides.values():
            side.attached(self.generation, self.now)

    def cut(self) -> None:
        """The connection of one side is gone, and with it what is on its way."""
        self._travelling.clear()
        for side in self.sides.values():
            side.detached()

    def run(self, seconds: float, *, step: float = 0.01) -> None:
        until = self.now + seconds
        while self.now < until:
            self._deliver()
            for name, side in self.sides.items():
                self._take(name, side.ticked(self.now))
                for frame in side.to_send(self.now):
                    self._send("operator" if name == "client" else "client", frame)
            moments = [self.now + step, *(each[0] for each in self._travelling[:1])]
            self.now = max(self.now + 0.001, min(moments))

    def sleep(self, seconds: float) -> None:
        """Nothing is sent or heard, and time goes by."""
        self.now += seconds

    def read(self, side: Side, channel: int, count: int) -> None:
        heard = self.heard[side][channel]
        count = min(count, heard.unread)
        heard.unread -= count
        self.sides[side].consumed(channel, count)

    def _send(self, to: Side, frame: Frame) -> None:
        self.frames += 1
        assert len(frame.model_dump_json().encode()) < MESSAGE_BYTES - 1_024
        copies = 1 + (self._random.random() < self.doubled)
        for _ in range(copies):
            if self._random.random() < self.loss:
                continue
            self._count += 1
            at = self.now + self._random.uniform(*self.delay)
            heapq.heappush(self._travelling, (at, self._count, to, frame))

    def _deliver(self) -> None:
        while self._travelling and self._travelling[0][0] <= self.now:
            _, _, to, frame = heapq.heappop(self._travelling)
            text = Frame.model_validate_json(frame.model_dump_json())
            self._take(to, self.sides[to].received(text, self.now))

    def _take(self, side: Side, events: list[Event]) -> None:
        for event in events:
            match event:
                case Broken(why):
                    self.broken[side] = why
                    continue
                case _:
                    heard = self.heard[side][event.channel]
            assert heard.exited is None, "nothing comes after an exit"
            match event:
                case Opened(what=what):
                    assert heard.what is None, "a channel is opened once"
                    heard.what = what
                case Bytes(data=data, err=err):
                    assert not heard.finished, "no byte comes after the end"
                    (heard.err if err else heard.data).extend(data)
                    heard.unread += len(data)
                    if self.reads:
                        self.read(side, event.channel, len(data))
                case Finished():
                    heard.finished = True
                case Exited(how=how):
                    heard.exited = how
                case Signalled(kind=kind, data=data):
                    heard.signals.append((kind, data))
                case Reset(why=reason):
                    heard.reset = reason
