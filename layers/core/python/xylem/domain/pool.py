"""A pool: the part of a cluster that users submit to, as its admin configured it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xylem.domain.ids import BackendName, PoolName


@dataclass(frozen=True, slots=True)
class Platform:
    """A kind of node within a pool."""

    description: str = ""


@dataclass(frozen=True, slots=True)
class Pool:
    name: PoolName
    backend: BackendName
    description: str = ""
    default_platform: str | None = None
    platforms: Mapping[str, Platform] = field(default_factory=dict)
