"""Following live on the deployed stack: lines are pushed to who subscribed."""

import json
import time

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.conftest import Stack
from tests.e2e.running import aws, finish, submit
from tests.e2e.test_logs import one_task

pytestmark = pytest.mark.e2e

MOST_SECONDS = 2
"""Between a line and its reader, as the goal is; this is no measurement."""


def dialled(stack: Stack) -> ClientConnection:
    token = json.loads((stack.settings.login_folder / "login.json").read_text())["token"]
    headers = {"Authorization": f"Bearer {token}"}
    return connect(stack.settings.websocket_url, additional_headers=headers)


def asked(socket: ClientConnection, **frame: object) -> dict[str, object]:
    socket.send(json.dumps({"to": "router", "type": "follow", **frame}))
    answer: dict[str, object] = json.loads(socket.recv(timeout=20))
    return answer


def test_who_subscribed_is_told_of_chunks_and_of_the_end(stack: Stack) -> None:
    name = submit(
        stack.client, one_task("told", "for n in 1 2 3 4; do echo line $n; sleep 1; done")
    )
    with dialled(stack) as socket:
        expected = {"type": "following", "workflow": name, "followers": 1}
        assert asked(socket, workflow=name) == expected
        told = [json.loads(socket.recv(timeout=60))]
        while told[-1]["type"] != "log_ended":
            told.append(json.loads(socket.recv(timeout=60)))

    said = [one for one in told if one["type"] == "said"]
    text = "".join(record["text"] for one in said for record in one["records"])
    assert [line for line in text.splitlines() if line.startswith("line")] == [
        f"line {number}" for number in range(1, 5)
    ]
    assert [one["offset"] for one in said[1:]] == [one["next"] for one in said[:-1]]
    finish(stack.client, name)


def test_lines_come_to_who_follows_while_the_task_prints_them(stack: Stack) -> None:
    """Each line says when it was printed; the machine of the test has the same clock."""
    script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do date +%s.%N; sleep 0.7; done"
    name = submit(stack.client, one_task("prompt", script))

    late: list[float] = []
    for page in stack.client.follow_logs(name):
        late += [
            time.time() - float(record.text)
            for record in page.records
            if record.stream == "stdout" and record.text.strip()
        ]

    assert len(late) == 12
    assert sorted(late)[len(late) // 2] < MOST_SECONDS


def test_who_hung_up_is_forgotten_with_the_next_push(stack: Stack) -> None:
    name = submit(stack.client, one_task("hung-up", "for n in 1 2 3 4 5 6; do date; sleep 1; done"))
    with dialled(stack) as socket:
        asked(socket, workflow=name)
        assert followers(stack, name) == 1

    finish(stack.client, name)

    assert followers(stack, name) == 0


def followers(stack: Stack, name: str) -> int:
    rows = aws(stack, "dynamodb").scan(TableName="xylem-local-connections")["Items"]
    return len([row for row in rows if row["pk"]["S"] == f"F#{name}"])


def test_a_workflow_that_is_not_there_is_refused_in_words(stack: Stack) -> None:
    with dialled(stack) as socket:
        answer = asked(socket, workflow="nobody-77")

    assert (answer["type"], answer["code"]) == ("refusal", "DATABASE")
    assert "nobody-77" in str(answer["message"])


def test_an_operator_may_not_follow(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.operator_token}"}
    with connect(stack.settings.websocket_url, additional_headers=headers) as socket:
        answer = asked(socket, workflow="hello-1")

    assert (answer["type"], answer["code"]) == ("refusal", "forbidden")
