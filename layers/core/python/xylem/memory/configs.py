"""Pools in a dictionary, and the config of workflows."""

from datetime import datetime
from typing import Any

from xylem.domain.config import DEFAULT_CONFIG, WorkflowConfig
from xylem.domain.errors import UnknownPool
from xylem.domain.ids import PoolName, UserName
from xylem.domain.pool import Pool
from xylem.domain.values import replace


class MemoryPools:
    """`revisions`: who set the pools to what, oldest first."""

    def __init__(self) -> None:
        self.revisions: list[tuple[UserName, datetime, dict[PoolName, Pool]]] = []
        self._pools: dict[PoolName, Pool] = {}

    def pool(self, name: str) -> Pool:
        found = self._pools.get(PoolName(name))
        if found is None:
            raise UnknownPool(f"Pool {name} not found.")
        return found

    def all(self) -> list[Pool]:
        return sorted(self._pools.values(), key=lambda pool: pool.name)

    def put(self, pool: Pool, *, author: UserName, now: datetime) -> None:
        self._pools = {**self._pools, pool.name: pool}
        self.revisions.append((author, now, self._pools))


class MemoryConfigs:
    def __init__(self, workflow: WorkflowConfig = DEFAULT_CONFIG) -> None:
        self._workflow = workflow

    def workflow(self) -> WorkflowConfig:
        return self._workflow

    def patch_workflow(
        self, changes: dict[str, Any], *, author: UserName, now: datetime
    ) -> WorkflowConfig:
        self._workflow = replace(self._workflow, **changes)
        return self._workflow
