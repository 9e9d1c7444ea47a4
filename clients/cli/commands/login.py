"""`xylem login`: where the service is, and with which token."""

from pathlib import Path
from typing import Annotated

import typer

from clients.cli.options import LongFormatType
from clients.cli.session import Session, session_of
from clients.sdk.client import Client
from clients.sdk.errors import BadInput
from clients.sdk.login import Login, store, token_expiry

app = typer.Typer(add_completion=False)


@app.command()
def login(
    context: typer.Context,
    url: Annotated[str | None, typer.Argument(help="Address of the service.")] = None,
    token: Annotated[
        str | None, typer.Option(help="Seen by others in the list of processes; rather a file.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token; - reads standard input.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Name alone, which a local stack believes.")
    ] = None,
    pool: Annotated[str | None, typer.Option(help="Where your workflows go by default.")] = None,
    format_type: LongFormatType = None,
) -> None:
    """Keep an address and a token for the commands that follow; without URL, show them."""
    session = session_of(context)
    if url is None:
        kept = session.login()
    else:
        kept = Login(url=url, token=_token(session, token, token_file), user=user, pool=pool)
        if (kept.token is None) == (kept.user is None):
            raise BadInput(
                "a login has either a token (--token-file FILE) or, at a local stack, a name"
                " (--user NAME)"
            )
        with Client(kept, transport=session.transport) as client:
            client.pools()  # an answer shows that the address and the token are right
        store(kept, session.config_folder)
    ends = token_expiry(kept.token) if kept.token else None
    if session.json:
        session.write_json({"url": kept.url, "user": kept.user, "pool": kept.pool, "until": ends})
        return
    until = f", until {ends:%Y-%m-%d %H:%M} UTC" if ends else ""
    session.say(f"Logged in to {kept.url}{f' as {kept.user}' if kept.user else ''}{until}.")


def _token(session: Session, token: str | None, file: Path | None) -> str | None:
    if token is not None and file is not None:
        raise BadInput("give --token or --token-file, not both")
    if file is None:
        return token
    text = session.read(file).strip()
    if not text:
        raise BadInput(f"{file} is empty: it should hold a token")
    return text
