"""`xylem workflow submit` and `validate`: from a file to a request, and what comes of it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from clients.cli import render
from clients.cli.follow import follow_in
from clients.cli.options import FormatType, Pool
from clients.cli.problems import Exit, SubmissionRefused
from clients.cli.session import Session, session_of
from clients.sdk.client import Client, SubmitRequest
from clients.sdk.errors import BadInput, Refused, Unauthorized
from clients.sdk.spec_files import NeedsRendering, with_local_files

Answered = TypeVar("Answered")

File = Annotated[Path, typer.Argument(help="YAML file with the workflow; - reads standard input.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A variable of the template. Repeatable."),
]
SetString = Annotated[
    list[str] | None,
    typer.Option("--set-string", metavar="NAME=VALUE", help="The same, always text. Repeatable."),
]
SetEnv = Annotated[
    list[str] | None,
    typer.Option("--set-env", metavar="NAME=VALUE", help="Environment of tasks. Repeatable."),
]
Label = Annotated[
    list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="Repeatable.")
]
Priority = Annotated[str | None, typer.Option("--priority", metavar="HIGH|NORMAL|LOW")]


def submit(
    context: typer.Context,
    file: File,
    set_: Set = None,
    set_string: SetString = None,
    set_env: SetEnv = None,
    label: Label = None,
    pool: Pool = None,
    priority: Priority = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what the template becomes, run nothing.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Watch it to its end; exit with 1 when it failed.")
    ] = False,
    format_type: FormatType = None,
) -> None:
    """Submit a workflow."""
    session = session_of(context)
    with session.connect() as client:
        request = SubmitRequest(
            spec=session.read(file),
            pool=pool or default_pool(session, client),
            set_variables=set_ or (),
            set_string_variables=set_string or (),
            env_vars=set_env or (),
            labels=label or (),
            priority=priority,
        )
        if dry_run:
            rendered = _asked(client.render, request)
            if session.json:
                session.write_json({"spec": rendered})
            else:
                session.write(rendered)
            return
        submitted = _asked(client.submit, _with_files(client, request, file))
        if not session.json:
            _warn(session, submitted.warnings)
            session.say(f"Submitted {submitted.name}.")
        if not follow:
            if session.json:
                session.write_json(submitted.model_dump(mode="json"))
            else:
                session.say(f"Watch it: xylem workflow query {submitted.name}")
            return
        try:
            ended = follow_in(session, client, submitted.name)
        except KeyboardInterrupt:
            session.hint(f"{submitted.name} goes on: xylem workflow query {submitted.name}")
            raise
    if session.json:
        session.write_json(ended.model_dump(mode="json"))
    else:
        session.out.print(render.result(ended))
        for task in render.failures(ended):
            session.say(f"Its log: xylem workflow logs {ended.name} --task {task.name}")
    if ended.status.failed:
        raise typer.Exit(Exit.FAILED)


def validate(
    context: typer.Context,
    file: File,
    set_: Set = None,
    set_string: SetString = None,
    set_env: SetEnv = None,
    label: Label = None,
    pool: Pool = None,
    format_type: FormatType = None,
) -> None:
    """Check a workflow as its submission would, and run nothing."""
    session = session_of(context)
    with session.connect() as client:
        request = SubmitRequest(
            spec=session.read(file),
            pool=pool or default_pool(session, client),
            set_variables=set_ or (),
            set_string_variables=set_string or (),
            env_vars=set_env or (),
            labels=label or (),
        )
        answer = _asked(client.validate, _with_files(client, request, file))
    if session.json:
        session.write_json(answer.model_dump(mode="json"))
        return
    _warn(session, answer.warnings)
    session.say(answer.logs or "The workflow is valid.")


def default_pool(session: Session, client: Client) -> str:
    """The login's, else the only one there is. Raises `BadInput`."""
    if chosen := session.login().pool:
        return chosen
    names = sorted(client.pools().pools)
    match names:
        case [only]:
            return only
        case []:
            raise BadInput("there is no pool to run it in: an administrator registers pools")
        case _:
            raise BadInput(f"choose a pool with --pool: there are {', '.join(names)}")


def _with_files(client: Client, request: SubmitRequest, file: Path) -> SubmitRequest:
    folder = file.parent.absolute()
    try:
        return replace(request, spec=with_local_files(request.spec, folder))
    except NeedsRendering:
        rendered = with_local_files(_asked(client.render, request), folder)
        return replace(request, spec=rendered, template=request.spec)


def _asked(ask: Callable[[SubmitRequest], Answered], request: SubmitRequest) -> Answered:
    """A no to the workflow is told apart from a no to the person or to the options."""
    try:
        return ask(request)
    except Unauthorized:
        raise
    except Refused as error:
        raise SubmissionRefused(str(error), status=error.status, code=error.code) from error


def _warn(session: Session, warnings: Sequence[str]) -> None:
    for warning in warnings:
        session.err.print("Warning:", style="yellow", end=" ")
        session.err.print(warning, markup=False, highlight=False, soft_wrap=True)
