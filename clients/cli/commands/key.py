"""`xylem key …`: the key that signs tokens, with the deployer's credentials."""

from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from clients.cli.options import Environment, LongFormatType, Region, Url, command_group
from clients.cli.session import session_of
from clients.cli.signing import deployment
from clients.sdk.errors import BadInput
from xylem.domain.errors import XylemError
from xylem_aws.keys import ensure_keys
from xylem_aws.keys import rotate as rotated

app = command_group("The key that signs tokens (with the deployer's credentials).")


@app.callback()
def _key() -> None:
    pass


@app.command()
def rotate(
    context: typer.Context,
    environment: Environment,
    at_once: Annotated[
        bool,
        typer.Option("--at-once", help="Believe the key before no more: others know it."),
    ] = False,
    region: Region = None,
    url: Url = None,
    format_type: LongFormatType = None,
) -> None:
    """Sign with a new key. What the one before signed holds until the next rotation."""
    session = session_of(context)
    there = deployment(session, environment, region, url)
    try:
        ensure_keys(there.ssm, there.keys_path)
        ring = rotated(there.ssm, there.keys_path, at_once=at_once)
    except (BotoCoreError, ClientError, XylemError) as error:
        raise BadInput(f"the keys of {there.api_url} cannot be changed: {error}") from error
    if session.json:
        session.write_json({"url": there.api_url, "active": ring.active, "keys": list(ring.keys)})
        return
    session.say(f"{there.api_url} signs with {ring.active} in five minutes at the latest.")
    held = (
        "Whatever was signed before opens nothing, in six minutes at the latest: sign new tokens."
        if at_once
        else "What was signed before holds until the next rotation: sign anew what is to last."
    )
    session.hint(held)
