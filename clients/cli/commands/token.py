"""`xylem token …`: secrets with which programs ask in a user's name. `mint` signs one that the
service has no record of, with the deployer's own credentials."""

from datetime import date, timedelta
from typing import Annotated

import typer

from clients.cli.identity_view import given_table, token_table
from clients.cli.options import (
    Days,
    Environment,
    Force,
    FormatType,
    LongFormatType,
    Region,
    Url,
    command_group,
    examples,
    several,
)
from clients.cli.session import session_of
from clients.sdk.errors import BadInput
from xylem.domain.access import USER
from xylem.domain.ids import UserName

app = command_group("Access tokens, of yours and of the programs that you look after.")

Name = Annotated[str, typer.Argument(help="Of the token.")]
OfUser = Annotated[
    str | None, typer.Option("--user", "-u", help="Of another, as an administrator.")
]
DAYS = 31
"""OSMO's default."""


@app.callback()
def _token() -> None:
    pass


@app.command(
    "set",
    cls=several("--roles", "-r"),
    epilog=examples(
        "xylem token set laptop", "xylem token set ci --user ci --expires-at 2030-01-31"
    ),
)
def set_token(
    context: typer.Context,
    name: Name,
    expires_at: Annotated[
        str | None,
        typer.Option("--expires-at", "-e", metavar="YYYY-MM-DD", show_default="31 days from now"),
    ] = None,
    description: Annotated[str, typer.Option("--description", "-d", help="What it is for.")] = "",
    user: OfUser = None,
    roles: Annotated[
        list[str] | None,
        typer.Option("--roles", "-r", metavar="ROLE", help="Default: all that its user has."),
    ] = None,
    format_type: FormatType = None,
) -> None:
    """Make a token and print it, this once. Keep it as you keep a password."""
    session = session_of(context)
    ends = _day(expires_at) if expires_at else (session.now() + timedelta(days=DAYS)).date()
    with session.connect() as client:
        secret = client.tokens.create(
            name, expires=ends, description=description, roles=roles or (), user=user
        )
    if session.json:
        session.write_json({"name": name, "token": secret, "expires_at": ends})
        return
    session.say(secret)
    session.hint(f"Token {name} ends on {ends}. It is not shown again.")


@app.command("list", epilog=examples("xylem token list", "xylem token list --user ci"))
def list_tokens(
    context: typer.Context, user: OfUser = None, format_type: FormatType = None
) -> None:
    """List tokens, without their secrets."""
    session = session_of(context)
    with session.connect() as client:
        found = client.tokens.listed(user=user)
    if session.json:
        session.write_json([one.model_dump(mode="json") for one in found])
        return
    if not found:
        session.say("No tokens. Make one: xylem token set NAME")
        return
    session.out.print(token_table(found, session.now()))


@app.command(epilog=examples("xylem token delete laptop --force"))
def delete(
    context: typer.Context,
    name: Name,
    user: OfUser = None,
    force: Force = False,
    format_type: LongFormatType = None,
) -> None:
    """Delete a token: whoever uses it is refused from then on."""
    session = session_of(context)
    if not session.yes(f"Delete token {name}?", force=force, what="nothing was deleted"):
        return
    with session.connect() as client:
        client.tokens.delete(name, user=user)
    if session.json:
        session.write_json({"name": name})
        return
    session.say(f"Deleted token {name}.")


@app.command(epilog=examples("xylem token roles laptop"))
def roles(context: typer.Context, name: Name, format_type: FormatType = None) -> None:
    """Show which roles a token of yours has."""
    session = session_of(context)
    with session.connect() as client:
        found = client.tokens.roles(name)
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(given_table(found.roles))


@app.command(epilog=examples("xylem token mint alice --environment prod --days 7"))
def mint(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(help="Whose token it is.")],
    environment: Environment,
    role: Annotated[list[str] | None, typer.Option(help="Repeatable; default: osmo-user.")] = None,
    days: Days = 30,
    region: Region = None,
    url: Url = None,
    format_type: LongFormatType = None,
) -> None:
    """Sign a token for a person, and print it. Keep it as you keep a password."""
    from clients.cli.signing import deployment, signer  # noqa: PLC0415 - boto3, for this alone

    session = session_of(context)
    found = deployment(session, environment, region, url)
    token = signer(found).user(
        UserName(subject), role or [USER], life=timedelta(days=days), now=session.now()
    )
    if session.json:
        session.write_json({"url": found.api_url, "token": token})
        return
    session.say(token)
    session.hint(f"Use it: xylem login '{found.api_url}' --token-file FILE")


def _day(text: str) -> date:
    """Raises `BadInput`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text} is no day: write it as 2030-01-31") from None
