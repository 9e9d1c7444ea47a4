"""What a month costs in which nobody submits anything, and what each connected operator adds.

The rates come from what there is: the templates say how many queues Lambda polls, how many alarms
and schedules there are, whether functions are traced; the counters say what one sweep and one
heartbeat cost. The rest is multiplication, over a month of 730 hours.

Lambda's pollers ask a queue that is empty, too, and AWS bills it: "the Lambda long polls the queue.
This means that even if the SQS queue isn't used, … empty receives and associated charges"
(https://repost.aws/knowledge-center/sqs-high-charges). How often is not documented; what is seen in
the metric NumberOfEmptyReceives is 15 a minute for an idle queue, which is five pollers with long
polls of 20 s (https://github.com/getlift/lift/issues/132). A cap on concurrency takes none away.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.local.embedded_aws.usage import Meter
from tests.benchmarks import prices
from tests.benchmarks.prices import PRICES
from tests.benchmarks.readings import Counted, only, total

MINUTES = 730 * 60
POLLERS = 5
POLLS_A_MINUTE = 3
INVENTORY_MINUTES = 10
DIALS = 730 * 60 / 105
"""An operator's socket is exchanged after 100 to 110 minutes."""

MONTH_BUDGET = 2.00
OPERATOR_BUDGET = 0.20

MONITOR = "delayed-job-monitor"
INGEST = "agent-ingest"
AGENT = "agent"

_GB = 1024**3


@dataclass(frozen=True, slots=True)
class Line:
    says: str
    dollars: float


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the templates say."""

    polled_queues: int
    alarms: int
    schedules: int
    traced: bool
    recovery: bool
    """Point-in-time recovery of tables."""


@dataclass(frozen=True, slots=True)
class Stored:
    table_bytes: int
    bucket_bytes: int


def read_templates(folder: Path) -> Deployment:
    resources = [
        resource
        for template in sorted(folder.glob("*.template.json"))
        for resource in json.loads(template.read_text())["Resources"].values()
    ]
    return deployment(resources)


def deployment(resources: Iterable[Mapping[str, Any]]) -> Deployment:
    of: dict[str, list[Mapping[str, Any]]] = {}
    for resource in resources:
        of.setdefault(resource["Type"], []).append(resource.get("Properties", {}))
    tracing = [
        function.get("TracingConfig", {}).get("Mode") for function in of["AWS::Lambda::Function"]
    ]
    recovery = [
        table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled")
        for table in of["AWS::DynamoDB::Table"]
    ]
    return Deployment(
        polled_queues=len(of["AWS::Lambda::EventSourceMapping"]),
        alarms=len(of["AWS::CloudWatch::Alarm"]),
        schedules=len(of["AWS::Scheduler::Schedule"]),
        traced="Active" in tracing,
        recovery=True in recovery,
    )


def month(deployed: Deployment, idle: Counted, stored: Stored) -> list[Line]:
    """`idle`: what was counted while the Monitor swept and nothing else was asked for."""
    polls = deployed.polled_queues * POLLERS * POLLS_A_MINUTE * MINUTES
    sweeps = MINUTES * deployed.schedules
    lines = [
        Line(
            f"{deployed.polled_queues} queues polled while they are empty",
            PRICES[Meter.SQS_REQUESTS].of(polls),
        ),
        Line(f"{deployed.alarms} alarms", prices.ALARM.of(deployed.alarms)),
        Line(f"{sweeps} starts by Scheduler", PRICES[Meter.SCHEDULER_INVOCATIONS].of(sweeps)),
        *_repeated(
            f"{sweeps} sweeps",
            only(idle, [MONITOR]),
            sweeps / (total(idle, Meter.LAMBDA_REQUESTS, MONITOR) or 1),
        ),
        Line("storage of tables and buckets", _storage(deployed, stored)),
    ]
    if deployed.traced:
        lines.append(Line(f"{sweeps} traces of sweeps", prices.TRACE.of(sweeps)))
    return lines


def operator(deployed: Deployment, idle: Counted, busy: Counted) -> list[Line]:
    """`busy`: a reading with news in it, for what an inventory costs."""
    heartbeats = total(idle, Meter.WEBSOCKET_MESSAGES, INGEST)
    inventories = MINUTES / INVENTORY_MINUTES
    news = total(busy, Meter.LAMBDA_REQUESTS, AGENT)
    without_writes = {
        key: amount for key, amount in busy.items() if key.meter is not Meter.DYNAMODB_WRITES
    }
    a_heartbeat = _each(idle, INGEST, heartbeats)
    lines = [
        Line(f"{MINUTES} minutes of its socket", PRICES[Meter.WEBSOCKET_MINUTES].of(MINUTES)),
        *_repeated(f"{MINUTES} heartbeats", only(idle, [INGEST]), MINUTES / (heartbeats or 1)),
        # Each is followed by a frame about the nodes, which goes the same way.
        Line(
            f"{2 * inventories:.0f} inventories, of groups and of nodes",
            (a_heartbeat + _each(without_writes, AGENT, news) + 3 * _a_request()) * 2 * inventories,
        ),
        # Its authorizer, $connect, hello, $disconnect.
        Line(f"{DIALS:.0f} sockets opened", 4 * a_heartbeat * DIALS),
    ]
    if deployed.traced:
        traces = MINUTES + 2 * inventories
        lines.append(Line(f"{traces:.0f} traces of heartbeats and news", prices.TRACE.of(traces)))
    return lines


def _repeated(says: str, counted: Counted, times: float) -> list[Line]:
    """What was counted, so many times over: a line for each meter."""
    return [
        Line(f"{says}: {meter.value}", PRICES[meter].of(total(counted, meter)) * times)
        for meter in Meter
        if total(counted, meter)
    ]


def dollars(counted: Counted) -> float:
    return sum(PRICES[key.meter].of(amount) for key, amount in counted.items())


def _each(counted: Counted, who: str, times: float) -> float:
    """Dollars for one of `times` things that a function did."""
    return dollars(only(counted, [who])) / times if times else 0.0


def _a_request() -> float:
    return PRICES[Meter.SQS_REQUESTS].of(1)


def _storage(deployed: Deployment, stored: Stored) -> float:
    tables = prices.TABLE_STORAGE.of(stored.table_bytes / _GB)
    if deployed.recovery:
        tables += prices.TABLE_RECOVERY.of(stored.table_bytes / _GB)
    return tables + prices.BUCKET_STORAGE.of(stored.bucket_bytes / _GB)
