"""A workflow as it runs, in a terminal of any size: its tree where that fits, else a window.

What fits not is counted. The rows of the window go to what a person looks for: what failed, then
what runs, then what is about to; what waits or is done comes last.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from heapq import nsmallest

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.text import Text

from clients.cli import render
from clients.sdk.models import LogRecord, Task, Workflow
from xylem.domain.status import TaskStatus

FRAME = 4
"""Lines beside the rows: the workflow, its bar, its counts, and what is left out."""

_FIRST = (
    TaskStatus.RESCHEDULED,
    TaskStatus.RUNNING,
    TaskStatus.INITIALIZING,
    TaskStatus.SCHEDULING,
    TaskStatus.PROCESSING,
    TaskStatus.WAITING,
    TaskStatus.COMPLETED,
)
_RANK: Mapping[TaskStatus, int] = {
    **{status: number for number, status in enumerate(_FIRST, start=1)},
    TaskStatus.FAILED_UPSTREAM: len(_FIRST) + 1,
    TaskStatus.FAILED_CANCELED: len(_FIRST) + 2,
}
"""Whatever is not named failed by itself, and comes before all."""


def picture(
    workflow: Workflow, now: datetime, *, height: int, newest: Sequence[LogRecord] = ()
) -> RenderableType:
    """Of fewer lines than the terminal has, so that the next picture takes its place."""
    lines = 1 + sum(1 + len(group.tasks) for group in workflow.groups) + len(newest)
    if lines < height:
        return render.workflow_tree(workflow, now, newest=newest)
    return _window(workflow, now, max(height - FRAME - 1, 1), newest)


def _window(
    workflow: Workflow, now: datetime, rows: int, newest: Sequence[LogRecord]
) -> RenderableType:
    tasks = [task for group in workflow.groups for task in render.latest(group.tasks)]
    said = {record.task: record.text for record in newest}
    chosen = nsmallest(rows, enumerate(tasks), key=lambda one: (_rank(one[1]), one[0]))
    ended = sum(task.status.final for task in tasks)
    lines: list[RenderableType] = [
        _cut(render.workflow_line(workflow, now)),
        Padding(ProgressBar(total=len(tasks), completed=ended), 0),  # which ends its line
        _counts(Counter(task.status for task in tasks)),
        *(_row(task, now, said.get(task.name)) for _, task in chosen),
    ]
    if left := len(tasks) - len(chosen):
        told = f"and {left} more: xylem task list --workflow-id {workflow.name} --status ..."
        lines.append(_cut(Text(told, style="dim")))
    return Stack(*lines)


def _rank(task: Task) -> int:
    return _RANK.get(task.status, 0)


def _counts(found: Counter[TaskStatus]) -> Text:
    parts = (
        Text(f"{count} {status.value}", style=render.style(status))
        for status, count in sorted(found.items(), key=lambda one: _RANK.get(one[0], 0))
    )
    return _cut(Text("  ").join(parts))


def _row(task: Task, now: datetime, said: str | None) -> Text:
    line = render.task_line(task, now)
    if said:
        line.append(f"  {said.rstrip().rpartition(chr(10))[2]}", style="dim")
    return _cut(line)


def _cut(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
