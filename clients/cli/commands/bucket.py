"""`xylem bucket …`: where datasets are kept."""

import typer
from rich.table import Table

from clients.cli.options import FormatType, LongFormatType, command_group
from clients.cli.session import session_of

app = command_group("Buckets: where datasets are kept.")


@app.callback()
def _bucket(context: typer.Context, format_type: LongFormatType = None) -> None:
    pass


@app.command("list")
def list_buckets(context: typer.Context, format_type: FormatType = None) -> None:
    """List the buckets, with where they are and whether they can be written to."""
    session = session_of(context)
    with session.connect() as client:
        found = client.datasets.buckets()
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    if not found.buckets:
        session.say("There are none: an administrator sets them (docs/datasets.md).")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Bucket", "Path", "Mode", "Description"):
        table.add_column(column, overflow="fold")
    for alias, one in found.buckets.items():
        name = f"{alias} (default)" if alias == found.default else alias
        table.add_row(name, one.path, one.mode, one.description)
    session.out.print(table)
