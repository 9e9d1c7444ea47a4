"""What a caller can get wrong: one clear answer each, nothing stored, nothing queued, and no
traceback. Where an admin wants to see what was refused, that alone is kept."""

import json
import logging
import re
from collections.abc import Iterator

import pytest

from tests.builders_spec import a_task, yaml_of
from tests.unit.functions.core_service.bad_input import GOOD_BODY, REQUESTS, SPECS, Bad
from tests.unit.functions.core_service.gateway import SUBMIT, Answer, CoreService
from xylem.domain.status import WorkflowStatus
from xylem.usecases.submit import REFUSAL_CHARS

DNS_LABEL = re.compile(r"(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
KUBERNETES_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"(?=.{0,63}$)([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No traceback in any log: not in ours, not in the framework's, not on standard error."""
    caplog.set_level(logging.INFO)
    yield
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert [record for record in caplog.records if record.exc_info] == []
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err


def ask(service: CoreService, bad: Bad) -> Answer:
    return service.ask(
        bad.method,
        bad.path,
        query=bad.query,
        body=bad.body,
        content_type=bad.content_type,
        who=bad.who,
        roles=bad.roles,
    )


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("bad", [*SPECS, *REQUESTS], ids=lambda bad: bad.name)
def test_it_is_answered_in_one_shape_with_what_to_change_and_leaves_nothing(bad: Bad) -> None:
    service = CoreService()
    before = service.kept()

    answer = ask(service, bad)

    assert (answer.status, answer.body["error_code"]) == (bad.status, bad.code), answer.body
    assert bad.says in answer.body["message"]
    assert set(answer.body) - {"detail"} == {"message", "error_code", "workflow_id"}
    assert answer.headers["content-type"] == "application/json"
    assert len(json.dumps(answer.body)) < 10_000
    assert service.kept() == before


def a_service_that_keeps_refusals() -> CoreService:
    service = CoreService()
    world = service.world
    changes = {"keep_refused_submissions": True}
    world.configure(**changes)
    return service


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("bad", [*SPECS, *REQUESTS], ids=lambda bad: bad.name)
def test_where_refusals_are_kept_it_leaves_no_more_than_its_own(bad: Bad) -> None:
    service = a_service_that_keeps_refusals()
    before = service.kept()

    answer = ask(service, bad)

    assert (answer.status, answer.body["error_code"]) == (bad.status, bad.code), answer.body
    if bad.kept:
        require_refusal(service, answer)
    else:
        assert service.kept() == before


def require_refusal(service: CoreService, answer: Answer) -> None:
    """Of a submission: one workflow without groups, whose reason is what was answered."""
    world = service.world
    [kept] = world.rows.stored_workflows.values()
    assert kept.value.status is WorkflowStatus.FAILED_SUBMISSION
    assert kept.value.refusal == answer.body["message"][:REFUSAL_CHARS]
    assert not world.rows.stored_groups[kept.value.id]
    assert not world.rows.stored_jobs
    assert not world.doorbell.take()


@pytest.mark.usefixtures("quiet")
def test_a_refused_submission_is_found_again_with_its_reason_by_who_asks_for_it() -> None:
    service = a_service_that_keeps_refusals()
    answer = service.submit(yaml_of(name="w", taks=[]))

    shown = service.ask("GET", "/api/workflow/w-1").body
    usual = service.ask("GET", "/api/workflow", query="all_pools=true").body
    asked = service.ask("GET", "/api/workflow", query="all_pools=true&statuses=FAILED_SUBMISSION")

    assert (shown["status"], shown["groups"]) == ("FAILED_SUBMISSION", [])
    assert shown["warnings"] == answer.body["message"].splitlines()
    assert (shown["submit_time"], shown["start_time"]) == (shown["end_time"], None)
    assert [one["name"] for one in usual["workflows"]] == []
    assert [one["name"] for one in asked.body["workflows"]] == ["w-1"]
    assert service.submit(yaml_of(name="w")).body["name"] == "w-2", "it has the number"


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        ("POST", "/api/workflow/w-1/cancel", "already finished"),
        ("POST", "/api/pool/default/workflow/w-1/restart", "its spec was not kept"),
        ("GET", "/api/workflow/w-1/spec", "its spec was not kept"),
        ("GET", "/api/workflow/w-1/task/a", "Task a of workflow w-1 is not found"),
    ],
)
def test_what_cannot_be_done_with_a_refused_submission_is_said(
    method: str, path: str, says: str
) -> None:
    """OSMO answers a restart of one with 500."""
    service = a_service_that_keeps_refusals()
    service.submit(yaml_of(name="w", taks=[]))
    before = service.kept()

    answer = service.ask(method, path)

    assert 400 <= answer.status < 500
    assert says in answer.body["message"]
    assert service.kept() == before


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("mode", ["validation_only=true", "dry_run=true"])
def test_a_validation_that_fails_keeps_no_refusal(mode: str) -> None:
    service = a_service_that_keeps_refusals()
    before = service.kept()

    service.submit(yaml_of(name="w", taks=[]), query=mode)

    assert service.kept() == before


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("mode", ["validation_only=true", "dry_run=true"])
def test_who_only_asks_whether_it_would_do_leaves_nothing_either(mode: str) -> None:
    service = a_service_that_keeps_refusals()
    before = service.kept()

    good = service.submit(yaml_of(), query=mode)
    bad = service.submit("workflow:\n  name: [\n", query=mode)

    assert (good.status, bad.status) == (200, 400)
    assert service.kept() == before


@pytest.mark.usefixtures("quiet")
def test_what_the_framework_refuses_keeps_the_detail_that_osmos_clients_know() -> None:
    service = a_service_that_keeps_refusals()

    wrong = service.ask("POST", SUBMIT, query="priority=URGENT", body=GOOD_BODY)
    unknown = service.ask("GET", "/api/nothing")

    [detail] = wrong.body["detail"]
    assert (detail["type"], detail["loc"]) == ("enum", ["query", "priority"])
    assert detail["input"] == "URGENT"
    assert unknown.body["detail"] == "Not Found"


def test_a_wrong_method_names_the_right_one_in_the_header_too() -> None:
    answer = CoreService().ask("DELETE", "/api/pool")

    assert (answer.status, answer.headers["allow"]) == (405, "GET")


@pytest.mark.usefixtures("quiet")
def test_a_finished_workflow_cannot_be_cancelled_and_stays_as_it_is() -> None:
    service = a_service_that_keeps_refusals()
    name = service.submit(yaml_of(name="done")).body["name"]
    world = service.world
    world.settle()
    world.up(name, "a")
    world.exit(name, "a", 0)
    world.settle()
    before = service.kept()

    answer = service.ask("POST", f"/api/workflow/{name}/cancel")

    assert answer.status == 400
    assert answer.body == {
        "message": "Workflow done-1 is already finished.",
        "error_code": "USER",
        "workflow_id": None,
    }
    assert service.kept() == before


@pytest.mark.usefixtures("quiet")
def test_a_message_longer_than_a_row_should_carry_is_refused() -> None:
    service = a_service_that_keeps_refusals()
    service.submit(yaml_of(name="w"))
    service.world.settle()
    before = service.kept()

    answer = service.ask("POST", "/api/workflow/w-1/cancel", query=f"message={'a' * 1001}")

    assert (answer.status, answer.body["error_code"]) == (400, "USER")
    assert service.kept() == before


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", ["a" * 64, "A_b-C", "a", "Z9"])
def test_a_name_that_osmo_takes_runs_whatever_kubernetes_thinks_of_it(name: str) -> None:
    service = a_service_that_keeps_refusals()
    task = name[:58]

    answer = service.submit(yaml_of(a_task(task), name=name))
    service.world.settle()

    assert (answer.status, answer.body["name"]) == (200, f"{name}-1")
    [job] = service.world.cluster.jobs
    for made in service.world.objects(job):
        meta = made["metadata"]
        assert KUBERNETES_NAME.fullmatch(meta["name"]), meta["name"]
        assert all(LABEL_VALUE.fullmatch(value) for value in meta.get("labels", {}).values())
        for container in made.get("spec", {}).get("containers", []):
            assert DNS_LABEL.fullmatch(container["name"]), container["name"]
