import json

import pytest

from clients.local.embedded_aws.http_messages import (
    SERVER_ERROR,
    HttpRequest,
    HttpResponse,
    Stage,
    event_of,
    headers_and_cookies,
    response_of,
)


def an_event(*, stage: str = "$default", content_type: str = "", body: bytes = b"") -> object:
    request = HttpRequest(
        method="POST",
        path="/jobs",
        query="",
        headers={"content-type": content_type},
        cookies=(),
        body=body,
        source_ip="127.0.0.1",
    )
    return event_of(
        request,
        Stage(account="0", api="a", name=stage, domain="a.example", variables={}),
        route_key="POST /jobs",
        path_parameters={},
        request_id="r",
        authorizer=None,
        body_is_text=lambda kind: kind == "application/json",
        now=0.0,
    )


@pytest.mark.parametrize(("stage", "path"), [("$default", "/jobs"), ("beta", "/beta/jobs")])
def test_a_named_stage_is_part_of_the_path(stage: str, path: str) -> None:
    event = an_event(stage=stage)

    assert isinstance(event, dict)
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == path


@pytest.mark.parametrize(
    ("content_type", "body", "encoded"),
    [
        ("application/json", "{}", False),
        ("application/zip", "e30=", True),
    ],
)
def test_a_body_is_text_or_base64(content_type: str, body: str, encoded: bool) -> None:
    event = an_event(content_type=content_type, body=b"{}")

    assert isinstance(event, dict)
    assert (event["body"], event["isBase64Encoded"]) == (body, encoded)


def test_cookies_leave_the_headers_and_repeated_headers_are_joined() -> None:
    headers, cookies = headers_and_cookies(
        [(b"X-A", b"1"), (b"x-a", b"2"), (b"Cookie", b"a=1; b=2"), (b"cookie", b"c=3")]
    )

    assert headers == {"x-a": "1,2"}
    assert cookies == ("a=1", "b=2", "c=3")


def test_an_answer_is_taken_apart() -> None:
    answer = {
        "statusCode": "201",
        "headers": {"X-A": 1},
        "cookies": ["a=1"],
        "body": "aGk=",
        "isBase64Encoded": True,
    }

    assert response_of(json.dumps(answer).encode()) == HttpResponse(
        201,
        (("x-a", "1"), ("set-cookie", "a=1"), ("content-type", "text/plain; charset=utf-8")),
        b"hi",
    )


@pytest.mark.parametrize(
    "answer",
    [
        '{"statusCode": "teapot"}',
        '{"statusCode": 42}',
        '{"statusCode": 200, "body": {"not": "a string"}}',
        '{"statusCode": 200, "headers": ["x"]}',
        "no json",
    ],
)
def test_an_answer_that_is_none_is_a_server_error(answer: str) -> None:
    assert response_of(answer.encode()) is SERVER_ERROR
