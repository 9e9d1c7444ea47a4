"""The WebSocket API: sockets that lose what is on its way when they die, each frame a Lambda of its
own, in any order."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.simulation.faults import Faults
from tests.simulation.schedule import Schedule
from tests.simulation.store import Gate
from xylem.domain.errors import Gone, TooLarge
from xylem.domain.ids import ConnectionId
from xylem.protocol.limits import FRAME_BYTES

LIFE = 2 * 3600.0
STALLED = 300.0
NOTICED_WITHIN = 180.0
"""TCP gives a dead peer up two minutes after the next heartbeat."""


@dataclass(slots=True)
class Socket:
    """`open` by the service's side. `cut`: nothing passes any more, whoever knows it."""

    id: ConnectionId
    hear: Callable[[str], None]
    lost: Callable[[], None]
    open: bool = True
    cut: bool = False


class Sockets:
    """The service's port `Links`, and the wire behind it. `ingest` takes what operators say."""

    def __init__(self, schedule: Schedule, faults: Faults, gate: Gate) -> None:
        self.ingest: Callable[[ConnectionId, str], None] = lambda connection, text: None
        self._schedule = schedule
        self._faults = faults
        self._gate = gate
        self._sockets: dict[ConnectionId, Socket] = {}

    # The service's side --------------------------------------------------------------------------

    def push(self, connection: ConnectionId, text: str) -> None:
        self._gate.tell("push", partial(self._push, connection, text))

    def _push(self, connection: ConnectionId, text: str) -> None:
        if len(text.encode()) > FRAME_BYTES:
            raise TooLarge(f"a frame of {len(text)} characters")
        socket = self._sockets.get(connection)
        if socket is None or not socket.open:
            raise Gone(f"connection {connection}")
        if socket.cut:
            if self._schedule.chance(0.5):
                raise Gone(f"connection {connection}")
            return
        if self._schedule.chance(self._faults.frame_lost):
            self._schedule.fault("frame down lost", text[:60])
            return
        self._schedule.after(self._travel(), "", partial(self._arrive, socket, text))
        if self._schedule.chance(self._faults.frame_twice):
            self._schedule.fault("frame twice", text[:60])
            again = self._schedule.between(0, STALLED)
            self._schedule.after(again, "", partial(self._arrive, socket, text))

    def _arrive(self, socket: Socket, text: str) -> None:
        if not socket.cut:
            socket.hear(text)

    def close(self, connection: ConnectionId) -> None:
        socket = self._sockets.get(connection)
        if socket is not None and socket.open:
            socket.open = False
            if not socket.cut:
                self._schedule.after(self._travel(), "", socket.lost)

    # The operator's side -------------------------------------------------------------------------

    def open(
        self, id: ConnectionId, *, hear: Callable[[str], None], lost: Callable[[], None]
    ) -> Socket:
        socket = Socket(id, hear, lost)
        self._sockets[id] = socket
        self._schedule.after(LIFE, "", partial(self.close, id))
        return socket

    def say(self, socket: Socket, text: str) -> None:
        if socket.cut or not socket.open:
            return
        if self._schedule.chance(self._faults.frame_lost / 2):
            self._schedule.fault("frame up lost", text[:60])
            return
        self._schedule.after(self._travel(), "", partial(self._come_in, socket, text))

    def _come_in(self, socket: Socket, text: str) -> None:
        """What was on its way when the socket was closed may arrive all the same."""
        if not socket.cut:
            self.ingest(socket.id, text)

    def hang_up(self, socket: Socket) -> None:
        """By the operator, or because its process is gone."""
        socket.open = False

    def _travel(self) -> float:
        if self._schedule.chance(self._faults.frame_late):
            return self._schedule.between(1, 400 if self._schedule.chance(0.2) else 60)
        return self._schedule.between(0.01, 0.3)

    # Faults --------------------------------------------------------------------------------------

    def cut_one(self) -> None:
        alive = [one for one in self._sockets.values() if one.open and not one.cut]
        if alive:
            self.cut(self._schedule.random.choice(alive))

    def cut_all(self) -> None:
        for socket in self._sockets.values():
            if socket.open and not socket.cut:
                self.cut(socket)

    def cut(self, socket: Socket) -> None:
        socket.cut = True
        self._schedule.fault("socket cut", socket.id)
        self._schedule.after(self._schedule.between(0, NOTICED_WITHIN), "", socket.lost)
