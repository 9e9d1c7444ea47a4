"""`xylem pool …`."""

import typer

from clients.cli import render
from clients.cli.options import FormatType, command_group
from clients.cli.session import session_of

app = command_group("Pools: where workflows can run.")


@app.callback()
def _pool() -> None:
    pass


@app.command("list")
def list_pools(context: typer.Context, format_type: FormatType = None) -> None:
    """List the pools and whether their clusters are there."""
    session = session_of(context)
    with session.connect() as client:
        pools = client.pools()
    if session.json:
        session.write_json(pools.model_dump(mode="json"))
        return
    session.out.print(render.pool_table(pools.pools.values()))
    if not pools.pools:
        session.say("There are none: an administrator registers pools.")
