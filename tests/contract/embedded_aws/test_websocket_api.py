"""WebSocket APIs as on AWS: corrections 3 and 4."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.contract.embedded_aws.resources import (
    Api,
    a_function,
    a_route,
    a_table,
    a_websocket_api,
    an_authorizer,
)
from tests.contract.embedded_aws.server import EmbeddedAws, running
from tests.contract.embedded_aws.test_queues import until

# Sends every event that it gets back to its own socket.
ECHO = """
    import json, time
    from aws import post
    def handler(event, context):
        about = event["requestContext"]
        if (event.get("body") or "").startswith('{"to": "slow"'):
            time.sleep(1.5)
        post(about["apiId"], about["stage"], about["connectionId"], json.dumps(event))
        return {"statusCode": 200, "body": "not for the client"}
"""
ACCEPT = "def handler(event, context): return {'statusCode': 200}"
FAIL = "def handler(event, context): raise RuntimeError('with a secret in it')"


@pytest.fixture(scope="module")
def echo(aws: EmbeddedAws) -> Api:
    function = a_function(aws, ECHO)
    return a_websocket_api(
        aws,
        {
            "$connect": a_function(aws, ACCEPT),
            "agent": function,
            "slow": function,
            "fails": a_function(aws, FAIL),
        },
    )


@pytest.fixture
def client(echo: Api) -> Iterator[ClientConnection]:
    with connect(echo.websocket_url) as client:
        yield client


def said(client: ClientConnection, text: str) -> Any:
    client.send(text)
    return json.loads(client.recv(timeout=10))


def test_a_message_goes_to_the_route_that_it_names(client: ClientConnection, echo: Api) -> None:
    event = said(client, '{"to": "agent", "text": "ä"}')

    context = event["requestContext"]
    assert event["body"] == '{"to": "agent", "text": "ä"}'
    assert (context["routeKey"], context["eventType"]) == ("agent", "MESSAGE")
    assert (context["apiId"], context["stage"]) == (echo.id, "live")
    assert context["messageDirection"] == "IN"
    assert context["connectedAt"] <= context["requestTimeEpoch"]
    assert len(context["connectionId"]) == 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"to": "nobody"}', "Forbidden"),
        ("no json", "Forbidden"),
        ('{"to": "fails"}', "Internal server error"),
    ],
)
def test_what_cannot_be_handled_is_answered_with_an_error_frame_without_secrets(
    client: ClientConnection, text: str, message: str
) -> None:
    error = said(client, text)

    assert error["message"] == message
    assert error.keys() == {"message", "connectionId", "requestId"}


def test_a_slow_message_holds_up_neither_its_own_socket_nor_another(
    client: ClientConnection, echo: Api
) -> None:
    client.send('{"to": "slow"}')

    with connect(echo.websocket_url) as other:
        assert said(other, '{"to": "agent"}')["requestContext"]["routeKey"] == "agent"
    assert said(client, '{"to": "agent"}')["requestContext"]["routeKey"] == "agent"
    assert json.loads(client.recv(timeout=10))["requestContext"]["routeKey"] == "slow"


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (["x" * (32 * 1024 + 1)], 1009),
        (["x" * 32 * 1024] * 4 + ["x"], 1009),
        (["ä" * 17_000], 1009),
        ([b"binary"], 1003),
    ],
    ids=["frame", "message", "bytes-not-characters", "binary"],
)
def test_frames_beyond_the_limits_close_the_socket(
    client: ClientConnection, frames: list[Any], code: int
) -> None:
    client.send(iter(frames) if len(frames) > 1 else frames[0])

    with pytest.raises(ConnectionClosed) as closed:
        client.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


def test_messages_up_to_the_limits_are_taken(client: ClientConnection) -> None:
    head = '{"to": "agent", "text": "'
    whole = head + "x" * (32 * 1024 - len(head) - 2) + '"}'
    assert len(whole) == 32 * 1024

    assert said(client, whole)["body"] == whole


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4001, "moving on")])
def test_a_disconnect_tells_the_code_and_the_reason_of_the_client(
    aws: EmbeddedAws, code: int, reason: str
) -> None:
    table = a_table(aws)
    noting = a_function(
        aws,
        """
        import json, os
        from aws import call
        def handler(event, context):
            call("dynamodb", "DynamoDB_20120810.PutItem", TableName=os.environ["TABLE"],
                 Item={"pk": {"S": "gone"}, "sk": {"S": json.dumps(event)}})
        """,
        Environment={"Variables": {"TABLE": table}},
    )
    api = a_websocket_api(aws, {"$disconnect": noting})

    with connect(api.websocket_url) as client:
        client.close(code, reason)

    scan = aws.client("dynamodb").scan
    rows = until(lambda: scan(TableName=table)["Items"], bool)
    context = json.loads(rows[0]["sk"]["S"])["requestContext"]
    assert (context["eventType"], context["routeKey"]) == ("DISCONNECT", "$disconnect")
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (code, reason)


def guarded(aws: EmbeddedAws) -> Api:
    guard = a_function(
        aws,
        """
        def handler(event, context):
            who = event["headers"]["authorization"]
            if who == "unknown":
                raise Exception("Unauthorized")
            if who == "confused":
                raise RuntimeError("with a secret in it")
            statement = {
                "Action": "execute-api:Invoke",
                "Effect": "Deny" if who == "mallory" else "Allow",
                "Resource": event["methodArn"],
            }
            return {
                "principalId": who,
                "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
                "context": {"kind": "operator", "admin": True, "number": 3},
            }
        """,
    )
    function = a_function(aws, ECHO)
    api = a_websocket_api(aws, {"agent": function})
    sources = ["route.request.header.Authorization"]
    a_route(
        aws,
        api.id,
        "$connect",
        a_function(aws, ACCEPT),
        **an_authorizer(aws, api.id, guard, sources),
    )
    return api


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "unknown"}, 401),
        ({"Authorization": "mallory"}, 403),
        ({"Authorization": "confused"}, 500),
    ],
)
def test_who_is_not_authorized_does_not_connect(
    guarded_api: Api, headers: dict[str, str], status: int
) -> None:
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(guarded_api.websocket_url, additional_headers=headers),
    ):
        pass

    assert refused.value.response.status_code == status
    assert b"secret" not in (refused.value.response.body or b"")


@pytest.fixture(scope="module")
def guarded_api(aws: EmbeddedAws) -> Api:
    return guarded(aws)


def test_what_the_authorizer_said_comes_with_every_later_message(guarded_api: Api) -> None:
    headers = {"Authorization": "cluster-a"}

    with connect(guarded_api.websocket_url, additional_headers=headers) as client:
        for _ in range(2):
            context = said(client, '{"to": "agent"}')["requestContext"]["authorizer"]
            assert context == {
                "principalId": "cluster-a",
                "kind": "operator",
                "admin": "true",
                "number": "3",
            }


@pytest.mark.parametrize(("status", "seen"), [(403, 403), (401, 401), (500, 500)])
def test_a_connect_function_may_refuse(aws: EmbeddedAws, status: int, seen: int) -> None:
    refusing = a_function(aws, f"def handler(event, context): return {{'statusCode': {status}}}")
    api = a_websocket_api(aws, {"$connect": refusing})

    with pytest.raises(InvalidStatus) as refused, connect(api.websocket_url):
        pass

    assert refused.value.response.status_code == seen


def test_a_subprotocol_is_the_one_that_the_connect_function_chose(aws: EmbeddedAws) -> None:
    choosing = a_function(
        aws,
        """
        def handler(event, context):
            return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "xylem.2"}}
        """,
    )
    api = a_websocket_api(aws, {"$connect": choosing})

    with connect(api.websocket_url, subprotocols=["xylem.1", "xylem.2"]) as client:  # type: ignore[list-item]
        assert client.subprotocol == "xylem.2"


def test_a_route_response_sends_the_answer_to_the_client(aws: EmbeddedAws) -> None:
    answering = a_function(
        aws, "def handler(event, context): return {'statusCode': 200, 'body': 'pong'}"
    )
    api = a_websocket_api(aws, {})
    route = a_route(aws, api.id, "ping", answering, RouteResponseSelectionExpression="$default")
    aws.client("apigatewayv2").create_route_response(
        ApiId=api.id, RouteId=route["RouteId"], RouteResponseKey="$default"
    )

    with connect(api.websocket_url) as client:
        client.send('{"to": "ping"}')
        assert client.recv(timeout=5) == "pong"


def test_connections_can_be_written_to_asked_about_and_closed(echo: Api) -> None:
    management = echo.connections
    with connect(echo.websocket_url) as client:
        about = said(client, '{"to": "agent"}')["requestContext"]
        connection = about["connectionId"]

        for text in ("one", "two"):
            management.post_to_connection(ConnectionId=connection, Data=text)
        assert [client.recv(timeout=5) for _ in range(2)] == ["one", "two"]

        found = management.get_connection(ConnectionId=connection)
        assert found["Identity"]["SourceIp"] == "127.0.0.1"
        assert found["ConnectedAt"] <= found["LastActiveAt"]

        management.delete_connection(ConnectionId=connection)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000

    with pytest.raises(management.exceptions.GoneException):
        management.post_to_connection(ConnectionId=connection, Data="late")
    with pytest.raises(management.exceptions.GoneException):
        management.get_connection(ConnectionId=connection)


def test_a_message_to_a_connection_is_limited_as_one_from_it(echo: Api) -> None:
    management = echo.connections
    with connect(echo.websocket_url) as client:
        connection = said(client, '{"to": "agent"}')["requestContext"]["connectionId"]

        management.post_to_connection(ConnectionId=connection, Data="x" * 128 * 1024)
        assert len(client.recv(timeout=5)) == 128 * 1024
        with pytest.raises(management.exceptions.PayloadTooLargeException):
            management.post_to_connection(ConnectionId=connection, Data="x" * (128 * 1024 + 1))


def test_idle_and_old_sockets_are_told_to_go(tmp_path_factory: pytest.TempPathFactory) -> None:
    state = tmp_path_factory.mktemp("ageing") / "state"
    arguments = ("--websocket-idle", "0.6", "--websocket-life", "1.5")
    with running(EmbeddedAws(state, arguments=arguments)) as aws:
        api = a_websocket_api(aws, {"agent": a_function(aws, ACCEPT)})

        def lifetime(talk_every: float | None) -> tuple[float, int]:
            begun = time.monotonic()
            with connect(api.websocket_url) as client:
                try:
                    while True:
                        if talk_every is None:
                            client.recv(timeout=5)
                        else:
                            client.send('{"to": "agent"}')
                            time.sleep(talk_every)
                except ConnectionClosed as closed:
                    assert closed.rcvd is not None
                    return time.monotonic() - begun, closed.rcvd.code

        silent, talking = lifetime(None), lifetime(0.2)

    assert silent[1] == talking[1] == 1001
    assert silent[0] < 1.2 < talking[0] < 2.5


def test_many_connect_at_once_in_little_time(echo: Api) -> None:
    def open_one(_: int) -> None:
        with connect(echo.websocket_url):
            pass

    begun = time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(open_one, range(60)))

    assert time.monotonic() - begun < 5
