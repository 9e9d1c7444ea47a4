"""What the Logger's callers can get wrong: the same shape of answer as everywhere, no traceback."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.builders import an_attempt
from tests.contract.conftest import create_tables
from tests.unit.functions.environment import KEYS_PATH, Context, deployed
from xylem.domain.errors import XylemError
from xylem_aws.keys import read_keys
from xylem_aws.task_tokens import HmacTaskTokens

PERSON = {"kind": "user", "subject": "alice", "roles": "osmo-user"}
LOGS = "/api/workflow/hello-1/logs"
ERRORS = "/api/workflow/hello-1/error_logs"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any


Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def token() -> Iterator[str]:
    """A task's, in the Logger's own environment."""
    with deployed(
        "logger",
        POWERTOOLS_TRACE_DISABLED="true",
        WORKFLOWS_TABLE="workflows",
        LOGS_TABLE="logs",
        STORE_BUCKET="store",
        DATA_BUCKET="data",
        CONFIGS_TABLE="configs",
    ) as ssm:
        create_tables({"configs": "configs"})
        tokens = HmacTaskTokens(read_keys(ssm, KEYS_PATH, "hmac"))
        yield tokens.sign(an_attempt(), expires=datetime.now(UTC) + timedelta(hours=1))


def ask(
    method: str,
    path: str,
    query: str = "",
    *,
    body: str | bytes | None = None,
    token: str | None = None,
    who: dict[str, str] | None = None,
) -> Answer:
    from functions.logger.handler import handler  # noqa: PLC0415 - it reads the environment

    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"authorization": f"Bearer {token}"} if token else {},
        "queryStringParameters": dict(pair.split("=", 1) for pair in query.split("&") if pair),
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
            "stage": "$default",
            "requestId": "request",
            "authorizer": {"lambda": who} if who else {},
        },
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": isinstance(body, bytes),
    }
    answer = handler(event, Context("logger"))  # type: ignore[arg-type]  # it is what is looked at
    return Answer(answer["statusCode"], json.loads(answer["body"]))


@pytest.mark.parametrize(
    ("method", "path", "query", "status", "code", "says"),
    [
        ("GET", "/runtime/nothing", "", 404, "not_found", "nothing at GET /runtime/nothing"),
        ("DELETE", "/runtime/logs", "", 404, "not_found", "nothing at DELETE"),
        ("PUT", LOGS, "", 404, "not_found", "nothing at PUT"),
        ("POST", "/runtime/logs", "", 401, "unauthenticated", "takes the token of a task"),
        ("GET", LOGS, "last_n_lines=ten", 400, "USAGE", "last_n_lines is 'ten'"),
        ("GET", LOGS, f"last_n_lines={10**30}", 400, "USAGE", "last_n_lines"),
        ("GET", LOGS, f"last_n_lines={'9' * 5000}", 400, "USAGE", "last_n_lines"),
        ("GET", LOGS, f"retry_id={10**30}", 400, "USAGE", "retry_id"),
        ("GET", LOGS, "last_n_lines=-1", 400, "USER", "positive value for flag -n"),
        ("GET", LOGS, "query=(", 400, "USER", "Invalid regex: ("),
        ("GET", LOGS, "query=a{9999999999}", 400, "USER", "Invalid regex"),
        ("GET", LOGS, "stream=stdin", 400, "USAGE", "use stdout, stderr or control"),
        ("GET", LOGS, "since=yesterday", 400, "USAGE", "since is 'yesterday': it must be a time"),
        ("GET", LOGS, f"until={'9' * 5000}", 400, "USAGE", "until is '9999"),
        ("GET", ERRORS, "last_n_lines=0", 400, "USER", "positive value for flag -n"),
        ("GET", ERRORS, "query=(", 400, "USER", "Invalid regex: ("),
        ("GET", f"{LOGS}/follow", "cursor=nonsense", 400, "USAGE", "cursor is not one of ours"),
        ("GET", f"{LOGS}/follow", "cursor=eyJhIjogMWU5OTl9", 400, "USAGE", "not one of ours"),
        ("GET", f"/api/workflow/{'a' * 3000}/logs", "", 400, "DATABASE", "no id is that long"),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.usefixtures("token")
def test_it_is_answered_in_one_shape(
    capfd: pytest.CaptureFixture[str],
    method: str,
    path: str,
    query: str,
    status: int,
    code: str,
    says: str,
) -> None:
    answer = ask(method, path, query, who=PERSON)

    assert (answer.status, answer.body["error_code"]) == (status, code)
    assert says in answer.body["message"]
    assert set(answer.body) == {"message", "error_code", "workflow_id"}
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/runtime/logs", "ünï – no bytes"),
        ("/runtime/logs/end", b"\xff\xfe"),
        ("/runtime/logs/end", "[]"),
        ("/runtime/logs/end", "[" * 10_000),
        ("/runtime/logs/end", '{"length": -1e999}'),
        ("/runtime/inputs", "nonsense"),
        ("/runtime/outputs", '{"paths": 5}'),
    ],
)
def test_a_task_that_sends_nonsense_is_told_so(
    capfd: pytest.CaptureFixture[str], token: str, path: str, body: str | bytes
) -> None:
    answer = ask("POST", path, body=body, token=token)

    assert answer.status in {400, 422}
    assert set(answer.body) == {"message", "error_code", "workflow_id"}
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("who", "says"),
    [
        (None, "Logs are for people"),
        ({"kind": "operator", "roles": "osmo-user"}, "Logs are for people"),
        ({"kind": "user", "subject": "eve", "roles": ""}, "eve may not do workflow:Read"),
        ({"kind": "user", "subject": "eve", "roles": "osmo-ctrl"}, "eve may not do workflow:Read"),
    ],
)
def test_who_may_not_read_logs_is_told_why(who: dict[str, str] | None, says: str) -> None:
    answer = ask("GET", LOGS, who=who)

    assert (answer.status, answer.body["error_code"]) == (403, "forbidden")
    assert says in answer.body["message"]


@pytest.mark.usefixtures("token")
def test_every_error_of_the_domain_has_a_status() -> None:
    from functions.logger.handler import STATUS  # noqa: PLC0415 - it reads the environment

    known = {kind for kind in XylemError.__subclasses__() if kind.__module__.startswith("xylem.")}

    assert known <= set(STATUS)
