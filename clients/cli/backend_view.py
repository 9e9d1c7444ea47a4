"""What a person sees of clusters, and the command that joins one: answers in, text out. Pure."""

import shlex
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.table import Table
from rich.text import Text

from clients.cli.render import duration, elapsed
from clients.sdk.models import Backend, PoolUsage, Resource

CHART = "operators/chart"
RELEASE = "xylem-operator"
NAMESPACE = "xylem"


def join_command(
    name: str, url: str, credential: str, *, image: str | None = None, chart: str = CHART
) -> list[str]:
    """`image`: REPOSITORY[:TAG] or REPOSITORY@DIGEST; None: as the chart has it. For a cluster that
    has a release already it is the upgrade."""
    values = {"backend": name, "url": url, "credential.token": credential, **_image_values(image)}
    settings = [
        word for key, value in values.items() for word in ("--set-string", f"{key}={value}")
    ]
    return [
        *("helm", "upgrade", "--install", RELEASE, chart),
        *("--namespace", NAMESPACE, "--create-namespace"),
        *settings,
    ]


def _image_values(image: str | None) -> dict[str, str]:
    if image is None:
        return {}
    repository, at, digest = image.partition("@")
    if at:
        return {"image.repository": repository, "image.digest": digest}
    head, colon, tag = repository.rpartition(":")
    if colon and "/" not in tag:  # else the colon is that of a registry's port
        return {"image.repository": head, "image.tag": tag}
    return {"image.repository": repository}


def as_shell(words: Sequence[str]) -> str:
    return shlex.join(words)


def chart_of(checkout: Path) -> str:
    """The chart as it is named where the command is typed."""
    return str(checkout / CHART) if Path.cwd() != checkout else CHART


def state_of(backend: Backend) -> Text:
    if not backend.joined:
        return Text("EXPECTED", style="yellow")
    if backend.draining:
        return Text("DRAINING", style="yellow")
    return Text("ONLINE", style="green") if backend.online else Text("OFFLINE", style="red")


def backend_table(found: Sequence[Backend], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("backend", "state", "last heard", "version"):
        table.add_column(column, overflow="fold", no_wrap=column == "backend")
    for backend in found:
        table.add_row(backend.name, state_of(backend), _heard(backend, now), backend.version or "-")
    return table


def _heard(backend: Backend, now: datetime) -> str:
    if not backend.joined or backend.last_heartbeat is None:
        return "never"
    return f"{duration(elapsed(backend.last_heartbeat, None, now))} ago"


def backend_facts(
    backend: Backend, nodes: Sequence[Resource], pools: Sequence[PoolUsage], now: datetime
) -> Table:
    ready = [node for node in nodes if not node.conditions]
    rows = {
        "state": state_of(backend),
        "last heard": Text(_heard(backend, now)),
        "operator": Text(backend.version or "-"),
        "cluster": Text(backend.k8s_uid or "-"),
        "nodes": Text(f"{len(ready)} of {len(nodes)} are ready" if nodes else "none is known"),
        "pools": Text("\n".join(map(_pool, pools)) or "none: nobody can submit to it"),
    }
    facts = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        facts.add_row(Text(name, style="dim"), value)
    return facts


def _pool(pool: PoolUsage) -> str:
    usage = pool.resource_usage
    return (
        f"{pool.name}: {usage.quota_used}/{usage.quota_limit} GPUs of its quota, "
        f"{usage.total_usage}/{usage.total_capacity} of its nodes"
    )
