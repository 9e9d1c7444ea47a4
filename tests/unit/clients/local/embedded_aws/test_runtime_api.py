import pytest

from clients.local.embedded_aws.runtime_api import (
    InitialisationFailed,
    NextInvocation,
    Request,
    Result,
    RuntimeConnection,
    Unknown,
    invocation,
)

NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"
RESPONSE = (
    b"POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody"
)


@pytest.mark.parametrize(
    ("sent", "request_"),
    [
        (NEXT, NextInvocation()),
        (RESPONSE, Result("id-1", b"body", failed=False)),
        (RESPONSE.replace(b"/response", b"/error"), Result("id-1", b"body", failed=True)),
        (
            b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
            InitialisationFailed(b"{}"),
        ),
        (b"GET /other HTTP/1.1\r\n\r\n", Unknown("/other")),
    ],
)
def test_a_request_is_understood_also_byte_by_byte(sent: bytes, request_: Request) -> None:
    whole, pieces = RuntimeConnection(), RuntimeConnection()
    received = [found for byte in sent for found in pieces.received(bytes([byte]))]

    assert whole.received(sent) == received == [request_]


def test_requests_that_arrive_together_are_all_found() -> None:
    assert RuntimeConnection().received(RESPONSE + NEXT) == [
        Result("id-1", b"body", failed=False),
        NextInvocation(),
    ]


def test_a_client_that_waits_before_its_body_is_noticed() -> None:
    connection = RuntimeConnection()
    head, body = RESPONSE.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n").split(b"body")

    assert (connection.received(head), connection.wants_continue) == ([], True)
    assert connection.received(b"body" + body) == [Result("id-1", b"body", failed=False)]


def test_an_invocation_tells_who_is_called_and_how_long_there_is() -> None:
    answer = invocation(b"{}", request_id="id", deadline_ms=7, function_arn="arn", trace="Root=1")

    assert answer.endswith(b"Content-Length: 2\r\n\r\n{}")
    assert b"Lambda-Runtime-Deadline-Ms: 7\r\n" in answer
    assert b"Lambda-Runtime-Invoked-Function-Arn: arn\r\n" in answer
