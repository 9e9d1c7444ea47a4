"""Cancel over HTTP: who may, what is answered, and what is shown of it afterwards."""

import base64
import gzip
import json

import pytest

from tests.builders_spec import a_task, yaml_of
from tests.unit.functions.core_service.gateway import CoreService
from xylem.domain.ids import WorkflowId

GRACE = "grace_seconds"
TWO = yaml_of(a_task("a"), a_task("b", inputs=[{"task": "a"}]), name="two")


def a_service(spec: str = TWO) -> CoreService:
    """With one workflow of alice's, handed to its cluster."""
    service = CoreService()
    assert service.submit(spec).status == 200
    service.world.settle()
    return service


def test_a_workflow_is_cancelled_by_who_submitted_it_and_answers_its_name() -> None:
    service = a_service()

    answer = service.ask("POST", "/api/workflow/two-1/cancel", query="message=bye+bye")

    assert (answer.status, answer.body) == (200, {"name": "two-1"})
    shown = service.ask("GET", "/api/workflow/two-1").body
    assert (shown["status"], shown["cancelled_by"]) == ("FAILED_CANCELED", "alice")
    for group in shown["groups"]:
        [task] = group["tasks"]
        assert (group["status"], task["status"]) == ("FAILED_CANCELED", "FAILED_CANCELED")
        assert task["failure_message"] == "Task was canceled by user: alice. bye bye"
        assert group["failure_message"] == "Task was canceled by user: alice. bye bye"
        assert task["exit_code"] is None


def test_a_uuid_cancels_as_well_as_a_name() -> None:
    service = a_service()
    uuid = service.ask("GET", "/api/workflow/two-1").body["uuid"]

    answer = service.ask("POST", f"/api/workflow/{uuid}/cancel")

    assert (answer.status, answer.body) == (200, {"name": "two-1"})


@pytest.mark.parametrize("by", ["name", "uuid"])
def test_somebody_elses_workflow_is_not_cancelled(by: str) -> None:
    service = a_service()
    name = service.ask("GET", "/api/workflow/two-1").body[by]
    before = service.kept()

    answer = service.ask("POST", f"/api/workflow/{name}/cancel", who="bob")

    assert answer.status == 403
    assert answer.body == {
        "message": "two-1 was submitted by alice: only alice, an admin, and who has a role that "
        "allows workflow:Cancel on user/alice may do that.",
        "error_code": "forbidden",
        "workflow_id": "two-1",
    }
    assert service.kept() == before


def test_an_admin_cancels_anybodys_workflow_and_is_named() -> None:
    service = a_service()

    answer = service.ask("POST", "/api/workflow/two-1/cancel", who="carol", roles="osmo-admin")

    assert answer.status == 200
    assert service.ask("GET", "/api/workflow/two-1").body["cancelled_by"] == "carol"


def test_cancelling_again_is_no_mistake_and_changes_nothing() -> None:
    service = a_service()
    service.ask("POST", "/api/workflow/two-1/cancel", query="message=enough")
    before = service.ask("GET", "/api/workflow/two-1").body

    again = service.ask("POST", "/api/workflow/two-1/cancel", query="message=really")

    assert (again.status, again.body) == (200, {"name": "two-1"})
    assert service.ask("GET", "/api/workflow/two-1").body == before
    assert "really" not in service.kept()


def test_force_may_be_said_as_osmos_client_says_it() -> None:
    service = a_service()

    answer = service.ask("POST", "/api/workflow/two-1/cancel", query="force=True&message=bye")

    assert answer.status == 200
    service.world.settle()
    cleanup = next(job for job in service.world.cluster.jobs if job.kind == "cleanup")
    assert json.loads(gzip.decompress(base64.b64decode(cleanup.payload or "")))[GRACE] == 0


def test_a_finished_workflow_is_cleaned_up_again_by_force_and_keeps_its_end() -> None:
    service = a_service(yaml_of(name="done"))
    world = service.world
    world.up(WorkflowId("done-1"), "a")
    world.exit(WorkflowId("done-1"), "a", 0)
    world.settle()

    answer = service.ask("POST", "/api/workflow/done-1/cancel", query="force=true")

    assert (answer.status, answer.body) == (200, {"name": "done-1"})
    shown = service.ask("GET", "/api/workflow/done-1").body
    assert (shown["status"], shown["cancelled_by"]) == ("COMPLETED", None)


def test_limits_are_shown_in_seconds_and_survive_a_second_submission_of_the_spec() -> None:
    service = a_service(
        yaml_of(
            name="w",
            timeout={
                "exec_timeout": "90m",
                "queue_timeout": "1h30m",
                "start_timeout": "5m",
                "waiting_timeout": "2h",
            },
        )
    )
    kept = service.ask("GET", "/api/workflow/w-1/spec").body

    service.submit(kept)

    for name in ("w-1", "w-2"):
        shown = service.ask("GET", f"/api/workflow/{name}").body
        assert (shown["exec_timeout"], shown["queue_timeout"]) == (5400.0, 5400.0)
        assert (shown["start_timeout"], shown["waiting_timeout"]) == (300.0, 7200.0)
