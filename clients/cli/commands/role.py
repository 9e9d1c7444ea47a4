"""`xylem role …`: what roles allow, and who has them. OSMO's client has them as configs alone."""

from typing import Annotated, Any

import typer

from clients.cli.editing import text_of_value, value_of
from clients.cli.identity_view import holders_table
from clients.cli.options import (
    Description,
    File,
    Force,
    FormatType,
    LongFormatType,
    command_group,
    examples,
)
from clients.cli.problems import Exit
from clients.cli.session import session_of
from clients.cli.tables import table
from clients.sdk.configs import Note
from clients.sdk.errors import BadInput
from xylem.domain.config import ConfigKind

app = command_group("Roles: what each allows, and who has it, for administrators.")

Name = Annotated[str, typer.Argument(help="Of the role.")]


@app.callback()
def _role() -> None:
    pass


@app.command("list", epilog=examples("xylem role list"))
def list_roles(context: typer.Context, format_type: FormatType = None) -> None:
    """List the roles with what each is for."""
    session = session_of(context)
    with session.connect() as client:
        found = client.configs.show(ConfigKind.ROLE)
    if session.json:
        session.write_json(found)
        return
    shown = table("role", "policies", "description")
    for one in found:
        shown.add_row(one["name"], str(len(one["policies"])), one["description"])
    session.out.print(shown)


@app.command(epilog=examples("xylem role show osmo-user"))
def show(context: typer.Context, name: Name, format_type: FormatType = None) -> None:
    """Show what a role allows and denies."""
    session = session_of(context)
    with session.connect() as client:
        found = client.configs.show(ConfigKind.ROLE, name)
    if session.json:
        session.write_json(found)
        return
    session.write(text_of_value(found))


@app.command("set", epilog=examples("xylem role set team-a --file team-a.yaml"))
def set_role(
    context: typer.Context,
    name: Name,
    file: File = None,
    description: Description = None,
    format_type: LongFormatType = None,
) -> None:
    """Make a role, or put it in the place of the one there is."""
    session = session_of(context)
    if file is None:
        raise BadInput(
            "say what it allows: --file FILE, with `policies` as `role show` writes them"
        )
    given = value_of(session.read(file), str(file))
    if not isinstance(given, dict):
        raise BadInput(f"{file} has to be keys with values: `description` and `policies`")
    config: dict[str, Any] = {"name": name, "description": "", **given}
    with session.connect() as client:
        client.configs.put(ConfigKind.ROLE, name, config, note=Note(description))
    if session.json:
        session.write_json(config)
        return
    session.say(f"Set role {name}.")


@app.command(epilog=examples("xylem role delete team-a --force"))
def delete(
    context: typer.Context,
    name: Name,
    description: Description = None,
    force: Force = False,
    format_type: LongFormatType = None,
) -> None:
    """Delete a role: who has it can do no longer what it allowed."""
    session = session_of(context)
    if not session.yes(f"Delete role {name}?", force=force, what="nothing was deleted"):
        return
    with session.connect() as client:
        client.configs.delete(ConfigKind.ROLE, name, note=Note(description))
    if session.json:
        session.write_json({"name": name})
        return
    session.say(f"Deleted role {name}.")


@app.command(epilog=examples("xylem role users osmo-admin"))
def users(context: typer.Context, name: Name, format_type: FormatType = None) -> None:
    """List who has a role."""
    session = session_of(context)
    with session.connect() as client:
        found = client.users.having(name)
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(holders_table(found.users))


@app.command(epilog=examples("xylem role assign team-a alice bob"))
def assign(
    context: typer.Context,
    name: Name,
    user: Annotated[list[str], typer.Argument(help="One or several.")],
    format_type: FormatType = None,
) -> None:
    """Give users a role. Exits with 1 where one is not known; the others have it."""
    session = session_of(context)
    with session.connect() as client:
        done = client.users.assign_all(user, name)
    if session.json:
        session.write_json(done.model_dump(mode="json"))
    else:
        for one in done.assigned:
            session.say(f"{one} has role {name}.")
        for one in done.already_assigned:
            session.say(f"{one} had role {name}.")
        for one in done.failed:
            session.hint(f"{one}: there is no such user.")
    if done.failed:
        raise typer.Exit(Exit.FAILED)
