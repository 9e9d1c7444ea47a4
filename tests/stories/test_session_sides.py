"""Two sides and the real Router between them: sockets are cut, move, and go to nobody."""

import heapq
import json
import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.stories.test_sessions import Scene
from tests.stories.world import BACKEND
from xylem.domain.errors import Gone
from xylem.domain.ids import ConnectionId
from xylem.domain.session import ended
from xylem.protocol.attachment import Over, SessionSide
from xylem.protocol.channels import Bytes, Exited, Opened
from xylem.protocol.dialling import ROTATE_AFTER, ROTATE_SPREAD
from xylem.protocol.limits import MESSAGE_BYTES
from xylem.protocol.session import Attach, Frame, Renew, Side, side_message
from xylem.usecases import session_relay, sessions
from xylem.usecases.sessions import Said, Sender

STEP = timedelta(milliseconds=20)


class Line:
    """The session of one scene: what each side heard, and its sockets."""

    def __init__(self, seed: int = 0) -> None:
        self.scene = Scene()
        self.made = self.scene.create()
        self.chance = random.Random(seed)
        self.sides: dict[Side, SessionSide] = {}
        self.heard: dict[Side, bytearray] = {"client": bytearray(), "operator": bytearray()}
        self.exits: list[bytes] = []
        self.over: dict[Side, Over] = {}
        self.sockets: dict[ConnectionId, tuple[Side, int]] = {}
        self.dialled = 0
        self.offline: set[Side] = set()
        self.loss = 0.0
        self._travelling: list[tuple[datetime, int, ConnectionId, Any, bool]] = []
        self._count = 0
        for side in ("client", "operator"):
            self.begin(side)

    @property
    def now(self) -> datetime:
        return self.scene.world.clock()

    def begin(self, side: Side, nonce: str = "first") -> None:
        """A process of this side starts."""
        token = self.made.token
        if side == "operator":
            token = self.scene.world.cluster.invites[-1].token
        for connection, (known, _) in list(self.sockets.items()):
            if known == side:
                del self.sockets[connection]
                self.scene.world.links.hang_up(connection)
        self.sides[side] = SessionSide(
            self.made.session.id, side, token, nonce, random=self.chance.random, now=self.now
        )

    def run(self, seconds: float, *, step: timedelta = STEP) -> None:
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            self._deliver()
            for name, side in self.sides.items():
                self._tick(name, side)
            self.scene.world.clock.advance(step)

    def cut(self, side: Side) -> None:
        for connection, (known, number) in list(self.sockets.items()):
            if known == side:
                del self.sockets[connection]
                self.scene.world.links.hang_up(connection)
                self.sides[side].closed(number, self.now)

    def _tick(self, name: Side, side: SessionSide) -> None:
        self._take(name, side.ticked(self.now))
        number = side.dial(self.now)
        if number is not None and name in self.offline:
            side.closed(number, self.now)
        elif number is not None:
            self.dialled += 1
            self.sockets[ConnectionId(f"{name}-{self.dialled}")] = (name, number)
            side.opened(number, self.now)
        for connection, (known, number) in list(self.sockets.items()):
            if known != name:
                continue
            for text in side.to_send(number, self.now):
                self._send(connection, text, up=True)
            if side.finished(number, self.now):
                del self.sockets[connection]
                self.scene.world.links.hang_up(connection)
                side.closed(number, self.now)

    def _send(self, connection: ConnectionId, text: str, *, up: bool) -> None:
        assert len(text.encode()) <= MESSAGE_BYTES
        if self.chance.random() < self.loss:
            return
        self._count += 1
        at = self.now + timedelta(seconds=self.chance.uniform(0.01, 0.15))
        heapq.heappush(self._travelling, (at, self._count, connection, text, up))

    def _deliver(self) -> None:
        while self._travelling and self._travelling[0][0] <= self.now:
            _, _, connection, text, up = heapq.heappop(self._travelling)
            if up:
                self._route(connection, text)
            elif connection in self.sockets:
                side, number = self.sockets[connection]
                self._take(side, self.sides[side].received(number, text, self.now))

    def _route(self, connection: ConnectionId, text: str) -> None:
        """As `functions/router` does."""
        world, message = self.scene.world, side_message.validate_json(text)
        sender = (
            self.scene.client if connection.startswith("client") else self.scene.operator
        )._replace(connection=connection)
        match message:
            case Frame():
                self._relay(json.loads(text), connection)
            case Attach():
                self._all(sessions.attach(message, sender, has=world))
            case Renew():
                self._all(sessions.renew(message, sender, has=world))
            case _:
                self._all(sessions.end(message, sender, has=world))

    def _relay(self, frame: dict[str, Any], connection: ConnectionId) -> None:
        world = self.scene.world
        passed = session_relay.relay(
            frame, connection, tokens=world.session_tokens, now=world.clock()
        )
        if passed is None or not self._push(passed.to, passed.text):
            self._push(connection, session_relay.lost(frame))

    def _all(self, said: list[Said]) -> None:
        for one in said:
            self._push(one.to, one.message.model_dump_json())

    def _push(self, to: ConnectionId, text: str) -> bool:
        try:
            self.scene.world.links.pass_on(to, text)
        except Gone:
            return False
        for connection, told in self.scene.world.links.take():
            if connection.startswith(("client", "operator")):
                self._send(connection, told, up=False)
            else:
                self.scene.world.cluster.hears(told)
        return True

    def _take(self, side: Side, events: list[Any]) -> None:
        for event in events:
            match event:
                case Over():
                    self.over.setdefault(side, event)
                case Bytes(channel=channel, data=data):
                    self.heard[side] += data
                    self.sides[side].channels.consumed(channel, len(data))
                case Exited(how=how):
                    self.exits.append(how)
                case Opened():
                    pass

    def carry(self, data: bytes, *, seconds: float, every: float = 0.1) -> int:
        """The client opens a channel and writes all of it, as there is room."""
        client = self.sides["client"].channels
        channel = client.open(b"{}")
        assert channel is not None
        until = self.now + timedelta(seconds=seconds)
        while data and self.now < until:
            data = data[client.write(channel, data) :]
            self.run(every)
        assert not data
        return channel


def test_bytes_are_equal_while_the_sockets_of_both_sides_are_cut_every_three_seconds() -> None:
    line = Line(seed=1)
    line.loss = 0.02
    data = random.Random(7).randbytes(3_000_000)
    client = line.sides["client"].channels
    channel = client.open(b"{}")
    assert channel is not None
    left = data
    for turn in range(200):
        left = left[client.write(channel, left) :]
        line.run(1.0)
        if turn % 3 == 2 and left:
            line.cut(line.chance.choice(("client", "operator")))
        if not left:
            break
    line.run(10)
    line.sides["operator"].channels.exit(channel, b"0")
    line.run(10)

    assert not left
    assert bytes(line.heard["operator"]) == data
    assert line.exits == [b"0"]
    assert line.over == {}


def test_a_session_of_four_hours_moves_to_new_sockets_and_nobody_notices() -> None:
    line = Line()
    line.run(1)
    first = line.dialled
    for _ in range(16):
        line.carry(b"still here", seconds=5)
        line.run(900, step=timedelta(seconds=1))

    assert bytes(line.heard["operator"]) == b"still here" * 16
    assert line.dialled - first >= 2 * 2
    assert line.over == {}
    longest = ROTATE_AFTER + ROTATE_SPREAD
    assert longest < timedelta(hours=2)


def test_an_operator_that_was_restarted_ends_the_session_for_both() -> None:
    line = Line()
    line.carry(b"x", seconds=5)
    line.begin("operator", nonce="second")
    line.run(10)

    assert {over.code for over in line.over.values()} == {"peer_restarted"}
    assert set(line.over) == {"client", "operator"}


def test_a_client_alone_gets_nobody_and_ends_after_a_minute() -> None:
    line = Line()
    line.offline.add("operator")
    line.run(70, step=timedelta(seconds=0.2))

    assert line.over["client"].code == "broken"
    kept = line.scene.world.sessions.load(line.made.session.id)
    assert kept is not None
    assert kept.over is not None
    assert kept.over.code == "broken"


def test_who_lost_the_network_for_half_a_minute_goes_on() -> None:
    line = Line()
    line.run(1)
    line.offline.add("client")
    line.cut("client")
    line.run(30, step=timedelta(seconds=0.1))
    line.offline.clear()
    line.carry(b"back again", seconds=20)
    line.run(2)

    assert bytes(line.heard["operator"]) == b"back again"
    assert line.over == {}


@pytest.mark.parametrize("side", ["client", "operator"])
def test_who_leaves_says_so_and_the_other_side_hears_it_soon(side: Side) -> None:
    line = Line()
    line.run(1)
    line.sides[side].leave("exited", "", line.now)
    line.run(2)

    assert {over.code for over in line.over.values()} == {"exited"}
    assert all(one.done for one in line.sides.values())
    assert not line.sockets


def test_a_revoked_right_is_gone_within_two_minutes() -> None:
    line = Line()
    line.carry(b"before", seconds=5)
    world = line.scene.world
    row = world.sessions.rows[line.made.session.id]
    world.sessions.rows[line.made.session.id] = ended(row, "revoked", "an admin ended it", line.now)
    line.run(130, step=timedelta(seconds=0.2))

    assert {over.code for over in line.over.values()} == {"revoked"}


def test_a_stranger_with_a_token_changes_nothing() -> None:
    line = Line()
    line.run(1)
    stranger = Sender(ConnectionId("m-1"), "operator", "operator-x", "x")
    asked = Attach(sid=line.made.session.id, token=line.made.token, number=50, nonce="m")
    sessions.attach(asked, stranger, has=line.scene.world)
    line.carry(b"unharmed", seconds=5)
    line.run(1)

    assert stranger.backend != BACKEND
    assert bytes(line.heard["operator"]) == b"unharmed"
