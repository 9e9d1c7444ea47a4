"""Correction 1, items: an acknowledged DynamoDB write survives kill -9.

Stock ministack keeps items in memory and writes them to disk only in a clean shutdown
(`persistence.save_all`). DynamoDB stores a write durably before it answers ("when your application
writes data … and receives an HTTP 200 response, the write has occurred and is durable",
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html).

Seams. Every change of an item passes `_set_item`, `_remove_item` or `_items_replaced`, which note
the *key*; `handle_request` has no await between a change and its answer, so at its end the values
of the noted keys are what this request left, and they are committed before the answer leaves. Items
that time to live removes are noted by its thread and committed with the next request or the next
second. `get_state` then holds definitions only, `load_persisted_state` refills the items.

If a commit fails, the memory is ahead of the disk and every later answer would build on what is
lost with the process: so it ends at once.
"""

import asyncio
import contextlib
import copy
import logging
import os
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from clients.local.embedded_aws.item_store import Item, ItemKey, ItemStore
from clients.local.embedded_aws.seams import Seam

log = logging.getLogger(__name__)

DYNAMODB = "ministack.services.dynamodb"
SET_ITEM = Seam(DYNAMODB, "_set_item", ("table", "pk_val", "sk_val", "item"))
REMOVE_ITEM = Seam(DYNAMODB, "_remove_item", ("table", "pk_val", "sk_val"))
ITEMS_REPLACED = Seam(DYNAMODB, "_items_replaced", ("table",))
UPDATE_COUNTS = Seam(DYNAMODB, "_update_counts", ("table",))
HANDLE_REQUEST = Seam(
    DYNAMODB, "handle_request", ("method", "path", "headers", "body", "query_params")
)
GET_STATE = Seam(DYNAMODB, "get_state", ())
LOAD_STATE = Seam(DYNAMODB, "load_persisted_state", ("data",))
TABLES = Seam(DYNAMODB, "_tables")
INDEX_MEMBERS = Seam(DYNAMODB, "_INDEX_MEMBERS")
# What `get_state` saves besides the tables, by the name of the store that it copies.
OTHER_STORES = {
    "tags": "_tags",
    "ttl_settings": "_ttl_settings",
    "pitr_settings": "_pitr_settings",
    "kinesis_destinations": "_kinesis_destinations",
    "contributor_insights": "_contributor_insights",
    "backups": "_backups",
    "resource_policies": "_resource_policies",
    "exports": "_exports",
    "imports": "_imports",
}
SEAMS = (
    SET_ITEM,
    REMOVE_ITEM,
    ITEMS_REPLACED,
    UPDATE_COUNTS,
    HANDLE_REQUEST,
    GET_STATE,
    LOAD_STATE,
    TABLES,
    INDEX_MEMBERS,
    *(Seam(DYNAMODB, name) for name in OTHER_STORES.values()),
)

Table = dict[str, Any]

# How long an item that time to live removed may stay in the file. Nobody was told it is gone.
BACKGROUND_FLUSH_SECONDS = 1.0

COMMIT_FAILED_EXIT = 70  # EX_SOFTWARE of sysexits.h


class PendingChanges:
    """The keys that changed since the last commit, with the tables that hold them now.

    Other threads (time to live) note keys, too, hence the lock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[ItemKey, Table] = {}
        self._replaced: dict[str, Table] = {}

    def note(self, table: Table, partition: str, sort: str) -> None:
        with self._lock:
            self._keys[ItemKey(table["TableId"], partition, sort)] = table

    def note_all(self, table: Table) -> None:
        with self._lock:
            self._replaced[table["TableId"]] = table

    def __bool__(self) -> bool:
        return bool(self._keys or self._replaced)

    def take(self) -> tuple[list[tuple[ItemKey, Item | None]], dict[str, Table]]:
        """The changed keys with their present values, and the tables that were replaced whole."""
        with self._lock:
            keys, self._keys = self._keys, {}
            replaced, self._replaced = self._replaced, {}
        changes: list[tuple[ItemKey, Item | None]] = [
            (ItemKey(name, partition, sort), item)
            for name, table in replaced.items()
            for partition, row in table["items"].items()
            for sort, item in row.items()
        ]
        for key, table in keys.items():
            if key.table not in replaced:
                row = table["items"].get(key.partition, {})
                changes.append((key, row.get(key.sort)))
        return changes, replaced


class DurableItems:
    """Writes what changed to the store, before anybody is told."""

    def __init__(self, store: ItemStore, *, save_tables: Callable[[], None]) -> None:
        self.pending = PendingChanges()
        self._store = store
        self._save_tables = save_tables
        self._known_tables: set[str] = set()

    def commit(self) -> None:
        if not self.pending:
            return
        changes, replaced = self.pending.take()
        try:
            # Rows of a table whose definition is not on disk would be lost with it.
            tables = {key.table for key, _ in changes} | replaced.keys()
            if not tables <= self._known_tables:
                self._save_tables()
                self._known_tables |= tables
            self._store.write(changes, emptied=replaced)
        except Exception:
            log.critical("an item could not be written to disk; ending the server", exc_info=True)
            os._exit(COMMIT_FAILED_EXIT)

    def refill(self, tables: list[Table]) -> None:
        """Put the stored items back into tables whose definitions were just loaded."""
        self._known_tables = {table["TableId"] for table in tables}
        self._store.keep_only(self._known_tables)
        for table in tables:
            items: defaultdict[str, dict[str, Item]] = defaultdict(dict)
            for key, item in self._store.read(table["TableId"]):
                items[key.partition][key.sort] = item
            table["items"] = items

    async def flush_in_background(self) -> None:
        while True:
            await asyncio.sleep(BACKGROUND_FLUSH_SECONDS)
            self.commit()


def install(durable: DurableItems) -> None:
    pending = durable.pending

    def noting(stock: Callable[..., Any]) -> Callable[..., Any]:
        def changed(table: Table, pk_val: str, sk_val: str, *item: Item) -> Any:
            pending.note(table, pk_val, sk_val)
            return stock(table, pk_val, sk_val, *item)

        return changed

    def noting_all(stock: Callable[[Table], None]) -> Callable[[Table], None]:
        def replaced(table: Table) -> None:
            pending.note_all(table)
            stock(table)

        return replaced

    def committing(stock: Callable[..., Any]) -> Callable[..., Any]:
        async def handle_request(*request: Any) -> Any:
            try:
                return await stock(*request)
            finally:
                durable.commit()

        return handle_request

    def refilling(stock: Callable[[Any], None]) -> Callable[[Any], None]:
        def load_persisted_state(data: Any) -> None:
            stock(data)
            tables = list(TABLES.get().all_values())
            durable.refill(tables)
            for table in tables:
                UPDATE_COUNTS.get()(table)

        return load_persisted_state

    SET_ITEM.wrap(noting)
    REMOVE_ITEM.wrap(noting)
    ITEMS_REPLACED.wrap(noting_all)
    HANDLE_REQUEST.wrap(committing)
    LOAD_STATE.wrap(refilling)
    GET_STATE.put(_definitions)


def _definitions() -> dict[str, Any]:
    """What stock `get_state` returns, without the items."""
    members = INDEX_MEMBERS.get()
    stores: dict[str, Any] = {
        key: copy.deepcopy(Seam(DYNAMODB, name).get()) for key, name in OTHER_STORES.items()
    }
    tables = type(TABLES.get())()
    for scope, table in TABLES.get().all_items():
        without_items = {k: v for k, v in table.items() if k not in ("items", members)}
        tables.set_scoped(*scope, {**copy.deepcopy(without_items), "items": {}})
    return {"tables": tables, **stores}


@contextlib.asynccontextmanager
async def flushing(durable: DurableItems) -> Any:
    """Commit what changes outside of requests, as long as the block runs."""
    task = asyncio.create_task(durable.flush_in_background())
    try:
        yield
    finally:
        task.cancel()
        durable.commit()
