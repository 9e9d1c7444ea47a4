"""`xylem workflow cancel`: one request for each workflow; what is refused holds up no other."""

from typing import Annotated

import typer

from clients.cli import completion
from clients.cli.options import FormatType
from clients.cli.problems import Exit, as_json, exit_code
from clients.cli.session import Session, session_of
from clients.sdk.client import Client
from clients.sdk.errors import ClientError, Refused, ServiceError, Unreachable

UNAUTHENTICATED = 401


def cancel(
    context: typer.Context,
    workflows: Annotated[
        list[str],
        typer.Argument(
            help="Their ids, e.g. hello-1 hello-2.", autocompletion=completion.workflow_names
        ),
    ],
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="Why; shown with every task.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Give what still runs no time to end.")
    ] = False,
    format_type: FormatType = None,
) -> None:
    """Cancel workflows. Exits with 1 where one of them was refused; the others are cancelled."""
    session = session_of(context)
    with session.connect() as client:
        failures = {
            name: _cancelled(session, client, name, message, force)
            for name in dict.fromkeys(workflows)
        }
    if session.json:
        session.write_json([_told(name, failure) for name, failure in failures.items()])
    if code := max(_code(failure) for failure in failures.values()):
        raise typer.Exit(code)


def _cancelled(
    session: Session, client: Client, name: str, message: str | None, force: bool
) -> ClientError | None:
    """Why not, or None. Raises what the others would meet as well: nobody is logged in."""
    try:
        client.cancel(name, message=message, force=force)
    except (ServiceError, Unreachable) as error:
        if isinstance(error, ServiceError) and error.status == UNAUTHENTICATED:
            raise
        if not session.json:
            session.hint(f"{name}: {error}")
        return error
    if not session.json:
        session.say(f"Cancelled {name}.")
    return None


def _told(name: str, failure: ClientError | None) -> dict[str, object]:
    return {"name": name, "cancelled": failure is None, **(as_json(failure) if failure else {})}


def _code(failure: ClientError | None) -> Exit:
    if failure is None:
        return Exit.OK
    return Exit.FAILED if isinstance(failure, Refused) else exit_code(failure)
