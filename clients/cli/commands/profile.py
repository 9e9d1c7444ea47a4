"""`xylem profile …`: what you set for yourself."""

from enum import StrEnum
from typing import Annotated

import typer

from clients.cli.identity_view import profile_view
from clients.cli.options import FormatType, LongFormatType, command_group, examples
from clients.cli.session import session_of
from clients.sdk.errors import BadInput

app = command_group("Profile: your default pool, and how you are told of things.")


class Setting(StrEnum):
    NOTIFICATIONS = "notifications"
    POOL = "pool"


@app.callback()
def _profile() -> None:
    pass


@app.command("list", epilog=examples("xylem profile list"))
def list_profile(context: typer.Context, format_type: FormatType = None) -> None:
    """Show your settings, your roles, and the pools that you may use."""
    session = session_of(context)
    with session.connect() as client:
        found = client.profile.get()
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(profile_view(found))


@app.command(
    "set",
    epilog=examples("xylem profile set pool team-a", "xylem profile set notifications email true"),
)
def set_profile(
    context: typer.Context,
    setting: Setting,
    value: Annotated[str, typer.Argument(help="A pool; or email or slack.")],
    enabled: Annotated[
        bool | None, typer.Argument(help="Of notifications: true or false.", show_default=False)
    ] = None,
    format_type: LongFormatType = None,
) -> None:
    """Set your default pool, or switch notifications on and off."""
    session = session_of(context)
    if setting is Setting.POOL:
        if enabled is not None:
            raise BadInput("a pool is neither true nor false: xylem profile set pool NAME")
        with session.connect() as client:
            client.profile.set(pool=value)
        said = f"Your default pool is {value}."
    else:
        if value not in ("email", "slack") or enabled is None:
            raise BadInput("write: xylem profile set notifications email|slack true|false")
        with session.connect() as client:
            if value == "email":
                client.profile.set(email=enabled)
            else:
                client.profile.set(slack=enabled)
        said = f"Notifications by {value} are {'on' if enabled else 'off'}."
    if session.json:
        session.write_json({"setting": setting.value, "value": value, "enabled": enabled})
        return
    session.say(said)
