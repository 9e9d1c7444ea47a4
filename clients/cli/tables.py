"""Tables and facts as every command shows them."""

from collections.abc import Mapping

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text


def table(*columns: str) -> Table:
    """The first column stands in one piece, to be copied, however narrow the terminal is."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column is columns[0])
    return made


def facts(rows: Mapping[str, RenderableType | None]) -> Table:
    """Of one thing, a line each; what is empty is left out."""
    grid = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        if value:
            grid.add_row(Text(name, style="dim"), Text(value) if isinstance(value, str) else value)
    return grid
