"""`Pools`, `Configs` and `DatasetConfigs` on DynamoDB."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from xylem.domain.config import DEFAULT_CONFIG, WorkflowConfig
from xylem.domain.dataset_config import DatasetConfig
from xylem.domain.ids import UserName
from xylem.domain.pool import Pool
from xylem.domain.pool_book import PoolBook, found, with_pool
from xylem.domain.values import replace
from xylem_aws.pool_book import PoolBooks
from xylem_aws.revisions import Revisions
from xylem_aws.tables.configs import DATASETS, WORKFLOW

_workflow: TypeAdapter[WorkflowConfig] = TypeAdapter(WorkflowConfig)
_datasets: TypeAdapter[DatasetConfig] = TypeAdapter(DatasetConfig)


class DynamoPools:
    def __init__(self, region: str, table: str) -> None:
        self._books = PoolBooks(region, table)

    def pool(self, name: str) -> Pool:
        return found(name, self.book())

    def all(self) -> list[Pool]:
        return self.book().resolved()

    def book(self) -> PoolBook:
        return self._books.current()

    def change(
        self, into: Callable[[PoolBook], PoolBook], *, author: UserName, now: datetime
    ) -> None:
        self._books.change(into, author=author, now=now)

    def put(self, pool: Pool, *, author: UserName, now: datetime) -> None:
        self.change(lambda book: with_pool(pool, book), author=author, now=now)


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


class DynamoDatasetConfigs:
    def __init__(self, region: str, table: str) -> None:
        self._datasets = Revisions(region, table, key=DATASETS, of=_datasets, first=DatasetConfig())

    def datasets(self) -> DatasetConfig:
        return self._datasets.current()

    def change_datasets(
        self, into: Callable[[DatasetConfig], DatasetConfig], *, author: UserName, now: datetime
    ) -> DatasetConfig:
        return self._datasets.change(into, author=author, now=now)
