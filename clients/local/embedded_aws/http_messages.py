"""Requests and answers of an HTTP API in payload format 2.0, as values.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

Stock ministack's events lack `cookies` (and leave the header in), its answers carry the text of a
handler's exception to the client, and bodies of any size pass. Which bodies are text it found out
on AWS, and that is asked of it (`BODY_IS_TEXT`), as is the decoding of paths.
"""

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    path: str
    """Decoded as an HTTP API decodes it, without the stage when that is $default."""
    query: str
    headers: Mapping[str, str]
    """Lower-case names; repeated ones joined by commas."""
    cookies: tuple[str, ...]
    body: bytes
    source_ip: str


@dataclass(frozen=True, slots=True)
class HttpResponse:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Stage:
    account: str
    api: str
    name: str
    domain: str
    variables: Mapping[str, str]


def message(status: int, text: str) -> HttpResponse:
    """An answer of API Gateway's own."""
    return HttpResponse(status, (("content-type", JSON),), json.dumps({"message": text}).encode())


NOT_FOUND = message(404, "Not Found")
UNAUTHORIZED = message(401, "Unauthorized")
FORBIDDEN = message(403, "Forbidden")
TOO_LARGE = message(413, "Request Entity Too Large")
TOO_MANY = message(429, "Too Many Requests")
SERVER_ERROR = message(500, "Internal Server Error")
UNAVAILABLE = message(503, "Service Unavailable")


def headers_and_cookies(
    raw: list[tuple[bytes, bytes]],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """API Gateway takes the cookies out of the headers and joins what is repeated."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in raw:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("utf-8", "replace").strip()
        if name == "cookie":
            cookies += [part for cookie in value.split(";") if (part := cookie.strip())]
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers, tuple(cookies)


def event_of(
    request: HttpRequest,
    stage: Stage,
    *,
    route_key: str,
    path_parameters: Mapping[str, str],
    request_id: str,
    authorizer: Mapping[str, Any] | None,
    body_is_text: Callable[[str | None], bool],
    now: float,
) -> dict[str, Any]:
    event = common_fields(
        request,
        stage,
        route_key=route_key,
        path_parameters=path_parameters,
        request_id=request_id,
        now=now,
    )
    if authorizer is not None:
        event["requestContext"]["authorizer"] = {"lambda": authorizer}
    text = not request.body or body_is_text(request.headers.get("content-type"))
    if request.body:
        event["body"] = (
            request.body.decode("utf-8", "replace")
            if text
            else base64.b64encode(request.body).decode()
        )
    event["isBase64Encoded"] = not text
    return event


def common_fields(
    request: HttpRequest,
    stage: Stage,
    *,
    route_key: str,
    path_parameters: Mapping[str, str],
    request_id: str,
    now: float,
) -> dict[str, Any]:
    """What the event of an integration and that of an authorizer have in common."""
    path = request.path if stage.name == "$default" else f"/{stage.name}{request.path}"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": dict(request.headers),
        "requestContext": {
            "accountId": stage.account,
            "apiId": stage.api,
            "domainName": stage.domain,
            "domainPrefix": stage.domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.source_ip,
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": route_key,
            "stage": stage.name,
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
    }
    # Absent rather than empty, all four.
    if request.cookies:
        event["cookies"] = list(request.cookies)
    if request.query:
        event["queryStringParameters"] = query_parameters(request.query)
    if path_parameters:
        event["pathParameters"] = dict(path_parameters)
    if stage.variables:
        event["stageVariables"] = dict(stage.variables)
    return event


def query_parameters(query: str) -> dict[str, str]:
    """ "Query strings with duplicate values are combined with commas"."""
    joined: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def response_of(payload: bytes) -> HttpResponse:
    """What the client gets for a handler's answer; an answer that is none is a server error."""
    try:
        answer = json.loads(payload)
    except ValueError:
        return SERVER_ERROR
    if not isinstance(answer, dict) or "statusCode" not in answer:
        # "API Gateway makes these assumptions if your function returns valid JSON without a
        # statusCode".
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return HttpResponse(200, (("content-type", JSON),), text.encode())
    try:
        return _explicit(answer)
    except (TypeError, ValueError, AttributeError):
        return SERVER_ERROR


def _explicit(answer: dict[str, Any]) -> HttpResponse:
    status = int(answer["statusCode"])
    if not 200 <= status <= 599:
        return SERVER_ERROR
    headers = [(name.lower(), str(value)) for name, value in (answer.get("headers") or {}).items()]
    headers += [("set-cookie", str(cookie)) for cookie in answer.get("cookies") or ()]
    body = answer.get("body") or ""
    if not isinstance(body, str):
        return SERVER_ERROR
    encoded = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    if all(name != "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain; charset=utf-8"))
    return HttpResponse(status, tuple(headers), encoded)
