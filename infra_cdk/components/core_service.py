"""Core Service: the HTTP API's function for all but logs and the Task Runtime."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aws_cdk.aws_sqs import IQueue
from constructs import Construct

from infra_cdk.components.http_api import HttpApi
from infra_cdk.components.websocket_api import WebSocketApi
from infra_cdk.constructs.doorbell_queue import DoorbellQueue
from infra_cdk.constructs.rights import (
    CHANGE,
    CHECK,
    READ,
    index,
    key,
    keys_path,
    objects,
    peek,
    rows,
    send,
)
from infra_cdk.constructs.service_function import COMPUTING_MB, Service, ServiceFunction

if TYPE_CHECKING:
    from infra_cdk.stacks.data import Data


class CoreService(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: Service,
        data: "Data",
        jobs: DoorbellQueue,
        dead: Mapping[str, IQueue],
        http: HttpApi,
        websocket: WebSocketApi,
    ) -> None:
        """`dead`: where messages end that nobody could answer, by the word for them."""
        super().__init__(scope, id)
        function = ServiceFunction(
            self,
            "Function",
            service=service,
            component="core_service",
            memory_mb=COMPUTING_MB,
            settings={
                "WORKFLOWS_TABLE": data.workflows.name,
                "BACKENDS_TABLE": data.backends.name,
                "CONFIGS_TABLE": data.configs.name,
                "IDENTITY_TABLE": data.identity.name,
                "KEYS_PATH": keys_path(service.environment),
                "STORE_BUCKET": data.store.name,
                "JOBS_QUEUE_URL": jobs.queue_url,
                "CONNECTIONS_TABLE": data.connections.name,
                "CONNECTIONS_ENDPOINT": websocket.connections_endpoint,
                "WEBSOCKET_URL": websocket.url,
                "API_URL": http.url,
                **{
                    f"DEAD_{word.upper()}_QUEUE_URL": queue.queue_url
                    for word, queue in dead.items()
                },
            },
            rights=[
                rows(data.workflows, *READ, *CHANGE, CHECK),
                index(data.workflows, "due"),
                index(data.workflows, "live"),
                rows(data.configs, "GetItem", "BatchGetItem", "PutItem", "ConditionCheckItem"),
                rows(data.backends, *READ, *CHANGE),
                rows(data.connections, "Query", "PutItem", "DeleteItem"),
                rows(data.identity, "Query", "PutItem", "DeleteItem"),
                key(service.environment, "credentials"),
                key(service.environment, "hmac"),
                objects(data.store, "specs/", "GetObject", "PutObject"),
                send(jobs),
                *(peek(queue) for queue in dead.values()),
                websocket.push,
                websocket.close,
            ],
        )
        http.serves(function, "ANY /api/{proxy+}", "GET /health", "GET /client/version")
