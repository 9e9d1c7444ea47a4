"""Authorizer: who may call the HTTP API, and who may open a socket."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from constructs import Construct

from infra_cdk.constructs import rights
from infra_cdk.constructs.service_function import Service, ServiceFunction

if TYPE_CHECKING:
    from infra_cdk.stacks.data import Data


class Authorizer(Construct):
    def __init__(
        self, scope: Construct, id: str, *, service: Service, data: "Data", issuer: str
    ) -> None:
        super().__init__(scope, id)
        self.http = self._function("http", service, data, issuer)
        self.websocket = self._function(
            "websocket",
            service,
            data,
            issuer,
            settings={"BACKENDS_TABLE": data.backends.name},
            more=[rights.rows(data.backends, "GetItem")],
        )

    def _function(
        self,
        entry: str,
        service: Service,
        data: "Data",
        issuer: str,
        *,
        settings: Mapping[str, str] | None = None,
        more: Sequence[rights.Right] = (),
    ) -> ServiceFunction:
        return ServiceFunction(
            self,
            entry.capitalize(),
            service=service,
            component="authorizer",
            entry=f"handler.{entry}",
            name=f"authorizer-{entry}",
            settings={
                "KEYS_PATH": rights.keys_path(service.environment),
                "API_URL": issuer,
                "IDENTITY_TABLE": data.identity.name,
                "CONFIGS_TABLE": data.configs.name,
                **(settings or {}),
            },
            rights=[
                rights.key(service.environment, "verifying"),
                rights.key(service.environment, "providers"),
                rights.rows(data.identity, "Query", "PutItem", "DeleteItem"),
                rights.rows(data.configs, "BatchGetItem"),
                *more,
            ],
        )
