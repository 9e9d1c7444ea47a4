"""`xylem resource …`."""

from typing import Annotated

import typer

from clients.cli import capacity_view
from clients.cli.options import FormatType, Mode, Pools, command_group, examples, several
from clients.cli.session import session_of
from clients.sdk.errors import BadInput

app = command_group("Resources: the nodes of clusters, and what is free on them.")


@app.callback()
def _resource() -> None:
    pass


@app.command(
    "list",
    cls=several("--pool", "-p", "--platform"),
    epilog=examples("xylem resource list --pool team-a --mode free"),
)
def list_resources(
    context: typer.Context,
    pool: Pools = None,
    platform: Annotated[
        list[str] | None, typer.Option("--platform", metavar="PLATFORM", help="One or several.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", "-a", help="Of all pools, which is the default here.")
    ] = False,
    mode: Mode = "used",
    format_type: FormatType = None,
) -> None:
    """List the nodes that pools may use, as their operators told of them."""
    session = session_of(context)
    if every and pool:
        raise BadInput("say --all, or which pools: --pool POOL")
    with session.connect() as client:
        found = client.resources(pools=pool or (), platforms=platform or ())
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(capacity_view.resource_table(found.resources, free=mode == "free"))
    if not found.resources:
        session.say("None is known: an operator tells of the nodes of its cluster.")


@app.command(epilog=examples("xylem resource info node-1 --pool team-a"))
def info(
    context: typer.Context,
    node_name: Annotated[str, typer.Argument(help="Of the node.")],
    pool: Annotated[str | None, typer.Option("--pool", "-p", help="As this pool sees it.")] = None,
    platform: Annotated[
        str | None, typer.Option("--platform", "-pl", help="And this platform of it.")
    ] = None,
    format_type: FormatType = None,
) -> None:
    """Show one node: what it has, what is free, and what keeps tasks off it."""
    session = session_of(context)
    if platform and not pool:
        raise BadInput("a platform is one of a pool: name it with --pool")
    with session.connect() as client:
        found = client.resource(node_name)
    labels = found.pool_platform_labels
    if pool and (pool not in labels or (platform and platform not in labels[pool])):
        where = f"platform {platform} of pool {pool}" if platform else f"pool {pool}"
        raise BadInput(f"node {node_name} is not one of {where}")
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(capacity_view.resource_view(found, only=(pool, platform)))
