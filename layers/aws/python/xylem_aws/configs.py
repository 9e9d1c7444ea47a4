"""`Pools` and `Configs` on DynamoDB."""

from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from xylem.domain.config import DEFAULT_CONFIG, WorkflowConfig
from xylem.domain.errors import UnknownPool
from xylem.domain.ids import PoolName, UserName
from xylem.domain.pool import Pool
from xylem.domain.values import replace
from xylem_aws.revisions import Revisions
from xylem_aws.tables.configs import POOLS, WORKFLOW

Pools = dict[PoolName, Pool]
_pools: TypeAdapter[Pools] = TypeAdapter(Pools)
_workflow: TypeAdapter[WorkflowConfig] = TypeAdapter(WorkflowConfig)


class DynamoPools:
    def __init__(self, region: str, table: str) -> None:
        self._pools = Revisions(region, table, key=POOLS, of=_pools, first={})

    def pool(self, name: str) -> Pool:
        found = self._pools.current().get(PoolName(name))
        if found is None:
            raise UnknownPool(f"Pool {name} not found.")
        return found

    def all(self) -> list[Pool]:
        return sorted(self._pools.current().values(), key=lambda pool: pool.name)

    def put(self, pool: Pool, *, author: UserName, now: datetime) -> None:
        self._pools.change(lambda pools: {**pools, pool.name: pool}, author=author, now=now)


class DynamoConfigs:
    def __init__(self, region: str, table: str) -> None:
        self._workflow = Revisions(region, table, key=WORKFLOW, of=_workflow, first=DEFAULT_CONFIG)

    def workflow(self) -> WorkflowConfig:
        return self._workflow.current()

    def patch_workflow(
        self, changes: dict[str, Any], *, author: UserName, now: datetime
    ) -> WorkflowConfig:
        return self._workflow.change(
            lambda config: replace(config, **changes), author=author, now=now
        )
