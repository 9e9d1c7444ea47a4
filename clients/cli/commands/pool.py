"""`xylem pool …`."""

from typing import Annotated

import typer

from clients.cli import capacity_view
from clients.cli.options import FormatType, Mode, command_group
from clients.cli.session import session_of

app = command_group("Pools: where workflows can run.")


@app.callback()
def _pool() -> None:
    pass


@app.command("list")
def list_pools(
    context: typer.Context,
    pool: Annotated[list[str] | None, typer.Option("--pool", "-p", help="Repeatable.")] = None,
    mode: Mode = "used",
    format_type: FormatType = None,
) -> None:
    """List the pools: whether their clusters are there, GPUs of their quotas and their nodes."""
    session = session_of(context)
    with session.connect() as client:
        found = client.pool_quotas(pools=pool or ())
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(capacity_view.pool_table(found, free=mode == "free"))
    if not found.node_sets:
        session.say("There are none: an administrator registers pools.")
