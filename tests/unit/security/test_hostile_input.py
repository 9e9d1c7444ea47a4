"""What a request carries is data: it names no file, adds no header, calls no address, runs nowhere,
and keeps no processor busy."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from tests.builders_spec import a_task, yaml_of
from tests.unit.security.front_door import HELLO, STRANGER, FrontDoor, allowing
from xylem.domain.access import ADMIN, USER
from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import WorkflowId
from xylem.domain.label_filter import label_selector
from xylem.ports.outside import NotAllowed
from xylem.protocol.spool import Stream
from xylem.usecases.log_lines import Line, Wanted, choosing
from xylem_aws.outside import HttpsOutside

REPOSITORY = Path(__file__).parents[3]
PROFILE = "/api/profile/settings"


# Headers ------------------------------------------------------------------------------------------

SPOOFED = {
    "x-osmo-user": "root",
    "x-osmo-roles": ADMIN,
    "x-osmo-allowed-pools": "everything",
    "x-osmo-token-name": "root-token",
    "x-osmo-workflow-id": "hello-1",
    "x-osmo-auth": "Bearer of-somebody",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-host": "127.0.0.1",
    "forwarded": "for=127.0.0.1",
    "x-real-ip": "127.0.0.1",
    "x-amzn-request-context": json.dumps({"authorizer": {"lambda": {"subject": "root"}}}),
}


@pytest.mark.parametrize("environment", ["prod", "dev"])
@pytest.mark.parametrize("source", [STRANGER, "127.0.0.1"])
def test_no_header_is_believed_where_a_token_is_wanted(environment: str, source: str) -> None:
    door = FrontDoor(environment)

    assert door.ask("GET", PROFILE, headers=SPOOFED, source=source).status == 401


def test_dev_mode_believes_this_machine_alone_whatever_a_request_says_of_its_way() -> None:
    door = FrontDoor("local")

    assert door.ask("GET", PROFILE, headers=SPOOFED, source="127.0.0.1").status == 200
    for source in (STRANGER, "10.0.0.1", "", "127.0.0.1.evil.test", "::ffff:192.0.2.1"):
        assert door.ask("GET", PROFILE, headers=SPOOFED, source=source).status == 401


@pytest.mark.parametrize("environment", ["prod", "local"])
def test_beside_a_token_no_header_says_who_asks(environment: str) -> None:
    door = FrontDoor(environment)

    shown = door.ask("GET", PROFILE, token=door.token("eve"), headers=SPOOFED, source="127.0.0.1")

    assert shown.body["profile"]["username"] == "eve"
    assert (shown.body["roles"], shown.body["pools"]) == ([USER], ["default"])
    assert shown.body["token"] is None


@pytest.mark.parametrize("name", ["Authorization", "AUTHORIZATION", "authorization"])
@pytest.mark.parametrize("scheme", ["Basic", "Digest", "Token", ""])
def test_another_scheme_than_bearer_opens_nothing(name: str, scheme: str) -> None:
    door = FrontDoor()

    headers = {name: f"{scheme} {door.root}".strip()}

    assert door.ask("GET", PROFILE, headers=headers).status == 401


BREAKS = [
    "a\r\nset-cookie: x=1",
    "a\nlocation: https://evil.test",
    "a\r\n\r\n<script>",
    "a%0d%0ax: y",
]


@pytest.mark.parametrize("text", BREAKS)
def test_no_answer_has_a_header_of_its_callers(text: str) -> None:
    door = FrontDoor()
    name = door.submitted(door.token("alice"))

    asked: list[tuple[str, str, dict[str, str], Any]] = [
        ("GET", f"/api/workflow/{text}", {}, None),
        ("GET", f"/api/pool/{text}/workflow", {}, None),
        ("GET", PROFILE, {"x-osmo-client-version": text}, None),
        ("POST", PROFILE, {}, {"pool": text}),
        ("POST", f"/api/workflow/{name}/tag?add={text}", {}, None),
        ("GET", f"/api/app/user/{text}", {}, None),
    ]
    for method, path, headers, body in asked:
        answer = door.ask(method, path, token=door.token("alice"), headers=headers, body=body)

        assert answer.status < 500
        assert {"set-cookie", "location", "x"}.isdisjoint(answer.headers)
        assert all("\r" not in one and "\n" not in one for one in answer.headers.values())


# Paths --------------------------------------------------------------------------------------------

ESCAPES = ["..", "../..", "..%2f..%2fetc", "%2e%2e", "/etc/passwd", "a/../../b", "a\\..\\b", "a\0b"]


@pytest.mark.parametrize("path", ESCAPES)
def test_no_name_in_a_path_leads_out_of_where_names_are_kept(path: str) -> None:
    door = FrontDoor()
    name = door.submitted(door.token("alice"))
    before = door.world.store.keys()

    for method, where in (
        ("GET", f"/api/workflow/{path}"),
        ("GET", f"/api/workflow/{path}/spec"),
        ("GET", f"/api/workflow/{name}/task/{path}"),
        ("POST", f"/api/app/user/{path}?description=d"),
        ("GET", f"/api/app/user/{path}/spec"),
        ("POST", f"/api/credentials/{path}"),
        ("POST", f"/api/auth/access_token/{path}?expires_at=2027-01-01"),
        ("PUT", f"/api/configs/role/{path}"),
        ("PUT", f"/api/configs/pool/{path}"),
        ("PUT", f"/api/backend/{path}"),
    ):
        body: Any = HELLO if "app" in where else {} if method != "GET" else None
        answer = door.ask(method, where, token=door.root, body=body)

        assert 400 <= answer.status < 500, (where, answer)
    assert door.world.store.keys() == before


@pytest.mark.parametrize(
    "path", ["/runtime/token", "/api/../runtime/logs", "/api//auth/user", "//"]
)
def test_a_path_that_is_written_otherwise_is_no_way_around_what_is_asked_of_it(path: str) -> None:
    door = FrontDoor()

    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"):
        assert door.ask(method, path, token=door.token("eve")).status in {404, 405}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PROPFIND"])
def test_another_method_does_nothing_and_shows_nothing(method: str) -> None:
    door = FrontDoor()

    answer = door.ask(method, "/api/auth/user", token=door.token("eve"))

    assert answer.status == 405
    assert "root" not in str(answer.body)


# Addresses ----------------------------------------------------------------------------------------

SPEAKS_TO_THE_NET = {
    "aiohttp", "ftplib", "http.client", "httpx", "requests", "smtplib", "socket", "telnetlib",
    "urllib.request", "urllib3", "websockets", "xmlrpc.client",
}  # fmt: skip
MAY = {
    "layers/aws/python/xylem_aws/provider_keys.py": "keys of providers that the deployer named",
    "layers/aws/python/xylem_aws/outside.py": "webhooks, at public addresses alone",
}


def test_no_function_calls_an_address_that_a_request_could_name() -> None:
    """Webhooks, providers, stores, data: whatever calls out stands here with what it calls."""
    found = {}
    for top in ("functions", "layers"):
        for module in (REPOSITORY / top).rglob("*.py"):
            name = str(module.relative_to(REPOSITORY))
            if name.startswith("layers/vendor/"):
                continue
            imported = set()
            for node in ast.walk(ast.parse(module.read_text())):
                if isinstance(node, ast.Import):
                    imported |= {one.name for one in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    imported |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
            if imported & SPEAKS_TO_THE_NET:
                found[name] = imported & SPEAKS_TO_THE_NET

    assert found.keys() == MAY.keys()


INSIDE = [
    "http://169.254.169.254/latest/meta-data",
    "http://[fd00:ec2::254]/",
    "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
    "http://localhost",
    "file:///etc/passwd",
    "gopher://127.0.0.1:11211/_stats",
]


@pytest.mark.parametrize("url", [*INSIDE, "https://169.254.169.254/", "https://[::1]/"])
def test_no_webhook_reaches_an_address_inside(url: str) -> None:
    with pytest.raises(NotAllowed):
        HttpsOutside().post(url, {}, b"")


@pytest.mark.parametrize("url", INSIDE)
def test_an_address_in_a_config_or_credential_is_kept_or_refused_and_never_called(url: str) -> None:
    """The whole of the service is in this process: a call would be an error of the tests' network,
    and an answer of 500."""
    door = FrontDoor()
    data = {"endpoint": "s3://b", "access_key_id": "k", "access_key": "s", "override_url": url}
    login = {"service_auth": {"login_info": {"token_endpoint": url, "browser_endpoint": url}}}
    spec = yaml_of(a_task("a", inputs=[{"url": url}]), name="w")

    for method, path, body in (
        ("POST", "/api/credentials/mine", {"data_credential": data}),
        ("PATCH", "/api/configs/service", {"configs_dict": login}),
        ("POST", "/api/pool/default/workflow", {"file": spec}),
    ):
        assert door.ask(method, path, token=door.root, body=body).status < 500
    assert door.open("GET", "/api/auth/login", None).status == 200


# Scripts ------------------------------------------------------------------------------------------

SCRIPT = "<script>alert(document.domain)</script>"
NAMED = ["user", "role", "token", "workflow", "task", "label", "pool", "app"]


@pytest.mark.parametrize("what", NAMED)
def test_no_name_may_hold_a_script(what: str) -> None:
    door = FrontDoor()
    root = door.root
    submit = "/api/pool/default/workflow"
    role = {"name": SCRIPT, "description": "", "policies": []}
    method, path, body = {
        "user": ("POST", "/api/auth/user", {"id": SCRIPT}),
        "role": ("PUT", "/api/configs/role", {"configs": [role]}),
        "token": ("POST", "/api/auth/access_token/<script>?expires_at=2027-01-01", None),
        "workflow": ("POST", submit, {"file": yaml_of(a_task("a"), name=SCRIPT)}),
        "task": ("POST", submit, {"file": yaml_of(a_task(SCRIPT), name="w")}),
        "label": ("POST", submit, {"file": yaml_of(a_task("a"), name="w", labels={"a": SCRIPT})}),
        "pool": ("PUT", "/api/configs/pool/<script>", {"configs": {"backend": "b"}}),
        "app": ("POST", "/api/app/user/<script>?description=d", HELLO),
    }[what]
    path, _, query = path.partition("?")

    answer = door.ask(method, path, token=root, body=body, query=query)

    assert answer.status in {400, 422}, answer
    assert answer.headers["content-type"] == "application/json"


def test_a_message_that_is_a_script_stays_text_of_json_that_no_browser_takes_for_a_page() -> None:
    door = FrontDoor()
    alice = door.token("alice")
    name = door.submitted(alice)
    cancelled = door.ask(
        "POST", f"/api/workflow/{name}/cancel", token=alice, query=f"message={SCRIPT}"
    )
    assert cancelled.status == 200

    for path in ("", "/audit", "/spec", "/events"):
        answer = door.ask("GET", f"/api/workflow/{name}{path}", token=alice)
        assert answer.status == 200
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in {"application/json", "text/plain"}
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_refuses_a_script_does_not_run_it_either() -> None:
    door = FrontDoor()

    answer = door.ask("GET", f"/api/workflow/{SCRIPT}", token=door.token("eve"))

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


# Bombs --------------------------------------------------------------------------------------------

BOMBS: dict[str, bytes] = {
    "nested lists": b"[" * 100_000,
    "nested objects": b'{"a":' * 100_000,
    "nested in a field": b'{"file":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a long number": b'{"file": ' + b"9" * 100_000 + b"}",
    "an exponent": b'{"file": 1e999999999}',
    "many keys": b'{"file": "' + HELLO.encode() + b'", "a": 1' + b', "a": 1' * 50_000,
    "half a character": b'{"file": "\\ud800"}',
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_json_that_would_burst_is_refused_in_our_words(bomb: str) -> None:
    door = FrontDoor()

    for method, path in (
        ("POST", "/api/pool/default/workflow"),
        ("PATCH", "/api/configs/workflow"),
        ("POST", "/api/auth/user"),
    ):
        answer = door.ask(method, path, token=door.root, body=BOMBS[bomb])

        assert answer.status in {400, 422}, answer
        assert len(json.dumps(answer.body)) < 10_000


def test_yaml_that_would_burst_is_refused() -> None:
    laughs = "\n".join(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    text = f"workflow:\n  name: w\n  a0: &a0 [ha]\n{laughs}\n  tasks: *a11\n"
    door = FrontDoor()

    answer = door.ask(
        "POST", "/api/pool/default/workflow", token=door.token("eve"), body={"file": text}
    )

    assert answer.status == 400


# Expressions that never end -----------------------------------------------------------------------


def test_a_selector_of_labels_full_of_stars_is_answered_at_once() -> None:
    """`.*` for each star tries more ways than there are atoms; the time limit of the tests is a
    few minutes."""
    selector = label_selector(f"a={'*a' * 1_000}*b")

    assert not selector.selects("a" * 60)
    assert not label_selector(f"a={'*(a|a)' * 5}*b").selects("a" * 60)


def test_stars_and_alternatives_find_what_they_found() -> None:
    assert label_selector("k=a*c").selects("abcabc")
    assert label_selector("k=*b*c").selects("abcbc")
    assert not label_selector("k=a*b*c").selects("acb")
    assert label_selector("k=(a|ab)(c|bcd)").selects("abcd")
    assert label_selector("k=x(a*|b)y").selects("xa12y")


def test_an_expression_for_lines_of_a_log_that_finds_no_end_is_ended() -> None:
    choose = choosing(Wanted(query="(a+)+$"))
    lines = [Line(0, 0, 0, Stream.STDOUT, "a" * 60 + "!")]

    with pytest.raises(InvalidRequest, match="takes too much time"):
        list(choose(lines))


def test_an_expression_for_lines_finds_as_before_beyond_one_try() -> None:
    lines = [Line(n, 0, n, Stream.STDOUT, f"line {n}") for n in range(5_000)]

    found = list(choosing(Wanted(query=r"^line \d+99$"))(lines))

    assert [line.micros for line in found] == [n for n in range(100, 5_000) if n % 100 == 99]


@pytest.mark.parametrize("name", ["a" * 50_000 + "!", "-" * 50_000, "a-" * 25_000])
def test_a_name_that_is_long_is_refused_at_once(name: str) -> None:
    door = FrontDoor()

    for method, path, body in (
        ("POST", "/api/auth/user", {"id": name}),
        (
            "PUT",
            "/api/configs/role",
            {"configs": [{"name": name, "description": "", "policies": []}]},
        ),
        ("POST", "/api/pool/default/workflow", {"file": yaml_of(a_task("a"), name=name)}),
    ):
        answer = door.ask(method, path, token=door.root, body=body)
        assert answer.status in {400, 422}


def test_a_template_is_no_way_into_the_process() -> None:
    door = FrontDoor()
    for expression in (
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.environ }}",
        "{{ self._TemplateReference__context }}",
        "{% for x in range(10**9) %}{% endfor %}",
    ):
        spec = f'workflow:\n  name: w\n  tasks:\n  - {{name: a, image: "{expression}"}}\n'
        body = {"file": f"{spec}default-values:\n  x: 1\n"}
        answer = door.ask(
            "POST",
            "/api/pool/default/workflow",
            token=door.token("eve"),
            query="dry_run=true",
            body=body,
        )
        assert "environ(" not in str(answer.body) and "<class" not in str(answer.body)
        assert answer.status < 500


# The size of what one may ask for -----------------------------------------------------------------


def a_long_value(many: int) -> dict[str, Any]:
    return {"file": "x" * many}


def test_a_spec_beyond_its_limit_is_413_and_leaves_nothing() -> None:
    door = FrontDoor()
    before = door.core.kept()

    answer = door.ask(
        "POST",
        "/api/pool/default/workflow",
        token=door.token("eve"),
        body=a_long_value(4 * 2**20 + 1),
    )

    assert answer.status == 413
    assert door.core.kept() == before


def test_nothing_is_kept_of_a_workflow_whose_pool_one_may_not_use() -> None:
    door = FrontDoor()
    door.role("readers", allowing("workflow:List"))

    answer = door.ask(
        "POST",
        "/api/pool/default/workflow",
        token=door.token("eve", "readers"),
        body={"file": HELLO},
    )

    assert answer.status == 403
    assert WorkflowId("hello-1") not in door.world.rows.stored_workflows
