"""`xylem workflow artifacts …`: what the tasks of a workflow left in the store, and their logs.

Files come from the store itself, by URLs that the service signs; of a log there is one file for
each attempt, `_logs/TASK.log` or `_logs/TASK.RETRY.log`, as the service tells it.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from clients.cli.options import FormatType, LongFormatType, Task, Workflow, command_group
from clients.cli.session import session_of
from clients.cli.transfer_view import summary, watching
from clients.sdk.client import Client
from clients.sdk.errors import BadInput
from clients.sdk.models import Artifact
from clients.transfer.presigned import THREADS, Signatures, Signed
from clients.transfer.work import as_bad_input
from operators.shared.files import human, matching

app = command_group("Artifacts: what the tasks of a workflow left, and their logs.")

Regex = Annotated[
    str, typer.Option("--regex", "-x", help="Only paths that it is found in, as TASK/PATH.")
]
LOGS = "_logs"
"""No task is called so: a name begins with a letter or a digit."""


@dataclass(frozen=True, slots=True)
class Page:
    """`cursor`: where this page begins."""

    cursor: str | None
    artifacts: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True)
class TaskLog:
    task: str
    retry: int

    @property
    def path(self) -> str:
        return f"{LOGS}/{self.task}.{self.retry}.log" if self.retry else f"{LOGS}/{self.task}.log"


def pages(client: Client, workflow: str, task: str | None, regex: str) -> Iterator[Page]:
    cursor: str | None = None
    while True:
        found = client.artifacts(workflow, task=task, cursor=cursor)
        fits = matching(regex, [path_of(one) for one in found.artifacts])
        chosen = tuple(one for one, fit in zip(found.artifacts, fits, strict=True) if fit)
        yield Page(cursor, chosen)
        if found.cursor is None:
            return
        cursor = found.cursor


def logs_of(client: Client, workflow: str, task: str | None, regex: str) -> list[TaskLog]:
    """Of every attempt that was begun."""
    found = client.query(workflow, verbose=True)
    logs = [
        TaskLog(each.name, each.retry_id)
        for group in found.groups
        for each in group.tasks
        if each.start_time is not None and task in (None, each.name)
    ]
    fits = matching(regex, [log.path for log in logs])
    return [log for log, fit in zip(logs, fits, strict=True) if fit]


def path_of(artifact: Artifact) -> str:
    return f"{artifact.task}/{artifact.path}"


@app.callback()
def _artifacts(context: typer.Context, format_type: LongFormatType = None) -> None:
    pass


@app.command("list")
def list_artifacts(
    context: typer.Context,
    workflow: Workflow,
    task: Annotated[str | None, typer.Option("--task", help="Of this task alone.")] = None,
    regex: Regex = "",
    format_type: FormatType = None,
) -> None:
    """List the files that tasks which ended left, and the logs of all attempts."""
    session = session_of(context)
    with session.connect() as client, as_bad_input():
        artifacts = [one for page in pages(client, workflow, task, regex) for one in page.artifacts]
        logs = logs_of(client, workflow, task, regex)
    if session.json:
        kept = [one.model_dump(mode="json", exclude={"url"}) for one in artifacts]
        told = [{"task": one.task, "retry": one.retry, "path": one.path} for one in logs]
        session.write_json({"artifacts": kept, "logs": told})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Path", "Attempt", "Size"):
        table.add_column(column, overflow="fold")
    for one in artifacts:
        table.add_row(path_of(one), str(one.retry), human(one.size))
    for log in logs:
        table.add_row(log.path, str(log.retry), "")
    session.out.print(table)


@app.command()
def download(
    context: typer.Context,
    workflow: Workflow,
    folder: Annotated[Path, typer.Argument(help="The folder that they come into.")],
    task: Task = None,
    regex: Regex = "",
    resume: Annotated[
        bool, typer.Option("--resume", "-r", help="Go on with what was begun.")
    ] = False,
    logs: Annotated[bool, typer.Option(help="The logs of all attempts, too.")] = True,
    threads: Annotated[int, typer.Option("--threads", "-T", min=1, max=256)] = THREADS,
    format_type: LongFormatType = None,
) -> None:
    """Download artifacts as TASK/PATH, and logs as _logs/TASK.log."""
    session = session_of(context)
    begun = time.monotonic()
    with session.connect() as client, as_bad_input(), watching(session.err, "Downloading") as watch:
        texts = logs_of(client, workflow, task, regex) if logs else []
        with Signatures(
            folder, resume=resume, threads=threads, watch=watch, transport=session.transport
        ) as signatures:
            for page in pages(client, workflow, task, regex):
                signatures.take(
                    _signed(page.artifacts),
                    lambda at=page.cursor: _signed(  # type: ignore[misc]  # of this page
                        client.artifacts(workflow, task=task, cursor=at).artifacts
                    ),
                )
            signatures.finish()
        for log in texts:
            _write(folder, log, client.logs(workflow, task=log.task, retry=log.retry))
    moved = signatures.moved
    if session.json:
        session.write_json({"files": moved.files, "bytes": moved.bytes, "logs": len(texts)})
        return
    if not moved.files + moved.passed_over + len(texts):
        raise BadInput(f"{workflow} has left nothing to download: what still runs has none yet")
    session.say(summary("Downloaded", moved, time.monotonic() - begun))
    if texts:
        session.say(f"Logs of {len(texts)} attempts are in {folder / LOGS}.")


def _signed(artifacts: tuple[Artifact, ...] | list[Artifact]) -> list[Signed]:
    return [Signed(path_of(one), one.size, one.url) for one in artifacts]


SAFE = re.compile(r"[\w.-]+")


def _write(folder: Path, log: TaskLog, text: str) -> None:
    """A task's name is what a file may be called; who says another is no service of ours."""
    if SAFE.fullmatch(log.task) is None:
        raise BadInput(f"{log.task!r} is no name of a task: its log is not written")
    path = folder / log.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
