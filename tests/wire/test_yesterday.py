"""Yesterday's operator talks with today's service, and the reverse.

A peer of yesterday says what the first release said and no more, and reads what it knows and no
more. So what was needed then is all that may be needed now, and it must still be said; a word and
a default that were given a meaning keep it.
"""

import json
from enum import StrEnum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, TypeAdapter

from tests.wire.messages import ALL, CONVERSATIONS, GOLDEN, YESTERDAY
from xylem.domain.status import TaskStatus
from xylem.protocol import agent, following, queues, runtime, session

OF_TOMORROW = "field_of_tomorrow"

WORDS: dict[tuple[type[BaseModel], str], set[str]] = {
    (agent.JobResult, "status"): {"done", "failed", "superseded"},
    (agent.Anchor, "state"): {"creating", "created", "closing", "closed"},
    (agent.Rejected, "code"): {"unknown_entity", "not_yours", "invalid"},
    (agent.Refusal, "code"): {"invalid_frame", "too_large", "not_yours", "other_cluster"},
    (agent.Job, "kind"): {"create", "cleanup", "observe"},
    (agent.Invite, "purpose"): {"exec", "port-forward", "rsync"},
    (session.Frame, "kind"): {
        *("open", "data", "err", "fin", "exit", "signal", "resize", "rst", "ack", "ask", "alive"),
    },
    (agent.NodeTaint, "effect"): {"NoSchedule", "PreferNoSchedule", "NoExecute"},
    (agent.NodeCondition, "status"): {"True", "False", "Unknown"},
    (agent.PodObservation, "status"): {
        "SCHEDULING",
        "INITIALIZING",
        "RUNNING",
        "COMPLETED",
        "FAILED",
        "FAILED_BACKEND_ERROR",
        "FAILED_EVICTED",
        "FAILED_IMAGE_PULL",
        "FAILED_PREEMPTED",
        "FAILED_START_ERROR",
    },
}
"""Of the first release: either side may say them for ever."""

DEFAULTS: dict[type[BaseModel], dict[str, Any]] = {
    agent.PodObservation: {
        "exit_code": None,
        "message": "",
        "node": None,
        "pod_ip": None,
        "bound": False,
        "scheduled_at": None,
        "initializing_at": None,
        "started_at": None,
        "ended_at": None,
    },
    agent.JobResult: {"message": "", "observations": [], "tasks": None, "more": False},
    agent.Bundle: {"events": []},
    agent.Inventory: {"anchors": [], "pods": [], "tasks": None},
    agent.NodeAmounts: {"cpu": 0, "gpu": 0, "memory": 0, "storage": 0},
    agent.NodeTaint: {"value": ""},
    agent.NodeObservation: {
        "uses": [],
        "ready": False,
        "cordoned": False,
        "labels": {},
        "taints": [],
        "conditions": [],
    },
    agent.Nodes: {"nodes": [], "gone": [], "whole": None, "tests": None},
    agent.Jobs: {"tests": None},
    agent.Welcome: {"bundles": False, "nodes": False},
    agent.Rejected: {"message": ""},
    agent.Hello: {"data_keys": False},
    agent.Job: {"payload": None, "payload_url": None, "payload_data_key": None},
    agent.CleanupPayload: {"grace_seconds": None, "force": False},
    queues.EventsOf: {"tries": 0},
    queues.ResultOf: {"tries": 0},
    queues.BundleOf: {"tries": 0},
    queues.StockOf: {"tries": 0, "tasks": None},
    queues.NodesOf: {"tries": 0},
    queues.Greeted: {"tries": 0},
    queues.Retired: {"tries": 0},
    runtime.Stored: {"closed": False, "followed": False},
    following.Follow: {"task": None, "retry": None},
    following.Following: {"followers": 1},
    following.Said: {"records": None},
    following.SaidRecord: {"raw": None},
    runtime.InputQuery: {"cursor": None},
    runtime.InputPage: {"cursor": None},
}
"""What it means when a peer of the first release does not say a field."""


def golden(conversation: str, name: str) -> Any:
    return json.loads((GOLDEN / conversation / f"{name}.json").read_text())


def yesterday(conversation: str, name: str) -> Any:
    return json.loads((YESTERDAY / conversation / f"{name}.json").read_text())


def covers(whole: Any, part: Any) -> bool:
    """Everything in `part` is in `whole`."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and covers(whole[key], value) for key, value in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(covers, whole, part))
    return bool(whole == part) and type(whole) is type(part)


def with_fields_of_tomorrow(value: Any) -> Any:
    """In every object but Kubernetes' own."""
    if isinstance(value, dict):
        told = {
            key: item if key in ("objects", "labels", "template") else with_fields_of_tomorrow(item)
            for key, item in value.items()
        }
        return {**told, OF_TOMORROW: {"deep": [1, None]}}
    if isinstance(value, list):
        return [with_fields_of_tomorrow(item) for item in value]
    return value


@pytest.mark.parametrize(("conversation", "name"), ALL)
def test_what_the_first_release_says_is_understood(conversation: str, name: str) -> None:
    found = CONVERSATIONS[conversation]
    said = yesterday(conversation, name)

    read = found.reader(name).validate_python(said)

    assert type(read) is type(found.messages[name])
    assert covers(json.loads(read.model_dump_json()), said)


@pytest.mark.parametrize(("conversation", "name"), ALL)
def test_what_the_first_release_needs_is_still_said(conversation: str, name: str) -> None:
    assert covers(golden(conversation, name), yesterday(conversation, name))


@pytest.mark.parametrize(("conversation", "name"), ALL)
def test_what_is_first_said_tomorrow_is_passed_over(conversation: str, name: str) -> None:
    found = CONVERSATIONS[conversation]
    said = json.dumps(with_fields_of_tomorrow(golden(conversation, name)))

    read = found.reader(name).validate_json(said)

    assert read == found.messages[name]
    assert OF_TOMORROW not in read.model_dump_json()


@pytest.mark.parametrize(("conversation", "name"), ALL)
def test_an_absent_field_and_its_default_mean_the_same(conversation: str, name: str) -> None:
    reader = CONVERSATIONS[conversation].reader(name)
    read = reader.validate_python(yesterday(conversation, name))

    assert reader.validate_json(read.model_dump_json()) == read


@pytest.mark.parametrize("model", DEFAULTS)
def test_what_was_left_unsaid_means_what_it_meant(model: type[BaseModel]) -> None:
    for field, meaning in DEFAULTS[model].items():
        told = model.model_fields[field]
        assert not told.is_required(), field
        assert told.get_default(call_default_factory=True) == meaning, field


@pytest.mark.parametrize(("model", "field"), WORDS)
def test_a_word_that_was_said_once_is_understood_for_ever(
    model: type[BaseModel], field: str
) -> None:
    kind: Any = model.model_fields[field].annotation
    reader: TypeAdapter[Any] = TypeAdapter(kind)

    for word in WORDS[model, field]:
        assert reader.validate_json(json.dumps(word)) == word


def test_every_choice_of_words_is_held_here() -> None:
    choices = {
        (model, field)
        for module in (agent, queues, runtime, session, following)
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, BaseModel)
        for field, told in model.model_fields.items()
        if len(_words(told.annotation)) > 1
    }

    assert choices == set(WORDS)


def test_a_status_that_a_cluster_reports_is_one_of_a_task() -> None:
    assert WORDS[agent.PodObservation, "status"] <= set(TaskStatus)


def _words(kind: Any) -> set[str]:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return set(kind)
    if get_origin(kind) is Literal:
        return set(get_args(kind))
    if get_origin(kind) in (Union, UnionType):
        return {word for part in get_args(kind) for word in _words(part)}
    return set()
