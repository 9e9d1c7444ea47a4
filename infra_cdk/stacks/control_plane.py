"""All that runs: two APIs, their functions and queues. It holds no data and may be replaced."""

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infra_cdk.components.agent import Agent
from infra_cdk.components.authorizer import Authorizer
from infra_cdk.components.connections import Connections
from infra_cdk.components.core_service import CoreService
from infra_cdk.components.delayed_job_monitor import DelayedJobMonitor
from infra_cdk.components.http_api import HttpApi
from infra_cdk.components.logger import Logger
from infra_cdk.components.router import Router
from infra_cdk.components.websocket_api import WebSocketApi
from infra_cdk.components.worker import Worker
from infra_cdk.constructs.alarms import Alarms
from infra_cdk.constructs.layers import Layers
from infra_cdk.constructs.rights import keys_path
from infra_cdk.constructs.service_function import Service
from infra_cdk.environments import Environment
from infra_cdk.stacks.data import Data


class ControlPlane(Stack):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        environment: Environment,
        data: Data,
        alarm_email: str | None,
    ) -> None:
        super().__init__(scope, id, description="Xylem: APIs, functions and queues")
        self.add_stack_dependency(data)
        layers = Layers(self, "Layers", platform=environment.platform)
        service = Service(environment=environment, layers=layers.all)
        http = HttpApi(self, "HttpApi", environment=environment)
        websocket = WebSocketApi(self, "WebSocketApi", environment=environment)
        authorizer = Authorizer(self, "Authorizer", service=service, data=data, issuer=http.url)
        http.authorized_by(authorizer.http)

        Connections(
            self,
            "Connections",
            service=service,
            data=data,
            websocket=websocket,
            authorizer=authorizer,
        )
        Router(self, "Router", service=service, data=data, websocket=websocket)
        worker = Worker(self, "Worker", service=service, data=data, http=http, websocket=websocket)
        monitor = DelayedJobMonitor(
            self,
            "DelayedJobMonitor",
            service=service,
            data=data,
            jobs=worker.jobs,
            websocket=websocket,
        )
        agent = Agent(
            self,
            "Agent",
            service=service,
            data=data,
            jobs=worker.jobs,
            timers=monitor.timers,
            websocket=websocket,
        )
        CoreService(
            self,
            "CoreService",
            service=service,
            data=data,
            jobs=worker.jobs,
            dead={
                "jobs": worker.jobs.dead,
                "news": agent.news.dead,
                "timers": monitor.timers.dead,
            },
            http=http,
            websocket=websocket,
        )
        Logger(self, "Logger", service=service, data=data, http=http)

        alarms = Alarms(self, "Alarms", environment=environment, email=alarm_email)
        for watched in (http, websocket, worker, agent, monitor):
            watched.watched_by(alarms)

        self._tell(
            {
                "ApiUrl": http.url,
                "WebSocketUrl": websocket.url,
                "ConnectionsEndpoint": websocket.connections_endpoint,
                "KeysPath": keys_path(environment),
                "StoreBucket": data.store.name,
                "DataBucket": data.data.name,
                "JobsQueueUrl": worker.jobs.queue_url,
                "NewsQueueUrl": agent.news.queue_url,
                "TimersQueueUrl": monitor.timers.queue_url,
                "AlarmTopic": alarms.topic.topic_arn,
                **{f"{table.node.id}Table": table.name for table in data.tables},
            }
        )

    def _tell(self, outputs: dict[str, str]) -> None:
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
