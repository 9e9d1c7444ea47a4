"""`xylem workflow rsync upload` and `download`: files into a running task, and back."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from clients.cli import completion
from clients.cli.options import FormatType, RetryOfTask, Workflow, command_group
from clients.cli.session import Session, session_of
from clients.sdk import rsync, sessions
from clients.sdk.client import Client
from clients.sdk.errors import BadInput, ClientError, Unavailable
from clients.sdk.sessions import SessionBroken
from operators.shared.files import human
from operators.shared.session_io import SessionLine
from operators.shared.tree_sync import Note, Outcome, Progress

app = command_group("Copy files into a running task, and back. What is there already is not sent.")

PAUSE_SECONDS = 2.0
SHOWN_PROBLEMS = 20

Task = Annotated[
    str | None,
    typer.Argument(
        help="Name of the task; the lead of the first group, if left out.",
        autocompletion=completion.task_names,
    ),
]
Timeout = Annotated[
    int,
    typer.Option("--timeout", min=1, help="Seconds without progress, before it is given up."),
]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="Show no bar.")]

Move = Callable[[SessionLine, Note], Awaitable[Outcome]]


class Incomplete(ClientError):
    """All was copied but what was named."""


@app.command()
def upload(
    context: typer.Context,
    workflow: Workflow,
    task: Task = None,
    path: Annotated[
        str | None,
        typer.Argument(help=f"LOCAL[:FOLDER], without a folder {rsync.WORKSPACE}."),
    ] = None,
    rate: Annotated[
        int | None, typer.Option("--upload-rate-limit", min=1, help="Bytes in a second.")
    ] = None,
    timeout: Timeout = 60,
    no_progress: NoProgress = False,
    retry: RetryOfTask = None,
    format_type: FormatType = None,
) -> None:
    """Copy a file or folder into a folder of a running task; of LOCAL/ what is in it.

    What broke off is gone on with, by itself and when the command is given again."""
    task, path = _task_and_path(task, path)
    local, remote = source_and_folder(path, rsync.WORKSPACE)

    async def move(line: SessionLine, note: Note) -> Outcome:
        return await rsync.upload(line, local, remote_path(remote), note, rate=rate)

    _run(context, workflow, task, retry, move, "Uploaded", timeout, quiet=no_progress)


@app.command()
def download(
    context: typer.Context,
    workflow: Workflow,
    task: Task = None,
    path: Annotated[
        str | None, typer.Argument(help="REMOTE[:FOLDER], without a folder the one you are in.")
    ] = None,
    timeout: Timeout = 60,
    no_progress: NoProgress = False,
    retry: RetryOfTask = None,
    format_type: FormatType = None,
) -> None:
    """Copy a file or folder of a running task into a folder of this machine; of REMOTE/ what is in
    it."""
    task, path = _task_and_path(task, path)
    remote, local = source_and_folder(path, ".")

    async def move(line: SessionLine, note: Note) -> Outcome:
        return await rsync.download(line, remote_path(remote), local, note)

    _run(context, workflow, task, retry, move, "Downloaded", timeout, quiet=no_progress)


def _task_and_path(task: str | None, path: str | None) -> tuple[str | None, str]:
    """With one of them it is the path. Raises `BadInput`."""
    if path is not None:
        return task, path
    if task is None:
        raise BadInput("Say what to copy: xylem workflow rsync upload WORKFLOW [TASK] PATH")
    return None, task


def source_and_folder(path: str, folder: str) -> tuple[str, str]:
    """`a:b`; `folder`, where none is named."""
    source, _, named = path.partition(":")
    if not source:
        raise BadInput(f"{path}: say what to copy before the colon")
    return source, named or folder


def remote_path(path: str) -> str:
    """What does not begin with / is below the workspace."""
    return path if path.startswith("/") else f"{rsync.WORKSPACE}/{path}"


def _run(
    context: typer.Context,
    workflow: str,
    task: str | None,
    retry: int | None,
    move: Move,
    done: str,
    patience: int,
    *,
    quiet: bool,
) -> None:
    session = session_of(context)
    begun = time.monotonic()
    with session.connect() as client, _bar(session, quiet=quiet) as note:
        name = task or _lead(client, workflow)
        outcome = asyncio.run(_moved(session, client, workflow, name, retry, move, note, patience))
    progress = outcome.progress
    if session.json:
        session.write_json({**progress._asdict(), "problems": outcome.problems})
    else:
        session.say(
            f"{done} {progress.done} of {progress.files} files, {human(progress.moved)} of "
            f"{human(progress.size)} sent in {time.monotonic() - begun:.1f} s."
        )
    if outcome.problems:
        for each in outcome.problems[:SHOWN_PROBLEMS]:
            session.hint(each)
        raise Incomplete(f"{len(outcome.problems)} could not be copied; all else was.")


async def _moved(
    session: Session,
    client: Client,
    workflow: str,
    task: str,
    retry: int | None,
    move: Move,
    note: Note,
    patience: int,
) -> Outcome:
    """In one session after the other, as long as there is progress."""
    alive = time.monotonic()

    def noted(progress: Progress) -> None:
        nonlocal alive
        alive = time.monotonic()
        note(progress)

    while True:
        try:
            grant = client.create_session(workflow, task, purpose="rsync", retry=retry)
            async with sessions.attached(session.login(), grant) as line:
                return await move(line, noted)
        except (SessionBroken, Unavailable) as broken:
            if time.monotonic() > alive + patience:
                raise
            session.hint(f"{broken}; going on in another session.")
            await asyncio.sleep(PAUSE_SECONDS)


def _lead(client: Client, workflow: str) -> str:
    tasks = client.query(workflow).groups[0].tasks
    return next((task.name for task in tasks if task.lead), tasks[0].name)


@contextmanager
def _bar(session: Session, *, quiet: bool) -> Iterator[Note]:
    if quiet or session.json or not session.err.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.fields[done]} of {task.fields[files]} files"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Bar(*columns, console=session.err, transient=True) as bar:
        task = bar.add_task("", total=None, done=0, files=0)

        def note(at: Progress) -> None:
            bar.update(task, total=at.size, completed=at.moved, done=at.done, files=at.files)

        yield note
