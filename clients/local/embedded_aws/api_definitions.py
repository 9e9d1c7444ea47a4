"""The API Gateway definitions that ministack holds, as our data planes read them.

Everything is looked up at each request: a deployment changes it at any moment, and the lookups are
those of dictionaries.
"""

from dataclasses import dataclass
from typing import Any

from clients.local.embedded_aws.seams import Seam

API = "ministack.services.apigateway"
APIS = Seam(API, "_apis")
ROUTES = Seam(API, "_routes")
INTEGRATIONS = Seam(API, "_integrations")
STAGES = Seam(API, "_stages")
AUTHORIZERS = Seam(API, "_authorizers")
ROUTE_RESPONSES = Seam(API, "_route_responses")
FUNCTION_OF_URI = Seam(API, "_extract_lambda_ref_from_integration_uri", ("uri",))
SEAMS = (
    APIS,
    ROUTES,
    INTEGRATIONS,
    STAGES,
    AUTHORIZERS,
    ROUTE_RESPONSES,
    FUNCTION_OF_URI,
)

Definition = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Api:
    account: str
    region: str
    id: str
    definition: Definition

    @property
    def scope(self) -> tuple[str, str]:
        return self.account, self.region

    @property
    def is_websocket(self) -> bool:
        return self.definition.get("protocolType") == "WEBSOCKET"

    def stage(self, name: str) -> Definition | None:
        return self._children(STAGES).get(name)

    def routes(self) -> dict[str, Definition]:
        """By route key."""
        return {route["routeKey"]: route for route in self._children(ROUTES).values()}

    def integration(self, route: Definition) -> Definition | None:
        # "integrations/<id>"; an older form has the API before the id.
        return self._children(INTEGRATIONS).get(route.get("target", "").rpartition("/")[2])

    def authorizer(self, route: Definition) -> Definition | None:
        return self._children(AUTHORIZERS).get(route.get("authorizerId") or "")

    def answers_on_socket(self, route: Definition) -> bool:
        """Whether a WebSocket route has a route response, without which answers are dropped."""
        responses = self._children(ROUTE_RESPONSES).get(route["routeId"])
        return bool(responses) and bool(route.get("routeResponseSelectionExpression"))

    def arn(self, stage: str, *path: str) -> str:
        parts = "/".join((self.id, stage, *path))
        return f"arn:aws:execute-api:{self.region}:{self.account}:{parts}"

    def _children(self, store: Seam) -> dict[str, Definition]:
        children: dict[str, Definition] = store.get().get_scoped(
            self.account, self.region, self.id, {}
        )
        return children


def find_api(api: str) -> Api | None:
    for (account, region, key), definition in APIS.get().all_items():
        if key == api:
            return Api(account, region, api, definition)
    return None


def function_of(definition: Definition) -> str:
    """The function's ARN in an integration or an authorizer."""
    uri = definition.get("integrationUri") or definition.get("authorizerUri") or ""
    reference: str = FUNCTION_OF_URI.get()(uri)
    return reference
