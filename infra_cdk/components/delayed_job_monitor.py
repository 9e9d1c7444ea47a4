"""Delayed Job Monitor: once a minute, rings for what was forgotten and what is due soon; and the
queue of timers, which it answers to the second.

A sweep that fails is not tried again: the next one comes in a minute and finds the same rows. So
neither the Scheduler nor Lambda retries, and both drop a start that is older than the next one.
"""

from typing import TYPE_CHECKING

from aws_cdk import Aws, Duration
from aws_cdk.aws_iam import PolicyDocument, PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_scheduler import CfnSchedule
from constructs import Construct

from infra_cdk.components.websocket_api import WebSocketApi
from infra_cdk.constructs.alarms import Alarms
from infra_cdk.constructs.doorbell_queue import DoorbellQueue
from infra_cdk.constructs.rights import (
    CHANGE,
    READ,
    consume,
    depth,
    index,
    key,
    keys_path,
    listing,
    objects,
    rows,
    send,
)
from infra_cdk.constructs.service_function import Service, ServiceFunction

if TYPE_CHECKING:
    from infra_cdk.stacks.data import Data


class DelayedJobMonitor(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: Service,
        data: "Data",
        jobs: DoorbellQueue,
        websocket: WebSocketApi,
    ) -> None:
        super().__init__(scope, id)
        self._environment = service.environment
        self.timers = DoorbellQueue(self, "Timers", environment=service.environment)
        settings = {
            "WORKFLOWS_TABLE": data.workflows.name,
            "BACKENDS_TABLE": data.backends.name,
            "STORE_BUCKET": data.store.name,
            "JOBS_QUEUE_URL": jobs.queue_url,
            "TIMERS_QUEUE_URL": self.timers.queue_url,
            "CONNECTIONS_ENDPOINT": websocket.connections_endpoint,
        }
        self._function = ServiceFunction(
            self,
            "Sweep",
            service=service,
            component="delayed_job_monitor",
            entry="sweep.handler",
            settings={
                **settings,
                "CATALOG_TABLE": data.catalog.name,
                "DATASETS_BUCKET": data.datasets.name,
                "KEYS_PATH": keys_path(service.environment),
            },
            rights=[
                index(data.workflows, "due"),
                rows(data.workflows, "GetItem", "UpdateItem"),
                rows(data.backends, *READ, "UpdateItem"),
                rows(data.catalog, *READ, *CHANGE),
                objects(data.datasets, "", "DeleteObject", "AbortMultipartUpload"),
                listing(data.datasets),
                objects(data.store, "payloads/", "GetObject"),
                key(service.environment, "credentials"),
                send(jobs),
                send(self.timers),
                depth(jobs),
                websocket.push,
                websocket.close,
            ],
            # It may have thousands of rows to move after an outage; the next one may overlap.
            timeout=Duration.seconds(90),
            # Its traces would cost a tenth of what all of Xylem costs while nobody uses it.
            traced=False,
            invoked_at_most_once=True,
        )
        self._timed = ServiceFunction(
            self,
            "Timed",
            service=service,
            component="delayed_job_monitor",
            entry="timers.handler",
            name="delayed-job-monitor-timers",
            settings=settings,
            rights=[
                rows(data.workflows, *READ, *CHANGE),
                rows(data.backends, "GetItem", "PutItem", "UpdateItem"),
                objects(data.store, "payloads/", "GetObject"),
                send(jobs),
                send(self.timers),
                consume(self.timers),
                websocket.push,
            ],
        )
        self.timers.feeds(self._timed)
        self._schedule()

    def watched_by(self, alarms: Alarms) -> None:
        self.timers.watched_by(alarms)
        alarms.when(
            "SweepErrors",
            self._function.metric_errors(period=Duration.minutes(1)),
            at_least=1,
            minutes=5,
            says="Delayed Job Monitor: the sweep fails; look at the log of delayed-job-monitor",
        )
        alarms.when_silent(
            "SweepSilent",
            self._function.metric_invocations(period=Duration.minutes(1)),
            minutes=5,
            says="Delayed Job Monitor: no sweep was started; look at the schedule",
        )

    def _schedule(self) -> None:
        """Not the L2 construct: its role may invoke every version of the function."""
        arn = self._function.function_arn
        start = PolicyStatement(actions=["lambda:InvokeFunction"], resources=[arn])
        role = Role(
            self,
            "ScheduleRole",
            assumed_by=ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            ),
            inline_policies={"Start": PolicyDocument(statements=[start])},
        )
        CfnSchedule(
            self,
            "EveryMinute",
            name=f"xylem-{self._environment.name}-sweep",
            description="Starts the Delayed Job Monitor's sweep",
            schedule_expression="rate(1 minute)",
            flexible_time_window=CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=CfnSchedule.TargetProperty(
                arn=arn,
                role_arn=role.role_arn,
                retry_policy=CfnSchedule.RetryPolicyProperty(
                    maximum_retry_attempts=0, maximum_event_age_in_seconds=60
                ),
            ),
        )
