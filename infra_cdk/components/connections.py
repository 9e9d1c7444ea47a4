"""Connections: knows every socket and its principal; all else about a socket is its component's."""

from typing import TYPE_CHECKING

from constructs import Construct

from infra_cdk.components.authorizer import Authorizer
from infra_cdk.components.websocket_api import WebSocketApi
from infra_cdk.constructs.rights import rows
from infra_cdk.constructs.service_function import Service, ServiceFunction

if TYPE_CHECKING:
    from infra_cdk.stacks.data import Data


class Connections(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: Service,
        data: "Data",
        websocket: WebSocketApi,
        authorizer: Authorizer,
    ) -> None:
        super().__init__(scope, id)
        function = ServiceFunction(
            self,
            "Function",
            service=service,
            component="connections",
            settings={"CONNECTIONS_TABLE": data.connections.name},
            rights=[rows(data.connections, "GetItem", "PutItem", "DeleteItem")],
        )
        websocket.opens(function, authorizer=authorizer.websocket)
        websocket.routes(function, "$disconnect", "$default")
