"""Worker: the job queue, the function that performs jobs, what it may touch, and its alarms."""

from typing import TYPE_CHECKING

from constructs import Construct

from infra_cdk.components.http_api import HttpApi
from infra_cdk.components.websocket_api import WebSocketApi
from infra_cdk.constructs.alarms import Alarms
from infra_cdk.constructs.doorbell_queue import DoorbellQueue
from infra_cdk.constructs.expiry import expiring_logs
from infra_cdk.constructs.rights import (
    CHANGE,
    CHECK,
    READ,
    consume,
    key,
    keys_path,
    listing,
    mail,
    objects,
    rows,
    send,
)
from infra_cdk.constructs.service_function import COMPUTING_MB, Service, ServiceFunction

if TYPE_CHECKING:
    from infra_cdk.stacks.data import Data


class Worker(Construct):
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
        environment = service.environment
        self.jobs = DoorbellQueue(self, "Jobs", environment=environment)
        self.function = ServiceFunction(
            self,
            "Function",
            service=service,
            component="worker",
            memory_mb=COMPUTING_MB,
            settings={
                "WORKFLOWS_TABLE": data.workflows.name,
                "BACKENDS_TABLE": data.backends.name,
                "IDENTITY_TABLE": data.identity.name,
                "LOGS_TABLE": data.logs.name,
                **expiring_logs(environment),
                "STORE_BUCKET": data.store.name,
                "JOBS_QUEUE_URL": self.jobs.queue_url,
                "CONNECTIONS_ENDPOINT": websocket.connections_endpoint,
                "API_URL": http.url,
                "RUNTIME_IMAGE": environment.runtime_image,
                "KEYS_PATH": keys_path(environment),
            },
            rights=[
                rows(data.workflows, *READ, *CHANGE, CHECK, "BatchWriteItem"),
                rows(data.backends, "GetItem", *CHANGE),
                objects(data.store, "specs/", "GetObject"),
                objects(data.store, "payloads/", "GetObject", "PutObject"),
                rows(data.logs, *READ, "PutItem", "UpdateItem"),
                objects(data.store, "logs/", "GetObject", "PutObject", "DeleteObject"),
                listing(data.store),
                consume(self.jobs),
                send(self.jobs),
                websocket.push,
                rows(data.identity, *READ),
                key(environment, "hmac"),
                key(environment, "credentials"),
                mail(),
            ],
        )
        self.jobs.feeds(self.function)

    def watched_by(self, alarms: Alarms) -> None:
        self.jobs.watched_by(alarms, oldest_seconds=120)
