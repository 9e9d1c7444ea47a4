"""Correction 5: resources of a template that stock ministack rejects or drops.

* `AWS::ApiGatewayV2::RouteResponse` and `::Deployment` are unknown, and an unknown type rejects the
  whole stack. On AWS the first lets a WebSocket route answer on its socket, the second publishes
  the routes to a stage without auto-deploy.
* `CorsConfiguration` of an HTTP API is kept in the template's spelling (`AllowOrigins`), where
  everything that reads it wants the API's (`allowOrigins`): GetApi shows none and no answer carries
  it.
* `TimeToLiveSpecification` of a table is ignored: nothing ever expires.
* Table names of one or two letters are created and then fail in transactions. AWS refuses them:
  "between 3 and 255 characters"
  (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html).

Seam: `cloudformation.provisioners._RESOURCE_HANDLERS`, the table of what each type's create, update
and delete do. New types are entries of it; the others are wrapped.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from clients.local.embedded_aws.seams import Seam

HANDLERS = Seam("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
API = "ministack.services.apigateway"
CREATE_ROUTE_RESPONSE = Seam(API, "_create_route_response", ("api_id", "route_id", "data"))
UPDATE_ROUTE_RESPONSE = Seam(API, "_update_route_response", ("api_id", "route_id", "rr_id", "data"))
DELETE_ROUTE_RESPONSE = Seam(API, "_delete_route_response", ("api_id", "route_id", "rr_id"))
CREATE_DEPLOYMENT = Seam(API, "_create_deployment", ("api_id", "data"))
DELETE_DEPLOYMENT = Seam(API, "_delete_deployment", ("api_id", "deployment_id"))
UPDATE_TTL = Seam("ministack.services.dynamodb", "_update_ttl", ("data",))
SEAMS = (
    HANDLERS,
    CREATE_ROUTE_RESPONSE,
    UPDATE_ROUTE_RESPONSE,
    DELETE_ROUTE_RESPONSE,
    CREATE_DEPLOYMENT,
    DELETE_DEPLOYMENT,
    UPDATE_TTL,
)

SHORTEST_TABLE_NAME = 3

Properties = dict[str, Any]
Created = tuple[str, dict[str, Any]]


class RefusedResource(Exception):
    """CloudFormation's reason for a failed resource."""


def in_api_spelling(properties: Mapping[str, Any]) -> dict[str, Any]:
    """`AllowOrigins` in a template is `allowOrigins` in the API."""
    return {name[:1].lower() + name[1:]: value for name, value in properties.items()}


def install() -> None:
    handlers: dict[str, dict[str, Any]] = HANDLERS.get()
    handlers["AWS::ApiGatewayV2::RouteResponse"] = {
        "create": _create_route_response,
        "update": _update_route_response,
        "delete": _delete_route_response,
    }
    handlers["AWS::ApiGatewayV2::Deployment"] = {
        "create": _create_deployment,
        "update": _update_deployment,
        "delete": _delete_deployment,
    }
    _wrap(handlers["AWS::ApiGatewayV2::Api"], _with_cors)
    _wrap(handlers["AWS::DynamoDB::Table"], _with_checked_name, _with_time_to_live)


Wrapper = Callable[[Callable[..., Created]], Callable[..., Created]]


def _wrap(handler: dict[str, Any], *wrappers: Wrapper) -> None:
    for wrapper in wrappers:
        for verb in ("create", "update"):
            handler[verb] = wrapper(handler[verb])


def _with_cors(stock: Callable[..., Created]) -> Callable[..., Created]:
    def provision(*arguments: Any, **named: Any) -> Created:
        return stock(*(_cors_spelled(argument) for argument in arguments), **named)

    return provision


def _cors_spelled(argument: Any) -> Any:
    """The new and the old properties are among the arguments, both as dicts."""
    if isinstance(argument, dict) and argument.get("CorsConfiguration"):
        return {**argument, "CorsConfiguration": in_api_spelling(argument["CorsConfiguration"])}
    return argument


def _new_properties(arguments: tuple[Any, ...]) -> Properties:
    """create(logical_id, properties, …) or update(physical_id, old, new, …)."""
    return [argument for argument in arguments if isinstance(argument, dict)][-1]


def _with_checked_name(stock: Callable[..., Created]) -> Callable[..., Created]:
    def provision(*arguments: Any, **named: Any) -> Created:
        name = _new_properties(arguments).get("TableName")
        if name is not None and len(name) < SHORTEST_TABLE_NAME:
            raise RefusedResource(
                f"TableName {name!r} must be at least {SHORTEST_TABLE_NAME} characters long"
            )
        return stock(*arguments, **named)

    return provision


def _with_time_to_live(stock: Callable[..., Created]) -> Callable[..., Created]:
    def provision(*arguments: Any, **named: Any) -> Created:
        created = stock(*arguments, **named)
        wanted = _new_properties(arguments).get("TimeToLiveSpecification")
        if wanted:
            _answered(
                UPDATE_TTL.get()(
                    {
                        "TableName": created[0],
                        "TimeToLiveSpecification": {
                            "AttributeName": wanted["AttributeName"],
                            "Enabled": str(wanted.get("Enabled")).lower() == "true",
                        },
                    }
                ),
                unless="TimeToLive is already",
            )
        return created

    return provision


def _create_route_response(logical_id: str, properties: Properties, stack_name: str) -> Created:
    route = _route(properties)
    data = in_api_spelling(properties)
    answer = _answered(CREATE_ROUTE_RESPONSE.get()(properties["ApiId"], route, data))
    response: str = answer["routeResponseId"]
    return response, {"RouteResponseId": response}


def _update_route_response(
    physical_id: str, old: Properties, new: Properties, *rest: Any, **named: Any
) -> Created:
    data = in_api_spelling(new)
    _answered(UPDATE_ROUTE_RESPONSE.get()(new["ApiId"], _route(new), physical_id, data))
    return physical_id, {"RouteResponseId": physical_id}


def _delete_route_response(physical_id: str, properties: Properties) -> None:
    DELETE_ROUTE_RESPONSE.get()(properties["ApiId"], _route(properties), physical_id)


def _route(properties: Properties) -> str:
    # What Ref gives for a route in ministack is <api>/<route>, on AWS it is the route.
    return str(properties["RouteId"]).rpartition("/")[2]


def _create_deployment(logical_id: str, properties: Properties, stack_name: str) -> Created:
    data = in_api_spelling(properties)
    answer = _answered(CREATE_DEPLOYMENT.get()(properties["ApiId"], data))
    deployment: str = answer["deploymentId"]
    return deployment, {"DeploymentId": deployment}


def _update_deployment(
    physical_id: str, old: Properties, new: Properties, *rest: Any, **named: Any
) -> Created:
    return physical_id, {"DeploymentId": physical_id}


def _delete_deployment(physical_id: str, properties: Properties) -> None:
    DELETE_DEPLOYMENT.get()(properties["ApiId"], physical_id)


def _answered(answer: tuple[int, Any, bytes], *, unless: str | None = None) -> dict[str, Any]:
    status, _, body = answer
    text = body.decode() if isinstance(body, bytes) else str(body)
    if status >= 400 and (unless is None or unless not in text):
        raise RefusedResource(text)
    return json.loads(text) if text and status < 400 else {}
