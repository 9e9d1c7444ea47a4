"""`xylem whoami`: as whom the service knows you, and what you may do."""

import typer

from clients.cli.identity_view import profile_view
from clients.cli.options import FormatType, examples
from clients.cli.session import session_of
from clients.sdk.login import token_expiry

app = typer.Typer(add_completion=False)


@app.command(epilog=examples("xylem whoami", "xylem whoami --format-type json"))
def whoami(context: typer.Context, format_type: FormatType = None) -> None:
    """Show as whom you are logged in, where, until when, with which roles and pools."""
    session = session_of(context)
    login = session.login()
    with session.connect() as client:
        found = client.profile.get()
    ends = token_expiry(login.token) if login.token else None
    if session.json:
        session.write_json({**found.model_dump(mode="json"), "url": login.url, "until": ends})
        return
    session.out.print(profile_view(found, url=login.url, until=ends))
