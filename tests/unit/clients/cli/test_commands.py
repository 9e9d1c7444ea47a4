"""What a person gets to see for what they type, and the code that a script goes by."""

import json
from datetime import timedelta
from pathlib import Path

import httpx
import jwt
import pytest

from clients.cli.lazy import COMMANDS
from clients.sdk.login import Login, load, store
from tests.unit.clients.answers import (
    NOON,
    Service,
    a_group,
    a_page,
    a_record,
    a_refusal,
    a_task,
    a_workflow,
)
from tests.unit.clients.cli.world import a_spec, xylem

SUBMIT = "POST /api/pool/default/workflow"
QUERY = "GET /api/workflow/hello-1"
FOLLOW = "GET /api/workflow/hello-1/logs/follow"
LOGS = "GET /api/workflow/hello-1/logs"
POOLS = "GET /api/pool"
SUBMITTED = {"name": "hello-1", "warnings": []}
USAGE = {
    "quota_used": "2",
    "quota_free": "6",
    "quota_limit": "8",
    "total_usage": "5",
    "total_capacity": "16",
    "total_free": "11",
}
ONE_POOL = {"pools": {"default": {"name": "default", "backend": "b", "status": "ONLINE"}}}
QUOTAS = "GET /api/pool_quota"
QUOTA = {
    "node_sets": [{"pools": [{**ONE_POOL["pools"]["default"], "resource_usage": USAGE}]}],
    "resource_sum": USAGE,
}
TWO_POOLS = {"pools": {"a": {"name": "a", "backend": "b"}, "z": {"name": "z", "backend": "b"}}}

FAILED = a_workflow(
    a_group(a_task("works")),
    a_group(a_task("breaks", "FAILED", failure_message="Exit code 7", exit_code=7)),
    a_group(a_task("after", "FAILED_UPSTREAM")),
    status="FAILED",
    end_time="2026-11-24T12:00:05",
)


def test_every_command_is_there_and_explains_itself() -> None:
    shown = xylem("--help")

    assert shown.code == 0
    for command in COMMANDS:
        assert xylem(command, "--help").code == 0


def test_a_submission_says_its_name_and_how_to_watch_it(tmp_path: Path) -> None:
    said = xylem(
        "workflow", "submit", a_spec(tmp_path), answers={POOLS: ONE_POOL, SUBMIT: SUBMITTED}
    )

    assert said.code == 0
    assert said.out == "Submitted hello-1.\nWatch it: xylem workflow query hello-1\n"


def test_a_spec_may_come_from_standard_input() -> None:
    service = Service({SUBMIT: SUBMITTED})

    said = xylem("workflow", "submit", "-", "-p", "default", service=service, stdin="workflow: {}")

    assert said.code == 0
    assert json.loads(service.requests[0].content)["file"] == "workflow: {}"


def test_warnings_are_told_beside_the_answer(tmp_path: Path) -> None:
    answer = SUBMITTED | {"warnings": ["label team is not known"]}

    said = xylem("workflow", "submit", a_spec(tmp_path), "-p", "default", answers={SUBMIT: answer})

    assert "label team is not known" in said.err
    assert "label team" not in said.out


def test_the_pool_of_the_login_is_taken_before_anybody_is_asked(tmp_path: Path) -> None:
    service = Service({"POST /api/pool/gpu/workflow": SUBMITTED})
    environ = {"XYLEM_URL": "https://xylem.example", "XYLEM_POOL": "gpu"}

    said = xylem("workflow", "submit", a_spec(tmp_path), service=service, environ=environ)

    assert said.code == 0
    assert service.asked == ["POST /api/pool/gpu/workflow"]


@pytest.mark.parametrize(
    ("pools", "advice"), [(TWO_POOLS, "--pool: there are a, z"), ({"pools": {}}, "administrator")]
)
def test_without_one_pool_to_take_the_user_chooses(
    tmp_path: Path, pools: dict[str, object], advice: str
) -> None:
    said = xylem("workflow", "submit", a_spec(tmp_path), answers={POOLS: pools})

    assert said.code == 2
    assert advice in said.err


def test_a_refused_submission_ends_with_1_and_the_services_words(tmp_path: Path) -> None:
    refusal = httpx.Response(400, json=a_refusal("Unknown key comand at tasks[0]"))

    said = xylem("workflow", "submit", a_spec(tmp_path), "-p", "default", answers={SUBMIT: refusal})

    assert (said.code, said.out) == (1, "")
    assert said.err == "Error: Unknown key comand at tasks[0]\n"


def test_a_refusal_of_the_person_is_not_one_of_the_workflow(tmp_path: Path) -> None:
    answers = {SUBMIT: httpx.Response(401, json={"message": "Unauthorized"})}
    ended = jwt.encode({"exp": (NOON - timedelta(1)).timestamp()}, "k" * 32, algorithm="HS256")
    environ = {"XYLEM_URL": "https://xylem.example", "XYLEM_TOKEN": ended}

    said = xylem(
        "workflow", "submit", a_spec(tmp_path), "-p", "default", answers=answers, environ=environ
    )

    assert said.code == 2
    assert "Your token ended at 2026-11-23 12:00 UTC" in said.err
    assert "xylem login" in said.err


def test_a_failure_is_json_where_json_was_asked_for() -> None:
    refusal = httpx.Response(400, json=a_refusal("Workflow x-1 is not found.", "DATABASE"))
    answers = {"GET /api/workflow/x-1": refusal}

    said = xylem("workflow", "query", "x-1", "--format-type", "json", answers=answers)

    assert said.code == 2
    assert json.loads(said.out) == {
        "message": "Workflow x-1 is not found.",
        "code": 400,
        "error_code": "DATABASE",
    }


def test_the_format_may_be_said_before_the_command_or_after_it() -> None:
    answers = {QUOTAS: QUOTA}

    before = xylem("--format-type", "json", "pool", "list", answers=answers)
    after = xylem("pool", "list", "-t", "json", answers=answers)

    assert before.out == after.out
    assert json.loads(after.out)["node_sets"][0]["pools"][0]["status"] == "ONLINE"


def test_a_service_that_fails_ends_with_10() -> None:
    said = xylem("pool", "list", answers={QUOTAS: httpx.Response(500, json=a_refusal("broken"))})

    assert said.code == 10
    assert "broken" in said.err


def test_nobody_logged_in_is_told_how_to(tmp_path: Path) -> None:
    said = xylem("pool", "list", environ={"XYLEM_CONFIG_DIR": str(tmp_path)})

    assert said.code == 2
    assert "xylem login URL" in said.err
    assert "xylem local up" in said.err


def test_an_interruption_ends_as_shells_count_it() -> None:
    said = xylem("workflow", "query", "hello-1", answers={QUERY: KeyboardInterrupt()})

    assert (said.code, said.err) == (130, "Interrupted.\n")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = xylem("workflow", "submit", str(tmp_path / "no.yaml"), "-p", "default")

    assert said.code == 2
    assert "no.yaml cannot be read: No such file or directory" in said.err


def test_local_files_travel_with_the_spec_in_one_request(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("echo\n")
    spec = "workflow:\n  tasks: [{name: t, files: [{path: /r, localpath: run.sh}]}]\n"
    service = Service({SUBMIT: SUBMITTED})

    xylem("workflow", "submit", a_spec(tmp_path, spec), "-p", "default", service=service)

    (request,) = service.requests
    assert 'contents: "echo\\n"' in json.loads(request.content)["file"]


def test_files_that_a_template_names_are_found_after_the_service_rendered_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "run.sh").write_text("echo\n")
    spec = "workflow:\n  tasks: [{name: t, files: [{path: /r, localpath: '{{ f }}.sh'}]}]\n"
    rendered = spec.replace("{{ f }}", "run")
    service = Service({SUBMIT: [{"name": "w", "spec": rendered}, SUBMITTED]})

    xylem(
        *("workflow", "submit", a_spec(tmp_path, spec), "-p", "default", "--set", "f=run"),
        service=service,
    )

    dry, real = service.requests
    sent = json.loads(real.content)
    assert dry.url.params["dry_run"] == "true"
    assert 'contents: "echo\\n"' in sent["file"]
    assert (sent["uploaded_templated_spec"], sent["set_variables"]) == (spec, ["f=run"])


def test_a_dry_run_shows_the_rendered_spec_and_submits_nothing(tmp_path: Path) -> None:
    service = Service({SUBMIT: {"name": "w", "spec": "workflow:\n  name: w\n"}})

    said = xylem(
        "workflow", "submit", a_spec(tmp_path), "-p", "default", "--dry-run", service=service
    )

    assert (said.code, said.out) == (0, "workflow:\n  name: w\n")
    assert [request.url.params["dry_run"] for request in service.requests] == ["true"]


def test_a_valid_workflow_is_said_to_be_valid(tmp_path: Path) -> None:
    answer = SUBMITTED | {"logs": "Workflow validation succeeded."}

    said = xylem(
        "workflow", "validate", a_spec(tmp_path), "-p", "default", answers={SUBMIT: answer}
    )

    assert (said.code, said.out) == (0, "Workflow validation succeeded.\n")


def test_following_without_a_terminal_prints_logs_and_changes_and_the_end(tmp_path: Path) -> None:
    running = a_workflow(a_group(a_task(status="RUNNING")), status="RUNNING")
    done = a_workflow(end_time="2026-11-24T12:00:02")
    answers = {
        SUBMIT: SUBMITTED,
        FOLLOW: [a_page("hi\n", cursor="1"), a_page("there\n", cursor="2", closed=True)],
        QUERY: [running, done],
    }

    said = xylem(
        "workflow", "submit", a_spec(tmp_path), "-p", "default", "--follow", answers=answers
    )

    assert said.code == 0
    assert said.out.splitlines() == [
        "Submitted hello-1.",
        "2026/11/24 12:00:00 [hello] hi",
        "hello: RUNNING",
        "hello-1: RUNNING",
        "2026/11/24 12:00:00 [hello] there",
        "hello: COMPLETED",
        "hello-1: COMPLETED",
        "✓ hello-1 COMPLETED after 2.0s",
    ]


def test_following_a_workflow_that_fails_ends_with_1_and_shows_where_to_look(
    tmp_path: Path,
) -> None:
    answers = {SUBMIT: SUBMITTED, FOLLOW: a_page(closed=True), QUERY: FAILED}

    said = xylem(
        "workflow", "submit", a_spec(tmp_path), "-p", "default", "--follow", answers=answers
    )

    assert said.code == 1
    assert "breaks: FAILED  Exit code 7" in said.out
    assert said.out.splitlines()[-2:] == [
        "✗ hello-1 FAILED after 5.0s",
        "Its log: xylem workflow logs hello-1 --task breaks",
    ]


def test_following_in_json_prints_the_end_alone(tmp_path: Path) -> None:
    answers = {SUBMIT: SUBMITTED, FOLLOW: a_page("hi", closed=True), QUERY: FAILED}

    said = xylem(
        *("workflow", "submit", a_spec(tmp_path), "-p", "default", "--follow", "-t", "json"),
        answers=answers,
    )

    assert said.code == 1
    assert json.loads(said.out)["status"] == "FAILED"


def test_a_log_that_is_never_closed_does_not_keep_a_finished_workflow(tmp_path: Path) -> None:
    answers = {SUBMIT: SUBMITTED, FOLLOW: a_page(), QUERY: a_workflow()}

    said = xylem(
        "workflow", "submit", a_spec(tmp_path), "-p", "default", "--follow", answers=answers
    )

    assert said.code == 0


def test_following_on_a_terminal_draws_the_tree(tmp_path: Path) -> None:
    running = a_workflow(a_group(a_task(status="RUNNING")), status="RUNNING")
    answers = {
        SUBMIT: SUBMITTED,
        FOLLOW: [a_page("newest line"), a_page(closed=True)],
        QUERY: [running, a_workflow()],
    }

    said = xylem(
        *("workflow", "submit", a_spec(tmp_path), "-p", "default", "--follow"),
        answers=answers,
        terminal=True,
    )

    assert "└── ● hello  RUNNING" in said.out
    assert "newest line" in said.out
    assert "└── ✓ hello  COMPLETED" in said.out


def test_the_newest_workflow_stands_last_in_the_list() -> None:
    listed = [{**a_workflow(), "name": name, "user": "alice"} for name in ("newest-2", "oldest-1")]
    answers = {"GET /api/workflow": {"workflows": listed, "more_entries": True}}

    said = xylem("workflow", "list", "-c", "2", answers=answers)

    assert [line.split()[0] for line in said.out.splitlines()[1:3]] == ["oldest-1", "newest-2"]
    assert "--offset 2" in said.out


def test_a_list_sends_its_filters() -> None:
    service = Service({"GET /api/workflow": {"workflows": [], "more_entries": False}})

    xylem(
        *("workflow", "list", "-s", "failed", "-s", "running", "-u", "bob", "--label", "a=b"),
        service=service,
    )

    asked = service.requests[0].url.params
    assert asked.get_list("statuses") == ["FAILED", "RUNNING"]
    assert (asked["users"], asked["label"], asked["all_pools"]) == ("bob", "a=b", "true")


def test_a_query_shows_the_tree_with_its_reasons() -> None:
    said = xylem("workflow", "query", "hello-1", answers={QUERY: FAILED})

    assert "✗ hello-1  FAILED" in said.out
    assert "├── ✓ works  COMPLETED" in said.out
    assert "├── ✗ breaks  FAILED  0.0s  Exit code 7" in said.out
    assert "└── ✗ after  FAILED_UPSTREAM" in said.out


def test_logs_are_printed_as_the_service_writes_them() -> None:
    service = Service({LOGS: "2026/11/24 12:00:00 [hello] [bold]hi[/bold]\n"})

    said = xylem("workflow", "logs", "hello-1", "-t", "hello", "-n", "3", service=service)

    assert said.out == "2026/11/24 12:00:00 [hello] [bold]hi[/bold]\n"
    asked = service.requests[0].url.params
    assert (asked["task_name"], asked["last_n_lines"]) == ("hello", "3")


def test_logs_are_narrowed_down_by_the_service() -> None:
    service = Service({LOGS: "line\n"})

    xylem(
        *("workflow", "logs", "hello-1", "-q", "a.*b", "--stream", "stderr"),
        *("--since", "2026-06-01T12:00:00Z", "--until", "2026-06-01 13:00"),
        service=service,
    )

    asked = service.requests[0].url.params
    assert (asked["query"], asked["stream"]) == ("a.*b", "stderr")
    assert asked["since"] == "2026-06-01T12:00:00+00:00"
    assert asked["until"] == "2026-06-01T13:00:00+00:00"


def test_what_a_failed_task_said_last_is_a_question_of_its_own() -> None:
    service = Service({"GET /api/workflow/hello-1/error_logs": "boom\n"})

    said = xylem("workflow", "logs", "hello-1", "--error", "-t", "hello", service=service)

    assert said.out == "boom\n"
    assert service.requests[0].url.params["task_name"] == "hello"


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (("--since", "yesterday"), "'yesterday' is no moment"),
        (("--until", "10x"), "'10x' is no moment"),
        (("-f", "--query", "x"), "leave out --follow"),
        (("--format-type", "json", "--error"), "leave out --follow"),
        (("-r", "1"), "one of a task: name it with --task"),
    ],
    ids=str,
)
def test_logs_that_cannot_be_asked_for_so_are_refused(said: tuple[str, ...], says: str) -> None:
    refused = xylem("workflow", "logs", "hello-1", *said, answers={LOGS: ""})

    assert refused.code != 0
    assert says in refused.err + refused.out


def test_followed_logs_are_lines_and_in_json_records() -> None:
    answers = {FOLLOW: [a_page("one\n", cursor="1"), a_page("two\n", closed=True)]}

    text = xylem("workflow", "logs", "hello-1", "-f", answers=answers)
    records = xylem("--format-type", "json", "workflow", "logs", "hello-1", "-f", answers=answers)

    assert [line.split("] ")[1] for line in text.out.splitlines()] == ["one", "two"]
    assert [json.loads(line)["text"] for line in records.out.splitlines()] == ["one\n", "two\n"]


def test_logs_in_json_are_the_last_records_of_every_page() -> None:
    answers = {FOLLOW: [a_page("one", "two", cursor="1"), a_page("three", closed=True)]}

    said = xylem("workflow", "logs", "hello-1", "-n", "2", "--format-type", "json", answers=answers)

    assert [record["text"] for record in json.loads(said.out)] == ["two", "three"]


def test_a_login_is_stored_when_the_service_knows_it(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    environ = {"XYLEM_CONFIG_DIR": str(tmp_path / "config")}

    said = xylem(
        *("login", "https://xylem.example/", "--token-file", str(token)),
        answers={POOLS: ONE_POOL},
        environ=environ,
    )

    assert said.code == 0
    assert load(tmp_path / "config") == Login(url="https://xylem.example", token="secret")
    assert "secret" not in said.out


def test_a_login_that_the_service_refuses_replaces_none(tmp_path: Path) -> None:
    before = store(Login(url="https://other.example", token="t"), tmp_path).read_text()
    environ = {"XYLEM_CONFIG_DIR": str(tmp_path)}
    answers = {POOLS: httpx.Response(401, json={"message": "Unauthorized"})}

    said = xylem(
        "login", "https://xylem.example", "--token", "bad", answers=answers, environ=environ
    )

    assert said.code == 2
    assert (tmp_path / "login.json").read_text() == before


@pytest.mark.parametrize("options", [("--method", "token"), ("--token", "t", "--user", "u")])
def test_a_login_has_a_token_or_a_name(tmp_path: Path, options: tuple[str, ...]) -> None:
    environ = {"XYLEM_CONFIG_DIR": str(tmp_path)}

    said = xylem("login", "https://xylem.example", *options, environ=environ)

    assert said.code == 2
    assert "--token-file" in said.err


def test_the_version_of_the_client_is_told_without_a_service(tmp_path: Path) -> None:
    said = xylem("version", environ={"XYLEM_CONFIG_DIR": str(tmp_path)})

    assert said.code == 0
    assert "unknown (You are not logged in.)" in said.out


def test_records_are_written_as_the_service_writes_its_lines() -> None:
    control = a_record("uploading\n", stream="control")
    retried = a_record("again\n", retry=2)

    records = [record.model_dump(mode="json") for record in (control, retried)]
    page = a_page(closed=True) | {"records": records}

    said = xylem("workflow", "logs", "hello-1", "-f", answers={FOLLOW: page})

    assert said.out.splitlines() == [
        "2026/11/24 12:00:00 [hello][osmo] uploading",
        "2026/11/24 12:00:00 [hello retry-2] again",
    ]


def test_who_stops_following_is_told_that_the_workflow_goes_on(tmp_path: Path) -> None:
    answers = {SUBMIT: SUBMITTED, FOLLOW: KeyboardInterrupt()}

    said = xylem(
        "workflow", "submit", a_spec(tmp_path), "-p", "default", "--follow", answers=answers
    )

    assert said.code == 130
    assert said.err == "hello-1 goes on: xylem workflow query hello-1\nInterrupted.\n"


def test_what_is_typed_in_no_known_letters_is_refused() -> None:
    said = xylem("workflow", "query", "\udcff")

    assert (said.code, said.err) == (2, "Error: what was typed is not a text in UTF-8\n")


def test_a_folder_that_cannot_keep_the_login_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environ = {"XYLEM_CONFIG_DIR": str(tmp_path / "file")}

    said = xylem(
        "login", "https://xylem.example", "--user", "u", answers={POOLS: ONE_POOL}, environ=environ
    )

    assert said.code == 2
    assert f"{tmp_path / 'file'} cannot be used: File exists" in said.err


def test_an_address_that_cannot_be_read_is_refused_before_anybody_is_asked() -> None:
    said = xylem("login", "https://xylem.example:https", "--user", "u")

    assert said.code == 2
    assert "https://xylem.example:https is not the address of a service" in said.err


def test_a_token_is_of_a_deployment_that_there_may_be(capsys: pytest.CaptureFixture[str]) -> None:
    said = xylem("token", "mint", "bob", "--environment", "nope")

    assert (said.code, said.out) == (2, "")
    assert "'local', 'dev'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_what_is_no_name_never_leads_to_another_address(name: str) -> None:
    service = Service({})

    said = xylem("workflow", "query", name, service=service)

    assert (said.code, said.err) == (2, f"Error: '{name}' is no name\n")
    assert service.asked == []


@pytest.mark.parametrize("below", ["", "home"])
def test_a_home_that_cannot_be_a_folder_is_a_sentence_and_a_way_out(
    tmp_path: Path, below: str
) -> None:
    (tmp_path / "file").touch()
    environ = {
        "XYLEM_HOME": str(tmp_path / "file" / below),
        "XYLEM_CONFIG_DIR": str(tmp_path / "config"),
    }

    said = xylem("local", "up", environ=environ)

    assert (said.code, said.out) == (2, "")
    assert "cannot hold the stack's state" in said.err
    assert "Set XYLEM_HOME" in said.err


def test_every_local_command_speaks_json_to_programs(tmp_path: Path) -> None:
    environ = {"XYLEM_HOME": str(tmp_path / "home")}
    as_json = ("--format-type", "json", "local")

    assert json.loads(xylem(*as_json, "down", environ=environ).out) == {"ended": 0}
    assert json.loads(xylem(*as_json, "reset", "-y", environ=environ).out) == {"deleted": None}

    (tmp_path / "home" / "logs").mkdir(parents=True)
    (tmp_path / "home" / "logs" / "operator.log").write_text("one\n[two]\n")
    lines = xylem("local", "logs", "--format-type", "json", environ=environ).out.splitlines()
    assert [json.loads(line)["line"] for line in lines] == ["one", "[two]"]
