"""What a cluster said of the pods, as a person sees it."""

import json

from tests.unit.clients.answers import AT_NOON, Service, a_group, a_task, a_workflow
from tests.unit.clients.cli.world import xylem

EVENTS = "GET /api/workflow/hello-1/events"
QUERY = "GET /api/workflow/hello-1"
LINE = "2026-11-24 12:00:00+00:00 [hello] FailedScheduling: [bold]no room[/bold]\n"
DETAIL = {
    "status": "FAILED",
    "time": AT_NOON,
    "containers": [
        {"name": "hello", "state": "terminated", "reason": "OOMKilled", "exit_code": 137},
        {"name": "osmo-ctrl", "state": "running", "restarts": 2},
    ],
    "conditions": [{"type": "Ready", "status": "False", "reason": "Odd", "message": "[so]"}],
    "warnings": [{"reason": "BackOff", "message": "again", "count": 7}],
}


def test_events_are_printed_as_the_service_writes_them() -> None:
    service = Service({EVENTS: LINE})

    said = xylem("workflow", "events", "hello-1", "-t", "hello", "--retry", "1", service=service)

    assert (said.code, said.out, said.err) == (0, LINE, "")
    asked = service.requests[0].url.params
    assert (asked["task_name"], asked["retry_id"]) == ("hello", "1")


def test_events_in_json_are_a_list_of_lines() -> None:
    said = xylem("--format-type", "json", "workflow", "events", "hello-1", answers={EVENTS: LINE})

    assert json.loads(said.out) == {"events": [LINE.rstrip("\n")]}


def test_a_workflow_without_events_says_so_beside_the_answer() -> None:
    said = xylem("workflow", "events", "hello-1", answers={EVENTS: ""})

    assert (said.code, said.out) == (0, "")
    assert "nothing" in said.err


def test_an_attempt_is_one_of_a_task() -> None:
    said = xylem("workflow", "events", "hello-1", "-r", "1", answers={EVENTS: LINE})

    assert said.code == 2
    assert "name it with --task" in said.err


def test_a_verbose_query_shows_what_the_cluster_says_below_its_task() -> None:
    shown = a_workflow(a_group(a_task(status="FAILED", detail=DETAIL)), status="FAILED")

    said = xylem("workflow", "query", "hello-1", "--verbose", answers={QUERY: shown})

    lines = [line.strip(" │└├─") for line in said.out.splitlines()]
    assert lines[-4:] == [
        "container hello terminated: OOMKilled, exit code 137",
        "container osmo-ctrl running, 2 restarts",
        "Ready False: Odd: [so]",
        "warning: BackOff: again (7 times)",
    ]
