"""What a person sees of pools, nodes and what waits for them: answers in, Rich objects out."""

from collections.abc import Iterable
from datetime import datetime

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clients.cli.render import duration, elapsed, mark, style
from clients.cli.tables import facts, table
from clients.sdk.models import PendingGroup, PendingReason, PoolQuotas, Resource, WhyPending

KINDS = ("gpu", "cpu", "memory", "storage")
_GIB = 1024**3


def pool_table(found: PoolQuotas, *, free: bool = False) -> Table:
    """GPUs: of the guarantee, and of the nodes that the pool may use."""
    word = "free" if free else "used"
    shown = table(
        "pool", "status", "backend", "platform", f"quota {word}", f"nodes {word}", "description"
    )
    pools = (one for each in found.node_sets for one in each.pools)
    for pool in sorted(pools, key=lambda one: one.name):
        usage = pool.resource_usage
        quota = usage.quota_free if free else usage.quota_used
        nodes = usage.total_free if free else usage.total_usage
        online = pool.status == "ONLINE"
        shown.add_row(
            pool.name,
            Text(pool.status or "-", style="green" if online else "yellow"),
            pool.backend,
            pool.default_platform or "-",
            f"{quota}/{usage.quota_limit}",
            f"{nodes}/{usage.total_capacity}",
            pool.description,
        )
    return shown


def resource_table(found: Iterable[Resource], *, free: bool = False) -> Table:
    """Each as `taken/there`, memory and storage in GiB; what others take counts as taken."""
    shown = table("node", "backend", *KINDS, "pools", "type", "state")
    for node in found:
        pools = [
            f"{pool}/{platform}"
            for pool, platforms in sorted(node.pool_platform_labels.items())
            for platform in platforms
        ]
        state = ", ".join(node.conditions) if node.conditions else "Ready"
        shown.add_row(
            node.hostname,
            node.backend,
            *(_share(node, kind, free=free) for kind in KINDS),
            ", ".join(pools) or "-",
            node.resource_type,
            Text(state, style="yellow" if node.conditions else "green"),
        )
    return shown


def resource_view(node: Resource, *, only: tuple[str | None, str | None]) -> RenderableType:
    """`only`: the pool and the platform that are asked about."""
    pool, platform = only
    places = [
        f"{one}/{each}"
        for one, platforms in sorted(node.pool_platform_labels.items())
        for each in platforms
        if pool in (None, one) and platform in (None, each)
    ]
    taints = [f"{one.get('key')}:{one.get('effect')}" for one in node.taints]
    shown = table("of", "used", "free")
    for kind in KINDS:
        shown.add_row(kind, _share(node, kind, free=False), _share(node, kind, free=True))
    head = facts(
        {
            "node": node.hostname,
            "backend": node.backend,
            "type": node.resource_type,
            "pools": ", ".join(places) or "none",
            "state": ", ".join(node.conditions or ()) or "Ready",
            "taints": ", ".join(taints),
        }
    )
    return Stack(head, Text("GiB of memory and storage:", style="dim"), shown)


_OTHERS = {"gpu": "nvidia.com/gpu", "storage": "ephemeral-storage"}


def _share(node: Resource, kind: str, *, free: bool) -> str:
    taken = _amount(node.usage_fields.get(kind, "0"))
    taken += _amount(node.non_workflow_usage_fields.get(_OTHERS.get(kind, kind), "0"))
    there = _amount(node.allocatable_fields.get(kind, "0"))
    shown = max(there - taken, 0) if free else taken
    unit = _GIB if kind in ("memory", "storage") else 1
    return f"{shown / unit:.0f}/{there / unit:.0f}"


def _amount(text: str) -> int:
    """OSMO writes memory in KiB, with the unit, and everything else as a plain number."""
    return int(text.removesuffix("Ki")) * 1024 if text.endswith("Ki") else int(text)


def pending_view(found: WhyPending, now: datetime) -> RenderableType:
    if not found.groups:
        return Text(f"{found.name} is {found.status.value}: nothing of it waits.")
    parts: list[RenderableType] = [Text(f"{found.name} on {found.pool} ({found.backend})")]
    parts += [_group(group, now) for group in found.groups]
    if found.more_groups:
        parts.append(Text(f"... and {found.more_groups} more groups", style="dim"))
    return Stack(*parts)


def _group(group: PendingGroup, now: datetime) -> RenderableType:
    head = Text(f"{mark(group.status)} {group.name} ", style=style(group.status))
    head.append(f"{group.status.value} for {_age(group.since, now)}", style="dim")
    return Stack(head, *(line for reason in group.reasons for line in _reason(reason, now)))


def _reason(reason: PendingReason, now: datetime) -> list[Text]:
    since = f" (for {_age(reason.since, now)})" if reason.since else ""
    until = f" Until {reason.until:%Y-%m-%d %H:%M:%S} UTC." if reason.until else ""
    return [
        Text(f"    {reason.waits_for}: {reason.message}{since}"),
        Text(f"      -> {reason.change}{until}", style="dim"),
    ]


def _age(since: datetime, now: datetime) -> str:
    return duration(elapsed(since, None, now))
