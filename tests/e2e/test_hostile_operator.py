"""A hostile operator over a real socket, with a valid credential of another backend."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.conftest import Stack
from tests.e2e.running import finish, submit
from xylem.domain.status import WorkflowStatus

pytestmark = pytest.mark.e2e

SLOW = """
workflow:
  name: victim
  tasks:
  - {name: t, image: alpine, command: [sh, -c, "echo here; sleep 4"]}
"""


@pytest.fixture
def evil(stack: Stack) -> Iterator[ClientConnection]:
    signed = stack.xylem("backend", "token", "evil", "--environment", "local")
    headers = {"Authorization": f"Bearer {signed.stdout.strip()}"}
    with connect(stack.settings.websocket_url, additional_headers=headers) as socket:
        say(socket, "hello", backend="evil", cluster_uid="uid-2", boot_id="b", version="1")
        assert hear(socket)["type"] == "welcome"
        yield socket


def say(socket: ClientConnection, kind: str, **fields: Any) -> None:
    socket.send(json.dumps({"to": "agent", "type": kind, **fields}))


def hear(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=20))


def test_it_is_refused_in_words_and_the_victims_task_goes_on(
    stack: Stack, evil: ClientConnection
) -> None:
    name = submit(stack.client, SLOW)
    pod = {
        "workflow": name,
        "group": "everything",
        "incarnation": 0,
        "task": "t",
        "retry": 0,
        "uid": "u",
        "status": "FAILED",
        "exit_code": 1,
    }

    say(evil, "hello", backend="local", cluster_uid="uid-2", boot_id="b", version="1")
    assert hear(evil)["code"] == "not_yours"
    say(evil, "news", boot_id="b", events=[])
    assert hear(evil)["code"] == "invalid_frame"
    say(evil, "news", boot_id="b", events=[{"seq": 1, "pod": pod}])
    assert hear(evil)["code"] == "unknown_entity"
    say(evil, "job_result", workflow=name, job_id="everything", status="failed")
    assert hear(evil)["code"] == "invalid_frame"
    large = json.dumps({"to": "agent", "type": "news", "boot_id": "b", "events": [{}] * 10_000})
    evil.send([large[:20_000], large[20_000:]])
    assert hear(evil)["code"] == "too_large", "of two frames, each of which API Gateway takes"

    assert finish(stack.client, name).status is WorkflowStatus.COMPLETED


def test_a_frame_of_a_megabyte_ends_its_socket_and_nothing_else(
    stack: Stack, evil: ClientConnection
) -> None:
    with pytest.raises(ConnectionClosed):
        evil.send("x" * 2**20)
        evil.recv(timeout=20)

    assert finish(stack.client, submit(stack.client, SLOW)).status is WorkflowStatus.COMPLETED
