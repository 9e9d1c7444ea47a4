"""`xylem workflow cancel`, and what a follower sees of a workflow that is cancelled meanwhile."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.clients.answers import (
    Service,
    a_group,
    a_page,
    a_refusal,
    a_task,
    a_workflow,
)
from tests.unit.clients.cli.world import a_spec, xylem

FIRST = "POST /api/workflow/hello-1/cancel"
SECOND = "POST /api/workflow/hello-2/cancel"
THIRD = "POST /api/workflow/hello-3/cancel"
FINISHED = httpx.Response(400, json=a_refusal("Workflow hello-2 is already finished."))
CANCELLED = a_workflow(
    a_group(
        a_task(
            "hello",
            "FAILED_CANCELED",
            failure_message="Task was canceled by user: bob. enough",
        )
    ),
    status="FAILED_CANCELED",
    cancelled_by="bob",
    end_time="2026-11-24T12:00:05",
)


def done(number: int) -> dict[str, Any]:
    return {"name": f"hello-{number}"}


def test_each_workflow_is_cancelled_by_a_request_of_its_own() -> None:
    service = Service({FIRST: done(1), SECOND: done(2)})

    said = xylem(
        "workflow", "cancel", "hello-1", "hello-2", "-m", "bye bye", "--force", service=service
    )

    assert (said.code, said.err) == (0, "")
    assert said.out == "Cancelled hello-1.\nCancelled hello-2.\n"
    assert service.asked == [FIRST, SECOND]
    for request in service.requests:
        assert dict(request.url.params) == {"message": "bye bye", "force": "true"}


def test_without_a_message_and_force_neither_is_asked_for() -> None:
    service = Service({FIRST: done(1)})

    xylem("workflow", "cancel", "hello-1", service=service)

    assert dict(service.requests[0].url.params) == {"force": "false"}


def test_one_that_is_refused_ends_with_1_and_the_others_are_done() -> None:
    service = Service({FIRST: done(1), SECOND: FINISHED, THIRD: done(3)})

    said = xylem("workflow", "cancel", "hello-1", "hello-2", "hello-3", service=service)

    assert said.code == 1
    assert said.out == "Cancelled hello-1.\nCancelled hello-3.\n"
    assert said.err == "hello-2: Workflow hello-2 is already finished.\n"
    assert service.asked == [FIRST, SECOND, THIRD]


def test_programs_get_what_became_of_each() -> None:
    answers = {FIRST: done(1), SECOND: FINISHED}

    said = xylem(
        "workflow", "cancel", "hello-1", "hello-2", "--format-type", "json", answers=answers
    )

    assert said.code == 1
    assert json.loads(said.out) == [
        {"name": "hello-1", "cancelled": True},
        {
            "name": "hello-2",
            "cancelled": False,
            "message": "Workflow hello-2 is already finished.",
            "code": 400,
            "error_code": "USER",
        },
    ]


def test_somebody_elses_workflow_is_refused_in_the_services_words() -> None:
    refusal = httpx.Response(403, json=a_refusal("hello-1 was submitted by alice", "forbidden"))

    said = xylem("workflow", "cancel", "hello-1", answers={FIRST: refusal})

    assert (said.code, said.err) == (1, "hello-1: hello-1 was submitted by alice\n")


def test_who_is_not_logged_in_is_told_so_once() -> None:
    refusal = httpx.Response(401, json={"message": "Unauthorized"})
    service = Service({FIRST: refusal, SECOND: refusal})

    said = xylem("workflow", "cancel", "hello-1", "hello-2", service=service)

    assert said.code == 2
    assert service.asked == [FIRST]


def test_a_service_that_fails_ends_with_10_though_another_was_refused() -> None:
    broken = httpx.Response(500, json=a_refusal("broken", "internal"))

    said = xylem(
        "workflow", "cancel", "hello-1", "hello-2", answers={FIRST: broken, SECOND: FINISHED}
    )

    assert said.code == 10


def test_a_workflow_that_is_named_twice_is_cancelled_once() -> None:
    service = Service({FIRST: done(1)})

    xylem("workflow", "cancel", "hello-1", "hello-1", service=service)

    assert service.asked == [FIRST]


def test_a_workflow_shows_who_cancelled_it_and_why() -> None:
    said = xylem("workflow", "query", "hello-1", answers={"GET /api/workflow/hello-1": CANCELLED})

    assert "by bob" in said.out
    assert "Task was canceled by user: bob. enough" in said.out


@pytest.mark.parametrize("terminal", [False, True])
def test_a_follower_of_a_workflow_that_is_cancelled_ends_with_1_and_its_end(
    tmp_path: Path, terminal: bool
) -> None:
    running = a_workflow(a_group(a_task("hello", "RUNNING")), status="RUNNING")
    answers = {
        "POST /api/pool/default/workflow": {"name": "hello-1", "warnings": []},
        "GET /api/workflow/hello-1/logs/follow": [a_page("line\n"), a_page()],
        "GET /api/workflow/hello-1": [running, CANCELLED],
    }

    said = xylem(
        "workflow",
        "submit",
        a_spec(tmp_path),
        "-p",
        "default",
        "--follow",
        answers=answers,
        terminal=terminal,
    )

    assert said.code == 1
    assert "FAILED_CANCELED after" in said.out
    assert "Task was canceled by user: bob. enough" in said.out
