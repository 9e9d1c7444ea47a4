import pytest

from clients.local.embedded_aws.websocket_messages import (
    Connection,
    as_strings,
    connect_event,
    new_connection_id,
    request_context,
    select_route,
)


@pytest.mark.parametrize(
    ("expression", "text", "route"),
    [
        ("$request.body.to", '{"to": "agent"}', "agent"),
        ("$request.body.a.b", '{"a": {"b": "deep"}}', "deep"),
        ("$request.body.to", '{"to": 3}', "3"),
        ("$request.body.to", '{"from": "x"}', "$default"),
        ("$request.body.to", "[]", "$default"),
        ("$request.body.to", "no json", "$default"),
        ("", '{"to": "agent"}', "$default"),
    ],
)
def test_a_message_names_its_route(expression: str, text: str, route: str) -> None:
    assert select_route(expression, text) == route


def test_what_an_authorizer_says_arrives_as_strings() -> None:
    context = {"text": "x", "yes": True, "number": 3, "nothing": None, "list": [1]}

    assert as_strings(context) == {"text": "x", "yes": "true", "number": "3"}


def test_connection_ids_are_as_long_as_on_aws_and_differ() -> None:
    ids = {new_connection_id() for _ in range(100)}

    assert {len(connection) for connection in ids} == {16}
    assert len(ids) == 100


def test_repeated_query_parameters_are_there_once_and_all() -> None:
    connection = Connection("c", "a", "live", "a.example", 0.0, "127.0.0.1", "")
    context = request_context(
        connection,
        route_key="$connect",
        event_type="CONNECT",
        request_id="r",
        now=0.0,
        authorizer=None,
    )

    event = connect_event(context, {}, "a=1&a=2")

    assert event["queryStringParameters"] == {"a": "2"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
