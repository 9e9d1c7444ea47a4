"""How long it takes to say why 1,000 groups are pending.

Two thirds of the groups wait for a node of a cluster of 1,000 nodes, in four sizes; the others wait
for those. Measured is the service's own work, from facts in memory to the text of the answer: the
spec is parsed, every group is explained, the answer is written as JSON. It waits for nothing, so it
is told in seconds of a processor, which neighbours on this machine do not change. Reading 1,000
groups from DynamoDB comes on top: that is one page of a Query and the network's.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from functions.core_service import views
from tests.benchmarks.reporting import options, progress_console, report
from xylem.domain.group import Group
from xylem.domain.ids import (
    BackendName,
    GroupId,
    PoolName,
    TaskName,
    UserName,
    WorkflowId,
    WorkflowUuid,
)
from xylem.domain.node import CORE, Amounts, Node, Taint, Use
from xylem.domain.placement import Site
from xylem.domain.plan import GroupPlan, Resources, TaskPlan, WorkflowPlan
from xylem.domain.pool import Platform, Pool
from xylem.domain.status import TaskStatus
from xylem.domain.task import Task
from xylem.domain.workflow import Counts, Workflow
from xylem.usecases.specs import SpecFile
from xylem.usecases.why_pending import Facts, explained

GROUPS = 1_000
NODES = 1_000
RUNS = 20
LIMIT_SECONDS = 0.1

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BACKEND = BackendName("cluster-1")
WORKFLOW = WorkflowId("wide-1")
GIB = 1024**3


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args()
    facts, file = case(GROUPS, NODES)
    progress_console.print(f"explaining {GROUPS} groups {given.runs} times")
    result = {
        "groups": GROUPS,
        "nodes": NODES,
        "runs": given.runs,
        "seconds": {
            "explained": summary(timed(lambda: explained(facts), given.runs)),
            "answered": summary(timed(lambda: answer(facts, file), given.runs)),
        },
    }
    report("why_pending", result, [table(result)], given)
    return 0 if all(each["held"] for each in result["seconds"].values()) else 1


def answer(facts: Facts, file: bytes) -> str:
    """As the route does, but for the reads."""
    whole = replace(facts, plan=SpecFile.load(file).plan)
    return json.dumps(views.why_pending(whole, explained(whole)))


def timed(work: Callable[[], object], runs: int) -> list[float]:
    seconds = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return seconds


def summary(seconds: list[float]) -> dict[str, Any]:
    median = statistics.median(seconds)
    return {
        "median": round(median, 4),
        "max": round(max(seconds), 4),
        "limit": LIMIT_SECONDS,
        "held": median < LIMIT_SECONDS,
    }


def table(result: Mapping[str, Any]) -> Table:
    shown = Table(title=f"why-pending over {result['groups']} groups, {result['nodes']} nodes")
    for column in ("", "median", "max", "limit", ""):
        shown.add_column(column)
    for name, figures in result["seconds"].items():
        shown.add_row(
            name,
            *(f"{figures[key] * 1000:.0f} ms" for key in ("median", "max", "limit")),
            "held" if figures["held"] else "NOT HELD",
        )
    return shown


def case(groups: int, nodes: int) -> tuple[Facts, bytes]:
    """The facts, and the stored spec that their plan comes from."""
    ids = [GroupId(f"{number:032x}") for number in range(groups)]
    first = groups * 2 // 3
    pool = Pool(
        PoolName("default"),
        BACKEND,
        default_platform="a100",
        platforms={"a100": Platform(labels={"kind": "a100"}), "cpu": Platform()},
    )
    plan = WorkflowPlan(
        "wide",
        tuple(
            GroupPlan(
                f"group-{number}",
                (
                    TaskPlan(
                        TaskName(f"task-{number}"),
                        "image",
                        ("run",),
                        resources=Resources(gpu=2 * (number % 4), cpu=4, platform="a100"),
                    ),
                ),
                upstream=() if number < first else (f"group-{number - first}",),
            )
            for number in range(groups)
        ),
    )
    workflow = Workflow(
        WORKFLOW,
        WorkflowUuid("e" * 32),
        "wide",
        UserName("alice"),
        pool.name,
        BACKEND,
        NOON,
        Counts(groups),
    )
    facts = Facts(
        workflow,
        tuple(_group(number, ids, first) for number in range(groups)),
        NOON,
        site=Site(pool, online=True, nodes=tuple(_node(number) for number in range(nodes))),
        plan=plan,
    )
    return facts, SpecFile(plan, "").dump()


def _group(number: int, ids: list[GroupId], first: int) -> Group:
    queued = number < first
    status = TaskStatus.SCHEDULING if queued else TaskStatus.WAITING
    downstream = tuple(ids[first + number : first + number + 1]) if queued else ()
    return Group(
        ids[number],
        WORKFLOW,
        f"group-{number}",
        BACKEND,
        (Task(TaskName(f"task-{number}"), lead=True, status=status),),
        status=status,
        waits_for=0 if queued else 1,
        downstream=downstream,
        placed=1 if queued else 0,
        scheduling_since=NOON if queued else None,
    )


def _node(number: int) -> Node:
    """All but full; every tenth has a taint."""
    whole = Amounts(cpu=64 * CORE, gpu=8, memory=512 * GIB, storage=1024 * GIB)
    used = Amounts(cpu=63 * CORE, gpu=8, memory=500 * GIB, storage=GIB)
    return Node(
        f"node-{number}",
        BACKEND,
        allocatable=whole,
        uses=(Use(PoolName("default"), "NORMAL", 8, used),),
        labels={"kind": "a100", "zone": f"zone-{number % 3}"},
        taints=(Taint("dedicated", "NoSchedule", "ml"),) if number % 10 == 0 else (),
    )


if __name__ == "__main__":
    sys.exit(main())
