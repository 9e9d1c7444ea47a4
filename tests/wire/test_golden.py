"""The words on every wire, held to the letter: what is said today, and that each message has its
file."""

import json
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from tests.wire.messages import (
    ALL,
    CONVERSATIONS,
    GOLDEN,
    YESTERDAY,
    members,
    models_of,
    written,
)
from xylem.protocol import agent, following, queues, runtime, session
from xylem.protocol.message import Message

UNIONS = {
    "operator": agent.OperatorMessage,
    "agent": agent.AgentMessage,
    "news": queues.NewsMessage,
    "follower": following.ToFollower,
    "side": session.SideMessage,
    "session": session.RouterMessage,
}
BASES = {agent.FromOperator, queues.FromBackend, session.ToRouter}
"""They are said by nobody: each message of their kind adds its `type`."""


@pytest.mark.parametrize(("conversation", "name"), ALL)
def test_a_message_is_written_to_the_letter_of_its_golden(conversation: str, name: str) -> None:
    value = CONVERSATIONS[conversation].messages[name]

    assert written(value) == (GOLDEN / conversation / f"{name}.json").read_text()


@pytest.mark.parametrize(("conversation", "name"), ALL)
def test_a_golden_is_read_back_to_the_same_value(conversation: str, name: str) -> None:
    found = CONVERSATIONS[conversation]
    text = (GOLDEN / conversation / f"{name}.json").read_text()

    read = found.reader(name).validate_json(text)

    assert read == found.messages[name]
    assert type(read) is type(found.messages[name])
    assert written(read) == text


@pytest.mark.parametrize("conversation", UNIONS)
def test_every_member_of_a_union_has_a_golden_of_its_tag(conversation: str) -> None:
    messages = CONVERSATIONS[conversation].messages

    assert {type(value) for value in messages.values()} == members(UNIONS[conversation])
    for name, value in messages.items():
        assert value.model_dump()["type"] == name


@pytest.mark.parametrize("module", [agent, queues, runtime, session, following])
def test_every_message_of_the_protocol_is_in_a_golden(module: Any) -> None:
    said = {
        inner
        for conversation in CONVERSATIONS.values()
        for value in conversation.messages.values()
        for inner in _inside(value)
    }

    assert models_of(module) - BASES <= said


@pytest.mark.parametrize(("conversation", "name"), ALL)
def test_a_golden_says_every_field_and_no_default(conversation: str, name: str) -> None:
    def check(value: Message) -> None:
        for field, told in type(value).model_fields.items():
            tag = field in ("type", "to") and get_args(told.annotation)
            if not told.is_required() and not tag and not isinstance(value, agent.Job):
                default = told.get_default(call_default_factory=True)
                assert getattr(value, field) != default, f"{type(value).__name__}.{field}"

    for inner in _values(CONVERSATIONS[conversation].messages[name]):
        check(inner)


@pytest.mark.parametrize("folder", [GOLDEN, YESTERDAY])
def test_no_file_is_left_of_what_is_said_no_more(folder: Any) -> None:
    files = {(path.parent.name, path.stem) for path in folder.rglob("*.json")}

    assert files == set(ALL)


def test_a_golden_is_one_message_of_json() -> None:
    for path in GOLDEN.rglob("*.json"):
        assert isinstance(json.loads(path.read_text()), dict)


def _inside(value: Message) -> set[type[BaseModel]]:
    return {type(inner) for inner in _values(value)}


def _values(value: object) -> list[Any]:
    """The messages in a message, itself among them."""
    if isinstance(value, list | tuple):
        return [inner for item in value for inner in _values(item)]
    if not isinstance(value, Message):
        return []
    parts = [getattr(value, field) for field in type(value).model_fields]
    return [value, *_values(parts)]
