"""The page that a second operator would be written from says what the models say."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tests.wire.messages import members
from xylem.protocol import agent, session
from xylem.usecases.vetting import vet

PAGE = (Path(__file__).parents[2] / "docs" / "operator-protocol.md").read_text()
EXAMPLES = [
    line
    for block in re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
TABLES = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", PAGE, re.MULTILINE))
UNIONS = {"operator": agent.OperatorMessage, "agent": agent.AgentMessage}


SESSIONS = (Path(__file__).parents[2] / "docs" / "session-protocol.md").read_text()
SESSION_EXAMPLES = [
    line
    for block in re.findall(r"^```json\n(.*?)^```$", SESSIONS, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize("text", SESSION_EXAMPLES)
def test_an_example_of_a_session_is_a_message_of_it(text: str) -> None:
    reader = session.side_message if '"to":"router"' in text else session.router_message

    understood = json.loads(reader.validate_json(text).model_dump_json())

    assert _unknown(json.loads(text), understood) == []


@pytest.mark.parametrize("union", [session.SideMessage, session.RouterMessage], ids=repr)
def test_the_page_of_sessions_names_every_field_of_every_message(union: Any) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", SESSIONS, re.MULTILINE))
    for model in members(union):
        kind = model.model_fields["type"].default
        named = set(re.findall(r"`(\w+)`", rows[kind] + SESSIONS.split(f"| `{kind}` |")[1]))
        assert set(model.model_fields) - {"to", "type", "sid"} <= named, kind


def read(text: str) -> Any:
    reader = agent.operator_message if '"to":"agent"' in text else agent.agent_message
    return reader.validate_json(text)


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_is_a_message_and_every_word_of_it_is_understood(text: str) -> None:
    told = json.loads(text)

    understood = json.loads(read(text).model_dump_json())

    assert _unknown(told, understood) == []


@pytest.mark.parametrize("text", [text for text in EXAMPLES if '"to"' in text])
def test_an_example_of_the_operator_is_taken_in_whole(text: str) -> None:
    vetted = vet(text)

    assert vetted.message == read(text)
    assert (vetted.rejected, vetted.left_out) == ((), 0)


@pytest.mark.parametrize("union", UNIONS)
def test_there_is_an_example_of_every_message(union: str) -> None:
    shown = {type(read(text)) for text in EXAMPLES}

    assert members(UNIONS[union]) <= shown


@pytest.mark.parametrize(
    "model",
    sorted((one for union in UNIONS.values() for one in members(union)), key=repr),
)
def test_the_tables_name_every_field_of_every_message(model: type[BaseModel]) -> None:
    kind = model.model_fields["type"].default
    named = set(re.findall(r"`(\w+)`", TABLES[kind]))
    named |= set(re.findall(r"\w+", "".join(re.findall(r"\{[^}]*\}", TABLES[kind]))))

    assert set(model.model_fields) - {"to", "type"} <= named


@pytest.mark.parametrize(
    "model", [agent.PodObservation, agent.Anchor, agent.NodeObservation, agent.NodeUse, agent.Job]
)
def test_the_page_names_every_field_of_what_is_in_a_message(model: type[BaseModel]) -> None:
    words = set(re.findall(r"\w+", PAGE))

    assert set(model.model_fields) <= words


def test_the_payload_of_the_example_is_what_the_page_says() -> None:
    [payload] = re.findall(r'"payload":"([^"]+)"', PAGE)

    assert json.loads(gzip.decompress(base64.b64decode(payload))) == {"objects": []}


def _unknown(told: Any, understood: Any) -> list[str]:
    """Keys of the example that the model has dropped."""
    if isinstance(told, dict):
        missing = [key for key in told if key not in understood]
        return missing + [
            key
            for name, value in told.items()
            if name in understood
            for key in _unknown(value, understood[name])
        ]
    if isinstance(told, list):
        return [
            key for one, other in zip(told, understood, strict=True) for key in _unknown(one, other)
        ]
    return []
