"""Datasets as a person sees them. Pure."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from clients.cli.tables import table
from clients.sdk.dataset_models import DatasetInfo, DatasetVersion, ListedDataset
from xylem.domain.manifest import FileEntry


def size(count: float | None) -> str:
    """`-`, `512 B`, `1.5 GiB`."""
    if count is None:
        return "-"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def listed(datasets: Iterable[ListedDataset]) -> Table:
    shown = table("Dataset", "Bucket", "Type", "Latest", "Created", "Last version", "Stored")
    for one in datasets:
        shown.add_row(
            one.name,
            one.bucket,
            one.type,
            one.version_id or "-",
            _day(one.create_time),
            _day(one.last_created),
            size(one.hash_location_size),
        )
    return shown


def info(found: DatasetInfo) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    rows = {
        "name": found.name,
        "id": found.id,
        "bucket": found.bucket,
        "type": found.type,
        "created": f"{_day(found.created_date)} by {found.created_by}",
        "stored": "" if found.is_collection else size(found.hash_location_size),
        "location": found.hash_location or "",
        "labels": _json(found.labels),
    }
    for name, value in rows.items():
        if value:
            facts.add_row(Text(name, style="dim"), Text(value))
    if found.is_collection:
        shown = table("Dataset", "Version", "Size", "Manifest")
        for one in found.versions:
            shown.add_row(one.name, one.version, size(one.size), one.uri)
        return Stack(facts, shown)
    return Stack(facts, _versions(found.versions))


def _versions(versions: Iterable[DatasetVersion]) -> Table:
    shown = table(
        "Version", "Status", "Tags", "Created", "By", "Last used", "Size", "Collections", "Metadata"
    )
    for one in versions:
        shown.add_row(
            one.version,
            one.status,
            ", ".join(one.tags) or "-",
            _day(one.created_date),
            one.created_by,
            _day(one.last_used),
            size(one.size),
            ", ".join(one.collections) or "-",
            _json(one.metadata),
        )
    return shown


def answers(found: Iterable[DatasetInfo], *, versions: bool) -> Table:
    """Of a query."""
    if versions:
        shown = table("Dataset", "Version", "Status", "Created", "Size", "Metadata")
        for one in found:
            for version in one.versions:
                created = _day(version.created_date)
                shown.add_row(
                    one.name,
                    version.version,
                    version.status,
                    created,
                    size(version.size),
                    _json(version.metadata),
                )
        return shown
    shown = table("Dataset", "Type", "Created", "By", "Labels")
    for one in found:
        shown.add_row(one.name, one.type, _day(one.created_date), one.created_by, _json(one.labels))
    return shown


def tree(name: str, files: Sequence[FileEntry]) -> Tree:
    root = Tree(Text(name, style="bold"), guide_style="dim")
    folders: dict[PurePosixPath, Tree] = {PurePosixPath(): root}
    for one in files:
        path = PurePosixPath(one.path)
        for parent in reversed(path.parents):
            if parent not in folders:
                folders[parent] = folders[parent.parent].add(Text(f"{parent.name}/"))
        leaf = Text(path.name).append(f"  {size(one.size)}", style="dim")
        folders[path.parent].add(leaf.append("  linked", style="dim") if one.link else leaf)
    return root


def _json(value: object) -> str:
    return json.dumps(value) if value else ""


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "-"
