"""`xylem backend …`: the clusters that run workflows."""

from datetime import timedelta
from typing import Annotated

import typer

from clients.cli.options import LongFormatType, command_group
from clients.cli.session import session_of
from clients.cli.signing import Days, Environment, Region, Url, deployment, signer
from xylem.domain.ids import BackendName

app = command_group("Backends: clusters that dial in.")


@app.callback()
def _backend() -> None:
    pass


@app.command()
def token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The backend's name, as pools call it.")],
    environment: Environment,
    days: Days = 365,
    region: Region = None,
    url: Url = None,
    format_type: LongFormatType = None,
) -> None:
    """Sign the token with which a cluster's operator dials in, and print it."""
    session = session_of(context)
    found = deployment(session, environment, region, url)
    signed = signer(found).operator(BackendName(name), life=timedelta(days=days), now=session.now())
    if session.json:
        session.write_json({"url": found.websocket_url, "token": signed})
        return
    session.say(signed)
    session.hint(f"Its operator dials {found.websocket_url}")
