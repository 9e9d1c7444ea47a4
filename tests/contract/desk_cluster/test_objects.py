"""The API itself, through the official client (reference/using-api/api-concepts)."""

import time
from itertools import islice
from typing import Any

import pytest
from kubernetes.client import ApiException

from operators.desk_cluster.objects import Json
from tests.contract.desk_cluster.cluster import (
    IDLE,
    Client,
    DeskCluster,
    a_pod,
    message_of,
    until,
)


def a_config_map(name: str, **fields: Any) -> Json:
    metadata = {"name": name, **fields.pop("metadata", {})}
    return {"metadata": metadata, **fields}


def names(listed: Any) -> list[str]:
    return [each.metadata.name for each in listed.items]


def owned_by(owner: Any, **fields: bool) -> Json:
    meta = owner.metadata
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": meta.name, "uid": meta.uid}
    return {"ownerReferences": [{**reference, **fields}]}


def config_map_is_gone(kube: Client, name: str) -> bool:
    selector = f"metadata.name={name}"
    return not kube.core.list_namespaced_config_map("default", field_selector=selector).items


# Lists and watches ------------------------------------------------------------------------------


def test_objects_are_found_by_their_labels(kube: Client) -> None:
    for name, labels in (("l1", {"set": "x", "n": "1"}), ("l2", {"set": "x"}), ("l3", {})):
        kube.core.create_namespaced_config_map(
            "default", a_config_map(name, metadata={"labels": labels})
        )

    def found(selector: str) -> list[str]:
        listed = kube.core.list_namespaced_config_map("default", label_selector=selector)
        return [name for name in names(listed) if name in ("l1", "l2", "l3")]

    assert found("set=x") == ["l1", "l2"]
    assert found("set=x,n!=1") == ["l2"]
    assert found("n in (1,2)") == ["l1"]
    assert found("!set") == ["l3"]


def test_a_selector_that_is_none_is_a_bad_request(kube: Client) -> None:
    with pytest.raises(ApiException) as refused:
        kube.core.list_namespaced_pod("default", label_selector="a in b")
    assert refused.value.status == 400


def test_a_long_list_comes_in_pages(kube: Client) -> None:
    for number in range(5):
        labels = {"labels": {"paged": "yes"}}
        body = a_config_map(f"page-{number}", metadata=labels)
        kube.core.create_namespaced_config_map("default", body)
    found: list[str] = []
    following = None
    while following != "":
        listed = kube.core.list_namespaced_config_map(
            "default",
            label_selector="paged=yes",
            limit=2,
            **({"_continue": following} if following else {}),
        )
        found += names(listed)
        following = listed.metadata._continue or ""

    assert found == [f"page-{number}" for number in range(5)]


def test_a_watch_goes_on_where_a_list_ended(kube: Client) -> None:
    kube.core.create_namespaced_config_map("default", a_config_map("watched", data={"n": "1"}))
    version = kube.core.list_namespaced_config_map("default").metadata.resource_version
    kube.core.patch_namespaced_config_map("watched", "default", {"data": {"n": "2"}})
    kube.core.delete_namespaced_config_map("watched", "default")

    told = kube.watch("config_map", version, field_selector="metadata.name=watched")
    events = [(event["type"], event["object"].data["n"]) for event in islice(told, 2)]

    assert events == [("MODIFIED", "2"), ("DELETED", "2")]


def test_a_watch_ends_with_a_bookmark_after_its_time(kube: Client) -> None:
    version = kube.core.list_namespace().metadata.resource_version
    none: Json = {"field_selector": "metadata.name=none", "allow_watch_bookmarks": True}

    events = list(kube.watch("config_map", version, **none))

    assert [event["type"] for event in events] == ["BOOKMARK"]


# Writing ----------------------------------------------------------------------------------------


def test_of_two_who_want_a_lease_one_gets_it(kube: Client) -> None:
    body: Json = {"metadata": {"name": "office"}, "spec": {"holderIdentity": "nobody"}}
    lease = kube.leases.create_namespaced_lease("default", body)

    def take(holder: str) -> Any:
        lease.spec.holder_identity = holder
        return kube.leases.replace_namespaced_lease("office", "default", lease)

    taken = take("first")
    with pytest.raises(ApiException) as refused:
        take("second")

    assert refused.value.status == 409
    assert kube.leases.read_namespaced_lease("office", "default").spec == taken.spec
    assert taken.metadata.resource_version != lease.metadata.resource_version


def test_a_name_that_is_taken_is_a_conflict(kube: Client) -> None:
    kube.core.create_namespaced_config_map("default", a_config_map("taken"))

    with pytest.raises(ApiException) as refused:
        kube.core.create_namespaced_config_map("default", a_config_map("taken"))
    assert (refused.value.status, refused.value.reason) == (409, "Conflict")


def test_a_pod_that_is_wrong_is_refused_with_all_that_is_wrong(kube: Client) -> None:
    body = a_pod("wrong", {"name": "Main", "image": ""})

    with pytest.raises(ApiException) as refused:
        kube.create(body)
    assert refused.value.status == 422
    assert "spec.containers[0].name" in message_of(refused.value)
    assert "spec.containers[0].image" in message_of(refused.value)


def test_a_deletion_with_the_uid_of_an_earlier_object_is_a_conflict(kube: Client) -> None:
    made = kube.core.create_namespaced_config_map("default", a_config_map("again"))

    def delete(uid: str) -> None:
        kube.core.delete_namespaced_config_map(
            "again", "default", body={"preconditions": {"uid": uid}}
        )

    with pytest.raises(ApiException) as refused:
        delete("00000000-0000-0000-0000-000000000000")
    assert refused.value.status == 409
    delete(made.metadata.uid)
    assert config_map_is_gone(kube, "again")


def test_many_are_deleted_by_their_labels(kube: Client) -> None:
    for name in ("many-1", "many-2", "many-3"):
        labels = {"labels": {"many": "no" if name == "many-3" else "yes"}}
        kube.core.create_namespaced_config_map("default", a_config_map(name, metadata=labels))

    kube.core.delete_collection_namespaced_config_map("default", label_selector="many=yes")

    listed = kube.core.list_namespaced_config_map("default", label_selector="many")
    assert names(listed) == ["many-3"]


# Owners -----------------------------------------------------------------------------------------


def test_a_pod_goes_with_its_owner(kube: Client) -> None:
    owner = kube.core.create_namespaced_config_map("default", a_config_map("anchor"))
    kube.create(a_pod("owned", IDLE, metadata=owned_by(owner)))
    kube.until_running("owned")

    kube.core.delete_namespaced_config_map("anchor", "default")

    assert config_map_is_gone(kube, "anchor")
    kube.until_gone("owned")


def test_who_is_created_for_an_owner_that_is_gone_goes_too(kube: Client) -> None:
    owner = kube.core.create_namespaced_config_map("default", a_config_map("gone-already"))
    kube.core.delete_namespaced_config_map("gone-already", "default")

    kube.create(a_pod("orphan", IDLE, metadata=owned_by(owner)))

    kube.until_gone("orphan")


def test_an_owner_that_is_deleted_in_the_foreground_goes_last(kube: Client) -> None:
    owner = kube.core.create_namespaced_config_map("default", a_config_map("last"))
    held = {"finalizers": ["xylem.dev/told"]}
    kube.create(
        a_pod("first", "exit 0", metadata={**held, **owned_by(owner, blockOwnerDeletion=True)})
    )
    kube.until_over("first")

    kube.core.delete_namespaced_config_map("last", "default", propagation_policy="Foreground")
    kube.until("first", lambda pod: pod.metadata.deletion_timestamp)
    still_there = not config_map_is_gone(kube, "last")
    kube.core.patch_namespaced_pod(
        "first", "default", [{"op": "remove", "path": "/metadata/finalizers"}]
    )
    kube.until_gone("first")

    assert still_there
    until(lambda: config_map_is_gone(kube, "last"))


def test_an_owner_can_leave_its_dependents_behind(kube: Client) -> None:
    owner = kube.core.create_namespaced_config_map("default", a_config_map("parent"))
    body = a_config_map("child", metadata=owned_by(owner))
    kube.core.create_namespaced_config_map("default", body)

    kube.core.delete_namespaced_config_map("parent", "default", propagation_policy="Orphan")
    until(lambda: config_map_is_gone(kube, "parent"))

    child = kube.core.read_namespaced_config_map("child", "default")
    assert child.metadata.owner_references is None


def test_a_namespace_goes_with_everything_in_it(kube: Client) -> None:
    kube.core.create_namespace({"metadata": {"name": "mine"}})
    kube.core.create_namespaced_config_map("mine", a_config_map("a"))
    kube.core.create_namespaced_pod("mine", a_pod("a", IDLE))

    begun = time.monotonic()
    kube.core.delete_namespace("mine")

    def gone() -> bool:
        return "mine" not in names(kube.core.list_namespace())

    until(gone)
    assert time.monotonic() - begun < 4, "its pods have a grace of a second"
    assert names(kube.core.list_namespaced_pod("mine")) == []


# The cluster ------------------------------------------------------------------------------------


def test_the_node_is_this_machine_with_what_it_was_given(kube: Client) -> None:
    (node,) = kube.core.list_node().items

    conditions = {each.type: each.status for each in node.status.conditions}
    assert conditions["Ready"] == "True"
    assert node.status.allocatable["cpu"] == "64"
    assert node.status.allocatable["memory"] == "256Gi"
    assert node.metadata.labels["kubernetes.io/hostname"] == node.metadata.name


def test_a_pods_life_is_told_in_events(kube: Client) -> None:
    kube.run(a_pod("eventful", "exit 1"))

    listed = kube.core.list_namespaced_event(
        "default", field_selector="involvedObject.name=eventful,involvedObject.kind=Pod"
    )

    told = {event.reason: event for event in listed.items}
    assert {"Scheduled", "Created", "Started"} <= set(told)
    assert told["Started"].involved_object.field_path == "spec.containers{main}"


def test_who_has_not_the_token_is_not_heard(desk: DeskCluster) -> None:
    client = desk.client()
    client.api.default_headers["authorization"] = "Bearer of nothing"
    client.api.configuration.api_key.clear()

    with pytest.raises(ApiException) as refused:
        client.core.list_node()
    assert refused.value.status == 401


def test_a_second_api_process_does_not_start_on_the_same_state(desk: DeskCluster) -> None:
    second = DeskCluster(desk.state)

    with pytest.raises(ValueError, match="Expecting value"):
        second.start()

    assert second.process is not None
    assert second.process.wait(10) == 1
