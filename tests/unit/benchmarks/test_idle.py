"""The month in which nobody does anything: what there is, times how often it is billed."""

from typing import Any

import pytest

from clients.local.embedded_aws.usage import Key, Meter
from tests.benchmarks.idle import MINUTES, Deployment, Stored, deployment, month, operator

NOTHING = Stored(0, 0)
SWEEPS = Key(Meter.LAMBDA_REQUESTS, "delayed-job-monitor", "")
SWEEP_READS = Key(Meter.DYNAMODB_READS, "delayed-job-monitor", "workflows/due")
HEARTBEATS = Key(Meter.WEBSOCKET_MESSAGES, "agent-ingest", "agent")
INGESTED = Key(Meter.LAMBDA_REQUESTS, "agent-ingest", "")


def a_deployment(**differences: Any) -> Deployment:
    plain: dict[str, Any] = {
        "polled_queues": 0,
        "alarms": 0,
        "schedules": 1,
        "traced": False,
        "recovery": False,
    }
    return Deployment(**{**plain, **differences})


def dollars_of(lines: list[Any], word: str) -> float:
    found = [float(line.dollars) for line in lines if word in line.says]
    assert found, f"no line says {word}"
    return sum(found)


def test_the_templates_say_what_is_polled_watched_started_and_traced() -> None:
    resources: list[dict[str, Any]] = [
        {"Type": "AWS::Lambda::EventSourceMapping"},
        {"Type": "AWS::Lambda::EventSourceMapping"},
        {"Type": "AWS::CloudWatch::Alarm"},
        {"Type": "AWS::Scheduler::Schedule"},
        {"Type": "AWS::Lambda::Function", "Properties": {"TracingConfig": {"Mode": "Active"}}},
        {"Type": "AWS::DynamoDB::Table", "Properties": {}},
    ]

    assert deployment(resources) == a_deployment(polled_queues=2, alarms=1, traced=True)


def test_an_idle_queue_is_asked_fifteen_times_a_minute() -> None:
    lines = month(a_deployment(polled_queues=3), {}, NOTHING)

    assert dollars_of(lines, "queues") == pytest.approx(3 * 15 * MINUTES * 0.40 / 1e6)


def test_an_alarm_is_ten_cents() -> None:
    assert dollars_of(month(a_deployment(alarms=10), {}, NOTHING), "alarms") == pytest.approx(1.0)


def test_a_sweep_costs_each_minute_what_it_was_seen_to_cost() -> None:
    lines = month(a_deployment(), {SWEEPS: 2, SWEEP_READS: 36}, NOTHING)

    each = 0.20 / 1e6 + 18 * 0.125 / 1e6
    assert dollars_of(lines, "sweeps") == pytest.approx(each * MINUTES)


def test_what_is_stored_costs_more_when_it_can_be_recovered() -> None:
    gigabyte = Stored(table_bytes=1024**3, bucket_bytes=0)

    assert dollars_of(month(a_deployment(), {}, gigabyte), "storage") == pytest.approx(0.25)
    recovered = month(a_deployment(recovery=True), {}, gigabyte)
    assert dollars_of(recovered, "storage") == pytest.approx(0.45)


def test_what_is_traced_is_traced_each_minute() -> None:
    assert dollars_of(month(a_deployment(traced=True), {}, NOTHING), "traces") == pytest.approx(
        MINUTES * 5 / 1e6
    )


def test_an_operator_costs_its_sockets_minutes_and_what_each_heartbeat_was_seen_to_cost() -> None:
    lines = operator(a_deployment(), {HEARTBEATS: 2, INGESTED: 2}, {})

    assert dollars_of(lines, "its socket") == pytest.approx(MINUTES * 0.25 / 1e6)
    assert dollars_of(lines, "heartbeats") == pytest.approx(MINUTES * (1.00 + 0.20) / 1e6)
