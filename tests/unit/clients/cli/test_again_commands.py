"""`xylem workflow restart`, `submit ID` and `audit`."""

import json
from pathlib import Path

import httpx
import pytest

from tests.unit.clients.answers import AT_NOON, Service, a_refusal, a_workflow
from tests.unit.clients.cli.world import a_spec, xylem

QUERY = "GET /api/workflow/hello-1"
RESTART = "POST /api/pool/default/workflow/hello-1/restart"
SUBMIT = "POST /api/pool/default/workflow"
AUDIT = "GET /api/workflow/hello-1/audit"
AGAIN = {"name": "hello-2", "warnings": []}


def test_a_restart_goes_to_the_pool_where_the_workflow_ran() -> None:
    service = Service({QUERY: a_workflow(status="FAILED"), RESTART: AGAIN})

    said = xylem("workflow", "restart", "hello-1", service=service)

    assert said.code == 0
    assert said.out == "Submitted hello-2.\nWatch it: xylem workflow query hello-2\n"
    assert "Idempotency-Key" in service.requests[-1].headers


def test_a_restart_goes_where_it_is_sent() -> None:
    other = "POST /api/pool/other/workflow/hello-1/restart"

    said = xylem("workflow", "restart", "hello-1", "-p", "other", answers={other: AGAIN})

    assert said.code == 0


def test_a_restart_that_is_refused_says_why() -> None:
    refused = httpx.Response(400, json=a_refusal("Restart can only be used on FAILED workflows"))

    said = xylem("workflow", "restart", "hello-1", "-p", "default", answers={RESTART: refused})

    assert said.code == 2
    assert "only be used on FAILED" in said.err


def test_an_id_in_place_of_a_file_is_submitted_again() -> None:
    service = Service({QUERY: a_workflow(), SUBMIT: AGAIN})

    said = xylem("workflow", "submit", "hello-1", "--label", "team=x", service=service)

    assert said.out.startswith("Submitted hello-2.")
    sent = service.requests[-1]
    assert (sent.url.params["workflow_id"], sent.url.params["label"]) == ("hello-1", "team=x")
    assert sent.content == b""


def test_a_file_that_is_called_like_a_workflow_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(a_spec(tmp_path)).rename(tmp_path / "hello-1")
    monkeypatch.chdir(tmp_path)
    service = Service({SUBMIT: AGAIN})

    xylem("workflow", "submit", "hello-1", "-p", "default", service=service)

    assert json.loads(service.requests[-1].content)["file"].startswith("workflow:")


@pytest.mark.parametrize("option", [("--set", "a=1"), ("--set-env", "A=1"), ("--dry-run",)])
def test_what_cannot_be_changed_of_an_earlier_workflow_is_refused(option: tuple[str, ...]) -> None:
    said = xylem("workflow", "submit", "hello-1", *option)

    assert said.code == 2
    assert "Submit its file to change them." in said.err


RECORDS = [
    {
        "entity": "group/g1",
        "version": 2,
        "cause": "news of cluster-1",
        "at": "2026-11-24T12:00:01.500000",
        "changes": [
            {
                "row": "task/g1/hello/0",
                "before": {"status": "PROCESSING"},
                "after": {"status": "RUNNING"},
            },
            {"row": "job/j1", "before": {}, "after": None},
        ],
    },
    {
        "entity": "workflow",
        "version": 1,
        "cause": "submitted by alice",
        "at": AT_NOON,
        "changes": [{"row": "workflow", "before": None, "after": {"status": "PENDING"}}],
    },
]


def test_the_audit_shows_every_change_in_the_order_of_time() -> None:
    service = Service({AUDIT: [{"records": RECORDS[:1], "cursor": "c"}, {"records": RECORDS[1:]}]})

    said = xylem("workflow", "audit", "hello-1", service=service)

    header, *lines = (" ".join(line.split()) for line in said.out.splitlines())
    assert header == "at by what change"
    assert lines == [
        "2026-11-24 12:00:00.000 submitted by alice workflow new, status PENDING",
        "2026-11-24 12:00:01.500 news of cluster-1 task/g1/hello/0 status PROCESSING → RUNNING",
        "job/j1 gone",
    ]
    assert [request.url.params.get("cursor") for request in service.requests] == [None, "c"]


def test_the_audit_is_json_for_programs() -> None:
    said = xylem(
        "workflow",
        "audit",
        "hello-1",
        "--format-type",
        "json",
        answers={AUDIT: {"records": RECORDS}},
    )

    assert [one["entity"] for one in json.loads(said.out)] == ["workflow", "group/g1"]
