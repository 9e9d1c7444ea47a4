"""Lists and their pages (reference/using-api/api-concepts: retrieving large results in chunks)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from operators.desk_cluster.api.lists import Page, page, watch_version
from operators.desk_cluster.api.paths import Target, parse
from operators.desk_cluster.errors import BadRequest, Expired
from operators.desk_cluster.kinds import LEASES, NAMESPACES, NODES, PODS
from operators.desk_cluster.objects import Json, Key
from operators.desk_cluster.store import HISTORY, Store


def in_a_store(path: Path, story: Callable[[Store], Awaitable[None]]) -> None:
    async def told() -> None:
        store = Store(path / "cluster.sqlite")
        await story(store)
        store.close()

    asyncio.run(told())


def put(store: Store, name: str, **labels: str) -> None:
    metadata: Json = {"name": name, "namespace": "default", "uid": name, "labels": labels}
    store.put(Key("pods", "default", name), {"metadata": metadata})


def names(found: Page) -> list[str]:
    return [obj["metadata"]["name"] for obj in found.items]


def test_pages_show_the_cluster_as_it_was_when_the_first_was_asked_for(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        for name in "abcd":
            put(store, name)
        first = page(store, PODS, "default", {"limit": "2"})
        put(store, "aa")
        put(store, "e")
        store.remove(Key("pods", "default", "c"))

        second = page(store, PODS, "default", {"limit": "2", "continue": first.following})

        assert (names(first), first.remaining) == (["a", "b"], 2)
        assert (names(second), second.following) == (["c", "d"], "")
        assert second.version == first.version
        assert names(page(store, PODS, "default", {})) == ["a", "aa", "b", "d", "e"]

    in_a_store(tmp_path, story)


def test_a_page_holds_what_matches(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        for number in range(6):
            put(store, f"p{number}", odd="yes" if number % 2 else "no")
        query = {"limit": "2", "labelSelector": "odd=yes"}

        first = page(store, PODS, "", query)
        second = page(store, PODS, "", {**query, "continue": first.following})

        assert (names(first), names(second)) == (["p1", "p3"], ["p5"])

    in_a_store(tmp_path, story)


def test_a_page_that_comes_too_late_has_expired(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        put(store, "a")
        put(store, "b")
        first = page(store, PODS, "default", {"limit": "1"})
        for _ in range(HISTORY + 1):
            put(store, "a")

        with pytest.raises(Expired):
            page(store, PODS, "default", {"limit": "1", "continue": first.following})

    in_a_store(tmp_path, story)


@pytest.mark.parametrize("query", [{"continue": "nonsense"}, {"limit": "-1"}, {"limit": "ten"}])
def test_what_is_no_page_is_a_bad_request(tmp_path: Path, query: dict[str, str]) -> None:
    async def story(store: Store) -> None:
        with pytest.raises(BadRequest):
            page(store, PODS, "default", query)

    in_a_store(tmp_path, story)


def test_a_watch_begins_where_it_is_told() -> None:
    assert watch_version({}) == 0
    assert watch_version({"resourceVersion": "7"}) == 7
    with pytest.raises(Expired):
        watch_version({"resourceVersion": "seven"})


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1/pods", Target(PODS)),
        ("/api/v1/namespaces/a/pods", Target(PODS, "a")),
        ("/api/v1/namespaces/a/pods/b", Target(PODS, "a", "b")),
        ("/api/v1/namespaces/a/pods/b/log", Target(PODS, "a", "b", "log")),
        ("/api/v1/namespaces/a/pods/status", Target(PODS, "a", "status")),
        ("/api/v1/namespaces", Target(NAMESPACES)),
        ("/api/v1/namespaces/a", Target(NAMESPACES, "", "a")),
        ("/api/v1/namespaces/a/status", Target(NAMESPACES, "", "a", "status")),
        ("/api/v1/nodes/desk", Target(NODES, "", "desk")),
        ("/apis/coordination.k8s.io/v1/namespaces/a/leases/b", Target(LEASES, "a", "b")),
    ],
)
def test_a_path_names_a_target(path: str, target: Target) -> None:
    assert parse(path) == target


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/v1",
        "/api/v2/pods",
        "/apis/apps/v1/deployments",
        "/api/v1/leases",
        "/apis/coordination.k8s.io/v1/pods",
        "/api/v1/namespaces/a/nodes",
        "/api/v1/namespaces/a/pods/b/log/c",
    ],
)
def test_a_path_of_nothing_that_is_kept_names_none(path: str) -> None:
    assert parse(path) is None
