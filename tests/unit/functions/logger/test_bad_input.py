"""What the Logger's callers can get wrong: the same shape of answer as everywhere, no traceback."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.builders import an_attempt
from tests.stories.world import World
from tests.unit.functions.environment import deployed
from tests.unit.functions.logger.gateway import Logger
from xylem.domain.errors import XylemError

PERSON = {"kind": "user", "subject": "alice", "roles": "osmo-user"}
LOGS = "/api/workflow/hello-1/logs"
ERRORS = "/api/workflow/hello-1/error_logs"
SPEC = """
workflow:
  name: hello
  tasks:
  - {name: lead, image: alpine, command: [echo]}
"""


@pytest.fixture(scope="module")
def logger() -> Iterator[Logger]:
    """Of a service that has the workflow hello-1."""
    world = World()
    world.submit(SPEC)
    with deployed("logger", POWERTOOLS_TRACE_DISABLED="true"):
        yield Logger(world)


@pytest.fixture(scope="module")
def token(logger: Logger) -> str:
    """A task's."""
    has = logger.services
    return has.task_tokens.sign(an_attempt(), expires=has.clock() + timedelta(hours=1))


@pytest.mark.parametrize(
    ("method", "path", "query", "status", "code", "says"),
    [
        ("GET", "/runtime/nothing", "", 404, "not_found", "nothing at GET /runtime/nothing"),
        ("DELETE", "/runtime/logs", "", 404, "not_found", "nothing at DELETE"),
        ("PUT", LOGS, "", 404, "not_found", "nothing at PUT"),
        ("POST", "/runtime/logs", "", 401, "unauthenticated", "takes the token of a task"),
        ("GET", LOGS, "last_n_lines=-1", 400, "USER", "positive value for flag -n"),
        ("GET", LOGS, "query=(", 400, "USER", "Invalid regex: ("),
        ("GET", LOGS, "query=a{9999999999}", 400, "USER", "Invalid regex"),
        ("GET", LOGS, "stream=stdin", 400, "USAGE", "use stdout, stderr or control"),
        ("GET", LOGS, "since=yesterday", 400, "USAGE", "since is 'yesterday': it must be a time"),
        ("GET", LOGS, f"until={'9' * 5000}", 400, "USAGE", "until is '9999"),
        ("GET", ERRORS, "task_name=lead&last_n_lines=-1", 400, "USER", "for flag -n"),
        ("GET", ERRORS, "task_name=lead&query=(", 400, "USER", "Invalid regex: ("),
        ("GET", f"{LOGS}/follow", "cursor=nonsense", 400, "USAGE", "cursor is not one of ours"),
        ("GET", f"{LOGS}/follow", "cursor=eyJhIjogMWU5OTl9", 400, "USAGE", "not one of ours"),
        ("GET", f"/api/workflow/{'a' * 3000}/logs", "", 400, "DATABASE", "no id is that long"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_it_is_answered_in_one_shape(
    capfd: pytest.CaptureFixture[str],
    logger: Logger,
    method: str,
    path: str,
    query: str,
    status: int,
    code: str,
    says: str,
) -> None:
    asked = dict(pair.split("=", 1) for pair in query.split("&") if pair)

    answer = logger.ask(method, path, query=asked, who=PERSON)

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
    capfd: pytest.CaptureFixture[str], logger: Logger, token: str, path: str, body: str | bytes
) -> None:
    answer = logger.ask("POST", path, body=body, token=token)

    assert answer.status in {400, 422}
    assert set(answer.body) == {"message", "error_code", "workflow_id"}
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("who", "says"),
    [
        (None, "Logs are for people"),
        ({"kind": "operator", "roles": "osmo-user"}, "Logs are for people"),
        ({"kind": "user", "subject": "eve", "roles": ""}, "eve may not do workflow:Read"),
        ({"kind": "user", "subject": "eve", "roles": "osmo-ctrl"}, "eve may not do workflow:Read"),
    ],
)
def test_who_may_not_read_logs_is_told_why(
    logger: Logger, who: dict[str, str] | None, says: str
) -> None:
    answer = logger.ask("GET", LOGS, who=who)

    assert (answer.status, answer.body["error_code"]) == (403, "forbidden")
    assert says in answer.body["message"]


@pytest.mark.usefixtures("logger")
def test_every_error_of_the_domain_has_a_status() -> None:
    from functions.logger.handler import STATUS  # noqa: PLC0415 - it reads the environment

    known = {kind for kind in XylemError.__subclasses__() if kind.__module__.startswith("xylem.")}

    assert known <= set(STATUS)
