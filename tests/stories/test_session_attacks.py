"""Who has no right to a session, and what he may try: tokens guessed, changed, of another kind, too
old, used again; frames that are no frames, and frames said twice."""

import json
import string
from datetime import timedelta
from typing import Any

import pytest

from tests.stories.test_sessions import CLIENT, OPERATOR, Scene, frame, only, relayed, token_in
from xylem.domain.ids import ConnectionId
from xylem.protocol.channels import Bytes, Channels
from xylem.protocol.session import Attach, Ended, Frame, PeerLost, Renew
from xylem.usecases import session_relay, sessions
from xylem.usecases.session_tokens import HmacSessionTokens
from xylem.usecases.sessions import LIFE, PEER_LIFE

KEYS = {"k1": b"a key of thirty-two bytes, or so", "k0": b"one that was the active one once"}


def test_no_token_that_is_one_letter_off_says_anything_else() -> None:
    """The last letter of base64 has bits that say nothing: those may be others."""
    tokens = HmacSessionTokens(KEYS, "k1")
    claims: dict[str, str | int] = {"use": "side", "sid": "a" * 32, "side": "client", "exp": 1}
    token = tokens.sign(claims)
    letters = string.ascii_letters + string.digits + "-_.+/= \0é\ud800"

    for at in range(len(token)):
        for letter in letters:
            changed = token[:at] + letter + token[at + 1 :]
            if changed != token:
                assert tokens.read(changed) in (None, claims)
        assert tokens.read(token[:at]) is None


@pytest.mark.parametrize("keys", [{"k1": bytes(32)}, {"k2": KEYS["k1"]}, {"": b""}])
def test_a_token_of_another_key_is_none(keys: dict[str, bytes]) -> None:
    forged = HmacSessionTokens(keys, next(iter(keys))).sign({"use": "peer"})

    assert HmacSessionTokens(KEYS, "k1").read(forged) is None


def test_a_token_of_one_kind_is_none_of_the_other() -> None:
    scene = Scene()
    made, mine, theirs = scene.paired()

    for token in (mine, theirs):
        asked = Attach(sid=made.session.id, token=token, number=9, nonce="p")
        assert isinstance(only(sessions.attach(asked, scene.client, has=scene.world)), Ended)
    assert relayed(scene, frame(made, made.token), CLIENT) is None


def test_a_token_that_is_too_old_opens_nothing_and_moves_nothing() -> None:
    scene = Scene()
    made, mine, _ = scene.paired()
    scene.world.clock.advance(PEER_LIFE)
    assert relayed(scene, frame(made, mine), CLIENT) is None

    scene.world.clock.advance(LIFE)
    answer = scene.attach(made, number=2)

    assert {one.message.code for one in answer if isinstance(one.message, Ended)} == {"limit"}


def test_a_token_that_is_used_again_elsewhere_takes_no_connection_over() -> None:
    """An attach that was overheard, said by the same user's other socket."""
    scene = Scene()
    made, mine, _ = scene.paired()
    other = scene.client._replace(connection=ConnectionId("client-other"))
    again = Attach(sid=made.session.id, token=made.token, number=1, nonce="p")

    assert only(sessions.attach(again, other, has=scene.world)) == PeerLost(sid=made.session.id)
    renew = Renew(sid=made.session.id, token=made.token)
    assert only(sessions.renew(renew, other, has=scene.world)) == PeerLost(sid=made.session.id)
    assert relayed(scene, frame(made, mine), other.connection) is None
    assert relayed(scene, frame(made, mine), CLIENT) is not None


def test_a_peer_token_of_before_a_move_leads_to_a_connection_that_is_gone_and_nowhere_else() -> (
    None
):
    scene = Scene()
    made, before, _ = scene.paired()
    moved = scene.operator._replace(connection=ConnectionId("operator-2"))
    told = dict(scene.attach_operator(made, number=2, sender=moved))

    old, new = relayed(scene, frame(made, before), CLIENT), token_in(told[CLIENT])

    assert old is not None
    assert old[0] == OPERATOR
    assert relayed(scene, frame(made, new), CLIENT) == ("operator-2", frame(made, ""))


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"sid": None},
        {"sid": ["x"], "peer": ["x"]},
        {"peer": {"use": "peer"}},
        {"peer": 7},
        {"peer": "é.é.é"},
        {"peer": "\ud800.\ud800.\ud800"},
        {"peer": "k1.bnVsbA.bnVsbA"},
        {"peer": "." * 10_000},
    ],
    ids=str,
)
def test_a_frame_that_is_none_goes_nowhere_and_is_answered(said: dict[str, Any]) -> None:
    scene = Scene()

    passed = session_relay.relay(
        {"type": "frame", **said},
        CLIENT,
        tokens=scene.world.session_tokens,
        now=scene.world.clock(),
    )

    assert passed is None
    assert json.loads(session_relay.lost(said))["type"] == "peer_lost"


def test_what_is_passed_on_names_no_connection_and_holds_no_token() -> None:
    scene = Scene()
    made, mine, _ = scene.paired()
    asked = {**frame(made, mine, data="QQ==").model_dump(mode="json"), "more": "words"}

    passed = session_relay.relay(
        asked, CLIENT, tokens=scene.world.session_tokens, now=scene.world.clock()
    )

    assert passed is not None
    assert mine not in passed.text
    assert "to" not in json.loads(passed.text)
    assert CLIENT not in passed.text


def test_frames_that_are_said_again_by_whoever_overheard_them_are_taken_once() -> None:
    sid = "a" * 32
    operator = Channels(sid, "operator", 0.0)
    overheard = [
        Frame(sid=sid, channel=1, kind="open", seq=0, data="e30="),
        Frame(sid=sid, channel=1, kind="data", seq=1, data="QUI="),
        Frame(sid=sid, channel=1, kind="data", seq=2, data="QkM="),
    ]

    events = [each for _ in range(5) for one in overheard for each in operator.received(one, 1.0)]

    assert b"".join(each.data for each in events if isinstance(each, Bytes)) == b"ABC"
    assert len(events) == 3


def test_a_session_of_a_user_who_lost_the_right_cannot_be_begun_anew() -> None:
    """What is over stays over, whoever comes with which token."""
    scene = Scene()
    made, *_ = scene.paired()
    scene.world.clock.advance(timedelta(seconds=1))
    sessions.renew(
        Renew(sid=made.session.id, token=made.token, sent=sessions.MOST_BYTES + 1),
        scene.client,
        has=scene.world,
    )

    for number in (2, 3):
        ended = [one.message for one in scene.attach(made, number=number)]
        assert {one.code for one in ended if isinstance(one, Ended)} == {"limit"}
