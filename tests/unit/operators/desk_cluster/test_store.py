"""What the store keeps, numbers and tells, and what is still there in the next process."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from operators.desk_cluster.errors import Expired
from operators.desk_cluster.objects import Json, Key
from operators.desk_cluster.store import BEFORE_ALL, HISTORY, Change, Store


def a_key(name: str = "a", kind: str = "pods", namespace: str = "default") -> Key:
    return Key(kind, namespace, name)


def an_object(name: str = "a", namespace: str = "default", **fields: object) -> Json:
    return {"metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"}, **fields}


def version(obj: Json) -> int:
    return int(obj["metadata"]["resourceVersion"])


def names(objects: list[Json]) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects]


def in_a_store(path: Path, story: Callable[[Store], Awaitable[None]]) -> None:
    async def told() -> None:
        store = Store(path / "cluster.sqlite")
        await story(store)
        store.close()

    asyncio.run(told())


def after(*numbers: int) -> list[int]:
    """The versions of a new store, by their place."""
    return [BEFORE_ALL + number for number in numbers]


def test_every_change_has_the_next_version(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        first = store.put(a_key("a"), an_object("a"))
        second = store.put(a_key("b"), an_object("b"))
        gone = store.remove(a_key("a"))

        assert [version(each) for each in (first, second, gone)] == after(1, 2, 3)
        assert store.get(a_key("a")) is None
        assert store.get(a_key("b")) == second

    in_a_store(tmp_path, story)


def test_an_object_that_was_given_out_is_not_changed_by_later_writes(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        first = store.put(a_key(), an_object(data=1))
        store.put(a_key(), an_object(data=2))

        assert (first["data"], version(first)) == (1, BEFORE_ALL + 1)

    in_a_store(tmp_path, story)


def test_objects_are_listed_by_namespace_and_in_the_order_of_their_names(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        for namespace, name in (("two", "a"), ("one", "b"), ("one", "a")):
            store.put(a_key(name, namespace=namespace), an_object(name, namespace))

        assert names(store.all_of("pods")) == ["a", "b", "a"]
        assert names(store.all_of("pods", "one")) == ["a", "b"]
        assert store.all_of("secrets") == []

    in_a_store(tmp_path, story)


def test_an_object_is_found_by_its_uid_and_by_its_owner(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        owned = an_object("b")
        owned["metadata"]["ownerReferences"] = [{"uid": "uid-a"}]
        store.put(a_key("a"), an_object("a"))
        store.put(a_key("b"), owned)

        assert store.key_of_uid("uid-b") == a_key("b")
        assert store.owned_by("uid-a") == [a_key("b")]

        store.put(a_key("b"), an_object("b"))
        store.remove(a_key("a"))

        assert store.owned_by("uid-a") == []
        assert store.by_uid("uid-a") is None

    in_a_store(tmp_path, story)


def test_watchers_are_told_of_a_batch_when_it_is_on_the_disk(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        told: list[list[int]] = []
        on_disk: list[int] = []

        def watcher(changes: list[Change]) -> None:
            told.append([change.revision for change in changes])
            with sqlite3.connect(tmp_path / "cluster.sqlite") as other:
                on_disk.append(other.execute("SELECT count(*) FROM changes").fetchone()[0])

        store.watch(watcher)
        store.put(a_key("a"), an_object("a"))
        store.put(a_key("b"), an_object("b"))
        assert told == []
        await store.durable()

        assert (told, on_disk) == ([after(1, 2)], [2])
        assert store.committed == BEFORE_ALL + 2

    in_a_store(tmp_path, story)


def test_who_leaves_is_told_nothing_more(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        told: list[Change] = []
        leave = store.watch(told.extend)
        leave()
        leave()
        store.put(a_key(), an_object())
        await store.durable()

        assert told == []

    in_a_store(tmp_path, story)


def test_the_next_process_finds_everything_and_goes_on_counting(tmp_path: Path) -> None:
    async def first(store: Store) -> None:
        store.put(a_key("a"), an_object("a"))
        store.put(a_key("b"), an_object("b"))
        store.remove(a_key("b"))

    async def second(store: Store) -> None:
        assert names(store.all_of("pods")) == ["a"]
        assert store.key_of_uid("uid-a") == a_key("a")
        assert [change.revision for change in store.changes_after(BEFORE_ALL)] == after(1, 2, 3)
        assert version(store.put(a_key("c"), an_object("c"))) == BEFORE_ALL + 4

    in_a_store(tmp_path, first)
    in_a_store(tmp_path, second)


def test_changes_are_replayed_from_a_version_on(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        store.put(a_key("a"), an_object("a"))
        store.put(a_key("a"), an_object("a", data=1))
        store.remove(a_key("a"))
        await store.durable()

        created, changed, gone = store.changes_after(BEFORE_ALL)
        assert (created.previous, changed.previous) == (None, created.obj)
        assert (gone.obj, version(gone.last)) == (None, BEFORE_ALL + 3)
        assert [change.revision for change in store.changes_after(BEFORE_ALL + 2)] == after(3)
        assert list(store.changes_after(BEFORE_ALL + 3)) == []

    in_a_store(tmp_path, story)


def test_what_is_not_on_the_disk_yet_is_not_replayed_but_told(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        told: list[Change] = []
        store.put(a_key("a"), an_object("a"))
        store.watch(told.extend)

        assert list(store.changes_after(BEFORE_ALL)) == []
        await store.durable()
        assert [change.revision for change in told] == after(1)

    in_a_store(tmp_path, story)


def test_a_list_can_be_had_as_it_was(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        store.put(a_key("a"), an_object("a", data=1))
        then = store.revision
        store.put(a_key("b"), an_object("b"))
        store.put(a_key("a"), an_object("a", data=2))
        later = store.revision
        store.remove(a_key("a"))

        assert [obj["data"] for obj in store.list_at("pods", "", then)] == [1]
        assert names(store.list_at("pods", "default", later)) == ["a", "b"]
        assert names(store.list_at("pods", "", store.revision)) == ["b"]

    in_a_store(tmp_path, story)


def test_versions_that_the_history_has_forgotten_have_expired(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        for number in range(HISTORY + 10):
            store.put(a_key(), an_object(data=number))
        await store.durable()
        oldest = store.revision - HISTORY

        assert len(list(store.changes_after(oldest))) == HISTORY
        with pytest.raises(Expired) as refused:
            list(store.changes_after(oldest - 1))
        with pytest.raises(Expired):
            store.list_at("pods", "", oldest - 1)
        assert refused.value.code == 410

    async def next_process(store: Store) -> None:
        with pytest.raises(Expired):
            list(store.changes_after(store.revision - HISTORY - 1))
        assert len(list(store.changes_after(store.revision - HISTORY))) == HISTORY

    in_a_store(tmp_path, story)
    in_a_store(tmp_path, next_process)


def test_a_version_of_another_life_of_the_cluster_has_expired(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        with pytest.raises(Expired):
            list(store.changes_after(store.revision + 1))

    in_a_store(tmp_path, story)
