"""Pools in a dictionary, and the config of workflows."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from xylem.domain.config import DEFAULT_CONFIG, WorkflowConfig
from xylem.domain.ids import UserName
from xylem.domain.pool import Pool
from xylem.domain.pool_book import PoolBook, found, with_pool
from xylem.domain.values import replace


class MemoryPools:
    """`revisions`: who made the book what it was, oldest first."""

    def __init__(self) -> None:
        self.revisions: list[tuple[UserName, datetime, PoolBook]] = []
        self._book = PoolBook()

    def pool(self, name: str) -> Pool:
        return found(name, self._book)

    def all(self) -> list[Pool]:
        return self._book.resolved()

    def book(self) -> PoolBook:
        return self._book

    def change(
        self, into: Callable[[PoolBook], PoolBook], *, author: UserName, now: datetime
    ) -> None:
        before, after = self._book, into(self._book)
        while self._book is not before:
            before, after = self._book, into(self._book)
        self._book = after
        self.revisions.append((author, now, after))

    def put(self, pool: Pool, *, author: UserName, now: datetime) -> None:
        self.change(lambda book: with_pool(pool, book), author=author, now=now)


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
