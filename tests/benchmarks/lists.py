"""What lists cost when there are a million workflows, and what one of 10,000 tasks does.

The Core Service answers, as API Gateway asks it, from a store in memory that counts reads as
DynamoDB would need them. Each is taken for 5 ms, and added to what this process worked: the route
with all of its JSON, and what botocore and pynamodb need to make entries of the rows that DynamoDB
sends, which is measured apart and counted by the row. What the store in memory works is DynamoDB's,
and left out. Beside its neighbours this machine takes up to eight times as long for the same loop,
so that seconds are scaled to those of `USUAL_PACE`, by the loop's time just before. The lists are
those of OSMO's command line and what people ask for in vain.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from botocore.parsers import create_parser
from botocore.session import get_session
from rich.table import Table

from tests.benchmarks.reporting import options, pace, progress_console, report
from tests.builders import NOON, a_group, a_task, a_workflow
from tests.stories.world import World
from tests.unit.functions.core_service.gateway import CoreService
from xylem.domain.app import AppUse
from xylem.domain.group import bare
from xylem.domain.ids import (
    SHARDS,
    GroupId,
    PoolName,
    UserName,
    WorkflowId,
    WorkflowUuid,
)
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.task import Task
from xylem.domain.workflow import Workflow
from xylem.memory.lists import MemoryLists
from xylem.ports.listing import Part, Rows
from xylem.ports.stored import Stored
from xylem.usecases import footprint
from xylem_aws import rows
from xylem_aws.tables.workflows import EntryRow, GroupRow, TaskRow, entry_keys

WORKFLOWS = 1_000_000
TASKS = 10_000
RUNS = 20
QUERY = get_session().get_service_model("dynamodb").operation_model("Query").output_shape
PARSER = create_parser("json")

USUAL_PACE = 0.18
"""Seconds of the loop of `reporting` in most of what is recorded in docs/measurements."""

READ_SECONDS = 0.005
MOST_READS = 20
LIMIT_SECONDS = 0.3
WARM_SECONDS = 0.05
ONE_SECONDS = 2.0
GZIP = {"accept-encoding": "gzip"}
LAMBDA_BYTES = 6 * 1024 * 1024
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

DAYS = "submitted_after=2026-01-01T00:00:00&submitted_before=2027-01-01T00:00:00"
LISTS = {
    "workflow list": "order=DESC&all_pools=True&limit=20&offset=0",
    "workflow list, oldest first": "order=ASC&all_pools=True&limit=20&offset=0",
    "workflow list -a": "order=DESC&all_users=True&all_pools=True&limit=20&offset=0",
    "workflow list -a -c 1000": "order=DESC&all_users=True&all_pools=True&limit=1000&offset=0",
    "workflow list -a -f 10000": "order=DESC&all_users=True&all_pools=True&limit=20&offset=10000",
    "workflow list -f 10000": "order=DESC&all_pools=True&limit=20&offset=10000",
    "workflow list -a, every filter": "statuses=RUNNING&statuses=FAILED&name=sub&order=DESC"
    f"&all_users=True&tags=t1&all_pools=True&app=a:1&label=team=(a|b)&no_label=z&{DAYS}"
    "&limit=5&offset=10",
    "workflow list -u bob -p default other": "users=bob&order=DESC&pools=default&pools=other"
    "&priority=LOW&limit=20&offset=0",
    "workflow list -a --label": "order=DESC&all_users=True&all_pools=True&label=team=a&limit=20",
    "workflow list -a --tags": "order=DESC&all_users=True&all_pools=True&tags=t1&limit=20",
    "workflow list -a --status RUNNING": "order=DESC&all_users=True&all_pools=True"
    "&statuses=RUNNING&limit=20",
    "workflow list -a -n nowhere": "order=DESC&all_users=True&all_pools=True&name=nowhere&limit=20",
    "workflow list -n nowhere": "order=DESC&all_pools=True&name=nowhere&limit=20",
}


class CountingLists(MemoryLists):
    """`received`: the rows that DynamoDB would have sent; `seconds`: what it would have worked."""

    received = 0
    seconds = 0.0

    def read(self, part: Part, stored: dict[WorkflowId, Stored[Workflow]]) -> Rows:
        begun = time.process_time()
        found = super().read(part, stored)
        self.seconds += time.process_time() - begun
        self.received += len(found.entries)
        return found


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--workflows", type=int, default=WORKFLOWS)
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args()
    progress_console.print(f"making {given.workflows} workflows")
    lists = CountingLists()
    service = CoreService(a_world(given.workflows, lists))
    a_row = row_seconds(given.runs)
    found = {}
    for name, query in LISTS.items():
        progress_console.print(f"asking for: {name}")
        found[name] = asked(service, lists, query, given.runs, a_row)
    one = of_one(given.runs)
    seconds = [figure for each in found.values() for figure in each.pop("all")]
    p95 = statistics.quantiles(seconds, n=20)[-1]
    warm = found["workflow list"]["cpu_ms"]
    held = {
        "reads": all(each["reads"] <= MOST_READS for each in found.values()),
        "p95": p95 < LIMIT_SECONDS,
        "warm": warm < WARM_SECONDS * 1000,
        "one": one["held"],
    }
    result = {
        "workflows": given.workflows,
        "runs": given.runs,
        "read_ms": READ_SECONDS * 1000,
        "row_us": round(a_row * 1e6, 1),
        "lists": found,
        "p95_ms": round(p95 * 1000, 1),
        "limit_ms": LIMIT_SECONDS * 1000,
        "one_of_10000_tasks": one,
        "held": held,
    }
    report("lists", result, [table(result)], given)
    return 0 if all(held.values()) else 1


def asked(
    service: CoreService, lists: CountingLists, query: str, runs: int, a_row: float
) -> dict[str, Any]:
    cpu = []
    lists.reads = lists.received = 0
    for _ in range(runs + 1):
        lists.seconds = 0
        worth = scale()
        begun = time.process_time()
        answer = service.answer("GET", "/api/workflow", query=query, headers=GZIP)
        cpu.append((time.process_time() - begun - lists.seconds) * worth)
        assert answer["statusCode"] == 200, answer
    reads, received = lists.reads / (runs + 1), lists.received / (runs + 1)
    seconds = [reads * READ_SECONDS + each + received * a_row for each in cpu[1:]]
    return {
        "reads": int(reads),
        "rows": int(received),
        "cpu_ms": round((statistics.median(cpu[1:]) + received * a_row) * 1000, 1),
        "median_ms": round(statistics.median(seconds) * 1000, 1),
        "max_ms": round(max(seconds) * 1000, 1),
        "all": seconds,
    }


def row_seconds(runs: int) -> float:
    """Of one row of a list, from DynamoDB's JSON to an entry."""
    [workflow] = some(1)
    entry = footprint.entry(workflow)
    [key, *_] = entry_keys(entry.id, entry.user, entry.pool, entry.submitted_at)
    number = 1_000
    page = as_sent([rows.entry_row(entry, key).serialize()] * number)

    def read() -> None:
        for raw in received(page):
            rows.entry_of(EntryRow.from_raw_data(raw))

    return least(read, runs) / number


def as_sent(items: Sequence[Mapping[str, Any]]) -> bytes:
    """A page of DynamoDB's, on the wire."""
    return json.dumps({"Items": items, "Count": len(items)}).encode()


def received(page: bytes) -> list[dict[str, Any]]:
    """What botocore makes of it, as pynamodb asks it to."""
    answer = {"status_code": 200, "headers": {}, "body": page}
    assert QUERY is not None
    return list(PARSER.parse(answer, QUERY)["Items"])


def scale() -> float:
    """What seconds of this moment are worth."""
    return USUAL_PACE / pace()


def least(work: Callable[[], object], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        worth = scale()
        begun = time.process_time()
        work()
        seconds.append((time.process_time() - begun) * worth)
    return statistics.median(seconds)


def of_one(runs: int) -> dict[str, Any]:
    """`GET /api/workflow/{id}` of 10,000 tasks that ended, each in a group of its own."""
    world = World()
    ids = [f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}" for number in range(TASKS)]
    groups = [
        a_group(
            tasks=(_ended(number),),
            id=GroupId(ids[number]),
            name=f"group-{number}",
            status=TaskStatus.COMPLETED,
        )
        for number in range(TASKS)
    ]
    workflow = a_workflow(status=WorkflowStatus.COMPLETED, started_at=NOON, ended_at=NOON)
    world.rows.stored_workflows[workflow.id] = Stored(workflow, 1)
    world.rows.stored_groups[workflow.id] = {one.id: Stored(one, 1) for one in groups}
    service = CoreService(world)
    path = f"/api/workflow/{workflow.id}"
    answer = service.answer("GET", path, headers=GZIP)
    raw = [
        row.serialize()
        for one in groups
        for row in (rows.new_group_row(one, 0), rows.task_row(one, bare(one, one.tasks[0]), 0))
    ]
    pages = [as_sent(raw[begin : begin + 1_000]) for begin in range(0, len(raw), 1_000)]

    def read() -> None:
        for page in pages:
            items = received(page)
            for group, task in zip(items[::2], items[1::2], strict=True):
                rows.group_of(GroupRow.from_raw_data(group), [TaskRow.from_raw_data(task)])

    runs = min(runs, 5)
    answered, parsed = (
        least(lambda: service.answer("GET", path, headers=GZIP), runs),
        least(read, runs),
    )
    size = len(answer["body"])
    return {
        "tasks": TASKS,
        "reads": SHARDS + 2,
        "bytes": size,
        "cpu_ms": round((answered + parsed) * 1000),
        "cpu_of_rows_ms": round(parsed * 1000),
        "held": size < LAMBDA_BYTES and answered + parsed < ONE_SECONDS,
    }


def _ended(number: int) -> Task:
    return a_task(
        f"task-{number}",
        status=TaskStatus.COMPLETED,
        lead=True,
        node=f"node-{number % 100}",
        exit_code=0,
        ordinal=1,
        processing_at=NOON,
        scheduling_at=NOON,
        initializing_at=NOON,
        started_at=NOON,
        ended_at=NOON,
    )


def a_world(count: int, lists: MemoryLists) -> World:
    world = World()
    world.rows.lists = lists
    stored = world.rows.stored_workflows
    for workflow in some(count):
        stored[workflow.id] = Stored(workflow, 1)
    return world


def some(count: int) -> Iterator[Workflow]:
    """One a second; alice has a tenth, the newest thousand run, every twentieth failed."""
    users = [UserName("alice"), *(UserName(f"user-{number}") for number in range(98)), "bob"]
    users += [UserName("alice")] * 9
    pools = [PoolName("default"), PoolName("other"), *(PoolName(f"p-{n}") for n in range(8))]
    labels = [{"team": team, "project": "xylem"} for team in "abcde"]
    app = AppUse("uuid", UserName("bob"), "a", 1)
    for number in range(count):
        status = WorkflowStatus.FAILED if number % 20 == 0 else WorkflowStatus.COMPLETED
        yield a_workflow(
            id=WorkflowId(f"train-{number}"),
            uuid=WorkflowUuid(f"{number:032x}"),
            name="train",
            user=users[number % len(users)],
            pool=pools[number % len(pools)],
            status=WorkflowStatus.RUNNING if number >= count - 1_000 else status,
            priority="LOW" if number % 7 == 0 else "NORMAL",
            submitted_at=NOON + timedelta(seconds=number),
            labels=labels[number % len(labels)],
            tags=("t1",) if number % 1_000 == 0 else (),
            app=app if number % 100 == 0 else None,
        )


def table(result: Mapping[str, Any]) -> Table:
    shown = Table(title=f"lists of {result['workflows']} workflows")
    for column in ("", "reads", "rows", "cpu", "median", "max"):
        shown.add_column(column)
    for name, each in result["lists"].items():
        figures = (f"{each[key]:.0f} ms" for key in ("cpu_ms", "median_ms", "max_ms"))
        shown.add_row(name, str(each["reads"]), str(each["rows"]), *figures)
    one = result["one_of_10000_tasks"]
    shown.add_row(
        f"one of {one['tasks']} tasks, {one['bytes'] / 1e6:.1f} MB",
        str(one["reads"]),
        "",
        f"{one['cpu_ms']} ms",
    )
    shown.caption = f"p95 {result['p95_ms']} ms; held: {result['held']}"
    return shown


if __name__ == "__main__":
    sys.exit(main())
