"""Agent: ingest on the WebSocket API, the queue of news, and the function that applies them."""

from typing import TYPE_CHECKING

from constructs import Construct

from infra_cdk.components.websocket_api import WebSocketApi
from infra_cdk.constructs.alarms import Alarms
from infra_cdk.constructs.doorbell_queue import DoorbellQueue
from infra_cdk.constructs.rights import (
    CHANGE,
    READ,
    consume,
    key,
    keys_path,
    objects,
    rows,
    send,
)
from infra_cdk.constructs.service_function import COMPUTING_MB, Service, ServiceFunction

if TYPE_CHECKING:
    from infra_cdk.stacks.data import Data


class Agent(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: Service,
        data: "Data",
        jobs: DoorbellQueue,
        timers: DoorbellQueue,
        websocket: WebSocketApi,
    ) -> None:
        super().__init__(scope, id)
        self.news = DoorbellQueue(self, "News", environment=service.environment)
        ingest = ServiceFunction(
            self,
            "Ingest",
            service=service,
            component="agent",
            entry="ingest.handler",
            name="agent-ingest",
            settings={
                "BACKENDS_TABLE": data.backends.name,
                "NEWS_QUEUE_URL": self.news.queue_url,
                "CONNECTIONS_ENDPOINT": websocket.connections_endpoint,
            },
            rights=[
                rows(data.backends, "GetItem", "PutItem", "UpdateItem"),
                send(self.news),
                websocket.push,
                websocket.close,
            ],
        )
        websocket.routes(ingest, "agent")
        self.function = ServiceFunction(
            self,
            "Function",
            service=service,
            component="agent",
            memory_mb=COMPUTING_MB,
            settings={
                "WORKFLOWS_TABLE": data.workflows.name,
                "BACKENDS_TABLE": data.backends.name,
                "CONFIGS_TABLE": data.configs.name,
                "STORE_BUCKET": data.store.name,
                "JOBS_QUEUE_URL": jobs.queue_url,
                "NEWS_QUEUE_URL": self.news.queue_url,
                "TIMERS_QUEUE_URL": timers.queue_url,
                "CONNECTIONS_ENDPOINT": websocket.connections_endpoint,
                "KEYS_PATH": keys_path(service.environment),
            },
            rights=[
                rows(data.workflows, *READ, *CHANGE),
                rows(data.backends, *READ, *CHANGE),
                rows(data.configs, "BatchGetItem"),
                objects(data.store, "payloads/", "GetObject"),
                key(service.environment, "credentials"),
                send(jobs),
                send(timers),
                consume(self.news),
                send(self.news),
                websocket.push,
                websocket.close,
            ],
        )
        self.news.feeds(self.function)

    def watched_by(self, alarms: Alarms) -> None:
        self.news.watched_by(alarms, oldest_seconds=60)
