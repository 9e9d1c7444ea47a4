"""`xylem token …`: tokens of people, signed by the deployer."""

from datetime import timedelta
from typing import Annotated

import typer

from clients.cli.options import LongFormatType, command_group
from clients.cli.session import session_of
from clients.cli.signing import Days, Environment, Region, Url, deployment, signer
from xylem.domain.access import USER
from xylem.domain.ids import UserName

app = command_group("Tokens of people (with the deployer's credentials).")


@app.callback()
def _token() -> None:
    pass


@app.command()
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
