"""What is known about clusters now: who is online, and what its operator told of its nodes.

Apart from placing, because whoever shows a pool asks, too, and does without the whole spec.
"""

from collections.abc import Sequence
from datetime import datetime

from xylem.domain.ids import BackendName
from xylem.domain.node import Node
from xylem.domain.node_conditions import judged
from xylem.domain.placement import Site
from xylem.domain.pool import Pool
from xylem.domain.values import dataclass
from xylem.ports.backends import Backend, Backends
from xylem.ports.world import Clock
from xylem.protocol.limits import OFFLINE_AFTER


@dataclass(frozen=True, slots=True)
class Clusters:
    backends: Backends
    clock: Clock

    def nodes(self, pool: Pool) -> tuple[Node, ...] | None:
        """Of the pool's backend, as its rules of conditions have them. None: its operator never
        told of any."""
        return judged(self.backends.nodes(pool.backend), pool.node_conditions) or None

    def is_open(self, backend: BackendName) -> bool:
        return is_open(self.backends, backend)

    def site(self, pool: Pool) -> Site:
        [site] = self.sites([pool])
        return site

    def sites(self, pools: Sequence[Pool], *, nodes: bool = True) -> list[Site]:
        """Each backend is read once, however many pools are on it; its nodes, if they are asked
        for."""
        now = self.clock()
        one_of = {pool.backend: pool for pool in pools}
        known = {name: self.backends.backend(name) for name in one_of}
        found = {name: self.nodes(pool) if nodes else None for name, pool in one_of.items()}
        opened = {name: self.is_open(name) for name in one_of}
        return [
            Site(
                pool,
                online=is_online(known[pool.backend], now),
                nodes=found[pool.backend],
                since=away_since(known[pool.backend], now),
                open=opened[pool.backend],
            )
            for pool in pools
        ]


def is_open(backends: Backends, name: BackendName) -> bool:
    """Whether groups are placed there that were not handed over before."""
    registered = backends.registration(name)
    return registered is None or registered.places


def is_online(backend: Backend | None, now: datetime) -> bool:
    if backend is None or backend.connection is None:
        return False
    return now - backend.last_seen <= OFFLINE_AFTER


def away_since(backend: Backend | None, now: datetime) -> datetime | None:
    return None if backend is None or is_online(backend, now) else backend.last_seen
