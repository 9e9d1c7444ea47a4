"""Watches: what a client with its selector sees of the store's changes, from a version on.

An object that begins to match is ADDED for this client, one that ceases to match is DELETED,
whatever happened to it in the store. A client that is too slow is not waited for: what it has not
read is kept until it reads or leaves, which on one machine is a matter of memory that nobody has
run out of.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from operators.desk_cluster.kinds import Kind
    from operators.desk_cluster.objects import Json
    from operators.desk_cluster.selectors import Predicate
    from operators.desk_cluster.store import Change, Store

# The API server's bookmarkFrequency.
BOOKMARK_SECONDS = 60.0


def seen(change: Change, matches: Predicate) -> tuple[str, Json] | None:
    """The event of a change for a client that sees what matches."""
    before = change.previous is not None and matches(change.previous)
    after = change.obj is not None and matches(change.obj)
    if after:
        return ("MODIFIED" if before else "ADDED"), change.last
    return ("DELETED", change.last) if before else None


class Watch:
    """A subscription: opened at once, so that nothing falls between it and what was listed."""

    def __init__(self, store: Store, kind: Kind, namespace: str, matches: Predicate) -> None:
        self._store = store
        self._kind = kind
        self._namespace = namespace
        self._matches = matches
        self._events: list[tuple[str, Json]] = []
        self._news = asyncio.Event()
        self._ended = False
        self._since = 0
        self._unsubscribe = store.watch(self._changed)

    def replay(self, revision: int) -> None:
        """Raises Expired when the history does not reach back to `revision`."""
        try:
            self._changed(list(self._store.changes_after(revision)))
        except Exception:
            self.close()
            raise

    def begin_with(self, objects: list[Json]) -> None:
        self._since = self._store.revision
        self._events += [("ADDED", obj) for obj in objects]
        self._news.set()

    def end(self) -> None:
        self._ended = True
        self._news.set()

    def close(self) -> None:
        self._unsubscribe()

    async def lines(
        self, seconds: float, *, bookmarks: bool, shape: Callable[[Json], Json]
    ) -> AsyncIterator[bytes]:
        """The body of the answer, until the time is over or `end` was called."""
        loop = asyncio.get_running_loop()
        over = loop.time() + seconds
        bookmark_due = loop.time() + BOOKMARK_SECONDS
        try:
            while True:
                await self._wait(min(over, bookmark_due) - loop.time())
                events, self._events = self._events, []
                self._news.clear()
                if events:
                    yield b"".join(_line(word, shape(obj)) for word, obj in events)
                if self._ended or loop.time() >= over:
                    break
                if loop.time() >= bookmark_due:
                    bookmark_due = loop.time() + BOOKMARK_SECONDS
                    if bookmarks and not self._events:
                        yield self._bookmark()
            if bookmarks and not self._events:
                yield self._bookmark()
        finally:
            self.close()

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    def _changed(self, changes: list[Change]) -> None:
        for change in changes:
            # What the first objects show may be told a turn later, when it is durable.
            if change.key.kind != self._kind.plural or change.revision <= self._since:
                continue
            if self._namespace and change.key.namespace != self._namespace:
                continue
            event = seen(change, self._matches)
            if event is not None:
                self._events.append(event)
                self._news.set()

    def _bookmark(self) -> bytes:
        # Asked for only while no event waits, since it says that all up to its version were given.
        obj = {
            "kind": self._kind.kind,
            "apiVersion": self._kind.api_version,
            "metadata": {"resourceVersion": str(self._store.committed)},
        }
        return _line("BOOKMARK", obj)


def _line(word: str, obj: Json) -> bytes:
    return json.dumps({"type": word, "object": obj}, separators=(",", ":")).encode() + b"\n"
