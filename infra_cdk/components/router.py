"""Router: subscribes sockets to logs, pairs a user's with an operator's, and passes frames."""

from typing import TYPE_CHECKING

from constructs import Construct

from infra_cdk.components.websocket_api import WebSocketApi
from infra_cdk.constructs.rights import key, keys_path, rows
from infra_cdk.constructs.service_function import Service, ServiceFunction

if TYPE_CHECKING:
    from infra_cdk.stacks.data import Data


class Router(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: Service,
        data: "Data",
        websocket: WebSocketApi,
    ) -> None:
        super().__init__(scope, id)
        function = ServiceFunction(
            self,
            "Function",
            service=service,
            component="router",
            settings={
                "BACKENDS_TABLE": data.backends.name,
                "CONFIGS_TABLE": data.configs.name,
                "CONNECTIONS_ENDPOINT": websocket.connections_endpoint,
                "CONNECTIONS_TABLE": data.connections.name,
                "WORKFLOWS_TABLE": data.workflows.name,
                "KEYS_PATH": keys_path(service.environment),
            },
            rights=[
                websocket.push,
                rows(data.backends, "GetItem"),
                rows(data.configs, "BatchGetItem"),
                rows(data.connections, "GetItem", "Query", "PutItem", "DeleteItem"),
                rows(data.workflows, "GetItem"),
                key(service.environment, "sessions"),
            ],
        )
        websocket.routes(function, "router")
