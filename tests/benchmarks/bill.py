"""What 1,000 one-task workflows cost, what 1,000 tasks of one workflow do, and a month of rest.

`make bench` runs hello examples, one after the other, and one workflow of 200 tasks on the local
stack, which counts what AWS would bill (clients/local/embedded_aws/usage.py), and prices what was
counted between two readings at list prices (prices.py). docs/costs.md says how to read it.

What is not as on AWS, and what is done about it:

* Lambda's milliseconds are this machine's, under whatever else it does; they are printed as they
  were measured. Compute is the one line that a deployment would correct. Beside it stands what the
  functions' processor seconds cost there: what compute is at the least, if they wait for nothing.
* The HTTP API of the local stack asks its authorizer each time, AWS's once in five minutes for a
  token: `authorizer-http` is left out, and its requests are told.
* Calls without a function's credentials (this program's, the CDK's) are nobody's bill; the sweeps
  of the Delayed Job Monitor belong to the idle month. Pods' transfers are signed by a function and
  are in the bill, as its.
* Nobody waits by asking: the counters stand still when all is done (readings.py).
"""

import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import track
from rich.table import Table

from clients.local.embedded_aws.dynamodb_usage import REFUSED
from clients.local.embedded_aws.usage import LAMBDA_POLLER, Key, Meter
from clients.local.settings import Settings
from clients.sdk.client import Client
from tests.benchmarks import idle, prices
from tests.benchmarks.idle import Line, dollars
from tests.benchmarks.prices import PRICES
from tests.benchmarks.readings import (
    OF_ITSELF,
    Counted,
    only,
    read,
    settings,
    since,
    total,
    wait_until_quiet,
    without,
)
from tests.benchmarks.reporting import ROOT, options, progress_console, report
from tests.benchmarks.runs import a_login, submit_hello, submit_wide, unfinished
from tests.benchmarks.throughput import cpu_seconds

ONE_TASK_BUDGET = 0.12
WIDE_BUDGET = 0.06
WARM_UP = 5
LONGEST_SECONDS = 1200.0

GB_OF_A_PROCESSOR = 1769 / 1024
"""A function of so much memory has one, one of less a share of it, so a second of a processor is
so many GB-seconds (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html)."""

NOT_ON_AWS = frozenset({"authorizer-http", "caller"})

ROWS = ROOT / "docs" / "rows.md"
# Which function takes a step of docs/rows.md.
STEPS = {"submit": "core-service", "start": "worker"}
NEWS = "agent"
LOG_UNITS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options(__doc__)
    parser.add_argument("--workflows", type=int, default=40)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--pause", type=float, default=1.5, help="seconds between two workflows")
    parser.add_argument("--idle-seconds", type=float, default=130.0)
    parser.add_argument("--pool", default="default")
    given = parser.parse_args(arguments)
    stack = settings()
    with Client(a_login()) as client:
        for _ in track(range(WARM_UP), "warming up", console=progress_console):
            submit_hello(client, given.pool)
            time.sleep(given.pause)
        _await_a_sweep(stack)
        _settle(stack)
        resting = _at_rest(stack, given.idle_seconds)
        began = functions_cpu()
        ones = _counted(stack, client, lambda: _ones(client, given))
        between = functions_cpu()
        wide = _counted(stack, client, lambda: [submit_wide(client, given.pool, tasks=given.tasks)])
        ended = functions_cpu()
    deployed = idle.read_templates(_assembly(stack))
    stored = idle.Stored(
        table_bytes=_size(stack.aws_state, "items.sqlite3"),
        bucket_bytes=_size(stack.aws_state / "s3", "**/*"),
    )
    result = {
        "prices": {"region": prices.REGION, "checked": prices.CHECKED.isoformat()},
        "one_task": of_workflows(ones, given.workflows, ONE_TASK_BUDGET, cpu=between - began),
        "wide": of_workflows(wide, given.tasks, WIDE_BUDGET, cpu=ended - between),
        "write_units": beside_rows(ones, given.workflows, ROWS.read_text()),
        "idle_month": of_lines(idle.month(deployed, resting, stored), idle.MONTH_BUDGET),
        "operator_month": of_lines(idle.operator(deployed, resting, ones), idle.OPERATOR_BUDGET),
    }
    tables = [
        workflow_table("1,000 one-task workflows", result["one_task"]),
        workflow_table(f"1,000 tasks, in workflows of {given.tasks}", result["wide"]),
        rows_table(result["write_units"]),
        lines_table("a month of rest", result["idle_month"]),
        lines_table("a month of a connected operator", result["operator_month"]),
    ]
    report("bill", result, tables, given)
    return 0


def functions_cpu() -> float:
    """Seconds of processors that all functions have used so far, but the authorizer."""
    return sum(
        seconds
        for name, seconds in cpu_seconds().items()
        if name.startswith("functions: ") and "authorizer" not in name
    )


def _ones(client: Client, given: Any) -> list[str]:
    names = []
    for _ in track(range(given.workflows), "one-task workflows", console=progress_console):
        begun = time.monotonic()
        names.append(submit_hello(client, given.pool))
        time.sleep(max(0.0, given.pause - (time.monotonic() - begun)))
    return names


def _counted(stack: Settings, client: Client, submit: Any) -> dict[Key, float]:
    """What was counted from before the submission until its workflows were done."""
    before = read(stack)
    left = submit()
    end = time.monotonic() + LONGEST_SECONDS
    while True:
        _settle(stack)
        after = read(stack)
        # Asked after the reading; when one is not done, that question is on the bill.
        if not (left := unfinished(client, left)):
            return since(before, after)
        if time.monotonic() > end:
            sys.exit(f"{left[0]} is not done after {LONGEST_SECONDS:.0f} s")


def _settle(stack: Settings) -> None:
    if not wait_until_quiet(lambda: read(stack), longest=LONGEST_SECONDS):
        sys.exit("Somebody else uses this stack: its queues never stand still.")


def _await_a_sweep(stack: Settings) -> None:
    """The first one of a stack starts its process, which then serves all of a month's."""
    end = time.monotonic() + LONGEST_SECONDS
    while not total(read(stack), Meter.LAMBDA_REQUESTS, idle.MONITOR):
        if time.monotonic() > end:
            sys.exit("The stack's Scheduler starts no sweep.")
        time.sleep(1)  # a sweep comes once a minute


def _at_rest(stack: Settings, seconds: float) -> dict[Key, float]:
    before = read(stack)
    for _ in track(range(100), "at rest, for the idle month", console=progress_console):
        time.sleep(seconds / 100)
    return since(before, read(stack))


def _assembly(stack: Settings) -> Path:
    """The templates of prod where they were synthesised, which are those that somebody pays."""
    prod = ROOT / "build" / "cdk.out" / "prod"
    return prod if (prod / "manifest.json").is_file() else stack.assembly


def _size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())


# Arithmetic -------------------------------------------------------------------------------------


def billed(counted: Counted) -> dict[Key, float]:
    """What of it is the bill of workflows."""
    return {
        key: amount
        for key, amount in without(counted, OF_ITSELF | NOT_ON_AWS).items()
        if key.meter is not Meter.WEBSOCKET_MINUTES
    }


def of_workflows(counted: Counted, number: int, budget: float, *, cpu: float) -> dict[str, Any]:
    """Of 1,000, by line and by function. `cpu`: seconds of processors that functions used."""
    paid = billed(counted)
    compute = PRICES[Meter.LAMBDA_COMPUTE]
    at_least = compute.of(cpu * GB_OF_A_PROCESSOR) / number * 1000
    measured = compute.of(total(paid, Meter.LAMBDA_COMPUTE)) / number * 1000
    lines = {
        meter.value: {
            "unit": PRICES[meter].unit,
            "amount": round(total(paid, meter) / number * 1000, 3),
            "dollars": round(PRICES[meter].of(total(paid, meter)) / number * 1000, 6),
        }
        for meter in Meter
        if total(paid, meter)
    }
    by_function = {
        who: round(dollars(only(paid, [who])) / number * 1000, 6)
        for who in sorted({key.who for key in paid})
    }
    in_all = dollars(paid) / number * 1000
    return {
        "measured": number,
        "lines": lines,
        "by_function": by_function,
        "total": round(in_all, 6),
        "budget": budget,
        "held": in_all <= budget,
        "compute_at_least": round(at_least, 6),
        "total_at_least": round(in_all - measured + at_least, 6),
        "left_out": {
            "authorizer-http requests": total(counted, Meter.LAMBDA_REQUESTS, "authorizer-http")
        },
        "refused_writes": round(refused(paid) / number * 1000, 6),
        # At most a trace for each invocation, when they trickle; in a burst 5 % (AWS X-Ray).
        "traces_at_most": round(
            prices.TRACE.of(total(paid, Meter.LAMBDA_REQUESTS)) / number * 1000, 6
        ),
        "largest": largest(paid, number),
    }


def refused(paid: Counted) -> float:
    """Dollars of the writes that somebody else was faster than: tried, billed, tried again."""
    return dollars({key: amount for key, amount in paid.items() if key.what.endswith(REFUSED)})


def largest(paid: Counted, number: int, *, how_many: int = 5) -> list[dict[str, Any]]:
    """The lines that a missed budget is missed by: meter, function, dollars of 1,000."""
    of: dict[tuple[Meter, str], float] = {}
    for key, amount in paid.items():
        line = key.meter, key.who
        of[line] = of.get(line, 0) + PRICES[key.meter].of(amount) / number * 1000
    ordered = sorted(of.items(), key=lambda entry: -entry[1])[:how_many]
    return [
        {"line": meter.value, "who": who, "dollars": round(amount, 6)}
        for (meter, who), amount in ordered
    ]


def steps_of(rows: str) -> dict[str, tuple[int, int]]:
    """The table of docs/rows.md: units of the table and of its indexes by step."""
    found = re.findall(r"^\| ([a-z ]+) \| \d+ \| (\d+) \| (\d+) \|$", rows, re.MULTILINE)
    return {step: (int(table), int(index)) for step, table, index in found}


def beside_rows(counted: Counted, number: int, rows: str) -> dict[str, Any]:
    """Write units of one workflow, as counted and as docs/rows.md has them, by function."""
    expected: dict[str, int] = {"indexes": 0, "logger": LOG_UNITS}
    for step, (table, index) in steps_of(rows).items():
        who = STEPS.get(step, NEWS)
        expected[who] = expected.get(who, 0) + table
        expected["indexes"] += index
    measured: dict[str, float] = {}
    for key, amount in billed(counted).items():
        if key.meter is Meter.DYNAMODB_WRITES:
            who = "indexes" if "/" in key.what else key.who
            who = "refused" if key.what.endswith(REFUSED) else who
            measured[who] = measured.get(who, 0) + amount / number
    names = [*expected, *(who for who in measured if who not in expected)]
    return {
        who: {"rows": expected.get(who, 0), "counted": round(measured.get(who, 0), 2)}
        for who in names
    }


def of_lines(lines: Iterable[Line], budget: float) -> dict[str, Any]:
    by_line = {line.says: round(line.dollars, 4) for line in lines}
    in_all = sum(by_line.values())
    return {
        "lines": by_line,
        "total": round(in_all, 4),
        "budget": budget,
        "held": in_all <= budget,
    }


# Tables -----------------------------------------------------------------------------------------


def verdict(result: Mapping[str, Any]) -> str:
    if result["held"]:
        return f"${result['total']:.4f}, at most ${result['budget']:.2f}: held"
    return f"${result['total']:.4f}, at most ${result['budget']:.2f}: MISSED"


def workflow_table(says: str, result: Mapping[str, Any]) -> Table:
    shown = Table(title=f"{says}: {verdict(result)}")
    shown.add_column("line")
    for column in ("amount", "$"):
        shown.add_column(column, justify="right")
    for meter, line in sorted(result["lines"].items(), key=lambda entry: -entry[1]["dollars"]):
        shown.add_row(meter, f"{line['amount']:,.0f}", f"{line['dollars']:.5f}")
    shown.add_section()
    for who, amount in sorted(result["by_function"].items(), key=lambda entry: -entry[1]):
        word = f"{who} (receives, deletes)" if who == LAMBDA_POLLER else who
        shown.add_row(f"of it: {word}", "", f"{amount:.5f}")
    shown.add_section()
    shown.add_row("of it: writes that a condition refused", "", f"{result['refused_writes']:.5f}")
    shown.add_row("traces, if each invocation is one", "", f"{result['traces_at_most']:.5f}")
    shown.add_section()
    shown.add_row("compute, if functions wait for nothing", "", f"{result['compute_at_least']:.5f}")
    shown.add_row("all of it then", "", f"{result['total_at_least']:.5f}")
    if not result["held"]:
        shown.add_section()
        for line in result["largest"]:
            shown.add_row(f"largest: {line['line']} of {line['who']}", "", f"{line['dollars']:.5f}")
    return shown


def rows_table(units: Mapping[str, Mapping[str, float]]) -> Table:
    shown = Table(title="write units of a one-task workflow, beside docs/rows.md")
    shown.add_column("by")
    for column in ("rows.md", "counted"):
        shown.add_column(column, justify="right")
    for who, of in units.items():
        shown.add_row(who, f"{of['rows']}", f"{of['counted']:.1f}")
    shown.add_section()
    sums = [sum(of[which] for of in units.values()) for which in ("rows", "counted")]
    shown.add_row("in all", f"{sums[0]}", f"{sums[1]:.1f}")
    return shown


def lines_table(says: str, result: Mapping[str, Any]) -> Table:
    shown = Table(title=f"{says}: {verdict(result)}")
    shown.add_column("line")
    shown.add_column("$", justify="right")
    for line, amount in sorted(result["lines"].items(), key=lambda entry: -entry[1]):
        shown.add_row(line, f"{amount:.4f}")
    return shown


if __name__ == "__main__":
    sys.exit(main())
