"""`xylem app …`: specs under a name, version by version, for others to submit."""

from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli import submission
from clients.cli.editing import edited, text_of
from clients.cli.options import (
    AllUsers,
    Count,
    File,
    Force,
    FormatType,
    LongFormatType,
    Offset,
    Order,
    Pool,
    Users,
    as_sent,
    command_group,
    examples,
    several,
)
from clients.cli.session import session_of
from clients.cli.tables import facts, table
from clients.sdk.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from clients.sdk.apps import App, ListedApp

app = command_group("Apps: specs under a name, for others to submit.")

Name = Annotated[str, typer.Argument(help="Of the app.")]
NameOrVersion = Annotated[
    str, typer.Argument(help="NAME, or NAME:VERSION; without a version the newest.")
]
NEW = "workflow:\n  name: \n  tasks:\n  - name: \n    image: \n    command: []\n"


@app.callback()
def _app() -> None:
    pass


@app.command(epilog=examples("xylem app create train --description 'Trains it' --file train.yaml"))
def create(
    context: typer.Context,
    name: Name,
    description: Annotated[str, typer.Option("--description", "-d", help="What it is for.")],
    file: File = None,
    format_type: LongFormatType = None,
) -> None:
    """Make an app: of a file, or of what you write in your editor."""
    session = session_of(context)
    with session.connect() as client:
        client.apps.create(name, text_of(session, file, NEW), description=description)
    if session.json:
        session.write_json({"name": name, "version": 1})
        return
    session.say(f"Made app {name}. Submit it: xylem app submit {name}")


@app.command(epilog=examples("xylem app update train --file train.yaml"))
def update(
    context: typer.Context, name: Name, file: File = None, format_type: LongFormatType = None
) -> None:
    """Add a version: of a file, or of what you make of the newest in your editor."""
    session = session_of(context)
    with session.connect() as client:
        if file is None:
            before = client.apps.spec(name)
            text = edited(session, before)
            if text == before:
                session.say("Nothing was changed.")
                return
        else:
            text = session.read(file)
        made = client.apps.add_version(name, text)
    if session.json:
        session.write_json(made.model_dump(mode="json"))
        return
    session.say(f"Made version {made.version} of app {name}.")


@app.command(epilog=examples("xylem app info train"))
def info(
    context: typer.Context,
    name: NameOrVersion,
    count: Count = 20,
    order: Order = "asc",
    format_type: FormatType = None,
) -> None:
    """Show an app with its newest versions."""
    session = session_of(context)
    name, version = parsed(name)
    with session.connect() as client:
        found = client.apps.info(name, version=version, limit=count, order=as_sent(order))
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(
        facts(
            {
                "app": found.name,
                "description": found.description,
                "owner": found.owner,
                "created": f"{found.created_date:%Y-%m-%d %H:%M:%S} UTC",
            }
        )
    )
    session.out.print(_versions(found))


@app.command(epilog=examples("xylem app show train", "xylem app show train:3"))
def show(context: typer.Context, name: NameOrVersion, format_type: LongFormatType = None) -> None:
    """Show the parameters and spec of an app. The same as `spec`."""
    spec(context, name)


@app.command(epilog=examples("xylem app spec train:3"))
def spec(context: typer.Context, name: NameOrVersion, format_type: LongFormatType = None) -> None:
    """Show the spec of an app, as it was written."""
    session = session_of(context)
    name, version = parsed(name)
    with session.connect() as client:
        text = client.apps.spec(name, version=version)
    if session.json:
        session.write_json({"spec": text})
        return
    session.write(text)


@app.command(
    "list",
    cls=several("--user", "-u"),
    epilog=examples("xylem app list", "xylem app list --all-users --name train"),
)
def list_apps(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", "-n", help="Part of the name.")] = "",
    user: Users = None,
    all_users: AllUsers = False,
    count: Count = 20,
    offset: Offset = 0,
    order: Order = "asc",
    format_type: FormatType = None,
) -> None:
    """List apps: those that you made a version of or submitted, unless told otherwise."""
    session = session_of(context)
    with session.connect() as client:
        page = client.apps.listed(
            name=name,
            users=user or (),
            all_users=all_users,
            limit=count,
            offset=offset,
            order=as_sent(order),
        )
    if session.json:
        session.write_json(page.model_dump(mode="json"))
        return
    if not page.apps:
        session.say("No apps: list those of others with --all-users, or make one: xylem app create")
        return
    session.out.print(_listed(page.apps))
    if page.more_entries:
        session.hint(f"There are more: --offset {offset + count}")


@app.command(epilog=examples("xylem app delete train:3", "xylem app delete train --all --force"))
def delete(
    context: typer.Context,
    name: NameOrVersion,
    every: Annotated[bool, typer.Option("--all", "-a", help="All versions.")] = False,
    force: Force = False,
    format_type: LongFormatType = None,
) -> None:
    """Delete a version of an app of yours, or all of them."""
    session = session_of(context)
    name, version = parsed(name)
    if (version is None) == (not every):
        raise BadInput(f"say which version, {name}:VERSION, or --all")
    what = f"all versions of app {name}" if every else f"version {version} of app {name}"
    if not session.yes(f"Delete {what}?", force=force, what="nothing was deleted"):
        return
    with session.connect() as client:
        gone = client.apps.delete(name, version=version, every=every).versions
    if session.json:
        session.write_json({"versions": gone})
        return
    session.say(f"Deleted of app {name}: {', '.join(str(one) for one in gone) or 'nothing'}.")


@app.command(epilog=examples("xylem app rename train fit --force"))
def rename(
    context: typer.Context,
    original_name: Name,
    new_name: str,
    force: Force = False,
    format_type: LongFormatType = None,
) -> None:
    """Give an app of yours another name, under which others have to submit it from then on."""
    session = session_of(context)
    question = f"Rename app {original_name} to {new_name}? Who submits it by its name will not."
    if not session.yes(question, force=force, what="nothing was renamed"):
        return
    with session.connect() as client:
        client.apps.rename(original_name, new_name)
    if session.json:
        session.write_json({"name": new_name})
        return
    session.say(f"Renamed app {original_name} to {new_name}.")


@app.command(
    cls=several("--set", "--set-string", "--set-env"),
    epilog=examples("xylem app submit train --set epochs=3", "xylem app submit train:2 --follow"),
)
def submit(
    context: typer.Context,
    name: NameOrVersion,
    set_: submission.Set = None,
    set_string: submission.SetString = None,
    set_env: submission.SetEnv = None,
    label: submission.Label = None,
    pool: Pool = None,
    priority: submission.Priority = None,
    dry_run: submission.DryRun = False,
    follow: submission.Follow = False,
    local_path: submission.LocalPath = None,
    format_type: FormatType = None,
) -> None:
    """Submit the newest version of an app, or the one that is named."""
    session = session_of(context)
    name, version = parsed(name)
    with session.connect() as client:
        found = client.apps.info(name, version=version, limit=1)
        if not found.versions:
            raise BadInput(f"app {name} has no version any more")
        number = version or found.versions[0].version
        given = submission.Given(
            text=client.apps.spec(name, version=number),
            folder=submission.folder_of(local_path),
            app=(found.uuid, number),
        )
        choices = submission.Choices(
            set_ or (), set_string or (), set_env or (), label or (), pool, priority
        )
        submission.send(session, client, given, choices, dry_run=dry_run, follow=follow)


def parsed(said: str) -> tuple[str, int | None]:
    """NAME:VERSION. Raises `BadInput`."""
    name, colon, version = said.partition(":")
    if colon and not (version.isascii() and version.isdecimal() and int(version)):
        raise BadInput(f"{said!r}: a version is a number from 1 on, as {name}:2")
    return name, int(version) if colon else None


def _listed(apps: "Iterable[ListedApp]") -> "Table":
    shown = table("app", "owner", "version", "created", "description")
    for one in apps:
        created = f"{one.created_date:%Y-%m-%d %H:%M:%S}"
        shown.add_row(one.name, one.owner, str(one.latest_version), created, one.description)
    return shown


def _versions(found: "App") -> "Table":
    shown = table("version", "status", "by", "created")
    for one in found.versions:
        created = f"{one.created_date:%Y-%m-%d %H:%M:%S}"
        shown.add_row(str(one.version), one.status, one.created_by, created)
    return shown
