"""The book of pools in rows: one for each kind of config, as OSMO counts its revisions.

A change is written under the revisions of all of them, whichever it changes: so a template is not
deleted while a pool comes to name it. They are read by one request, which is no snapshot: a pool
may be newer than its template for the blink between two commits, which is what a submission a
moment earlier would have found.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from xylem.domain.backend_test import BackendTest
from xylem.domain.errors import Conflict
from xylem.domain.ids import BackendName, PoolName, UserName
from xylem.domain.pool import Assertion, Pool
from xylem.domain.pool_book import BackendConfig, PoolBook
from xylem.domain.values import replace
from xylem_aws.tables.binding import bind
from xylem_aws.tables.configs import (
    BACKEND_TESTS,
    BACKENDS,
    CURRENT,
    GROUP_TEMPLATES,
    POD_TEMPLATES,
    POOLS,
    RESOURCE_VALIDATIONS,
    ConfigRow,
    revision_key,
)
from xylem_aws.transaction import Transaction, in_our_words

ATTEMPTS = 5

_PARTS: Mapping[str, tuple[str, Any]] = {
    POOLS: ("pools", dict[PoolName, Pool]),
    POD_TEMPLATES: ("pod_templates", dict[str, dict[str, Any]]),
    GROUP_TEMPLATES: ("group_templates", dict[str, dict[str, Any]]),
    RESOURCE_VALIDATIONS: ("resource_validations", dict[str, tuple[Assertion, ...]]),
    BACKENDS: ("backends", dict[BackendName, BackendConfig]),
    BACKEND_TESTS: ("backend_tests", dict[str, BackendTest]),
}
"""By the key of the row: the part of the book, and what it is."""


class PoolBooks:
    def __init__(self, region: str, table: str) -> None:
        self._connection = bind(ConfigRow, table=table, region=region)

    def current(self) -> PoolBook:
        return self._load()[1]

    def change(
        self, into: Callable[[PoolBook], PoolBook], *, author: UserName, now: datetime
    ) -> None:
        """Raises `Conflict` when others were faster too often."""
        for _ in range(ATTEMPTS):
            revisions, before = self._load()
            after = into(before)
            transaction = Transaction(self._connection, of="pools")
            for key, (part, _) in _PARTS.items():
                revision = revisions.get(key, 0)
                unchanged = (
                    ConfigRow.revision == revision if revision else ConfigRow.pk.does_not_exist()
                )
                if getattr(after, part) == getattr(before, part):
                    transaction.check(ConfigRow, (key, CURRENT), unchanged)
                    continue
                data = _adapter(key).dump_json(getattr(after, part)).decode()
                for sort in (CURRENT, revision_key(revision + 1)):
                    row = ConfigRow(
                        key, sort, revision=revision + 1, author=author, at=now, data=data
                    )
                    transaction.put(row, unchanged if sort == CURRENT else None)
            try:
                transaction.commit()
            except Conflict:
                continue
            return
        raise Conflict(f"pools were changed by {ATTEMPTS} others at the same time: try again")

    def _load(self) -> tuple[Mapping[str, int], PoolBook]:
        keys = [(key, CURRENT) for key in _PARTS]
        with in_our_words("pools"):
            rows = list(ConfigRow.batch_get(keys, consistent_read=True))
        parts = {_PARTS[row.pk][0]: _adapter(row.pk).validate_json(row.data) for row in rows}
        return {row.pk: int(row.revision) for row in rows}, replace(PoolBook(), **parts)


@cache
def _adapter(key: str) -> TypeAdapter[Any]:
    return TypeAdapter(_PARTS[key][1])
