"""Pools, nodes and what wants them: sizes are GPUs and cores, because that is what tests are about.

Keywords are the fields of the value that is built.
"""

from collections.abc import Mapping
from typing import Any

from tests.builders import BACKEND
from xylem.domain.ids import PoolName, TaskName
from xylem.domain.node import CORE, Amounts, Node, Use
from xylem.domain.placement import Gang, Site, Want
from xylem.domain.pool import Platform, Pool

GIB = 1024**3


def amounts(gpu: int = 0, cpu: int = 1, gib: int = 1) -> Amounts:
    return Amounts(cpu=cpu * CORE, gpu=gpu, memory=gib * GIB, storage=gib * GIB)


def a_node(
    name: str = "node-1", gpu: int = 8, cpu: int = 64, gib: int = 512, **fields: Any
) -> Node:
    return Node(
        **{
            "name": name,
            "backend": BACKEND,
            "allocatable": amounts(gpu, cpu, gib),
            **fields,
        }
    )


def in_use(gpu: int, *, pool: str = "default", priority: str = "NORMAL", pods: int = 1) -> Use:
    return Use(PoolName(pool), priority, pods, amounts(gpu))


def a_pool(
    name: str = "default", platforms: Mapping[str, Platform] | None = None, **fields: Any
) -> Pool:
    """One platform, a100, which is its default and may use every node without taints."""
    known = {"a100": Platform()} if platforms is None else platforms
    return Pool(
        **{
            "name": PoolName(name),
            "backend": BACKEND,
            "platforms": known,
            "default_platform": next(iter(known), None),
            **fields,
        }
    )


def a_site(*nodes: Node, **fields: Any) -> Site:
    return Site(**{"pool": a_pool(), "online": True, "nodes": nodes, **fields})


def a_want(
    gpu: int = 0, task: str = "train", *, platform: str | None = "a100", **size: int
) -> Want:
    return Want(TaskName(task), platform, amounts(gpu, **size))


def a_gang(*wants: Want, group: str = "training", first: bool = True) -> Gang:
    return Gang(group, wants or (a_want(),), first)
