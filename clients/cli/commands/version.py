"""`xylem version`: of this client, and of the service it is logged in to."""

from importlib.metadata import version as installed

import typer

from clients.cli.options import FormatType
from clients.cli.session import session_of
from clients.sdk.errors import ClientError

app = typer.Typer(add_completion=False)


@app.command()
def version(context: typer.Context, format_type: FormatType = None) -> None:
    """Say which version this client is, and which the service."""
    session = session_of(context)
    client = installed("xylem")
    service: str | None = None
    try:
        with session.connect() as connection:
            service = str(connection.version())
    except ClientError as error:
        problem = str(error)
    if session.json:
        session.write_json({"client": client, "service": service})
        return
    session.say(f"client   {client}")
    session.say(f"service  {service or f'unknown ({problem})'}")
