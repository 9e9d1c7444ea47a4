"""Lists and watches: a picture of one moment, and everything that happened since.

kubernetes.io/docs: reference/using-api/api-concepts, concepts/overview/working-with-objects/labels,
.../field-selectors."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from kubernetes import watch
from kubernetes.client import ApiException

from operators.shared.resources import CONFIG_MAP, Expired, Json
from tests.contract.kubernetes.cluster import (
    FINALIZER,
    Cluster,
    a_config_map,
    a_name,
    names,
)


def a_family(cluster: Cluster, size: int, **labels: str) -> tuple[str, list[str]]:
    """Objects with a label of their own: the selector, and their names."""
    family = a_name("family")
    members = [f"{family}-{number}" for number in range(size)]
    for name in members:
        body = a_config_map(name, labels={"family": family, "member": name[-1], **labels})
        cluster.kube.create(CONFIG_MAP, body)
    return f"family={family}", members


def test_the_pages_of_a_list_show_one_moment(cluster: Cluster) -> None:
    selector, members = a_family(cluster, 5)
    core = cluster.core

    def page(following: str | None) -> Any:
        return core.list_namespaced_config_map(
            cluster.namespace, label_selector=selector, limit=2, _continue=following
        )

    pages = [page(None)]
    cluster.kube.delete(CONFIG_MAP, members[4])
    cluster.kube.create(
        CONFIG_MAP, a_config_map(f"{members[0]}-late", labels={"family": selector[7:]})
    )
    while following := pages[-1].metadata._continue:
        pages.append(page(following))

    assert [names(each) for each in pages] == [members[:2], members[2:4], members[4:]]
    assert len({each.metadata.resource_version for each in pages}) == 1


def test_a_page_has_all_that_fits_and_says_that_it_is_the_last(cluster: Cluster) -> None:
    selector, members = a_family(cluster, 3)

    page = cluster.kube.page(CONFIG_MAP, selector)

    assert [each["metadata"]["name"] for each in page.items] == members
    assert page.next is None
    assert page.resource_version


def test_a_token_that_is_none_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ApiException) as refused:
        cluster.core.list_namespaced_config_map(cluster.namespace, _continue="nonsense", limit=1)

    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("member=1", "1"),
        ("member==1", "1"),
        ("member!=1", "02"),
        ("member in (0,2)", "02"),
        ("member notin (0,2)", "1"),
        ("member", "012"),
        ("!member", ""),
        ("absent!=x", "012"),
        ("!absent,member=2", "2"),
    ],
)
def test_labels_select(cluster: Cluster, selector: str, found: str) -> None:
    family, _ = a_family(cluster, 3)

    page = cluster.kube.page(CONFIG_MAP, f"{family},{selector}")

    assert "".join(each["metadata"]["labels"]["member"] for each in page.items) == found


def test_a_selector_that_cannot_be_read_is_refused(cluster: Cluster) -> None:
    for query in ({"label_selector": "a in"}, {"field_selector": "data.n=0"}):
        with pytest.raises(ApiException) as refused:
            cluster.core.list_namespaced_config_map(cluster.namespace, **query)
        assert refused.value.status == 400


def test_an_object_is_selected_by_its_name(cluster: Cluster) -> None:
    _, members = a_family(cluster, 2)

    for selector, found in ((f"metadata.name={members[0]}", 1), ("metadata.name=nobody", 0)):
        listed = cluster.core.list_namespaced_config_map(cluster.namespace, field_selector=selector)
        assert len(listed.items) == found


def story(cluster: Cluster, selector: str, version: str) -> Iterator[tuple[str, Json]]:
    """Words and objects, as Listener hears them."""
    for event in cluster.kube.watch(CONFIG_MAP, selector, version):
        if event.type != "BOOKMARK":
            yield event.type, event.object


def test_a_watch_tells_all_that_happened_since_a_list(cluster: Cluster) -> None:
    selector, members = a_family(cluster, 1)
    kube = cluster.kube
    version = kube.page(CONFIG_MAP, selector).resource_version
    made = kube.create(
        CONFIG_MAP, a_config_map(f"{members[0]}-new", labels={"family": selector[7:]})
    )
    changed = kube.replace(CONFIG_MAP, {**made, "data": {"n": "1"}})
    kube.delete(CONFIG_MAP, made["metadata"]["name"])

    told = list(islice(story(cluster, selector, version), 3))

    assert [word for word, _ in told] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [obj["metadata"]["resourceVersion"] for _, obj in told]
    before = [each["metadata"]["resourceVersion"] for each in (made, changed)]
    assert versions[:2] == before
    assert versions[2] not in before, "a deletion is a version of its own"
    assert told[2][1]["data"] == {"n": "1"}, "what went is told as it was last"


def test_a_watch_goes_on_behind_any_event(cluster: Cluster) -> None:
    selector, members = a_family(cluster, 1)
    kube = cluster.kube
    version = kube.page(CONFIG_MAP, selector).resource_version
    for number in range(1, 4):
        patch: Json = {"op": "replace", "path": "/data/n", "value": str(number)}
        kube.patch(CONFIG_MAP, members[0], [patch])

    (first,) = islice(story(cluster, selector, version), 1)
    seen = first[1]["metadata"]["resourceVersion"]
    rest = list(islice(story(cluster, selector, seen), 2))

    assert [obj["data"]["n"] for _, obj in (first, *rest)] == ["1", "2", "3"]


def test_what_begins_to_match_is_added_and_what_ceases_to_is_deleted(cluster: Cluster) -> None:
    selector, members = a_family(cluster, 1)
    kube = cluster.kube
    version = kube.page(CONFIG_MAP, selector).resource_version
    for other in ("elsewhere", selector[7:]):
        patch: Json = {"op": "replace", "path": "/metadata/labels/family", "value": other}
        kube.patch(CONFIG_MAP, members[0], [patch])

    told = list(islice(story(cluster, selector, version), 2))

    assert [word for word, _ in told] == ["DELETED", "ADDED"]


def test_a_deletion_that_a_finalizer_holds_is_told_as_a_change(cluster: Cluster) -> None:
    family, name, kube = a_name("family"), a_name("held"), cluster.kube
    body = a_config_map(name, labels={"family": family}, finalizers=[FINALIZER])
    version = kube.create(CONFIG_MAP, body)["metadata"]["resourceVersion"]

    kube.delete(CONFIG_MAP, name)
    kube.patch(CONFIG_MAP, name, [{"op": "remove", "path": "/metadata/finalizers"}])
    told = list(islice(story(cluster, f"family={family}", version), 2))

    assert [word for word, _ in told] == ["MODIFIED", "DELETED"]
    assert told[0][1]["metadata"]["deletionTimestamp"]


def test_a_watch_ends_when_its_time_is_over_and_bookmarks_tell_where(cluster: Cluster) -> None:
    """A server need not send any; what it sends says that all before has been told."""
    selector, _ = a_family(cluster, 1)
    version = cluster.kube.page(CONFIG_MAP, selector).resource_version

    told = begin_watch(cluster, selector, version, allow_watch_bookmarks=True, seconds=2)

    assert {event["type"] for event in told} <= {"BOOKMARK"}
    for event in told:
        raw = event["raw_object"]
        assert raw["kind"] == "ConfigMap"
        resumed = raw["metadata"]["resourceVersion"]
        assert begin_watch(cluster, selector, resumed, seconds=1) == []


def begin_watch(
    cluster: Cluster, selector: str, version: str, *, seconds: int, **query: Any
) -> list[Any]:
    begin: Any = watch.Watch
    return list(
        begin().stream(
            cluster.core.list_namespaced_config_map,
            cluster.namespace,
            label_selector=selector,
            resource_version=version,
            timeout_seconds=seconds,
            **query,
        )
    )


def test_a_version_that_history_no_longer_has_is_gone(cluster: Cluster) -> None:
    """Version 1 is from before the first object of any cluster, and no server still has it."""
    with pytest.raises(Expired):
        next(cluster.kube.watch(CONFIG_MAP, "", "1"))
