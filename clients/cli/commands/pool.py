"""`xylem pool …`."""

import typer

from clients.cli import capacity_view
from clients.cli.options import FormatType, Mode, Pools, command_group, examples, several
from clients.cli.session import session_of

app = command_group("Pools: where workflows can run.")


@app.callback()
def _pool() -> None:
    pass


@app.command(
    "list",
    cls=several("--pool", "-p"),
    epilog=examples("xylem pool list", "xylem pool list --pool team-a team-b --mode free"),
)
def list_pools(
    context: typer.Context,
    pool: Pools = None,
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
