"""Router: pairs a user's socket with an operator's, and passes frames."""

from constructs import Construct

from infra_cdk.components.websocket_api import WebSocketApi
from infra_cdk.constructs.service_function import Service, ServiceFunction


class Router(Construct):
    def __init__(
        self, scope: Construct, id: str, *, service: Service, websocket: WebSocketApi
    ) -> None:
        super().__init__(scope, id)
        function = ServiceFunction(
            self,
            "Function",
            service=service,
            component="router",
            settings={"CONNECTIONS_ENDPOINT": websocket.connections_endpoint},
            rights=[websocket.push],
        )
        websocket.routes(function, "router")
