"""How jobs and dead letters look to a person."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from clients.sdk.jobs import DeadQueue, Job

PARKED = "PARKED"


def job_table(jobs: Iterable[Job]) -> Table:
    table = _table("job", "kind", "workflow", "status", "attempts", "last error")
    for each in jobs:
        table.add_row(
            each.id,
            each.kind,
            each.workflow,
            _status(each),
            _attempts(each),
            Text(_line(each.last_error)),
        )
    return table


def job_view(job: Job) -> Table:
    facts = Table.grid(padding=(0, 2))
    rows: dict[str, str | Text] = {
        "job": job.id,
        "kind": job.kind,
        "workflow": job.workflow,
        "groups": "\n".join(job.groups),
        "status": _status(job),
        "attempts": _attempts(job),
        "not before": f"{job.not_before:%Y-%m-%d %H:%M:%S} UTC",
        "last error": job.last_error or "",
    }
    for name, value in rows.items():
        if value:
            facts.add_row(
                Text(name, style="dim"), value if isinstance(value, Text) else Text(value)
            )
    return facts


def dead_table(queues: Iterable[DeadQueue]) -> Table:
    """Each queue with how much lies in it, and a line for each of its letters that are known."""
    table = _table("queue", "waiting", "sent", "received", "about")
    for queue in queues:
        if not queue.letters and queue.depth:
            table.add_row(queue.queue, str(queue.depth), "-", "-", "-")
        for number, letter in enumerate(queue.letters):
            table.add_row(
                "" if number else queue.queue,
                "" if number else str(queue.depth),
                f"{letter.sent_time:%Y-%m-%d %H:%M:%S}",
                str(letter.received),
                Text(letter.about),
            )
    return table


def _status(job: Job) -> Text:
    return Text(job.status, style="red" if job.status == PARKED else "yellow")


def _attempts(job: Job) -> str:
    return str(job.attempts) if job.park_at is None else f"{job.attempts} of {job.park_at}"


def _line(text: str | None) -> str:
    return " ".join((text or "-").split())


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
