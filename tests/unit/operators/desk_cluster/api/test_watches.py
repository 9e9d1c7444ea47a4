"""What a watch tells (reference/using-api/api-concepts: efficient detection of changes)."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from operators.desk_cluster.api.watches import Watch
from operators.desk_cluster.errors import Expired
from operators.desk_cluster.kinds import PODS
from operators.desk_cluster.objects import Json, Key
from operators.desk_cluster.selectors import by_labels
from operators.desk_cluster.store import HISTORY, Store


def in_a_store(path: Path, story: Callable[[Store], Awaitable[None]]) -> None:
    async def told() -> None:
        store = Store(path / "cluster.sqlite")
        async with asyncio.timeout(20):
            await story(store)
        store.close()

    asyncio.run(told())


def put(
    store: Store, name: str, *, kind: str = "pods", namespace: str = "default", **of: str
) -> int:
    metadata: Json = {"name": name, "namespace": namespace, "uid": name, "labels": of}
    store.put(Key(kind, namespace, name), {"metadata": metadata})
    return store.revision


def watch(store: Store, selector: str = "", namespace: str = "default") -> Watch:
    return Watch(store, PODS, namespace, by_labels(selector))


async def told(watch: Watch, *, seconds: float = 0.0, bookmarks: bool = False) -> list[Any]:
    """All events until the watch is over: of those that wait it tells even when it is ended."""
    events = []
    if not seconds:
        watch.end()
    async for line in watch.lines(seconds or 10, bookmarks=bookmarks, shape=lambda obj: obj):
        events += [json.loads(each) for each in line.splitlines()]
    return events


def words(events: list[Any]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


def test_a_watch_tells_what_happens_after_its_version(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        put(store, "old")
        since = store.revision
        put(store, "new")
        put(store, "new", changed="yes")
        store.remove(Key("pods", "default", "old"))
        await store.durable()

        following = watch(store)
        following.replay(since)
        put(store, "later")
        await store.durable()

        events = await told(following)
        assert words(events) == [
            ("ADDED", "new"),
            ("MODIFIED", "new"),
            ("DELETED", "old"),
            ("ADDED", "later"),
        ]
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
        assert versions == [since + 1, since + 2, since + 3, since + 4]

    in_a_store(tmp_path, story)


def test_nothing_is_told_twice_and_nothing_is_left_out_around_its_beginning(
    tmp_path: Path,
) -> None:
    """A write that is not on the disk yet when the watch begins, in whatever way it begins."""

    async def story(store: Store) -> None:
        since = put(store, "before")
        await store.durable()
        put(store, "pending")
        replaying, from_now = watch(store), watch(store)
        replaying.replay(since)
        from_now.begin_with(store.all_of("pods", "default"))
        await store.durable()

        assert words(await told(replaying)) == [("ADDED", "pending")]
        assert words(await told(from_now)) == [("ADDED", "before"), ("ADDED", "pending")]

    in_a_store(tmp_path, story)


def test_a_removal_that_is_not_on_the_disk_yet_is_no_news_of_what_was_never_shown(
    tmp_path: Path,
) -> None:
    async def story(store: Store) -> None:
        put(store, "a")
        await store.durable()
        store.remove(Key("pods", "default", "a"))
        from_now = watch(store)
        from_now.begin_with(store.all_of("pods", "default"))
        await store.durable()

        assert await told(from_now) == []

    in_a_store(tmp_path, story)


def test_a_watch_tells_of_its_kind_and_its_namespace(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        here, everywhere = watch(store), watch(store, namespace="")
        put(store, "a")
        put(store, "b", namespace="other")
        put(store, "c", kind="secrets")
        await store.durable()

        assert words(await told(here)) == [("ADDED", "a")]
        assert words(await told(everywhere)) == [("ADDED", "a"), ("ADDED", "b")]

    in_a_store(tmp_path, story)


def test_what_begins_and_ceases_to_match_comes_and_goes_for_the_watcher(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        mine = watch(store, "mine=yes")
        put(store, "a")
        put(store, "a", mine="yes")
        put(store, "a", mine="yes", more="yes")
        last = put(store, "a", mine="no")
        store.remove(Key("pods", "default", "a"))
        await store.durable()

        events = await told(mine)
        assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
        assert events[-1]["object"]["metadata"]["resourceVersion"] == str(last)

    in_a_store(tmp_path, story)


def test_a_watch_from_too_long_ago_has_expired(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        for _ in range(HISTORY + 2):
            put(store, "a")
        await store.durable()

        with pytest.raises(Expired):
            watch(store).replay(1)

    in_a_store(tmp_path, story)


def test_a_watch_that_ends_says_with_a_bookmark_how_far_it_came(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        mine = watch(store, "mine=yes")
        put(store, "a")
        await store.durable()

        (bookmark,) = await told(mine, seconds=0.01, bookmarks=True)

        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["kind"] == "Pod"
        assert bookmark["object"]["metadata"] == {"resourceVersion": str(store.committed)}

    in_a_store(tmp_path, story)


def test_who_did_not_ask_for_bookmarks_gets_none(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        assert await told(watch(store), seconds=0.01) == []

    in_a_store(tmp_path, story)


def test_no_bookmark_says_that_something_was_told_which_was_not(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        mine = watch(store)
        put(store, "a")
        await store.durable()
        lines: AsyncIterator[bytes] = mine.lines(10, bookmarks=True, shape=lambda obj: obj)
        await anext(lines)
        put(store, "b")
        await store.durable()
        mine.end()

        rest = [json.loads(line)["type"] async for line in lines]

        assert "BOOKMARK" not in rest

    in_a_store(tmp_path, story)
