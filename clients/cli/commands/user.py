"""`xylem user …`: users and their roles, for administrators."""

from typing import Annotated

import typer

from clients.cli.identity_view import user_table, user_view
from clients.cli.options import (
    Force,
    FormatType,
    LongFormatType,
    command_group,
    examples,
    several,
)
from clients.cli.session import session_of
from clients.sdk.errors import BadInput

app = command_group("Users and their roles, for administrators.")

UserId = Annotated[str, typer.Argument(help="Of the user.")]
Roles = Annotated[
    list[str] | None, typer.Option("--roles", "-r", metavar="ROLE", help="One or several.")
]


@app.callback()
def _user() -> None:
    pass


@app.command(
    "list",
    cls=several("--roles", "-r"),
    epilog=examples("xylem user list", "xylem user list --id-prefix ci- --roles osmo-admin"),
)
def list_users(
    context: typer.Context,
    id_prefix: Annotated[str, typer.Option("--id-prefix", "-p", help="Whose names begin so.")] = "",
    roles: Roles = None,
    count: Annotated[int, typer.Option("--count", "-c", min=1, max=1000)] = 100,
    format_type: FormatType = None,
) -> None:
    """List users."""
    session = session_of(context)
    with session.connect() as client:
        found = client.users.listed(prefix=id_prefix, roles=roles or (), count=count)
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(user_table(found.users))
    if found.total_results > len(found.users):
        session.hint(f"There are {found.total_results}: --count {found.total_results}")


@app.command(epilog=examples("xylem user get alice"))
def get(context: typer.Context, user_id: UserId, format_type: FormatType = None) -> None:
    """Show a user with its roles."""
    session = session_of(context)
    with session.connect() as client:
        found = client.users.get(user_id)
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(user_view(found))


@app.command(
    cls=several("--roles", "-r"), epilog=examples("xylem user create ci --roles osmo-user")
)
def create(
    context: typer.Context, user_id: UserId, roles: Roles = None, format_type: FormatType = None
) -> None:
    """Make a user, for a person or a program, with these roles."""
    session = session_of(context)
    with session.connect() as client:
        made = client.users.create(user_id, roles=roles or ())
    if session.json:
        session.write_json(made.model_dump(mode="json"))
        return
    session.say(f"Made user {made.id}. Make it a token: xylem token set NAME --user {made.id}")


@app.command(
    cls=several("--add-roles", "-a", "--remove-roles", "-r"),
    epilog=examples("xylem user update ci --add-roles team-a --remove-roles osmo-user"),
)
def update(
    context: typer.Context,
    user_id: UserId,
    add_roles: Annotated[
        list[str] | None, typer.Option("--add-roles", "-a", metavar="ROLE")
    ] = None,
    remove_roles: Annotated[
        list[str] | None, typer.Option("--remove-roles", "-r", metavar="ROLE")
    ] = None,
    format_type: FormatType = None,
) -> None:
    """Give a user roles, and take roles away."""
    session = session_of(context)
    if not add_roles and not remove_roles:
        raise BadInput("say which roles: --add-roles ROLE, --remove-roles ROLE")
    with session.connect() as client:
        for role in add_roles or ():
            client.users.assign(user_id, role)
        for role in remove_roles or ():
            client.users.unassign(user_id, role)
        after = client.users.get(user_id)
    if session.json:
        session.write_json(after.model_dump(mode="json"))
        return
    session.out.print(user_view(after))


@app.command(epilog=examples("xylem user delete ci --force"))
def delete(
    context: typer.Context,
    user_id: UserId,
    force: Force = False,
    format_type: LongFormatType = None,
) -> None:
    """Delete a user, with its tokens."""
    session = session_of(context)
    question = f"Delete user {user_id} with its tokens?"
    if not session.yes(question, force=force, what="nothing was deleted"):
        return
    with session.connect() as client:
        client.users.delete(user_id)
    if session.json:
        session.write_json({"id": user_id})
        return
    session.say(f"Deleted user {user_id}.")
