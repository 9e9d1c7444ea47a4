"""Events, routes and error frames of a WebSocket API, as values.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
and apigateway-websocket-api-route-keys-connect-disconnect.html. Stock ministack leaves out
`messageDirection` and gives `connectedAt` the time of each event.
"""

import base64
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

CONNECT = "$connect"
DISCONNECT = "$disconnect"
DEFAULT = "$default"


@dataclass(frozen=True, slots=True)
class Connection:
    id: str
    api: str
    stage: str
    domain: str
    connected_at: float
    source_ip: str
    user_agent: str


def new_connection_id() -> str:
    """16 characters, as on AWS, of which the last is `=`: who builds a URL has to quote it."""
    return base64.urlsafe_b64encode(os.urandom(11)).decode()


def select_route(expression: str, text: str) -> str:
    """The route key that a `$request.body.…` expression finds in a message; `$default` if none."""
    if not expression.startswith("$request.body."):
        return DEFAULT
    try:
        value: Any = json.loads(text)
    except ValueError:
        return DEFAULT
    for name in expression.removeprefix("$request.body.").split("."):
        if not isinstance(value, dict) or name not in value:
            return DEFAULT
        value = value[name]
    return value if isinstance(value, str) else json.dumps(value)


def request_context(
    connection: Connection,
    *,
    route_key: str,
    event_type: str,
    request_id: str,
    now: float,
    authorizer: Mapping[str, str] | None,
) -> dict[str, Any]:
    context: dict[str, Any] = {
        "routeKey": route_key,
        "eventType": event_type,
        "extendedRequestId": request_id,
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "messageDirection": "IN",
        "stage": connection.stage,
        "connectedAt": int(connection.connected_at * 1000),
        "requestTimeEpoch": int(now * 1000),
        "identity": {"sourceIp": connection.source_ip, "userAgent": connection.user_agent},
        "requestId": request_id,
        "domainName": connection.domain,
        "connectionId": connection.id,
        "apiId": connection.api,
    }
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    return context


def connect_event(
    context: dict[str, Any], headers: Mapping[str, str], query: str
) -> dict[str, Any]:
    event: dict[str, Any] = {
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if query:
        values = parse_qs(query, keep_blank_values=True)
        event["queryStringParameters"] = {name: value[-1] for name, value in values.items()}
        event["multiValueQueryStringParameters"] = values
    return event


def message_event(context: dict[str, Any], text: str) -> dict[str, Any]:
    context["messageId"] = context["requestId"]
    return {"requestContext": context, "body": text, "isBase64Encoded": False}


def disconnect_event(context: dict[str, Any], code: int, reason: str) -> dict[str, Any]:
    context["disconnectStatusCode"] = code
    context["disconnectReason"] = reason
    return {"requestContext": context, "isBase64Encoded": False}


def authorizer_event(
    context: dict[str, Any],
    headers: Mapping[str, str],
    query: str,
    *,
    arn: str,
    stage_variables: Mapping[str, str],
) -> dict[str, Any]:
    event = connect_event(context, headers, query)
    del event["isBase64Encoded"]
    return {
        "type": "REQUEST",
        "methodArn": arn,
        "stageVariables": dict(stage_variables),
        "queryStringParameters": {},
        "multiValueQueryStringParameters": {},
        **event,
    }


def as_strings(context: Mapping[str, Any]) -> dict[str, str]:
    """An authorizer's context as integrations see it: strings, numbers and Booleans, as strings."""
    return {
        name: json.dumps(value) if isinstance(value, bool | int | float) else value
        for name, value in context.items()
        if isinstance(value, bool | int | float | str)
    }


def error_frame(message: str, connection: Connection, request_id: str) -> str:
    """What the client is sent when its message could not be handled; no word of the exception."""
    return json.dumps({"message": message, "connectionId": connection.id, "requestId": request_id})
