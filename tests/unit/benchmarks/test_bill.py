"""A bill is what was counted times the list price, and says where a budget went."""

import pytest

from clients.local.embedded_aws.usage import Key, Meter
from tests.benchmarks.bill import (
    ROWS,
    beside_rows,
    billed,
    lines_table,
    of_lines,
    of_workflows,
    steps_of,
    verdict,
    workflow_table,
)
from tests.benchmarks.idle import Line, dollars
from tests.benchmarks.prices import PRICES

WRITES = Key(Meter.DYNAMODB_WRITES, "agent", "workflows")
INDEX = Key(Meter.DYNAMODB_WRITES, "agent", "workflows/due")
REQUESTS = Key(Meter.LAMBDA_REQUESTS, "agent", "")

ROWS_TABLE = """
| step | actions | table | index |
|---|---|---|---|
| submit | 10 | 22 | 1 |
| start | 5 | 12 | 2 |
| created | 3 | 8 | 0 |
| cleaned up | 3 | 6 | 0 |
"""


def test_every_meter_has_a_price() -> None:
    assert set(PRICES) == set(Meter)


def test_the_bill_is_of_a_thousand_whatever_the_number_that_was_run() -> None:
    bill = of_workflows({WRITES: 1_600, REQUESTS: 240}, 20, budget=0.12, cpu=0)

    assert bill["lines"]["dynamodb-write-units"]["amount"] == 80_000
    assert bill["lines"]["dynamodb-write-units"]["dollars"] == pytest.approx(0.05)
    assert bill["total"] == pytest.approx(0.05 + 12_000 * 0.20 / 1e6)
    assert bill["held"]


def test_a_missed_budget_is_said_with_the_lines_that_it_went_to() -> None:
    bill = of_workflows({WRITES: 8_000, REQUESTS: 240}, 20, budget=0.12, cpu=0)

    assert not bill["held"]
    assert bill["largest"][0] == {
        "line": "dynamodb-write-units",
        "who": "agent",
        "dollars": pytest.approx(0.25),
    }
    assert "MISSED" in verdict(bill)
    assert workflow_table("x", bill).row_count > len(bill["lines"]) + len(bill["by_function"])


def test_what_compute_costs_without_waiting_is_the_processors_seconds() -> None:
    waited = Key(Meter.LAMBDA_COMPUTE, "agent", "")
    bill = of_workflows({WRITES: 1_600, waited: 1_000}, 20, budget=0.12, cpu=16)

    gb_seconds = 16 / 20 * 1_000 * 1_769 / 1_024
    assert bill["compute_at_least"] == pytest.approx(gb_seconds * 0.0000133334, rel=1e-3)
    assert bill["total_at_least"] == pytest.approx(0.05 + bill["compute_at_least"])
    assert bill["total"] > bill["total_at_least"]


def test_what_happens_of_itself_or_only_on_this_machine_is_no_workflows_bill() -> None:
    sweep = Key(Meter.DYNAMODB_READS, "delayed-job-monitor", "workflows/due")
    asked = Key(Meter.LAMBDA_REQUESTS, "authorizer-http", "")
    mine = Key(Meter.S3_GETS, "caller", "store")
    minutes = Key(Meter.WEBSOCKET_MINUTES, "websocket-api", "sockets")

    assert billed({sweep: 1, asked: 1, mine: 1, minutes: 1, WRITES: 1}) == {WRITES: 1}


def test_write_units_stand_beside_those_of_the_rows_by_function_and_for_all_indexes() -> None:
    units = beside_rows({WRITES: 30, INDEX: 6}, 2, ROWS_TABLE)

    assert units["agent"] == {"rows": 14, "counted": 15}
    assert units["indexes"] == {"rows": 3, "counted": 3}
    assert units["core-service"] == {"rows": 22, "counted": 0}
    assert units["worker"]["rows"] == 12


def test_writes_in_vain_are_told_apart() -> None:
    in_vain = Key(Meter.DYNAMODB_WRITES, "agent", "workflows (refused)")

    assert of_workflows({WRITES: 10, in_vain: 80}, 10, 0.12, cpu=0)["refused_writes"] == 0.005
    units = beside_rows({WRITES: 10, in_vain: 80}, 10, ROWS_TABLE)
    assert (units["agent"]["counted"], units["refused"]["counted"]) == (1, 8)


def test_the_table_of_rows_md_is_found() -> None:
    steps = steps_of(ROWS.read_text())

    assert {"submit", "start", "created and running", "completed", "cleaned up"} <= set(steps)


def test_lines_of_a_month_are_added_and_held_against_their_budget() -> None:
    month = of_lines([Line("alarms", 1.3), Line("queues", 0.8)], budget=2.0)

    assert (month["total"], month["held"]) == (2.1, False)
    assert lines_table("a month", month).row_count == 2


def test_dollars_are_those_of_every_meter() -> None:
    a_gb = Key(Meter.LOG_BYTES, "agent", "application")
    million = Key(Meter.SQS_REQUESTS, "agent", "news")

    assert dollars({a_gb: 1024**3, million: 1e6}) == pytest.approx(0.50 + 0.40)
