"""Authorizer: who may call the HTTP API, and who may open a socket."""

from constructs import Construct

from infra_cdk.constructs import rights
from infra_cdk.constructs.service_function import Service, ServiceFunction


class Authorizer(Construct):
    def __init__(self, scope: Construct, id: str, *, service: Service, issuer: str) -> None:
        super().__init__(scope, id)
        self.http = self._function("http", service, issuer)
        self.websocket = self._function("websocket", service, issuer)

    def _function(self, entry: str, service: Service, issuer: str) -> ServiceFunction:
        return ServiceFunction(
            self,
            entry.capitalize(),
            service=service,
            component="authorizer",
            entry=f"handler.{entry}",
            name=f"authorizer-{entry}",
            settings={"KEYS_PATH": rights.keys_path(service.environment), "API_URL": issuer},
            rights=[rights.key(service.environment, "verifying")],
        )
