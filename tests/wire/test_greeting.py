"""What is read and said without the models is what the models read and say."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xylem.domain.ids import BackendName, ConnectionId
from xylem.protocol import agent, greeting, queues
from xylem.protocol.limits import BOOT_ID_CHARS, CLUSTER_UID_CHARS

BACKEND, CONNECTION = BackendName("cluster-1"), ConnectionId("c-1")
HELLO = {"to": "agent", "type": "hello", "backend": "b", "cluster_uid": "u", "boot_id": "boot"}


@pytest.mark.parametrize(
    ("said", "model"),
    [
        (greeting.welcome(7), agent.Welcome(epoch=7, bundles=True, nodes=True)),
        (
            greeting.refusal("too_large", 'ein "Wörtchen"\n'),
            agent.Refusal(code="too_large", message='ein "Wörtchen"\n'),
        ),
        (
            greeting.greeted(BACKEND, CONNECTION),
            queues.Greeted(backend=BACKEND, connection=CONNECTION),
        ),
        (
            greeting.retired(BACKEND, CONNECTION),
            queues.Retired(backend=BACKEND, connection=CONNECTION),
        ),
    ],
)
def test_a_word_that_is_said_without_its_model_is_the_models(said: str, model: Any) -> None:
    assert json.loads(said) == json.loads(model.model_dump_json())
    assert type(model).model_validate_json(said) == model


TEXTS = st.text(max_size=140)
HELLOS = st.fixed_dictionaries(
    {"type": st.sampled_from(["hello", "heartbeat", "news"])},
    optional={
        "to": st.sampled_from(["agent", "router"]),
        "backend": TEXTS,
        "cluster_uid": TEXTS | st.none() | st.integers(),
        "boot_id": TEXTS,
        "version": TEXTS | st.lists(st.integers()),
        "data_keys": st.booleans() | st.none() | st.integers(),
        "of_tomorrow": st.integers(),
    },
)


@given(HELLOS)
def test_what_is_read_without_the_models_reads_the_same_with_them(said: dict[str, Any]) -> None:
    text = json.dumps(said)
    found = greeting.read(text)

    match found:
        case greeting.Hello(backend, uid, boot, version, data_keys):
            model = agent.Hello(
                backend=backend,
                cluster_uid=uid,
                boot_id=boot,
                version=version,
                data_keys=data_keys,
            )
            assert agent.operator_message.validate_json(text) == model
        case greeting.Heartbeat():
            assert agent.operator_message.validate_json(text) == agent.Heartbeat()
        case None:
            pass


@given(TEXTS, TEXTS, TEXTS, TEXTS, st.booleans())
def test_what_an_operator_says_first_is_read_without_the_models(
    backend: str, uid: str, boot: str, version: str, data_keys: bool
) -> None:
    uid, boot = (uid or "u")[:CLUSTER_UID_CHARS], (boot or "b")[:BOOT_ID_CHARS]
    model = agent.Hello(
        backend=BackendName(backend),
        cluster_uid=uid,
        boot_id=boot,
        version=version,
        data_keys=data_keys,
    )
    text = model.model_dump_json()

    assert len(text) > greeting.CHARS or greeting.read(text) == greeting.Hello(
        BackendName(backend), uid, boot, version, data_keys
    )


def test_a_heartbeat_is_read_without_the_models() -> None:
    assert greeting.read(agent.Heartbeat().model_dump_json()) == greeting.Heartbeat()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 900,
        "[]",
        '"hello"',
        json.dumps(HELLO),
        json.dumps(HELLO | {"version": 1}),
        json.dumps(HELLO | {"version": "1", "boot_id": ""}),
        json.dumps(HELLO | {"version": "1", "cluster_uid": "u" * (CLUSTER_UID_CHARS + 1)}),
        json.dumps(HELLO | {"version": "1", "to": "router"}),
        json.dumps(HELLO | {"version": "1", "data_keys": "yes"}),
        json.dumps(HELLO | {"version": "\ud800"}),
        json.dumps(HELLO | {"version": "1", "more": "x" * greeting.CHARS}),
        json.dumps({"type": "news", "boot_id": "b", "events": []}),
    ],
)
def test_what_is_not_read_here_is_left_to_who_says_what_is_wrong(text: str) -> None:
    assert greeting.read(text) is None
