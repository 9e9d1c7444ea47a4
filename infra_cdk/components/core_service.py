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
    DATASET_OBJECTS,
    READ,
    index,
    key,
    keys_path,
    listing,
    objects,
    peek,
    rows,
    send,
)
from infra_cdk.constructs.service_function import COMPUTING_MB, Service, ServiceFunction
from infra_cdk.environments import Environment

if TYPE_CHECKING:
    from infra_cdk.stacks.data import Data


OPEN = (
    "GET /health",
    "GET /client/version",
    "GET /api/version",
    "GET /api/auth/login",
    "GET /api/auth/keys",
    "GET /api/auth/jwt/access_token",
    "POST /api/auth/jwt/access_token",
    "GET /api/auth/jwt/refresh_token",
    "POST /api/auth/jwt/refresh_token",
)
"""As with OSMO."""


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
                "CATALOG_TABLE": data.catalog.name,
                "STORE_BUCKET": data.store.name,
                "DATASETS_BUCKET": data.datasets.name,
                "JOBS_QUEUE_URL": jobs.queue_url,
                "CONNECTIONS_TABLE": data.connections.name,
                "CONNECTIONS_ENDPOINT": websocket.connections_endpoint,
                "WEBSOCKET_URL": websocket.url,
                "API_URL": http.url,
                **_requests(service.environment),
                **{
                    f"DEAD_{word.upper()}_QUEUE_URL": queue.queue_url
                    for word, queue in dead.items()
                },
            },
            rights=[
                rows(data.workflows, *READ, *CHANGE, CHECK),
                index(data.workflows, "due"),
                index(data.workflows, "live"),
                rows(
                    data.configs,
                    "GetItem",
                    "BatchGetItem",
                    "Query",
                    "PutItem",
                    "ConditionCheckItem",
                ),
                rows(data.backends, *READ, *CHANGE),
                rows(data.connections, "Query", *CHANGE),
                rows(data.identity, "Query", "PutItem", "DeleteItem"),
                key(service.environment, "credentials"),
                key(service.environment, "sessions"),
                key(service.environment, "signing"),
                key(service.environment, "providers"),
                objects(data.store, "specs/", "GetObject", "PutObject"),
                rows(data.catalog, *READ, *CHANGE, CHECK, "BatchGetItem"),
                objects(data.datasets, "", *DATASET_OBJECTS),
                listing(data.datasets),
                send(jobs),
                *(peek(queue) for queue in dead.values()),
                websocket.push,
                websocket.close,
            ],
        )
        http.serves(function, "ANY /api/{proxy+}")
        http.serves(
            function,
            *OPEN,
            open_because="What one asks before one has a token: the version, whether the service "
            "answers, how to log in, and a token for an access token, which is checked there. "
            "Nothing of anybody's is behind them.",
        )


def _requests(environment: Environment) -> dict[str, str]:
    """How often one may ask, where that is limited."""
    limits = {"USER": environment.requests_of_a_user, "TOKEN": environment.requests_of_a_token}
    return {
        f"REQUESTS_PER_SECOND_OF_A_{of}": str(limit)
        for of, limit in limits.items()
        if limit is not None
    }
