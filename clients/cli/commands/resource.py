"""`xylem resource …`."""

from typing import Annotated

import typer

from clients.cli import capacity_view
from clients.cli.options import FormatType, Mode, command_group
from clients.cli.session import session_of

app = command_group("Resources: the nodes of clusters, and what is free on them.")


@app.callback()
def _resource() -> None:
    pass


@app.command("list")
def list_resources(
    context: typer.Context,
    pool: Annotated[list[str] | None, typer.Option("--pool", "-p", help="Repeatable.")] = None,
    platform: Annotated[list[str] | None, typer.Option("--platform", help="Repeatable.")] = None,
    mode: Mode = "used",
    format_type: FormatType = None,
) -> None:
    """List the nodes that pools may use, as their operators told of them."""
    session = session_of(context)
    with session.connect() as client:
        found = client.resources(pools=pool or (), platforms=platform or ())
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(capacity_view.resource_table(found.resources, free=mode == "free"))
    if not found.resources:
        session.say("None is known: an operator tells of the nodes of its cluster.")
