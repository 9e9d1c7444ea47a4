"""Correction 7, HTTP APIs: our own data plane, in front of ministack's definitions.

Stock ministack's events lack `cookies`; a handler's exception reaches the client with its text
(AWS: 500 `{"message":"Internal Server Error"}`); bodies over 6 MB (Lambda) and 10 MB (API) pass;
CORS and throttles of the stage do not exist; each request costs a thread. Sources stand where each
is set right (`http_messages`, `authorizers`, `cors`, `routes`, `throttle`); the quotas are those of
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html.

This is a front (see `server`), not a hook: it takes the requests of the HTTP APIs whose routes it
knows, Lambda integrations with a Lambda authorizer or none, and leaves all others (JWT, IAM, HTTP
proxies, REST APIs) to ministack.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clients.local.embedded_aws import cors
from clients.local.embedded_aws.api_definitions import Api, Definition, find_api, function_of
from clients.local.embedded_aws.asgi import (
    ApiAddress,
    Receive,
    Scope,
    Send,
    read_body,
    respond,
)
from clients.local.embedded_aws.authorizers import (
    AnswerCache,
    Decision,
    Refused,
    Sources,
    answer_of,
    identity,
    policy_decision,
    simple_decision,
)
from clients.local.embedded_aws.http_messages import (
    FORBIDDEN,
    NOT_FOUND,
    SERVER_ERROR,
    TOO_LARGE,
    TOO_MANY,
    UNAUTHORIZED,
    UNAVAILABLE,
    HttpRequest,
    HttpResponse,
    Stage,
    common_fields,
    event_of,
    headers_and_cookies,
    query_parameters,
    response_of,
)
from clients.local.embedded_aws.lambda_functions import LambdaFunctions
from clients.local.embedded_aws.lambda_process import Outcome, failure
from clients.local.embedded_aws.request_ids import gateway_request_id
from clients.local.embedded_aws.routes import Match, match
from clients.local.embedded_aws.seams import Seam
from clients.local.embedded_aws.throttle import Throttles
from clients.local.embedded_aws.usage import LOG_EVENT_OVERHEAD, Meter, Usage, function_name

API = "ministack.services.apigateway"
BODY_IS_TEXT = Seam(API, "_v2_request_body_is_text", ("content_type",))
DECODE_PATH = Seam(API, "decode_http_api_path", ("raw_path",))
EVALUATE = Seam(API, "_evaluate_authorizer_policy", ("policy_doc", "route_arn"))
SEAMS = (BODY_IS_TEXT, DECODE_PATH, EVALUATE)

MAX_BODY = 10 * 1024 * 1024
INTEGRATION_SECONDS = 30.0
AUTHORIZER_SECONDS = 10.0
DEFAULT_TTL = 300

_REFUSALS = {401: UNAUTHORIZED, 403: FORBIDDEN, 500: SERVER_ERROR}


@dataclass(frozen=True, slots=True)
class _Call:
    """A request that found its route."""

    api: Api
    stage: Stage
    route: Definition
    match: Match
    request: HttpRequest
    request_id: str
    now: float


class HttpApis:
    def __init__(
        self,
        functions: LambdaFunctions,
        usage: Usage,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._functions = functions
        self._usage = usage
        self._clock = clock
        self._cache = AnswerCache()
        self._throttles = Throttles()

    def serves(self, address: ApiAddress) -> bool:
        """Whether every route of the API is of a kind that this data plane knows."""
        api = find_api(address.api)
        if api is None or api.is_websocket:
            return False
        return all(
            (route.get("authorizationType") or "NONE") in ("NONE", "CUSTOM")
            and (
                (integration := api.integration(route)) is None
                or integration.get("integrationType") == "AWS_PROXY"
            )
            for route in api.routes().values()
        )

    async def handle(self, address: ApiAddress, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = gateway_request_id()
        response = await self._response(address, scope, receive, request_id)
        headers = [
            (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
            for name, value in response.headers
            if name != "content-length"
        ]
        headers.append((b"apigw-requestid", request_id.encode()))
        head = scope["method"] == "HEAD"
        await respond(send, response.status, headers, response.body, head=head)

    async def _response(
        self, address: ApiAddress, scope: Scope, receive: Receive, request_id: str
    ) -> HttpResponse:
        api = find_api(address.api)
        stage = api.stage(address.stage) if api else None
        if api is None or stage is None:
            return NOT_FOUND
        body = await read_body(receive, limit=MAX_BODY)
        if body is None:
            return TOO_LARGE
        headers, cookies = headers_and_cookies(scope["headers"])
        request = HttpRequest(
            method=scope["method"],
            path=DECODE_PATH.get()(address.raw_path),
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            cookies=cookies,
            body=body,
            source_ip=(scope.get("client") or ("127.0.0.1",))[0],
        )
        configuration = api.definition.get("corsConfiguration")
        if configuration and cors.is_preflight(request.method, headers):
            return cors.preflight(configuration, headers)
        response = await self._routed(api, stage, request, request_id)
        return cors.with_cors(response, configuration, headers) if configuration else response

    async def _routed(
        self, api: Api, stage: Definition, request: HttpRequest, request_id: str
    ) -> HttpResponse:
        routes = api.routes()
        found = match(routes, request.method, request.path)
        if found is None:
            return NOT_FOUND
        now = self._clock()
        if not self._admitted(api, stage, found.route_key, now):
            return TOO_MANY
        call = _Call(
            api=api,
            stage=Stage(
                account=api.account,
                api=api.id,
                name=stage["stageName"],
                domain=f"{api.id}.execute-api.localhost",
                variables=stage.get("stageVariables") or {},
            ),
            route=routes[found.route_key],
            match=found,
            request=request,
            request_id=request_id,
            now=now,
        )
        context: Mapping[str, Any] | None = None
        if call.route.get("authorizationType") == "CUSTOM":
            decision = await self._authorized(call)
            if isinstance(decision, Refused):
                return _REFUSALS[decision.status]
            context = decision.context
        response = await self._integrated(call, context)
        self._count(call, stage, response)
        return response

    def _count(self, call: _Call, stage: Definition, response: HttpResponse) -> None:
        """What AWS bills: requests that an authorizer refuses are free of charge
        (https://aws.amazon.com/api-gateway/pricing/)."""
        integration = call.api.integration(call.route)
        who = function_name(function_of(integration)) if integration else ""
        route = f"{call.request.method} {call.match.route_key.partition(' ')[2]}"
        self._usage.http(who, route, request=len(call.request.body), response=len(response.body))
        if line := (stage.get("accessLogSettings") or {}).get("format"):
            size = len(_access_log(line, call, response)) + LOG_EVENT_OVERHEAD
            self._usage.add(Meter.LOG_BYTES, "http-api", "access log", size)

    def _admitted(self, api: Api, stage: Definition, route_key: str, now: float) -> bool:
        settings = {
            **in_lower_camel(stage.get("defaultRouteSettings") or {}),
            **in_lower_camel((stage.get("routeSettings") or {}).get(route_key) or {}),
        }
        rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
        return self._throttles.admits(
            (api.id, stage["stageName"], route_key),
            rate=None if rate is None else float(rate),
            burst=None if burst is None else int(burst),
            now=now,
        )

    async def _authorized(self, call: _Call) -> Decision:
        authorizer = call.api.authorizer(call.route)
        if authorizer is None:
            return Refused(500)
        sources = Sources(
            headers=call.request.headers,
            query=query_parameters(call.request.query),
            stage_variables=call.stage.variables,
            context={"routeKey": call.match.route_key, "stage": call.stage.name},
        )
        values = identity(authorizer.get("identitySource") or [], sources)
        if values is None:
            return Refused(401)
        ttl = authorizer.get("authorizerResultTtlInSeconds")
        ttl = DEFAULT_TTL if ttl in (None, "") else int(ttl)
        key = (call.api.id, call.stage.name, authorizer["authorizerId"], *values)
        answer: dict[str, Any] | Refused | None = self._cache.get(key, call.now) if ttl else None
        if answer is None:
            answer = answer_of(await self._asked(call, authorizer, values))
            if isinstance(answer, dict) and ttl and values:
                self._cache.put(key, answer, until=call.now + ttl)
        if isinstance(answer, Refused):
            return answer
        if str(authorizer.get("enableSimpleResponses")).lower() == "true":
            return simple_decision(answer)
        return policy_decision(answer, _route_arn(call), evaluate=EVALUATE.get())

    async def _asked(self, call: _Call, authorizer: Definition, values: tuple[str, ...]) -> Outcome:
        event = {
            **common_fields(
                call.request,
                call.stage,
                route_key=call.match.route_key,
                path_parameters=call.match.path_parameters,
                request_id=call.request_id,
                now=call.now,
            ),
            "type": "REQUEST",
            "routeArn": _route_arn(call),
            "identitySource": list(values),
        }
        try:
            return await self._invoked(function_of(authorizer), event, call.api, AUTHORIZER_SECONDS)
        except TimeoutError:
            return failure("Sandbox.Timedout", "the authorizer did not answer in time")

    async def _integrated(self, call: _Call, authorizer: Mapping[str, Any] | None) -> HttpResponse:
        integration = call.api.integration(call.route)
        if integration is None:
            return SERVER_ERROR
        event = event_of(
            call.request,
            call.stage,
            route_key=call.match.route_key,
            path_parameters=call.match.path_parameters,
            request_id=call.request_id,
            authorizer=authorizer,
            body_is_text=BODY_IS_TEXT.get(),
            now=call.now,
        )
        timeout = min(int(integration.get("timeoutInMillis") or 30000) / 1000, INTEGRATION_SECONDS)
        try:
            outcome = await self._invoked(function_of(integration), event, call.api, timeout)
        except TimeoutError:
            return UNAVAILABLE
        if outcome.throttled:
            return UNAVAILABLE
        if outcome.failed:
            too_large = b'"RequestEntityTooLargeException"' in outcome.payload
            return TOO_LARGE if too_large else SERVER_ERROR
        return response_of(outcome.payload)

    async def _invoked(
        self, function: str, event: dict[str, Any], api: Api, seconds: float
    ) -> Outcome:
        """The caller's patience ends after `seconds`; the function goes on, as on AWS."""
        invocation = asyncio.create_task(self._functions.invoke(function, event, scope=api.scope))
        done, _ = await asyncio.wait([invocation], timeout=seconds)
        if not done:
            raise TimeoutError
        return invocation.result()


def _access_log(line: str, call: _Call, response: HttpResponse) -> str:
    """The line that API Gateway would write, as long as it would be; it goes nowhere here."""
    values = {
        "requestId": call.request_id,
        "requestTimeEpoch": str(int(call.now * 1000)),
        "identity.sourceIp": call.request.source_ip,
        "routeKey": call.match.route_key,
        "path": call.request.path,
        "status": str(response.status),
        "responseLatency": "100",
        "authorizer.subject": "somebody",
    }
    return re.sub(r"\$context\.([\w.]+)", lambda found: values.get(found[1], "-"), line)


def in_lower_camel(settings: Mapping[str, Any]) -> dict[str, Any]:
    """CloudFormation keeps the template's spelling of stage settings, the API has its own."""
    return {name[:1].lower() + name[1:]: value for name, value in settings.items()}


def _route_arn(call: _Call) -> str:
    path = call.request.path.removeprefix("/")
    return call.api.arn(call.stage.name, call.request.method, path)
