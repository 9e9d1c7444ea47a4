"""What an operator may not say is counted and logged by the functions that hear it, so that an
alarm or an admin can find it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders import BACKEND, HELLO, a_creation
from tests.contract.conftest import create_tables
from tests.unit.functions.environment import Context, deployed
from xylem.domain.ids import BackendName, ConnectionId
from xylem.protocol import agent
from xylem.protocol.queues import EventsOf
from xylem_aws.bootstrap import ports

EVIL = ConnectionId("evil-1")
ATTACKER = BackendName("cluster-2")
POD = {
    "workflow": HELLO,
    "group": "0" + "a" * 31,
    "incarnation": 0,
    "task": "lead",
    "retry": 0,
    "uid": "u",
    "status": "COMPLETED",
}


@pytest.fixture(autouse=True)
def function() -> Iterator[None]:
    with deployed(
        "agent",
        POWERTOOLS_TRACE_DISABLED="true",
        WORKFLOWS_TABLE="workflows",
        BACKENDS_TABLE="backends",
        CONNECTIONS_ENDPOINT="https://execute-api.us-east-1.amazonaws.com/live",
        NEWS_QUEUE_URL="https://sqs.us-east-1.amazonaws.com/000000000000/news",
    ):
        create_tables({"workflows": "workflows", "backends": "backends"})
        yield


def hear(text: str, **authorizer: str) -> int:
    from functions.agent.ingest import handler  # noqa: PLC0415 - it reads the environment

    request = {"connectionId": EVIL, "authorizer": authorizer}
    return int(handler({"requestContext": request, "body": text}, Context("ingest"))["statusCode"])


def told(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What was counted, by its name, and what was logged."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line]
    logged = [line for line in lines if "_aws" not in line]
    counted: dict[str, Any] = {}
    for line in lines:
        for kind in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            counted |= {metric["Name"]: line[metric["Name"]] for metric in kind["Metrics"]}
    return counted, logged


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"to":"agent"', "invalid_frame"),
        ('{"to":"agent","type":"heartbeat","x":"' + "y" * 2**20 + '"}', "too_large"),
        (
            agent.Hello(
                backend=BACKEND, cluster_uid="u", boot_id="b", version="1"
            ).model_dump_json(),
            "not_yours",
        ),
    ],
)
def test_a_frame_that_is_refused_is_counted_and_logged_with_its_sender(
    text: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hear(text, backend=str(ATTACKER)) == 200

    counted, logged = told(capsys)
    assert counted == {f"frame_{code}": [1.0]}
    [line] = [line for line in logged if line["message"] == "frame refused"]
    assert (line["backend"], line["connection"], line["code"]) == (ATTACKER, EVIL, code)
    assert len(line["why"]) <= 1_000


def test_an_event_that_is_rejected_at_once_is_counted_and_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    event = {"seq": 1, "pod": POD | {"status": "DANCING"}}
    news = {"to": "agent", "type": "news", "boot_id": "b", "events": [event]}

    hear(json.dumps(news), backend=str(ATTACKER))

    counted, logged = told(capsys)
    assert counted == {"news_invalid": [1.0]}
    assert [line["backend"] for line in logged if line["level"] == "WARNING"] == [ATTACKER]


def test_a_frame_from_who_is_no_operator_is_forbidden_and_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert hear('{"to":"agent","type":"heartbeat"}', kind="user") == 403

    assert told(capsys)[0] == {"frame_of_a_stranger": [1.0]}


@pytest.mark.parametrize(("greeted", "code"), [(True, "not_yours"), (False, "dropped")])
def test_news_that_the_commit_refuses_is_counted_and_logged(
    greeted: bool, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from functions.agent.handler import handler  # noqa: PLC0415 - it reads the environment

    mine = ports()
    mine.workflows.create(a_creation())
    if greeted:
        mine.backends.hello(
            ATTACKER,
            cluster_uid="uid-2",
            boot_id="b",
            version="1",
            connection=EVIL,
            now=mine.clock(),
        )
    event = agent.Event.model_validate({"seq": 1, "pod": POD})
    said = EventsOf(backend=ATTACKER, connection=EVIL, workflow=HELLO, boot_id="b", events=[event])
    record = {"messageId": "1", "body": said.model_dump_json()}

    assert handler({"Records": [record]}, Context("agent")) == {"batchItemFailures": []}

    counted, logged = told(capsys)
    assert counted[f"news_{code}"] == [1.0]
    [line] = [line for line in logged if line["message"] == "news refused"]
    assert (line["backends"], line["refused"]) == ([ATTACKER], {code: 1})
