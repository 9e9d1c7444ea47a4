"""Objects, their versions and the history that watches replay.

One counter numbers every change; an object's resourceVersion is the number of its last one. What
is read comes from memory, what is written goes to SQLite as well. A write is applied at once and
committed at the end of the same turn of the event loop, together with all others of that turn;
whoever answers for it waits for `durable`. So a burst of writes costs one fsync, and watchers see
a change no sooner than it is durable.

The history is in the database too: a watch that was cut by kill -9 of this process goes on from
its version as if nothing had happened. It holds the last HISTORY changes; who asks for older ones
is told that they have expired, as etcd tells after a compaction.

Rejected: SQLite alone, read for every list (1 ms for what memory answers in microseconds);
`synchronous=NORMAL` (a power cut would bring back pods that ran, and they would run again); one
commit per write (500 pods of a gang would wait for 2,000 fsyncs).
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from operators.desk_cluster.errors import Expired
from operators.desk_cluster.objects import Json, Key, meta, namespace_of, owners_of, uid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# etcd's default compaction keeps five minutes; at the 30 changes a second of a busy desk this is
# that.
HISTORY = 10_000

# No cluster's history reaches back to its version 1: who asks for what is older than the first object
# is told that it has expired.
BEFORE_ALL = 1_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  kind TEXT, namespace TEXT, name TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS changes (
  revision INTEGER PRIMARY KEY, kind TEXT, namespace TEXT, name TEXT, body TEXT, previous TEXT
);
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One revision of one object: what it is now (None: gone) and what it was (None: new).

    `obj` of a deletion is None, but `last` is the object as it was deleted, with that revision.
    """

    revision: int
    key: Key
    obj: Json | None
    previous: Json | None

    @property
    def last(self) -> Json:
        """The object, with the number of this change, for those who are told about it."""
        if self.obj is not None:
            return self.obj
        assert self.previous is not None, "a deletion has something that was deleted"
        return _numbered(self.previous, self.revision)


class Watcher(Protocol):
    def __call__(self, changes: list[Change], /) -> None: ...


class Store:
    """Open it inside the event loop whose turns commit it."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _SCHEMA)
        self._objects: dict[str, dict[tuple[str, str], Json]] = {}
        self._by_uid: dict[str, Key] = {}
        self._owned: dict[str, set[Key]] = {}
        self._history: deque[Change] = deque(maxlen=HISTORY)
        self._pending: list[Change] = []
        self._committed: asyncio.Future[None] | None = None
        self._watchers: list[Watcher] = []
        self.revision = BEFORE_ALL
        self._load()
        self.committed = self.revision

    # ---- reading

    def get(self, key: Key) -> Json | None:
        return self._objects.get(key.kind, {}).get((key.namespace, key.name))

    def by_uid(self, uid: str) -> Json | None:
        key = self._by_uid.get(uid)
        return self.get(key) if key else None

    def key_of_uid(self, uid: str) -> Key | None:
        return self._by_uid.get(uid)

    def owned_by(self, uid: str) -> list[Key]:
        return sorted(self._owned.get(uid, ()))

    def all_of(self, kind: str, namespace: str = "") -> list[Json]:
        """All objects of a kind, or those of a namespace, in the order of their names."""
        objects = self._objects.get(kind, {})
        return [objects[at] for at in sorted(objects) if not namespace or at[0] == namespace]

    def list_at(self, kind: str, namespace: str, revision: int) -> list[Json]:
        """The same as it was at an earlier revision: later changes are taken back."""
        self._require_history(revision)
        then = dict(self._objects.get(kind, {}))
        for change in reversed(self._history):
            if change.revision <= revision:
                break
            if change.key.kind != kind:
                continue
            at = (change.key.namespace, change.key.name)
            if change.previous is None:
                then.pop(at, None)
            else:
                then[at] = change.previous
        return [then[at] for at in sorted(then) if not namespace or at[0] == namespace]

    def changes_after(self, revision: int) -> Iterator[Change]:
        self._require_history(revision)
        pending = {change.revision for change in self._pending}
        start = bisect_right(self._history, revision, key=lambda change: change.revision)
        for index in range(start, len(self._history)):
            if self._history[index].revision not in pending:
                yield self._history[index]

    def _require_history(self, revision: int) -> None:
        oldest = self._history[0].revision - 1 if self._history else self.revision
        if revision < oldest:
            raise Expired(f"too old resource version: {revision} ({oldest})")
        if revision > self.revision:
            raise Expired(f"resource version {revision} is from another life of this cluster")

    # ---- writing

    def put(self, key: Key, obj: Json) -> Json:
        """Stores the object under the next revision and gives it back with its resourceVersion."""
        self.revision += 1
        fresh = _numbered(obj, self.revision)
        self._apply(Change(self.revision, key, fresh, self.get(key)))
        return fresh

    def remove(self, key: Key) -> Json:
        previous = self.get(key)
        assert previous is not None, f"{key} was looked up before it is removed"
        self.revision += 1
        change = Change(self.revision, key, None, previous)
        self._apply(change)
        return change.last

    async def durable(self) -> None:
        """Returns when everything that was written or read so far is on the disk."""
        if self._committed is not None:
            await asyncio.shield(self._committed)

    def commit(self) -> None:
        """Writes what is pending, then tells the watchers."""
        pending, self._pending = self._pending, []
        committed, self._committed = self._committed, None
        if not pending:
            return
        self._database.execute("BEGIN")
        for change in pending:
            self._write(change)
        oldest = pending[-1].revision - HISTORY
        self._database.execute("DELETE FROM changes WHERE revision <= ?", (oldest,))
        self._database.execute("COMMIT")
        self.committed = pending[-1].revision
        if committed is not None and not committed.done():
            committed.set_result(None)
        for watcher in tuple(self._watchers):
            watcher(pending)

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Calls `watcher` with every batch of durable changes; what comes back ends that, however
        often it is called."""
        self._watchers.append(watcher)

        def leave() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return leave

    def close(self) -> None:
        self.commit()
        self._database.close()

    # ---- inside

    def _load(self) -> None:
        for kind, namespace, name, body in self._database.execute("SELECT * FROM objects"):
            obj = json.loads(body)
            self._objects.setdefault(kind, {})[(namespace, name)] = obj
            self._index(Key(kind, namespace, name), None, obj)
            self.revision = max(self.revision, int(meta(obj)["resourceVersion"]))
        for revision, kind, namespace, name, body, previous in self._database.execute(
            "SELECT * FROM changes ORDER BY revision"
        ):
            now = json.loads(body) if body else None
            then = json.loads(previous) if previous else None
            self._history.append(Change(revision, Key(kind, namespace, name), now, then))
            self.revision = max(self.revision, revision)

    def _apply(self, change: Change) -> None:
        key = change.key
        objects = self._objects.setdefault(key.kind, {})
        if change.obj is None:
            del objects[(key.namespace, key.name)]
        else:
            objects[(key.namespace, key.name)] = change.obj
        self._index(key, change.previous, change.obj)
        self._history.append(change)
        if self._committed is None:
            loop = asyncio.get_running_loop()
            self._committed = loop.create_future()
            loop.call_soon(self.commit)
        self._pending.append(change)

    def _index(self, key: Key, previous: Json | None, now: Json | None) -> None:
        for owner in owners_of(previous or {}):
            self._owned.get(owner["uid"], set()).discard(key)
        if previous is not None:
            self._by_uid.pop(uid_of(previous), None)
        for owner in owners_of(now or {}):
            self._owned.setdefault(owner["uid"], set()).add(key)
        if now is not None:
            self._by_uid[uid_of(now)] = key

    def _write(self, change: Change) -> None:
        key, body = change.key, None
        if change.obj is None:
            self._database.execute(
                "DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?", key
            )
        else:
            body = json.dumps(change.obj, separators=(",", ":"))
            self._database.execute(
                "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", (*key, body)
            )
        previous = json.dumps(change.previous, separators=(",", ":")) if change.previous else None
        self._database.execute(
            "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?)",
            (change.revision, *key, body, previous),
        )


def _numbered(obj: Json, revision: int) -> Json:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}


def key_for(kind: str, obj: Json) -> Key:
    return Key(kind, namespace_of(obj), str(obj["metadata"]["name"]))
