"""Pools, and the nodes that they may use."""

from collections.abc import Mapping, Sequence
from typing import Any

from clients.sdk.connection import Connection, Parameter, parsed, segment
from clients.sdk.models import PoolQuotas, Pools, Resource, Resources


class PoolCalls(Connection):
    def pools(self) -> Pools:
        return parsed(Pools, self.get("/api/pool", {}))

    def pool_quotas(self, *, pools: Sequence[str] = ()) -> PoolQuotas:
        """Pools with their quotas and what is used of them; without a name all."""
        asked: dict[str, Parameter] = {"pools": pools, "all_pools": not pools}
        return parsed(PoolQuotas, self.get("/api/pool_quota", asked))

    def resources(self, *, pools: Sequence[str] = (), platforms: Sequence[str] = ()) -> Resources:
        """The nodes that these pools and platforms may use; without a name all there are."""
        asked: dict[str, Parameter] = {
            "pools": pools,
            "platforms": platforms,
            "all_pools": not pools,
        }
        return parsed(Resources, self.get("/api/resources", asked))

    def resource(self, name: str) -> Resource:
        """One node. Raises `Refused` where there is none of that name."""
        return parsed(Resources, self.get(f"/api/resources/{segment(name)}", {})).resources[0]

    def put_pool(self, name: str, configs: Mapping[str, Any], *, description: str) -> None:
        """Create or replace a pool: `configs` as in OSMO's POOL configuration."""
        body = {"configs": dict(configs), "description": description}
        self.send("PUT", f"/api/configs/pool/{segment(name)}", json=body)
