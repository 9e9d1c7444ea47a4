"""The items of all DynamoDB tables in one SQLite file: one row for each item.

SQLite in WAL mode, because it is in the standard library and its commit survives the death of the
process. `synchronous=NORMAL`: what was committed survives kill -9; a power cut may take the last
moments, never the consistency. (FULL costs an fsync for each write, 1.7 instead of 1.4 ms here and
several ms on a laptop's disk, for a promise that a development stack does not need.)

A whole-table snapshot after each write was the alternative; it costs more the more there is.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ItemKey:
    table: str
    """The TableId: a table that is deleted and made anew under its name starts empty."""
    partition: str
    sort: str


class ItemStore:
    def __init__(self, path: Path) -> None:
        # Autocommit, so that BEGIN and COMMIT are where we write them.
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS items ("
            " table_id TEXT, partition_key TEXT, sort_key TEXT, value TEXT NOT NULL,"
            " PRIMARY KEY (table_id, partition_key, sort_key)) WITHOUT ROWID"
        )

    def write(
        self,
        changes: Iterable[tuple[ItemKey, Item | None]],
        *,
        emptied: Iterable[str] = (),
    ) -> None:
        """Commit all changes or none; None deletes, `emptied` tables lose their items first."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            for table in emptied:
                execute("DELETE FROM items WHERE table_id = ?", (table,))
            for key, item in changes:
                if item is None:
                    execute(
                        "DELETE FROM items"
                        " WHERE table_id = ? AND partition_key = ? AND sort_key = ?",
                        (key.table, key.partition, key.sort),
                    )
                else:
                    execute(
                        "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)",
                        (key.table, key.partition, key.sort, json.dumps(item)),
                    )
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise

    def read(self, table: str) -> Iterator[tuple[ItemKey, Item]]:
        rows = self._connection.execute(
            "SELECT partition_key, sort_key, value FROM items WHERE table_id = ?", (table,)
        )
        for partition, sort, value in rows:
            yield ItemKey(table, partition, sort), json.loads(value)

    def keep_only(self, tables: Iterable[str]) -> None:
        """Forget the items of tables that no longer exist."""
        known = json.dumps(list(tables))
        self._connection.execute(
            "DELETE FROM items WHERE table_id NOT IN (SELECT value FROM json_each(?))", (known,)
        )

    def close(self) -> None:
        self._connection.close()
