"""CORS of an HTTP API, answered by the API itself, not by the function.

"If you configure CORS for an API, API Gateway automatically sends a response to preflight OPTIONS
requests, even if there isn't an OPTIONS route", and "API Gateway ignores CORS headers returned from
your backend integration"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html).
"""

from collections.abc import Mapping
from typing import Any

from clients.local.embedded_aws.http_messages import HttpResponse


def preflight(configuration: Mapping[str, Any], headers: Mapping[str, str]) -> HttpResponse:
    """The answer to an OPTIONS request with `Access-Control-Request-Method`."""
    allowed = _origin(configuration, headers)
    if allowed is None:
        return HttpResponse(204, ())
    return HttpResponse(
        204,
        (
            *allowed,
            *_listed("access-control-allow-methods", configuration.get("allowMethods")),
            *_listed("access-control-allow-headers", configuration.get("allowHeaders")),
            *(
                [("access-control-max-age", str(configuration["maxAge"]))]
                if configuration.get("maxAge")
                else []
            ),
        ),
    )


def with_cors(
    response: HttpResponse, configuration: Mapping[str, Any], headers: Mapping[str, str]
) -> HttpResponse:
    """The answer to a browser of another origin."""
    own = tuple(
        (name, value) for name, value in response.headers if not name.startswith("access-control-")
    )
    allowed = _origin(configuration, headers) or ()
    exposed = _listed("access-control-expose-headers", configuration.get("exposeHeaders"))
    return HttpResponse(
        response.status, (*own, *allowed, *(exposed if allowed else ())), response.body
    )


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    return (
        method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
    )


def _origin(
    configuration: Mapping[str, Any], headers: Mapping[str, str]
) -> tuple[tuple[str, str], ...] | None:
    """The headers that let the request's origin in; None when it is not allowed."""
    origin = headers.get("origin")
    if origin is None:
        return None
    for allowed in configuration.get("allowOrigins") or ():
        if allowed == "*":
            return (("access-control-allow-origin", "*"),)
        if allowed == origin or (allowed.endswith("://*") and origin.startswith(allowed[:-1])):
            granted = (("access-control-allow-origin", origin), ("vary", "Origin"))
            if configuration.get("allowCredentials"):
                return (*granted, ("access-control-allow-credentials", "true"))
            return granted
    return None


def _listed(name: str, values: list[str] | None) -> list[tuple[str, str]]:
    return [(name, ",".join(values))] if values else []
