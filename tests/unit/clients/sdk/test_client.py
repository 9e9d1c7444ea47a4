"""The client: what it sends, what it makes of answers, and when it asks again."""

import json

import httpx
import pytest

from clients.sdk.client import Client, SubmitRequest
from clients.sdk.errors import Refused, ServiceError, Unauthorized, Unavailable, Unreachable
from clients.sdk.login import Login
from clients.sdk.models import Submission
from clients.sdk.retry import LONGEST_WAIT, Retries
from tests.unit.clients.answers import Service, a_page, a_refusal, a_workflow

URL = "https://xylem.example/base"
SUBMIT = "POST /base/api/pool/default/workflow"
SUBMITTED = {"name": "hello-1", "overview": "/api/workflow/hello-1", "warnings": []}
HELLO = SubmitRequest(spec="workflow: {}", pool="default")


def a_client(service: Service, **login: str) -> Client:
    return Client(Login(url=URL, **login), transport=service, sleep=lambda _: None)


def test_a_submission_whose_answer_was_lost_is_sent_again_with_the_same_key() -> None:
    service = Service({SUBMIT: [httpx.ReadError("cut"), httpx.Response(503), SUBMITTED]})

    submitted = a_client(service).submit(HELLO)

    keys = [request.headers["Idempotency-Key"] for request in service.requests]
    assert submitted.name == "hello-1"
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_two_submissions_of_the_same_spec_are_two() -> None:
    service = Service({SUBMIT: SUBMITTED})
    client = a_client(service)

    client.submit(HELLO)
    client.submit(HELLO)

    first, second = (request.headers["Idempotency-Key"] for request in service.requests)
    assert first != second


def test_a_submission_carries_its_options_as_osmos_client_sends_them() -> None:
    service = Service({SUBMIT: SUBMITTED})

    a_client(service).submit(
        SubmitRequest(
            spec="text",
            pool="default",
            set_variables=("n=1",),
            set_string_variables=("s=1",),
            env_vars=("A=b=c", "B=2"),
            labels=("team=x",),
            priority="LOW",
        )
    )

    sent = service.requests[0]
    assert json.loads(sent.content) == {
        "file": "text",
        "set_variables": ["n=1"],
        "set_string_variables": ["s=1"],
        "uploaded_templated_spec": None,
    }
    assert sent.url.params.get_list("env_vars") == ["A=b=c", "B=2"]
    assert (sent.url.params["priority"], sent.url.params["label"]) == ("LOW", "team=x")


@pytest.mark.parametrize(
    ("login", "header", "value"),
    [
        ({"token": "t0"}, "Authorization", "Bearer t0"),
        ({"user": "alice"}, "x-osmo-user", "alice"),
        ({"token": "t0", "user": "alice"}, "Authorization", "Bearer t0"),
    ],
)
def test_a_caller_is_named_by_token_or_else_by_name(
    login: dict[str, str], header: str, value: str
) -> None:
    service = Service({"GET /base/api/pool": {"pools": {}}})

    a_client(service, **login).pools()

    assert service.requests[0].headers[header] == value


@pytest.mark.parametrize(
    ("answer", "kind", "message", "code"),
    [
        (httpx.Response(400, json=a_refusal("no pool", "USAGE")), Refused, "no pool", "USAGE"),
        (httpx.Response(401, json={"message": "Unauthorized"}), Unauthorized, "Unauthorized", None),
        (httpx.Response(403, json=a_refusal("not you")), Unauthorized, "not you", "USER"),
        (httpx.Response(500, json=a_refusal("broken")), Unavailable, "broken", "USER"),
        (
            httpx.Response(422, json={"detail": [{"loc": ["query", "limit"], "msg": "too big"}]}),
            Refused,
            "query.limit: too big",
            None,
        ),
        (
            httpx.Response(418, text="<html>"),
            Refused,
            "the service answered 418 I'm a teapot",
            None,
        ),
    ],
)
def test_an_answer_that_is_no_success_raises_with_the_services_words(
    answer: httpx.Response, kind: type[ServiceError], message: str, code: str | None
) -> None:
    service = Service({"GET /base/api/workflow/a-1": answer})

    with pytest.raises(kind) as raised:
        a_client(service).query("a-1")

    assert str(raised.value) == message
    assert raised.value.code == code
    assert len(service.requests) == 1


def test_a_function_that_died_is_asked_again_and_a_failure_of_the_service_is_not() -> None:
    died = httpx.Response(500, json={"message": "Internal Server Error"})
    failed = httpx.Response(500, json=a_refusal("broken"))
    service = Service({"GET /base/api/pool": [died, {"pools": {}}, failed]})
    client = a_client(service)

    client.pools()
    assert len(service.requests) == 2

    with pytest.raises(Unavailable, match="broken"):
        client.pools()
    assert len(service.requests) == 3


def test_a_service_that_stays_away_is_asked_as_often_as_the_retries_say() -> None:
    service = Service({"GET /base/api/pool": httpx.ConnectError("refused")})

    with pytest.raises(Unreachable, match="xylem.example.*refused"):
        a_client(service).pools()

    assert len(service.requests) == Retries().attempts


def test_an_answer_of_another_service_is_called_one() -> None:
    service = Service({"GET /base/api/pool": {"something": "else"}})

    with pytest.raises(Unavailable, match="is it a Xylem service"):
        a_client(service).pools()


def test_a_wait_is_anywhere_below_a_cap_that_doubles() -> None:
    retries = Retries(attempts=4, first_wait=1)

    assert [retries.wait(n, random=lambda: 1.0) for n in (1, 2, 3, 4)] == [2, 4, 8, None]
    assert retries.wait(1, random=lambda: 0.25) == 0.5


@pytest.mark.parametrize(("said", "wait"), [("3", 3.0), ("3600", LONGEST_WAIT), ("Tue", 2.0)])
def test_a_service_that_says_when_to_return_is_believed_within_bounds(
    said: str, wait: float
) -> None:
    assert Retries(first_wait=1).wait(1, random=lambda: 1.0, retry_after=said) == wait


def test_following_a_log_hands_each_cursor_back_until_the_log_is_closed() -> None:
    follow = "GET /base/api/workflow/hello-1/logs/follow"
    pages = [
        a_page("one", cursor="c1"),
        a_page(cursor="c1"),
        a_page("two", cursor="c2", closed=True),
    ]
    service = Service({follow: pages})

    texts = [
        record.text
        for page in a_client(service).follow_logs("hello-1", task="hello")
        for record in page.records
    ]

    asked = [dict(request.url.params) for request in service.requests]
    assert texts == ["one", "two"]
    assert [each.get("cursor") for each in asked] == [None, "c1", "c1"]
    assert {each["task_name"] for each in asked} == {"hello"}


def test_times_without_a_zone_are_utc() -> None:
    service = Service({"GET /base/api/workflow/hello-1": a_workflow()})

    found = a_client(service).query("hello-1")

    assert found.submit_time.isoformat() == "2026-11-24T12:00:00+00:00"


def test_what_a_newer_service_says_beyond_our_words_is_passed_on() -> None:
    answer = Submission.model_validate(SUBMITTED | {"cost": 3})

    assert answer.model_dump()["cost"] == 3


def test_a_pool_is_put_under_its_name() -> None:
    service = Service({"PUT /base/api/configs/pool/a b": httpx.Response(200, json=None)})

    a_client(service).put_pool("a b", {"backend": "x"}, description="why")

    sent = json.loads(service.requests[0].content)
    assert sent == {"configs": {"backend": "x"}, "description": "why"}
