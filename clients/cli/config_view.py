"""Configs, their history and their differences as a person sees them."""

import difflib
from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from clients.cli.editing import text_of_value
from clients.cli.tables import table
from clients.sdk.configs import Revision

_STYLES = {"+": "green", "-": "red", "@": "dim"}


def history_table(revisions: Iterable[Revision]) -> Table:
    shown = table("config", "revision", "name", "by", "at", "description", "tags")
    for one in revisions:
        shown.add_row(
            one.config_type,
            str(one.revision),
            one.name or "-",
            one.username,
            f"{one.created_at:%Y-%m-%d %H:%M:%S}",
            one.description,
            ", ".join(one.tags or ()),
        )
    return shown


def difference(before: object, after: object, names: tuple[str, str]) -> Text:
    """As `diff -u` of their YAML; empty where there is none."""
    lines = difflib.unified_diff(
        text_of_value(before).splitlines(),
        text_of_value(after).splitlines(),
        *names,
        lineterm="",
    )
    text = Text()
    for line in lines:
        text.append(f"{line}\n", style=_STYLES.get(line[:1], ""))
    return text
