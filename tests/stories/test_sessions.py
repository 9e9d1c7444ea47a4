"""Reaching into a running task: who may, what both sides are told, and what strangers get."""

from datetime import timedelta
from typing import Any

import pytest

from tests.builders import NOON
from tests.stories.world import BACKEND, CONNECTION, World
from xylem.domain.access import ADMIN, Principal
from xylem.domain.access import USER as USER_ROLE
from xylem.domain.errors import Forbidden, Gone, NotFound, NotYet, TooMany, Unavailable
from xylem.domain.ids import ConnectionId, UserName
from xylem.protocol.session import (
    Attach,
    Attached,
    End,
    Ended,
    Frame,
    PeerLost,
    Renew,
    RouterMessage,
)
from xylem.usecases import session_relay, sessions
from xylem.usecases.sessions import MOST_BYTES, MOST_OPEN, PEER_LIFE, Made, Said, Sender

SPEC = """
workflow:
  name: hello
  tasks:
  - {name: a, image: alpine, command: [sleep, "100"]}
"""
CLIENT, OPERATOR = ConnectionId("client-1"), ConnectionId("operator-1")


def principal(name: str = "alice", *roles: str) -> Principal:
    return Principal("user", UserName(name), frozenset(roles or {USER_ROLE}))


class Scene:
    """A task that runs, of alice, and what was pushed to whom."""

    def __init__(self, status: str | None = "RUNNING") -> None:
        self.world = World()
        self.workflow = self.world.submit(SPEC)
        self.world.settle()
        if status:
            self.world.pod(self.workflow, "a", status)
            self.world.settle()
        self.alice = principal(str(self.world.workflows.workflow(self.workflow).value.user))
        self.world.listen()

    def create(self, who: Principal | None = None, task: str = "a", **fields: Any) -> Made:
        given = {"retry": None, **fields}
        made = sessions.create(
            who or self.alice, self.workflow, task, "exec", has=self.world, **given
        )
        self.world.listen()
        return made

    @property
    def client(self) -> Sender:
        return Sender(CLIENT, "user", self.alice.subject)

    @property
    def operator(self) -> Sender:
        return Sender(OPERATOR, "operator", f"operator-{BACKEND}", BACKEND)

    def attach(self, made: Made, **fields: Any) -> list[Said]:
        asked = {"token": made.token, "number": 1, "nonce": "p", **fields}
        sender = asked.pop("sender", self.client)
        return sessions.attach(Attach(sid=made.session.id, **asked), sender, has=self.world)

    def attach_operator(self, made: Made, **fields: Any) -> list[Said]:
        token = self.world.cluster.invites[-1].token
        return self.attach(made, **{"token": token, "sender": self.operator, **fields})

    def paired(self) -> tuple[Made, str, str]:
        """A session with both sides there, and their peer tokens: the client's, the operator's."""
        made = self.create()
        self.attach(made)
        told = dict(self.attach_operator(made))
        return made, token_in(told[CLIENT]), token_in(told[OPERATOR])


def token_in(message: Any) -> str:
    assert isinstance(message, Attached)
    assert message.peer is not None
    return message.peer


def only(said: list[Said]) -> RouterMessage:
    [one] = said
    return one.message


# Create ------------------------------------------------------------------------------------------


def test_the_operator_is_told_which_attempt_is_to_be_entered() -> None:
    scene = Scene()

    made = scene.create()

    [invite] = scene.world.cluster.invites
    assert (invite.sid, invite.workflow, invite.task, invite.retry) == (
        made.session.id,
        scene.workflow,
        "a",
        0,
    )
    assert invite.token != made.token


def test_each_reason_why_a_task_cannot_be_entered_has_its_own_words() -> None:
    with pytest.raises(NotFound, match="has no task nobody"):
        Scene().create(task="nobody")
    with pytest.raises(NotFound, match="no retry 7"):
        Scene().create(retry=7)
    with pytest.raises(NotYet, match="when it is RUNNING"):
        Scene(None).create()
    with pytest.raises(NotYet, match="INITIALIZING"):
        Scene("INITIALIZING").create()
    with pytest.raises(Gone, match="has ended: it is COMPLETED"):
        Scene("COMPLETED").create()
    with pytest.raises(Forbidden, match="only .* or an admin may enter it"):
        Scene().create(principal("mallory"))


def test_an_admin_enters_what_others_submitted() -> None:
    assert Scene().create(principal("root", ADMIN)).session.user == "root"


def test_of_an_operator_that_is_offline_it_is_said_since_when() -> None:
    scene = Scene()
    scene.world.clock.advance(timedelta(minutes=10))
    with pytest.raises(Unavailable, match="is offline since 20"):
        scene.create()

    gone = Scene()
    gone.world.links.hang_up(CONNECTION)
    with pytest.raises(Unavailable, match="is offline"):
        gone.create()
    assert gone.world.sessions.open_of(gone.alice.subject, NOON) == 0


def test_a_user_has_twenty_sessions_and_no_more() -> None:
    scene = Scene()
    made = [scene.create() for _ in range(MOST_OPEN)]
    with pytest.raises(TooMany, match="close one"):
        scene.create()

    end = End(sid=made[0].session.id, token=made[0].token, code="exited")
    sessions.end(end, scene.client, has=scene.world)

    assert scene.create()


# Attach ------------------------------------------------------------------------------------------


def test_both_sides_get_tokens_for_each_other_when_both_are_there() -> None:
    scene = Scene()
    made = scene.create()

    alone = only(scene.attach(made))
    both = dict(scene.attach_operator(made))

    assert isinstance(alone, Attached)
    assert alone.peer is None
    assert set(both) == {CLIENT, OPERATOR}
    assert {token_in(one) for one in both.values()}.__len__() == 2
    assert {one.generation for one in both.values() if isinstance(one, Attached)} == {2}


def test_an_operator_that_was_not_told_is_told_again() -> None:
    scene = Scene()
    made = scene.create()
    scene.world.cluster.invites.clear()

    scene.attach(made)
    scene.world.listen()
    sessions.renew(Renew(sid=made.session.id, token=made.token), scene.client, has=scene.world)
    scene.world.listen()

    assert [one.sid for one in scene.world.cluster.invites] == [made.session.id] * 2


def test_a_side_that_moves_gives_both_a_new_generation() -> None:
    scene = Scene()
    made, *_ = scene.paired()
    moved = Sender(ConnectionId("client-2"), "user", scene.alice.subject)

    told = dict(scene.attach(made, number=2, sender=moved))

    assert set(told) == {moved.connection, OPERATOR}
    assert {one.generation for one in told.values() if isinstance(one, Attached)} == {3}


def test_a_slow_attach_is_told_to_look_again_and_moves_nothing() -> None:
    scene = Scene()
    made, *_ = scene.paired()
    scene.attach(made, number=5, sender=scene.client._replace(connection=ConnectionId("client-5")))

    late = scene.attach(made, number=4, sender=scene.client)

    assert only(late) == PeerLost(sid=made.session.id)
    kept = scene.world.sessions.load(made.session.id)
    assert kept is not None
    assert kept.client is not None
    assert kept.client.connection == "client-5"


def test_another_process_ends_the_session_for_both() -> None:
    scene = Scene()
    made, *_ = scene.paired()

    told = scene.attach_operator(made, number=9, nonce="restarted")

    assert {one.to for one in told} == {CLIENT, OPERATOR}
    assert all(isinstance(one.message, Ended) for one in told)
    assert isinstance(only(scene.attach(made, number=2)[:1]), Ended)


@pytest.mark.parametrize(
    "sender",
    [
        Sender(ConnectionId("m"), "user", "mallory"),
        Sender(ConnectionId("m"), "operator", "operator-other", "other"),
        Sender(ConnectionId("m"), "", ""),
    ],
)
def test_a_token_that_somebody_else_came_by_opens_nothing(sender: Sender) -> None:
    scene = Scene()
    made = scene.create()
    operators = scene.world.cluster.invites[-1].token
    sid = made.session.id

    for token in (made.token, operators, "", "x.y.z", made.token[:-4] + "AAAA"):
        for answer in (
            sessions.attach(
                Attach(sid=sid, token=token, number=1, nonce="p"), sender, has=scene.world
            ),
            sessions.renew(Renew(sid=sid, token=token), sender, has=scene.world),
            sessions.end(End(sid=sid, token=token, code="x"), sender, has=scene.world),
        ):
            refused = only(answer)
            assert isinstance(refused, Ended)
            assert refused.code == "refused"
    kept = scene.world.sessions.load(sid)
    assert kept is not None
    assert (kept.client, kept.operator, kept.over) == (None, None, None)


def test_a_clients_token_is_not_an_operators() -> None:
    scene = Scene()
    made = scene.create()

    answer = only(scene.attach(made, sender=scene.operator))

    assert isinstance(answer, Ended)


# Relay -------------------------------------------------------------------------------------------


def relayed(scene: Scene, frame: Frame, connection: ConnectionId) -> tuple[str, Frame] | None:
    passed = session_relay.relay(
        frame.model_dump(mode="json"),
        connection,
        tokens=scene.world.session_tokens,
        now=scene.world.clock(),
    )
    return None if passed is None else (passed.to, Frame.model_validate_json(passed.text))


def frame(made: Made, token: str, **fields: Any) -> Frame:
    return Frame(sid=made.session.id, kind="data", peer=token, channel=1, **fields)


def test_a_frame_is_passed_on_without_a_read_and_without_its_token() -> None:
    scene = Scene()
    made, mine, theirs = scene.paired()
    scene.world.sessions.reads = 0

    there = relayed(scene, frame(made, mine, data="QQ=="), CLIENT)
    back = relayed(scene, frame(made, theirs), OPERATOR)

    assert there == (OPERATOR, frame(made, "", data="QQ=="))
    assert back == (CLIENT, frame(made, ""))
    assert scene.world.sessions.reads == 0


def test_a_frame_with_no_token_of_its_sender_for_this_session_goes_nowhere() -> None:
    scene = Scene()
    made, mine, theirs = scene.paired()
    other, others, _ = scene.paired()

    assert relayed(scene, frame(made, theirs), CLIENT) is None
    assert relayed(scene, frame(made, mine), ConnectionId("mallory")) is None
    assert relayed(scene, frame(made, others), CLIENT) is None
    assert relayed(scene, frame(other, mine), CLIENT) is None
    assert relayed(scene, frame(made, made.token), CLIENT) is None
    assert relayed(scene, frame(made, ""), CLIENT) is None
    scene.world.clock.advance(PEER_LIFE)
    assert relayed(scene, frame(made, mine), CLIENT) is None


# Renew, end --------------------------------------------------------------------------------------


def test_a_renewed_token_is_of_the_same_generation() -> None:
    scene = Scene()
    made, mine, _ = scene.paired()
    scene.world.clock.advance(timedelta(seconds=80))
    asked = Renew(sid=made.session.id, token=made.token)

    renewed = only(sessions.renew(asked, scene.client, has=scene.world))

    assert isinstance(renewed, Attached)
    assert renewed.generation == 2
    assert token_in(renewed) != mine


def test_an_operator_that_was_restarted_hears_of_the_session_when_its_client_renews() -> None:
    """Its client was told `peer_lost`, and the row still names the connection that is gone."""
    scene = Scene()
    made, *_ = scene.paired()
    scene.world.listen()
    scene.world.cluster.invites.clear()

    asked = Renew(sid=made.session.id, token=made.token)
    sessions.renew(asked, scene.client, has=scene.world)
    scene.world.listen()

    assert [one.sid for one in scene.world.cluster.invites] == [made.session.id]


def test_who_is_no_longer_the_side_gets_no_token() -> None:
    scene = Scene()
    made, *_ = scene.paired()
    asked = Renew(sid=made.session.id, token=made.token)
    old = scene.client._replace(connection=ConnectionId("client-0"))

    assert only(sessions.renew(asked, old, has=scene.world)) == PeerLost(sid=made.session.id)


def test_a_session_ends_for_both_at_its_limit_of_bytes_and_of_time() -> None:
    for asked, later in (({"sent": MOST_BYTES + 1}, 0), ({}, 25)):
        scene = Scene()
        made, *_ = scene.paired()
        scene.world.clock.advance(timedelta(hours=later))
        renew = Renew(sid=made.session.id, token=made.token, **asked)

        told = sessions.renew(renew, scene.client, has=scene.world)

        assert {one.to for one in told} == {CLIENT, OPERATOR}
        assert {one.message.code for one in told if isinstance(one.message, Ended)} == {"limit"}


def test_an_end_is_told_to_both_and_stays_as_it_was_first_said() -> None:
    scene = Scene()
    made, *_ = scene.paired()
    end = End(sid=made.session.id, token=made.token, code="exited")

    first = sessions.end(end, scene.client, has=scene.world)
    again = sessions.end(end.model_copy(update={"code": "broken"}), scene.client, has=scene.world)

    assert {one.to for one in first} == {CLIENT, OPERATOR}
    assert [one.message for one in again] == [one.message for one in first]
