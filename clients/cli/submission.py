"""`xylem workflow submit` and `validate`: from a file to a request, and what comes of it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from clients.cli import render
from clients.cli.follow import follow_in
from clients.cli.options import FormatType, Pool, Workflow
from clients.cli.problems import Exit, SubmissionRefused
from clients.cli.session import Session, session_of
from clients.sdk.client import Client, SubmitRequest
from clients.sdk.errors import BadInput, Refused, Unauthorized
from clients.sdk.models import Submission
from clients.sdk.spec_datasets import (
    LocalDataset,
    local_datasets,
    validated_as,
    with_versions,
)
from clients.sdk.spec_files import NeedsRendering, with_local_files

Answered = TypeVar("Answered")

MOST_FAILURES = 10
"""Of which each gets a line: whoever sees more looks at a list."""

_WORKFLOW_ID = re.compile(r"[a-zA-Z]([a-zA-Z0-9_-]*[a-zA-Z0-9])?-[0-9]+")

File = Annotated[Path, typer.Argument(help="YAML file with the workflow; - reads standard input.")]
FileOrId = Annotated[
    Path,
    typer.Argument(help="YAML file with the workflow, - for standard input, or an earlier id."),
]
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
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what the template becomes, run nothing.")
]
Follow = Annotated[
    bool, typer.Option("--follow", help="Watch it to its end; exit with 1 when it failed.")
]
LocalPath = Annotated[
    Path | None,
    typer.Option("--local-path", "-l", help="Folder of the local files that the spec names."),
]


@dataclass(frozen=True, slots=True)
class Given:
    """A spec, with the folder that its local files are relative to."""

    text: str
    folder: Path
    app: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """What the options of a submission say."""

    set_variables: Sequence[str] = ()
    set_string_variables: Sequence[str] = ()
    env_vars: Sequence[str] = ()
    labels: Sequence[str] = ()
    pool: str | None = None
    priority: str | None = None


def submit(
    context: typer.Context,
    file: FileOrId,
    set_: Set = None,
    set_string: SetString = None,
    set_env: SetEnv = None,
    label: Label = None,
    pool: Pool = None,
    priority: Priority = None,
    dry_run: DryRun = False,
    follow: Follow = False,
    format_type: FormatType = None,
) -> None:
    """Submit a workflow: a file, or the id of one that was submitted before."""
    session = session_of(context)
    with session.connect() as client:
        if _names_a_workflow(file):
            if set_ or set_string or set_env or dry_run:
                raise BadInput(
                    f"{file} was submitted before: its variables and environment are what they "
                    "were. Submit its file to change them."
                )
            submitted = client.resubmit(
                str(file),
                pool=pool or _pool_of(client, str(file)),
                labels=label or (),
                priority=priority,
            )
            tell(session, client, submitted, follow=follow)
            return
        given = Given(session.read(file), folder_of(file.parent))
        choices = Choices(set_ or (), set_string or (), set_env or (), label or (), pool, priority)
        send(session, client, given, choices, dry_run=dry_run, follow=follow)


def send(
    session: Session,
    client: Client,
    given: Given,
    choices: Choices,
    *,
    dry_run: bool,
    follow: bool,
) -> None:
    request = _request(session, client, given, choices)
    if dry_run:
        rendered = _asked(client.render, request)
        if session.json:
            session.write_json({"spec": rendered})
        else:
            session.write(rendered)
        return
    request = _with_files(client, request, given.folder)
    request = _with_datasets(session, client, request, given.folder)
    tell(session, client, _asked(client.submit, request), follow=follow)


def folder_of(path: Path | None) -> Path:
    """Where there is none, the one that we are in."""
    return (path or Path()).absolute()


def _request(session: Session, client: Client, given: Given, choices: Choices) -> SubmitRequest:
    return SubmitRequest(
        spec=given.text,
        pool=choices.pool or default_pool(session, client),
        set_variables=choices.set_variables,
        set_string_variables=choices.set_string_variables,
        env_vars=choices.env_vars,
        labels=choices.labels,
        priority=choices.priority,
        app=given.app,
    )


def restart(
    context: typer.Context,
    workflow: Workflow,
    pool: Pool = None,
    follow: Follow = False,
    format_type: FormatType = None,
) -> None:
    """Run again what did not complete of one that failed, as a new workflow."""
    session = session_of(context)
    with session.connect() as client:
        submitted = client.restart(workflow, pool=pool or _pool_of(client, workflow))
        tell(session, client, submitted, follow=follow)


def tell(session: Session, client: Client, submitted: Submission, *, follow: bool) -> None:
    """What came of it: at once, or when it has ended. Exits with 1 when it failed."""
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
        failed = render.failures(ended)
        for task in failed[:MOST_FAILURES]:
            session.say(f"Its log: xylem workflow logs {ended.name} --task {task.name}")
        if len(failed) > MOST_FAILURES:
            session.say(
                f"{len(failed)} failed: xylem task list --workflow-id {ended.name} --status FAILED"
            )
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
    offline: Annotated[
        bool, typer.Option("--offline", help="By this machine alone: no pool, no credentials.")
    ] = False,
    format_type: FormatType = None,
) -> None:
    """Check a workflow as its submission would, and run nothing."""
    session = session_of(context)
    if offline:
        if pool is not None:
            raise BadInput("what a pool allows is known to the service: leave out --pool")
        _validate_here(
            session, file, variables=(set_ or (), set_string or (), set_env or (), label or ())
        )
        return
    with session.connect() as client:
        given = Given(session.read(file), folder_of(file.parent))
        choices = Choices(set_ or (), set_string or (), set_env or (), label or (), pool)
        request = _request(session, client, given, choices)
        request, _ = _without_datasets(client, _with_files(client, request, given.folder))
        answer = _asked(client.validate, request)
    if session.json:
        session.write_json(answer.model_dump(mode="json"))
        return
    _warn(session, answer.warnings)
    session.say(answer.logs or "The workflow is valid.")


def _names_a_workflow(file: Path) -> bool:
    """As with OSMO's client. A file of that name is a file."""
    return _WORKFLOW_ID.fullmatch(str(file)) is not None and not file.exists()


def _pool_of(client: Client, workflow: str) -> str:
    """Where it ran before."""
    return client.query(workflow).pool or ""


def schema(context: typer.Context, format_type: FormatType = None) -> None:
    """Show the JSON Schema of workflows, by which an editor completes and checks them."""
    from xylem.spec.schema import schema as made  # noqa: PLC0415 - see `_validate_here`

    session_of(context).write_json(made())


def _validate_here(session: Session, file: Path, *, variables: Sequence[Sequence[str]]) -> None:
    # It brings the models of specs and Jinja, which cost as much as the rest of a command.
    from clients.cli.offline import Variables, checked  # noqa: PLC0415 - see above

    found = checked(session.read(file), file.parent.absolute(), Variables(*variables))
    if session.json:
        session.write_json(found)
        return
    _warn(session, found["warnings"])
    session.say(found["logs"])


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


def _with_files(client: Client, request: SubmitRequest, folder: Path) -> SubmitRequest:
    try:
        return replace(request, spec=with_local_files(request.spec, folder))
    except NeedsRendering:
        rendered = with_local_files(_asked(client.render, request), folder)
        return replace(request, spec=rendered, template=request.spec)


def _without_datasets(
    client: Client, request: SubmitRequest
) -> tuple[SubmitRequest, list[LocalDataset]]:
    """As it is validated, before its local datasets are uploaded; and these."""
    request = _rendered_for_datasets(client, request)
    found = local_datasets(request.spec)
    return replace(request, spec=validated_as(request.spec, found)), found


def _with_datasets(
    session: Session, client: Client, request: SubmitRequest, folder: Path
) -> SubmitRequest:
    """With a version of each local dataset, uploaded once the workflow was found valid."""
    request = _rendered_for_datasets(client, request)
    valid, found = _without_datasets(client, request)
    if not found:
        return request
    name = _asked(client.validate, valid).name
    from clients.cli.dataset_transfer import upload_for  # noqa: PLC0415 - for them alone

    versions = {one: upload_for(session, client, one, folder, workflow=name) for one in found}
    return replace(request, spec=with_versions(request.spec, versions))


def _rendered_for_datasets(client: Client, request: SubmitRequest) -> SubmitRequest:
    """By the service, where only a template says which datasets are meant."""
    try:
        local_datasets(request.spec)
    except NeedsRendering:
        rendered = _asked(client.render, request)
        return replace(request, spec=rendered, template=request.template or request.spec)
    return request


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
