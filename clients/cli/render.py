"""What a person sees: answers in, text and Rich objects out. Pure; the time is an argument."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from clients.cli.tables import facts, table
from clients.sdk.models import ListedWorkflow, LogRecord, Task, Workflow
from xylem.domain.status import TaskStatus, WorkflowStatus

Status = TaskStatus | WorkflowStatus

_MARKS = {"COMPLETED": "✓", "RUNNING": "●", "RESCHEDULED": "↻"}
_STYLES = {"COMPLETED": "green", "RUNNING": "cyan", "RESCHEDULED": "yellow"}


def mark(status: Status) -> str:
    if status.failed:
        return "✗"
    return _MARKS.get(status.value, "○")


def style(status: Status) -> str:
    if status.failed:
        return "red"
    return _STYLES.get(status.value, "dim")


def duration(seconds: float | None) -> str:
    """`0.4s`, `12s`, `3m05s`, `2h07m`, `5d03h`: never more than two units."""
    if seconds is None or seconds < 0:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if not minutes:
        return f"{rest}s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes}m{rest:02}s"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours:02}h" if days else f"{hours}h{minutes:02}m"


def elapsed(start: datetime | None, end: datetime | None, now: datetime) -> float | None:
    """From start to end, or up to now; never negative, whatever the clocks say."""
    if start is None:
        return None
    return max((end or now) - start, timedelta()).total_seconds()


def workflow_table(workflows: Iterable[ListedWorkflow], now: datetime) -> Table:
    shown = table("workflow", "user", "status", "pool", "priority", "submitted", "duration")
    for each in workflows:
        shown.add_row(
            each.name,
            each.user,
            status_text(each.status),
            each.pool or "-",
            each.priority,
            f"{each.submit_time:%Y-%m-%d %H:%M:%S}",
            duration(elapsed(each.start_time, each.end_time, now)),
        )
    return shown


def status_text(status: Status) -> Text:
    return Text(status.value, style=style(status))


def workflow_view(workflow: Workflow, now: datetime, *, verbose: bool = False) -> RenderableType:
    """A workflow as `query` shows it: what it is, then its tree."""
    rows = {
        "submitted": f"{workflow.submit_time:%Y-%m-%d %H:%M:%S} UTC by {workflow.submitted_by}",
        "cancelled": f"by {workflow.cancelled_by}" if workflow.cancelled_by else "",
        "pool": " on ".join(filter(None, (workflow.pool, workflow.backend))),
        "priority": workflow.priority,
        "labels": ", ".join(f"{key}={value}" for key, value in workflow.labels.items()),
        "warnings": "\n".join(workflow.warnings),
    }
    return Stack(facts(rows), workflow_tree(workflow, now, verbose=verbose))


def workflow_tree(
    workflow: Workflow, now: datetime, *, verbose: bool = False, newest: Sequence[LogRecord] = ()
) -> Tree:
    """Groups and tasks. A group of one task that shares its fate is one line, not two; `newest`
    are the log lines that stand under the task that wrote them last."""
    said = {record.task: record for record in newest}
    tree = Tree(workflow_line(workflow, now), guide_style="dim")
    for group in workflow.groups:
        attempts = latest(group.tasks) if not verbose else group.tasks
        if len(attempts) == 1:
            branch = tree.add(task_line(attempts[0], now))
            _say(branch, said.get(attempts[0].name))
            _explain(branch, attempts[0])
            continue
        spent = duration(elapsed(group.start_time, group.end_time, now))
        branch = tree.add(_line(group.name, group.status, spent))
        for task in attempts:
            leaf = branch.add(task_line(task, now))
            _say(leaf, said.get(task.name))
            _explain(leaf, task)
    return tree


def workflow_line(workflow: Workflow, now: datetime) -> Text:
    spent = duration(elapsed(workflow.start_time, workflow.end_time, now))
    return _line(workflow.name, workflow.status, spent)


def latest(tasks: Sequence[Task]) -> list[Task]:
    """The last attempt of each task, in the order of the spec."""
    found: dict[str, Task] = {}
    for task in tasks:
        if task.name not in found or found[task.name].retry_id < task.retry_id:
            found[task.name] = task
    return list(found.values())


def failures(workflow: Workflow) -> list[Task]:
    """Tasks that failed by themselves, not because of others: where to look first."""
    return [
        task
        for group in workflow.groups
        for task in latest(group.tasks)
        if task.status.failed and task.status is not TaskStatus.FAILED_UPSTREAM
    ]


def changes(before: Workflow | None, after: Workflow) -> list[str]:
    """What happened between two looks, a line each: the progress of those without a terminal."""
    known = {} if before is None else {name: status for name, status, _ in _statuses(before)}
    return [line for name, status, line in _statuses(after) if known.get(name) != status]


def _statuses(workflow: Workflow) -> list[tuple[str, Status, str]]:
    attempts = [task for group in workflow.groups for task in group.tasks]
    found: list[tuple[str, Status, str]] = [
        (
            f"{task.name} {task.retry_id}",
            task.status,
            f"{attempt_name(task.name, task.retry_id)}: {task.status}{_reason(task)}",
        )
        for task in attempts
        if task.status is not TaskStatus.WAITING
    ]
    return [*found, ("", workflow.status, f"{workflow.name}: {workflow.status}")]


def result(workflow: Workflow) -> Text:
    """The last line of `--follow`."""
    spent = elapsed(workflow.submit_time, workflow.end_time, workflow.submit_time)
    text = Text(f"{mark(workflow.status)} {workflow.name} ", style=style(workflow.status))
    return text.append(f"{workflow.status} after {duration(spent)}")


class LogLines:
    """Whole lines out of records, as `GET …/logs` writes them. A record holds several lines, or
    ends in the middle of one (of a letter even), whose rest comes with a later record of the same
    stream, and whose time is that of its end."""

    def __init__(self) -> None:
        self._unfinished: dict[tuple[str, int, str], tuple[LogRecord, bytes]] = {}
        """The last record of a line that has not ended, and what there is of it."""

    def take(self, records: Iterable[LogRecord]) -> list[str]:
        lines = []
        for record in records:
            stream = (record.task, record.retry, record.stream)
            _, begun = self._unfinished.pop(stream, (record, b""))
            *whole, rest = (begun + record.data).split(b"\n")
            lines += [_log_line(record, said) for said in whole]
            if rest:
                self._unfinished[stream] = (record, rest)
        return lines

    def rest(self) -> list[str]:
        """What will not be finished any more."""
        left, self._unfinished = list(self._unfinished.values()), {}
        return [_log_line(last, begun) for last, begun in left]


def _log_line(record: LogRecord, said: bytes) -> str:
    text = said.decode(errors="replace")
    name = attempt_name(record.task, record.retry)
    source = f"[{name}]" + ("[osmo]" if record.stream == "control" else "")
    return f"{record.time:%Y/%m/%d %H:%M:%S} {source} {text.rstrip()}"


def attempt_name(task: str, retry: int) -> str:
    return f"{task} retry-{retry}" if retry else task


def task_line(task: Task, now: datetime) -> Text:
    spent = duration(elapsed(task.start_time, task.end_time, now))
    name = attempt_name(task.name, task.retry_id)
    return _line(name, task.status, spent).append(_reason(task), style="red")


def _reason(task: Task) -> str:
    if not task.status.failed and task.status is not TaskStatus.RESCHEDULED:
        return ""
    if task.failure_message:
        return f"  {' '.join(task.failure_message.split())}"
    return f"  exit code {task.exit_code}" if task.exit_code is not None else ""


def _line(name: str, status: Status, spent: str) -> Text:
    text = Text(f"{mark(status)} ", style=style(status)).append(name, style="bold")
    text.append(f"  {status.value}", style=style(status))
    return text.append(f"  {spent}", style="dim") if spent != "-" else text


def _say(branch: Tree, record: LogRecord | None) -> None:
    if record is not None:
        last = record.text.rstrip().rpartition("\n")[2]
        branch.add(Text(last, style="dim", no_wrap=True, overflow="ellipsis"))


def _explain(branch: Tree, task: Task) -> None:
    """What the cluster said of it, in the order in which one looks for a cause."""
    if task.detail is None:
        return
    said = [
        f"container {one.name} {one.state}{_because(one.reason, one.message)}"
        + (f", exit code {one.exit_code}" if one.exit_code is not None else "")
        + (f", {one.restarts} restarts" if one.restarts else "")
        for one in task.detail.containers
    ]
    said += [
        f"{one.type} {one.status}{_because(one.reason, one.message)}"
        for one in task.detail.conditions
    ]
    said += [
        f"warning{_because(one.reason, one.message)}"
        + (f" ({one.count} times)" if one.count > 1 else "")
        for one in task.detail.warnings
    ]
    for line in said:
        branch.add(Text(line, style="dim"))


def _because(reason: str | None, message: str | None) -> str:
    return "".join(f": {part}" for part in (reason, message) if part)
