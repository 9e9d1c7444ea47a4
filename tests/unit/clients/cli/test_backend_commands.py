"""A cluster joins by one command, is looked at, tested, drained and removed."""

import hashlib
import json
import shlex
from typing import Any

import httpx
import pytest
from helm_python import parse_set_string

from clients.cli.backend_view import join_command
from tests.builders_chart import files
from tests.unit.clients.answers import (
    AT_NOON,
    Service,
    a_group,
    a_page,
    a_refusal,
    a_task,
    a_workflow,
)
from tests.unit.clients.cli.test_capacity_commands import NODE
from tests.unit.clients.cli.test_commands import QUOTA, QUOTAS
from tests.unit.clients.cli.world import xylem

WSS = "wss://service.example/live"
REGISTER = "PUT /api/backend/my-cluster"
SHOW = "GET /api/configs/backend/my-cluster"
LIST = "GET /api/configs/backend"
REMOVE = "DELETE /api/configs/backend/my-cluster"
POOLS = "GET /api/pool"


def a_backend(name: str = "my-cluster", **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "version": "0.1.0",
        "k8s_uid": "uid-1",
        "online": True,
        "last_heartbeat": AT_NOON,
        "joined": True,
        "draining": False,
        **fields,
    }


def registered() -> dict[str, Any]:
    return {**a_backend(joined=False, online=False), "websocket_url": WSS}


def pools(**backends: str) -> dict[str, Any]:
    return {"pools": {name: {"name": name, "backend": it} for name, it in backends.items()}}


def values_of(words: list[str]) -> dict[str, Any]:
    """What Helm makes of the command's settings."""
    given = [words[at + 1] for at, word in enumerate(words) if word == "--set-string"]
    return dict(parse_set_string(",".join(given)))


def test_the_command_joins_the_cluster_with_the_chart() -> None:
    service = Service({REGISTER: registered()})

    said = xylem("backend", "add", "my-cluster", service=service)

    words = shlex.split(said.out)
    values = values_of(words)
    assert (said.code, said.out.count("\n")) == (0, 1)
    assert words[:5] == ["helm", "upgrade", "--install", "xylem-operator", "operators/chart"]
    assert (values["backend"], values["url"]) == ("my-cluster", WSS)
    assert any("kind: Deployment" in text for text in files(values).values())


def test_the_service_is_told_the_digest_and_only_the_admin_the_credential() -> None:
    service = Service({REGISTER: registered()})

    said = xylem("backend", "add", "my-cluster", "--format-type", "json", service=service)

    told = json.loads(said.out)
    [request] = service.requests
    body = json.loads(request.content)
    assert body["digest"] == hashlib.sha256(told["credential"].encode()).hexdigest()
    assert told["credential"] not in request.content.decode()
    assert shlex.split(told["command"]) == told["arguments"]
    assert values_of(told["arguments"])["credential"]["token"] == told["credential"]


def test_two_credentials_are_never_the_same() -> None:
    said = {
        xylem("backend", "add", "my-cluster", answers={REGISTER: registered()}).out for _ in "ab"
    }

    assert len(said) == 2


def test_a_pool_is_made_with_it_unless_it_is_there() -> None:
    put = "PUT /api/configs/pool/gpus"
    fresh = Service({POOLS: pools(), REGISTER: registered(), put: {}})
    there = Service({POOLS: pools(gpus="my-cluster"), REGISTER: registered()})

    for service in (fresh, there):
        assert xylem("backend", "add", "my-cluster", "--pool", "gpus", service=service).code == 0

    assert put in fresh.asked
    assert put not in there.asked


def test_a_pool_of_another_backend_is_left_alone_and_nothing_is_registered() -> None:
    service = Service({POOLS: pools(gpus="another")})

    said = xylem("backend", "add", "my-cluster", "--pool", "gpus", service=service)

    assert (said.code, service.asked) == (2, [POOLS])
    assert "is on the backend another" in said.err


def test_a_name_that_is_taken_is_told_and_no_credential_is_shown() -> None:
    refusal = httpx.Response(409, json=a_refusal("Backend my-cluster exists already: --renew"))

    said = xylem("backend", "add", "my-cluster", answers={REGISTER: refusal})

    assert (said.code, said.out) == (2, "")
    assert "exists already" in said.err


@pytest.mark.parametrize(
    ("image", "rendered"),
    [
        (None, "xylem/operator:0.1.0"),
        ("r.example/op", "r.example/op:0.1.0"),
        ("r.example:5000/op", "r.example:5000/op:0.1.0"),
        ("r.example:5000/a/op:1.2", "r.example:5000/a/op:1.2"),
        (f"r.example/op@sha256:{'a' * 64}", f"r.example/op@sha256:{'a' * 64}"),
    ],
)
def test_the_image_is_the_one_that_was_pushed(image: str | None, rendered: str) -> None:
    words = join_command("my-cluster", WSS, "xop_my-cluster_x", image=image)

    deployment = files(values_of(words))["xylem-operator/templates/deployment.yaml"]
    assert f"image: {rendered}\n" in deployment


def test_backends_are_listed_with_their_state_and_when_they_were_heard() -> None:
    backends = [
        a_backend("a"),
        a_backend("b", draining=True),
        a_backend("c", online=False, last_heartbeat="2026-11-24T11:00:00"),
        a_backend("d", online=False, joined=False, version=""),
    ]

    said = xylem("backend", "list", answers={LIST: {"backends": backends}})

    lines = [line.split() for line in said.out.splitlines()[1:]]
    assert [line[:2] for line in lines] == [
        ["a", "ONLINE"],
        ["b", "DRAINING"],
        ["c", "OFFLINE"],
        ["d", "EXPECTED"],
    ]
    assert lines[2][2:4] == ["1h00m", "ago"]
    assert lines[3][2] == "never"


def test_a_backend_is_shown_with_its_nodes_pools_and_quotas() -> None:
    node = {**NODE, "backend": "b"}
    answers = {
        "GET /api/configs/backend/b": a_backend("b"),
        "GET /api/resources": {"resources": [node, {**node, "backend": "another"}]},
        QUOTAS: QUOTA,
    }

    said = xylem("backend", "show", "b", answers=answers)
    told = json.loads(xylem("backend", "show", "b", "--format-type", "json", answers=answers).out)

    assert "0 of 1 are ready" in said.out
    assert "uid-1" in said.out
    assert len(told["nodes"]) == 1
    assert {pool["backend"] for pool in told["pools"]} <= {"b"}


# The test -----------------------------------------------------------------------------------------


def a_run(status: str = "COMPLETED", **task: Any) -> dict[str, Any]:
    ended = a_workflow(
        a_group(a_task(status=status, **task)),
        name="backend-test-1",
        status=status,
        end_time=AT_NOON,
    )
    return {
        SHOW: a_backend(),
        POOLS: pools(gpus="my-cluster", others="another"),
        "POST /api/pool/gpus/workflow": {"name": "backend-test-1"},
        "GET /api/workflow/backend-test-1": ended,
        "GET /api/workflow/backend-test-1/logs/follow": a_page("hello\n", closed=True),
    }


def test_a_test_runs_a_tiny_workflow_in_a_pool_of_that_backend() -> None:
    said = xylem("backend", "test", "my-cluster", answers=a_run())
    told = xylem("backend", "test", "my-cluster", "--format-type", "json", answers=a_run())

    assert (said.code, told.code) == (0, 0)
    assert "COMPLETED" in said.out
    assert json.loads(told.out)["pool"] == "gpus"


def test_a_test_that_fails_says_why_and_ends_with_1() -> None:
    answers = a_run("FAILED_IMAGE_PULL", failure_message="no such image")

    said = xylem("backend", "test", "my-cluster", "--format-type", "json", answers=answers)

    assert said.code == 1
    assert json.loads(said.out)["problems"] == ["no such image"]


@pytest.mark.parametrize(
    ("fields", "says"), [({"joined": False}, "never dialled in"), ({}, "was last heard")]
)
def test_where_nobody_answers_nothing_is_submitted(fields: dict[str, Any], says: str) -> None:
    service = Service({SHOW: a_backend(online=False, **fields)})

    said = xylem("backend", "test", "my-cluster", service=service)

    assert (said.code, service.asked) == (2, [SHOW])
    assert says in said.err


def test_a_backend_without_a_pool_can_run_nothing() -> None:
    said = xylem("backend", "test", "my-cluster", answers={SHOW: a_backend(), POOLS: pools()})

    assert (said.code, "no pool is on my-cluster" in said.err) == (2, True)


# Its end ------------------------------------------------------------------------------------------


def test_a_backend_is_drained_and_opened_again() -> None:
    answers = {
        "PUT /api/backend/my-cluster/drain": a_backend(draining=True),
        "DELETE /api/backend/my-cluster/drain": a_backend(),
    }

    drained = xylem("backend", "drain", "my-cluster", answers=answers)
    opened = xylem("backend", "drain", "my-cluster", "--undo", answers=answers)

    assert (drained.code, opened.code) == (0, 0)
    assert "no new work" in drained.out
    assert "takes work again" in opened.out


def test_a_removal_is_asked_for_and_names_the_pools_that_are_left() -> None:
    service = Service({REMOVE: httpx.Response(200, text="null"), POOLS: pools(gpus="my-cluster")})

    unasked = xylem("backend", "remove", "my-cluster", service=service)
    said = xylem("backend", "remove", "my-cluster", "--yes", "--force", service=service)

    assert (unasked.code, said.code) == (2, 0)
    assert json.loads(service.requests[0].content) == {"force": True}
    assert "gpus" in said.err
