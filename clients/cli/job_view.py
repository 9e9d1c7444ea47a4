"""How jobs and dead letters look to a person."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from clients.cli.tables import facts, table
from clients.sdk.jobs import DeadQueue, Job

PARKED = "PARKED"


def job_table(jobs: Iterable[Job]) -> Table:
    shown = table("job", "kind", "workflow", "status", "attempts", "last error")
    for each in jobs:
        shown.add_row(
            each.id,
            each.kind,
            each.workflow,
            _status(each),
            _attempts(each),
            Text(_line(each.last_error)),
        )
    return shown


def job_view(job: Job) -> Table:
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
    return facts(rows)


def dead_table(queues: Iterable[DeadQueue]) -> Table:
    """Each queue with how much lies in it, and a line for each of its letters that are known."""
    shown = table("queue", "waiting", "sent", "received", "about")
    for queue in queues:
        if not queue.letters and queue.depth:
            shown.add_row(queue.queue, str(queue.depth), "-", "-", "-")
        for number, letter in enumerate(queue.letters):
            shown.add_row(
                "" if number else queue.queue,
                "" if number else str(queue.depth),
                f"{letter.sent_time:%Y-%m-%d %H:%M:%S}",
                str(letter.received),
                Text(letter.about),
            )
    return shown


def _status(job: Job) -> Text:
    return Text(job.status, style="red" if job.status == PARKED else "yellow")


def _attempts(job: Job) -> str:
    return str(job.attempts) if job.park_at is None else f"{job.attempts} of {job.park_at}"


def _line(text: str | None) -> str:
    return " ".join((text or "-").split())
