"""Pools, nodes and quotas as OSMO's clients know them: numbers as text, in recorded units.

A whole GiB is what a person is shown of memory and storage; a program gets bytes of storage, and
KiB of memory with their unit. What a pod's own sidecar takes is taken off where tasks are told what
is there for them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from functions.core_service.views import View
from xylem.domain.node import CORE, Amounts, Node, total
from xylem.domain.placement import Site, mismatch, nodes_of_pool, usage
from xylem.domain.pool import UNBOUNDED, GpuQuota, Platform, Pool
from xylem.domain.pool_book import PoolBook, resolved, template_of
from xylem.domain.values import dataclass
from xylem.spec.pools import config_of, config_of_platform, gpu_of, timeouts_of
from xylem.spec.validations import config_of_assertions

_GIB = 1024**3


def pool(site: Site) -> View:
    """What OSMO calls minimal: without what only an admin's config says."""
    it = site.pool
    config = config_of(it)
    platforms = {
        name: {
            "description": platform.description,
            "host_network_allowed": platform.host_network_allowed,
            "privileged_allowed": platform.privileged_allowed,
            "allowed_mounts": list(platform.allowed_mounts),
            "default_mounts": list(platform.default_mounts),
        }
        for name, platform in it.platforms.items()
    }
    said = {key: config[key] for key in _OF_A_POOL}
    return {**said, **timeouts_of(it), "status": pool_status(site), "platforms": platforms}


_OF_A_POOL = (
    "name",
    "description",
    "download_type",
    "enable_maintenance",
    "backend",
    "default_platform",
    "default_exit_actions",
    "resources",
    "topology_keys",
)


def pool_status(site: Site) -> str:
    """OSMO has no word for a cluster that is drained: for a user it is the same as maintenance."""
    if site.pool.maintenance or not site.open:
        return "MAINTENANCE"
    return "ONLINE" if site.online else "OFFLINE"


def pool_config(site: Site) -> View:
    return {**config_of(site.pool), "status": pool_status(site)}


def derived(put: Pool, book: PoolBook) -> View:
    """What the names in a pool's config come to. OSMO's pod templates of a platform are those of
    its pool and its own together, and so are ours."""
    it = resolved(put, book)
    platforms = {
        name: {
            **config_of_platform(platform),
            "labels": dict(it.platforms[name].labels),
            "tolerations": [one.manifest for one in it.platforms[name].tolerations],
            "default_mounts": list(it.platforms[name].default_mounts),
            "parsed_resource_validations": config_of_assertions(it.platforms[name].assertions),
            "parsed_pod_template": dict(it.platforms[name].template),
        }
        for name, platform in put.platforms.items()
    }
    return {
        "parsed_resource_validations": config_of_assertions(it.assertions),
        "parsed_pod_template": dict(template_of(Platform(), put, book)),
        "parsed_group_templates": [dict(one) for one in it.group_objects],
        "platforms": platforms,
    }


@dataclass(frozen=True, slots=True)
class Place:
    """A node, and where it may be used: by which pools, on which of their platforms."""

    node: Node
    sites: tuple[tuple[Site, tuple[str, ...]], ...]


def places(sites: Sequence[Site]) -> list[Place]:
    """Every node of the sites' clusters, each once."""
    nodes = {(node.backend, node.name): node for site in sites for node in site.nodes or ()}
    return [Place(node, _uses(node, sites)) for _, node in sorted(nodes.items())]


def _uses(node: Node, sites: Iterable[Site]) -> tuple[tuple[Site, tuple[str, ...]], ...]:
    found = []
    for site in sites:
        if site.pool.backend != node.backend:
            continue
        platforms = site.pool.platforms.items()
        names = tuple(name for name, one in platforms if mismatch(one, node) is None)
        if names:
            found.append((site, names))
    return tuple(found)


def resource(place: Place, *, platforms: Sequence[str] = ()) -> View:
    node = place.node
    pairs = [
        (site, name)
        for site, names in place.sites
        for name in names
        if not platforms or name in platforms
    ]
    return {
        "hostname": node.name,
        "exposed_fields": {
            "node": node.name,
            "pool/platform": [f"{site.pool.name}/{name}" for site, name in pairs],
            **{key: str(value) for key, value in _for_people(node.allocatable).items()},
        },
        "taints": [
            {"key": one.key, "value": one.value or None, "effect": one.effect}
            for one in node.taints
        ],
        "usage_fields": _for_programs(node.used),
        "conditions": None if node.available else _conditions(node),
        "non_workflow_usage_fields": _as_kubernetes(node.others),
        "allocatable_fields": _for_programs(node.allocatable),
        "platform_allocatable_fields": _by_platform(
            pairs, lambda one: _numbers(node.allocatable.minus(one.beside))
        ),
        "platform_available_fields": _by_platform(
            pairs, lambda one: _numbers(node.free.minus(one.beside))
        ),
        "platform_workflow_allocatable_fields": _by_platform(
            pairs, lambda one: _numbers(node.allocatable.minus(one.beside).minus(node.others))
        ),
        "config_fields": _config_fields(pairs),
        "backend": node.backend,
        "label_fields": dict(node.labels) or None,
        "pool_platform_labels": {site.pool.name: _names(site, pairs) for site, _ in pairs},
        "resource_type": _type(place),
        **({"capacity_fields": _for_programs(node.capacity)} if node.capacity else {}),
    }


def concise(sites: Sequence[Site], *, platforms: Sequence[str] = ()) -> list[View]:
    """One entry for each platform of each pool."""
    entries = []
    for site in sites:
        for name, platform in site.pool.platforms.items():
            if platforms and name not in platforms:
                continue
            nodes = [node for node in site.nodes or () if mismatch(platform, node) is None]
            entries.append(
                {
                    "pool": site.pool.name,
                    "platform": name,
                    "status": pool_status(site),
                    "usage_fields": _floats(total(node.used for node in nodes)),
                    "allocatable_fields": _floats(total(node.allocatable for node in nodes)),
                    "backend": site.pool.backend,
                }
            )
    return entries


def quotas(sites: Sequence[Site]) -> View:
    """Pools that share nodes, also by way of others, are one set: its nodes are counted once."""
    sets = [_set(together) for together in _sharing(sites)]
    sums = [_usage(together) for together in _sharing(sites)]
    return {
        "node_sets": sets,
        "resource_sum": _texts({key: sum(one[key] for one in sums) for key in _USAGE}),
    }


_USAGE = ("quota_used", "quota_free", "quota_limit", "total_usage", "total_capacity", "total_free")


def _set(sites: Sequence[Site]) -> View:
    return {
        "pools": [
            {
                **pool(site),
                "resources": {"gpu": gpu_of(site.pool.gpu or GpuQuota())},
                "resource_usage": _texts(_usage([site])),
            }
            for site in sites
        ]
    }


def _usage(sites: Sequence[Site]) -> dict[str, int]:
    """Quotas are each pool's, nodes are all of theirs."""
    used = [usage(site) for site in sites]
    limits = [
        one.capacity if site.pool.quota.guarantee == UNBOUNDED else site.pool.quota.guarantee
        for site, one in zip(sites, used, strict=True)
    ]
    nodes = {node.name: node for site in sites for node in nodes_of_pool(site) if node.available}
    guaranteed = [one.guaranteed for one in used]
    return {
        "quota_used": sum(guaranteed),
        "quota_free": sum(
            max(limit - mine, 0) for limit, mine in zip(limits, guaranteed, strict=True)
        ),
        "quota_limit": sum(limits),
        "total_usage": sum(one.guaranteed + one.borrowed for one in used),
        "total_capacity": sum(node.allocatable.gpu for node in nodes.values()),
        "total_free": sum(node.free.gpu for node in nodes.values()),
    }


def _sharing(sites: Sequence[Site]) -> list[list[Site]]:
    sets: list[tuple[set[tuple[str, str]], list[Site]]] = []
    for site in sites:
        mine = {(node.backend, node.name) for node in nodes_of_pool(site)}
        joined = [each for each in sets if each[0] & mine]
        names = mine.union(*(each[0] for each in joined))
        together = [one for each in joined for one in each[1]]
        sets = [each for each in sets if each not in joined]
        sets.append((names, [*together, site]))
    return [together for _, together in sets]


def _texts(numbers: dict[str, int]) -> dict[str, str]:
    return {key: str(value) for key, value in numbers.items()}


def _conditions(node: Node) -> list[str]:
    """What keeps it from use. OSMO lists the types of all that are True, good and bad."""
    flags = (("NotReady", not node.ready), ("Cordoned", node.cordoned))
    return [*(word for word, holds in flags if holds), *node.unfit]


def _type(place: Place) -> str:
    uses = sum(len(names) for _, names in place.sites)
    return "UNUSED" if not uses else "RESERVED" if uses == 1 else "SHARED"


def _names(site: Site, pairs: Iterable[tuple[Site, str]]) -> list[str]:
    return [name for of, name in pairs if of is site]


def _by_platform(
    pairs: Sequence[tuple[Site, str]], value: Callable[[Platform], View]
) -> dict[str, dict[str, View]]:
    found: dict[str, dict[str, View]] = {}
    for site, name in pairs:
        found.setdefault(site.pool.name, {})[name] = value(site.pool.platforms[name])
    return found


def _config_fields(pairs: Sequence[tuple[Site, str]]) -> dict[str, dict[str, View]]:
    found: dict[str, dict[str, View]] = {}
    for site, name in pairs:
        platform = site.pool.platforms[name]
        found.setdefault(site.pool.name, {})[name] = {
            "host_network": platform.host_network_allowed,
            "privileged": platform.privileged_allowed,
            "default_mounts": list(platform.default_mounts),
            "allowed_mounts": list(platform.allowed_mounts),
        }
    return found


def _for_people(it: Amounts) -> dict[str, int]:
    return {
        "storage": it.storage // _GIB,
        "cpu": it.cpu // CORE,
        "memory": it.memory // _GIB,
        "gpu": it.gpu,
    }


def _for_programs(it: Amounts) -> dict[str, str]:
    return {
        "storage": str(it.storage),
        "cpu": str(_cores(it)),
        "memory": _kibibytes(it),
        "gpu": str(it.gpu),
    }


def _numbers(it: Amounts) -> dict[str, Any]:
    """What is left of a core is none to a task, which asks for whole ones."""
    return {
        "storage": it.storage,
        "cpu": it.cpu // CORE,
        "memory": _kibibytes(it),
        "gpu": it.gpu,
    }


def _as_kubernetes(it: Amounts) -> dict[str, str]:
    return {
        "cpu": str(_cores(it)),
        "memory": _kibibytes(it),
        "nvidia.com/gpu": str(it.gpu),
        "ephemeral-storage": str(it.storage),
    }


def _floats(it: Amounts) -> dict[str, float]:
    return {
        "storage": it.storage / _GIB,
        "cpu": it.cpu / CORE,
        "memory": it.memory / _GIB,
        "gpu": float(it.gpu),
    }


def _cores(it: Amounts) -> int:
    """Rounded up, as OSMO counts what is used."""
    return -(-it.cpu // CORE)


def _kibibytes(it: Amounts) -> str:
    return f"{it.memory // 1024}Ki"
