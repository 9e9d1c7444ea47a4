"""Logger: takes, serves and follows logs, and is the Task Runtime's counterpart under /runtime/."""

from typing import TYPE_CHECKING

from constructs import Construct

from infra_cdk.components.http_api import HttpApi
from infra_cdk.components.websocket_api import WebSocketApi
from infra_cdk.constructs.expiry import expiring_logs
from infra_cdk.constructs.rights import (
    CHANGE,
    CHECK,
    DATASET_OBJECTS,
    READ,
    key,
    keys_path,
    listing,
    objects,
    rows,
)
from infra_cdk.constructs.service_function import COMPUTING_MB, Service, ServiceFunction

if TYPE_CHECKING:
    from infra_cdk.stacks.data import Data


class Logger(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: Service,
        data: "Data",
        http: HttpApi,
        websocket: WebSocketApi,
    ) -> None:
        super().__init__(scope, id)
        function = ServiceFunction(
            self,
            "Function",
            service=service,
            component="logger",
            memory_mb=COMPUTING_MB,
            settings={
                "LOGS_TABLE": data.logs.name,
                **expiring_logs(service.environment),
                "WORKFLOWS_TABLE": data.workflows.name,
                "STORE_BUCKET": data.store.name,
                "DATA_BUCKET": data.data.name,
                "CATALOG_TABLE": data.catalog.name,
                "CONFIGS_TABLE": data.configs.name,
                "DATASETS_BUCKET": data.datasets.name,
                "API_URL": http.url,
                "CONNECTIONS_TABLE": data.connections.name,
                "CONNECTIONS_ENDPOINT": websocket.connections_endpoint,
                "WEBSOCKET_URL": websocket.url,
                "KEYS_PATH": keys_path(service.environment),
            },
            rights=[
                rows(data.logs, *READ, "PutItem"),
                rows(data.workflows, *READ, "PutItem"),
                rows(data.connections, "Query", "DeleteItem"),
                websocket.push,
                objects(data.store, "specs/", "GetObject"),
                objects(data.store, "logs/", "GetObject", "PutObject"),
                objects(data.store, "views/", "GetObject", "PutObject"),
                listing(data.store),
                objects(data.data, "", "GetObject", "PutObject"),
                listing(data.data),
                rows(data.catalog, *READ, *CHANGE, CHECK, "BatchGetItem"),
                rows(data.configs, "BatchGetItem"),
                objects(data.datasets, "", *DATASET_OBJECTS),
                listing(data.datasets),
                key(service.environment, "hmac"),
                key(service.environment, "credentials"),
            ],
        )
        http.serves(
            function,
            "GET /api/workflow/{name}/logs",
            "GET /api/workflow/{name}/logs/follow",
            "GET /api/workflow/{name}/error_logs",
            "GET /api/workflow/{name}/artifacts",
        )
        http.serves(
            function,
            "ANY /runtime/{proxy+}",
            open_because="The function verifies the task's token itself: one that has expired must"
            " be renewable while its attempt lives, which no authorizer can know.",
        )
