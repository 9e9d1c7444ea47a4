"""Core Service: the HTTP API's function for all but logs and the Task Runtime."""

from typing import TYPE_CHECKING

from constructs import Construct

from infra_cdk.components.http_api import HttpApi
from infra_cdk.constructs.doorbell_queue import DoorbellQueue
from infra_cdk.constructs.rights import READ, objects, rows, send
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
        http: HttpApi,
    ) -> None:
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
                "STORE_BUCKET": data.store.name,
                "JOBS_QUEUE_URL": jobs.queue_url,
                "API_URL": http.url,
            },
            rights=[
                rows(data.workflows, *READ, "PutItem"),
                rows(data.configs, "GetItem", "PutItem"),
                rows(data.backends, *READ),
                objects(data.store, "specs/", "GetObject", "PutObject"),
                send(jobs),
            ],
        )
        http.serves(function, "ANY /api/{proxy+}", "GET /health", "GET /client/version")
