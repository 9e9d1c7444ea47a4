"""Restart, resubmission, attempts, audit and the config of workflows, as routes."""

import json
from typing import Any

import pytest

from tests.builders_spec import a_task, yaml_of
from tests.unit.functions.core_service.gateway import SUBMIT, Answer, CoreService
from xylem.domain.ids import WorkflowId

FAILED = WorkflowId("hello-1")
RESTART = f"{SUBMIT}/hello-1/restart"
CONFIG = "/api/configs/workflow"


def a_service_with_a_failed_workflow() -> CoreService:
    """`hello-1`, whose task `t` failed with 1 after it was preempted once."""
    service = CoreService()
    world = service.world
    service.submit(yaml_of(a_task("t"), name="hello"))
    world.settle()
    world.answer(kind="create")
    world.pod(FAILED, "t", "FAILED_PREEMPTED", 3006, disrupted=True)
    world.settle()
    world.answer(kind="create")
    world.exit(FAILED, "t", 1)
    world.settle()
    return service


def patched(service: CoreService, roles: str = "osmo-admin", **changes: Any) -> Answer:
    body = json.dumps({"configs_dict": changes})
    return service.ask("PATCH", CONFIG, body=body, who="carol", roles=roles)


def test_a_restart_answers_as_a_submission_and_names_its_parent() -> None:
    service = a_service_with_a_failed_workflow()

    answer = service.ask("POST", RESTART)

    assert (answer.status, answer.body["name"]) == (200, "hello-2")
    shown = service.ask("GET", "/api/workflow/hello-2").body
    assert (shown["parent_name"], shown["parent_job_id"]) == ("hello", 1)
    first = service.ask("GET", "/api/workflow/hello-1").body
    assert (first["parent_name"], first["parent_job_id"]) == (None, None)


def test_only_a_failed_workflow_is_restarted() -> None:
    service = CoreService()
    service.submit(yaml_of(name="hello"))

    answer = service.ask("POST", RESTART)

    assert (answer.status, answer.body["error_code"]) == (400, "SUBMISSION")
    assert answer.body["message"] == (
        "Restart can only be used on FAILED workflows: "
        "Workflow hello-1 has status WorkflowStatus.PENDING"
    )


def test_a_restart_of_nothing_is_a_400() -> None:
    answer = CoreService().ask("POST", f"{SUBMIT}/nobody-1/restart")

    assert (answer.status, answer.body["error_code"]) == (400, "DATABASE")


def test_an_earlier_workflow_is_submitted_again_by_its_id_or_uuid() -> None:
    service = a_service_with_a_failed_workflow()
    uuid = service.ask("GET", "/api/workflow/hello-1").body["uuid"]

    answers = [
        service.ask("POST", SUBMIT, query=f"workflow_id={name}&label=team%3Dx&priority=LOW")
        for name in ("hello-1", uuid)
    ]

    assert [answer.body["name"] for answer in answers] == ["hello-2", "hello-3"]
    shown = service.ask("GET", "/api/workflow/hello-2").body
    assert (shown["labels"], shown["priority"]) == ({"team": "x"}, "LOW")


def test_a_submission_is_of_a_body_or_of_an_earlier_workflow() -> None:
    service = a_service_with_a_failed_workflow()

    both = service.submit(yaml_of(name="x"), query="workflow_id=hello-1")
    neither = service.ask("POST", SUBMIT)

    assert (both.status, neither.status) == (400, 400)
    assert "not both" in both.body["message"]


def test_a_dry_run_of_an_earlier_workflow_shows_its_spec() -> None:
    service = a_service_with_a_failed_workflow()

    answer = service.ask("POST", SUBMIT, query="workflow_id=hello-1&dry_run=true")

    assert (answer.status, answer.body["name"]) == (200, "hello")


def test_every_attempt_is_shown_to_who_asks_for_them() -> None:
    service = a_service_with_a_failed_workflow()

    newest = service.ask("GET", "/api/workflow/hello-1").body["groups"][0]["tasks"]
    every = service.ask("GET", "/api/workflow/hello-1", query="verbose=true").body
    attempts = every["groups"][0]["tasks"]

    assert [(task["retry_id"], task["status"]) for task in newest] == [(1, "FAILED")]
    assert [(task["retry_id"], task["status"], task["exit_code"]) for task in attempts] == [
        (0, "RESCHEDULED", 3006),
        (1, "FAILED", 1),
    ]


def test_the_audit_says_who_changed_what_and_when_page_by_page() -> None:
    service = a_service_with_a_failed_workflow()
    path = "/api/workflow/hello-1/audit"

    whole = service.ask("GET", path).body
    records, cursor = [], ""
    while cursor is not None:
        page = service.ask("GET", path, query=f"limit=2&cursor={cursor}".replace("#", "%23")).body
        records += page["records"]
        cursor = page["cursor"]

    assert records == whole["records"]
    assert whole["cursor"] is None
    first = whole["records"][0]
    assert (first["entity"], first["version"], first["cause"]) == (
        "workflow",
        1,
        "submitted by alice",
    )
    changes = [change for record in records for change in record["changes"]]
    ended = [
        change["after"]["status"]
        for change in changes
        if change["row"].endswith("/t/0") and "status" in (change["after"] or {})
    ]
    assert ended[-1] == "RESCHEDULED"


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "cursor=" + "x" * 2000])
def test_a_page_of_the_audit_has_bounds(query: str) -> None:
    service = a_service_with_a_failed_workflow()

    assert service.ask("GET", "/api/workflow/hello-1/audit", query=query).status in {400, 422}


def test_an_admin_sets_how_often_tasks_are_tried_again() -> None:
    service = CoreService()
    before = service.ask("GET", CONFIG, roles="osmo-admin").body

    after = patched(service, max_retry_per_task=2)

    ours = {
        "max_num_tasks": 10_000,
        "max_retry_per_task": 0,
        "max_retry_disrupted": 3,
        "keep_refused_submissions": False,
    }
    assert ours.items() <= before.items()
    assert after.body == {**before, "max_retry_per_task": 2}
    assert service.ask("GET", CONFIG, roles="osmo-admin").body == after.body


def test_a_workflow_of_more_tasks_than_an_admin_allows_is_refused() -> None:
    service = CoreService()
    patched(service, max_num_tasks=1)

    answer = service.submit(yaml_of(a_task("a"), a_task("b"), name="x"))

    assert (answer.status, answer.body["error_code"]) == (400, "USER")
    assert answer.body["message"].startswith("workflow has 2 tasks; an admin allows 1 ")


@pytest.mark.parametrize(
    "changes",
    [{"max_num_tasks": 0}, {"max_retry_per_task": -1}, {"max_retry_per_task": "x"}, {"other": 1}],
)
def test_a_config_that_cannot_be_is_refused_and_changes_nothing(changes: dict[str, Any]) -> None:
    service = CoreService()

    assert patched(service, **changes).status == 400
    assert service.ask("GET", CONFIG, roles="osmo-admin").body["max_num_tasks"] == 10_000


def test_only_an_admin_reads_or_sets_the_config() -> None:
    service = CoreService()

    assert service.ask("GET", CONFIG).status == 403
    assert patched(service, roles="osmo-user", max_num_tasks=5).status == 403
