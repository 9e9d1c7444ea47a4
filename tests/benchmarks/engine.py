"""How many events a second the engine decides: `decide`, and what a workflow makes of it.

Groups of one task each live a whole life, as the Agent hears of it: handed over, made, seen in
every status, cleaned up. After each event the group is folded into its workflow's counts. Nothing
is read or written, so this is told in seconds of a processor, of one.
"""

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from rich.progress import track
from rich.table import Table

from tests.benchmarks.reporting import options, progress_console, report
from tests.builders import NOON, a_group, a_workflow
from xylem.domain.group import CleanupAnswered, CreateAnswered, Group, GroupEvent, HandedOver
from xylem.domain.ids import GroupId, TaskName
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.task import PodSeen
from xylem.domain.transitions import decide, ready
from xylem.domain.workflow import Counts, Workflow, counted, moved

GROUPS = 2_000
RUNS = 11
LEAST_EVENTS = 20_000
"""A second, of one processor."""

LEAD = TaskName("lead")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options(__doc__)
    parser.add_argument("--groups", type=int, default=GROUPS)
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args(arguments)
    rates = [
        rate(given.groups)
        for _ in track(range(given.runs), f"{given.groups} lives", console=progress_console)
    ]
    result = summary(given.groups, rates)
    report("engine", result, [table(result)], given)
    return 0 if result["held"] else 1


def rate(groups: int) -> float:
    """Events a second."""
    waiting = [a_group(id=GroupId(f"{number:032x}")) for number in range(groups)]
    workflow = a_workflow(counts=Counts(groups))
    life = events()
    begun = time.process_time()
    for group in waiting:
        workflow = lived(group, life, workflow)
    seconds = time.process_time() - begun
    assert workflow.status is WorkflowStatus.COMPLETED
    return groups * len(life) / seconds


def lived(group: Group, life: Sequence[GroupEvent], workflow: Workflow) -> Workflow:
    now = NOON
    group, _ = ready(group, now)
    for event in life:
        now += timedelta(seconds=1)
        before = group.status
        group, _ = decide(group, event, now)
        if group.status is not before:
            workflow = moved(workflow, 0, counted(workflow.counts, group.status), now)
    return workflow


def events() -> tuple[GroupEvent, ...]:
    ways = ("SCHEDULING", "INITIALIZING", "RUNNING", "COMPLETED")
    seen = (PodSeen(0, LEAD, 0, TaskStatus(way), uid="u", node="node-1") for way in ways)
    return (HandedOver(), CreateAnswered(1, "done"), *seen, CleanupAnswered(2))


def summary(groups: int, rates: Sequence[float]) -> dict[str, Any]:
    median = statistics.median(rates)
    return {
        "groups": groups,
        "runs": len(rates),
        "events_per_second": {"median": round(median), "least": round(min(rates))},
        "at_least": LEAST_EVENTS,
        "held": median >= LEAST_EVENTS,
    }


def table(result: Mapping[str, Any]) -> Table:
    verdict = "held" if result["held"] else "MISSED"
    shown = Table(
        title=f"deciding the lives of {result['groups']} groups"
        f" (at least {result['at_least']:,} events a second: {verdict})"
    )
    for column in ("", "events a second"):
        shown.add_column(column)
    for name, events_ in result["events_per_second"].items():
        shown.add_row(name, f"{events_:,}")
    return shown


if __name__ == "__main__":
    sys.exit(main())
