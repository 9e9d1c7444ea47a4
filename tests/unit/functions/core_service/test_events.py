"""What a cluster said of its pods, over HTTP: as OSMO answers where it was recorded."""

import json

from tests.unit.functions.core_service.gateway import SUBMIT, Answer, CoreService
from tests.unit.functions.core_service.test_api import HELLO
from xylem.protocol import agent

EVENTS = "/api/workflow/hello-1/events"
WAITS = agent.PodDetail(
    containers=[agent.ContainerDetail(name="hello", state="waiting", reason="Odd")],
    conditions=[agent.PodCondition(type="PodScheduled", status="False", reason="Unschedulable")],
    warnings=[agent.PodWarning(reason="FailedScheduling", message="übervoll", count=3)],
)


def a_service(detail: agent.PodDetail | None = WAITS) -> CoreService:
    """With a workflow whose pod waits."""
    service = CoreService()
    service.ask("POST", SUBMIT, body=json.dumps({"file": HELLO}))
    world = service.world
    world.settle()
    world.answer()
    world.pod(world.workflows.resolve("hello-1"), "hello", "SCHEDULING", detail=detail)
    world.settle()
    return service


def test_events_are_lines_of_plain_text() -> None:
    answer = a_service().ask("GET", EVENTS)

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.body == (
        "2026-06-01 12:00:00+00:00 [hello] PodScheduled: False, Reason: Unschedulable\n"
        "2026-06-01 12:00:00+00:00 [hello] Container hello: waiting, Reason: Odd\n"
        "2026-06-01 12:00:00+00:00 [hello] FailedScheduling: übervoll (3 times)\n"
    )


def test_a_workflow_with_which_all_is_well_has_no_events_as_recorded() -> None:
    answer = a_service(detail=None).ask("GET", EVENTS)

    assert (answer.status, answer.body) == (200, "")


def test_events_of_a_task_and_of_an_attempt_are_asked_for_as_with_osmo() -> None:
    service = a_service()

    def lines(query: str) -> int:
        answer: Answer = service.ask("GET", EVENTS, query=query)
        assert answer.status == 200
        return len(answer.body.splitlines())

    assert [lines(f"task_name=hello{more}") for more in ("", "&retry_id=0")] == [3, 3]
    assert [lines(query) for query in ("task_name=hello&retry_id=1", "retry_id=1")] == [0, 3]


def test_events_of_what_is_not_there_are_refused_as_the_other_routes_do() -> None:
    service = a_service()

    nobody = service.ask("GET", "/api/workflow/nobody-1/events")
    no_task = service.ask("GET", EVENTS, query="task_name=nobody")
    no_number = service.ask("GET", EVENTS, query="task_name=hello&retry_id=first")

    assert (nobody.status, nobody.body["error_code"]) == (400, "DATABASE")
    assert (no_task.status, no_task.body["error_code"]) == (400, "DATABASE")
    assert no_task.body["message"] == "Task nobody of workflow hello-1 is not found."
    assert (no_number.status, no_number.body["error_code"]) == (422, "USAGE")


def test_a_query_has_details_where_it_is_verbose_and_where_there_are_any() -> None:
    path = "/api/workflow/hello-1"
    well, ill = a_service(detail=None), a_service()

    [task] = ill.ask("GET", path, query="verbose=true").body["groups"][0]["tasks"]
    detail = task.pop("detail")

    assert [task] == ill.ask("GET", path).body["groups"][0]["tasks"]
    assert "detail" not in well.ask("GET", path, query="verbose=true").body["groups"][0]["tasks"][0]
    assert (detail["status"], detail["time"]) == ("SCHEDULING", "2026-06-01T12:00:00")
    assert [one["reason"] for one in detail["containers"]] == ["Odd"]
    assert [one["type"] for one in detail["conditions"]] == ["PodScheduled"]
    assert detail["warnings"] == [
        {"reason": "FailedScheduling", "message": "übervoll", "count": 3, "time": None}
    ]
