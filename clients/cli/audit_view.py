"""How the audit of a workflow looks to a person: a line for each row that changed."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.table import Table
from rich.text import Text

from clients.sdk.models import AuditChange, AuditRecord

_SAID_ELSEWHERE = {"version", "id", "workflow", "uuid", "name"}
"""In the first column, or of no use to a person."""

_VALUE_CHARS = 48


def audit_table(records: Iterable[AuditRecord]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("at", "by", "what", "change"):
        table.add_column(column)
    for record in records:
        at, cause = f"{record.at:%Y-%m-%d %H:%M:%S.%f}"[:-3], record.cause
        for change in record.changes:
            table.add_row(at, Text(cause), Text(change.row), Text(", ".join(_told(change))))
            at = cause = ""
    return table


def _told(change: AuditChange) -> Iterator[str]:
    if change.after is None:
        yield "gone"
        return
    before = change.before or {}
    if change.before is None:
        yield "new"
    for field, value in change.after.items():
        if field in _SAID_ELSEWHERE:
            continue
        if field in before:
            yield f"{field} {_short(before[field])} → {_short(value)}"
        else:
            yield f"{field} {_short(value)}"


def _short(value: Any) -> str:
    text = "-" if value in (None, "", [], {}) else str(value)
    return text if len(text) <= _VALUE_CHARS else f"{text[:_VALUE_CHARS]}…"
