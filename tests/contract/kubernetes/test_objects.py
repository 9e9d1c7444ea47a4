"""Objects: created once, changed by compare and swap, deleted on conditions, held by finalizers,
collected with their owners.

kubernetes.io/docs: reference/using-api/api-concepts, concepts/overview/working-with-objects/
finalizers, concepts/architecture/garbage-collection, concepts/configuration/secret."""

import base64
from typing import Any

import pytest
from kubernetes.client import ApiException

from operators.shared.resources import (
    CONFIG_MAP,
    LEASE,
    SECRET,
    SERVICE,
    Conflict,
    Json,
    NotFound,
    Refused,
)
from tests.contract.kubernetes.cluster import (
    FINALIZER,
    Cluster,
    a_config_map,
    a_name,
    a_secret,
    until,
)


def test_a_name_is_given_once(cluster: Cluster) -> None:
    kube, body = cluster.kube, a_config_map(a_name("once"))
    made = kube.create(CONFIG_MAP, body)

    with pytest.raises(Conflict):
        kube.create(CONFIG_MAP, body)

    found = kube.read(CONFIG_MAP, body["metadata"]["name"])
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    assert found["metadata"]["creationTimestamp"]


def test_what_is_not_there_is_not_found(cluster: Cluster) -> None:
    with pytest.raises(NotFound):
        cluster.kube.read(CONFIG_MAP, a_name("nobody"))
    with pytest.raises(NotFound):
        cluster.kube.delete(CONFIG_MAP, a_name("nobody"))


def test_a_name_that_is_none_is_refused(cluster: Cluster) -> None:
    with pytest.raises(Refused) as refused:
        cluster.kube.create(CONFIG_MAP, a_config_map("Not_A_Name"))

    assert refused.value.status == 422


def test_the_cluster_tells_what_it_calls_a_kind(cluster: Cluster) -> None:
    found = cluster.kube.kind("coordination.k8s.io/v1", "Lease")

    assert (found, cluster.kube.kind("v1", "ConfigMap")) == (LEASE, CONFIG_MAP)
    assert not cluster.kube.kind("v1", "Node").namespaced


@pytest.mark.parametrize("kind", [("v1", "Nobody"), ("nobody.example.com/v1", "Lease")])
def test_a_kind_that_is_not_installed_is_not_found(cluster: Cluster, kind: tuple[str, str]) -> None:
    with pytest.raises(NotFound, match="is it installed"):
        cluster.kube.kind(*kind)


def test_the_cluster_has_a_name_of_its_own(cluster: Cluster) -> None:
    assert cluster.kube.cluster_uid() == cluster.kube.cluster_uid() != ""


def test_an_object_is_replaced_only_under_the_version_that_was_read(cluster: Cluster) -> None:
    kube = cluster.kube
    read = kube.create(CONFIG_MAP, a_config_map(a_name("swap")))

    first = kube.replace(CONFIG_MAP, {**read, "data": {"n": "1"}})
    with pytest.raises(Conflict):
        kube.replace(CONFIG_MAP, {**read, "data": {"n": "2"}})

    now = kube.read(CONFIG_MAP, read["metadata"]["name"])
    assert now["data"] == {"n": "1"}
    assert now["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_version_changes_with_its_object_and_only_then(cluster: Cluster) -> None:
    kube = cluster.kube
    made = kube.create(CONFIG_MAP, a_config_map(a_name("version")))

    same = kube.replace(CONFIG_MAP, made)
    other = kube.replace(CONFIG_MAP, {**made, "data": {"n": "1"}})

    versions = [each["metadata"]["resourceVersion"] for each in (made, same, other)]
    assert versions[0] == versions[1] != versions[2]


def test_a_json_patch_is_applied_as_a_whole_or_not_at_all(cluster: Cluster) -> None:
    kube, name = cluster.kube, a_name("json")
    uid = kube.create(CONFIG_MAP, a_config_map(name))["metadata"]["uid"]
    change: Json = {"op": "replace", "path": "/data/n", "value": "1"}

    with pytest.raises(Refused) as refused:
        expected = {"op": "test", "path": "/metadata/uid", "value": "another"}
        kube.patch(CONFIG_MAP, name, [change, expected])
    assert refused.value.status == 422
    assert kube.read(CONFIG_MAP, name)["data"] == {"n": "0"}

    patched = kube.patch(
        CONFIG_MAP, name, [{"op": "test", "path": "/metadata/uid", "value": uid}, change]
    )
    assert patched["data"] == {"n": "1"}


def test_a_json_patch_of_what_is_not_there_is_refused(cluster: Cluster) -> None:
    kube, name = cluster.kube, a_name("absent")
    kube.create(CONFIG_MAP, a_config_map(name))

    with pytest.raises(Refused) as refused:
        kube.patch(CONFIG_MAP, name, [{"op": "remove", "path": "/metadata/finalizers"}])

    assert refused.value.status == 422


@pytest.mark.parametrize(
    "content_type", ["application/merge-patch+json", "application/strategic-merge-patch+json"]
)
def test_a_merge_patch_changes_what_it_names(cluster: Cluster, content_type: str) -> None:
    name = a_name("merge")
    cluster.kube.create(CONFIG_MAP, {**a_config_map(name), "data": {"kept": "a", "gone": "b"}})

    patch = {"data": {"gone": None, "new": "c"}}
    patched = cluster.core.patch_namespaced_config_map(
        name, cluster.namespace, patch, _content_type=content_type
    )

    assert patched.data == {"kept": "a", "new": "c"}


def test_a_patch_that_names_another_version_conflicts(cluster: Cluster) -> None:
    name = a_name("stale")
    old = cluster.kube.create(CONFIG_MAP, a_config_map(name))
    cluster.kube.replace(CONFIG_MAP, {**old, "data": {"n": "1"}})

    metadata = {"resourceVersion": old["metadata"]["resourceVersion"]}
    with pytest.raises(ApiException) as refused:
        cluster.core.patch_namespaced_config_map(
            name, cluster.namespace, {"metadata": metadata, "data": {"n": "2"}}
        )

    assert refused.value.status == 409


def test_a_deletion_means_one_object_and_one_version(cluster: Cluster) -> None:
    kube, name = cluster.kube, a_name("mine")
    old = kube.create(CONFIG_MAP, a_config_map(name))["metadata"]
    kube.delete(CONFIG_MAP, name, uid=old["uid"])
    new = kube.create(CONFIG_MAP, a_config_map(name))

    with pytest.raises(Conflict):
        kube.delete(CONFIG_MAP, name, uid=old["uid"])
    changed = kube.replace(CONFIG_MAP, {**new, "data": {"n": "1"}})["metadata"]
    with pytest.raises(Conflict):
        version = new["metadata"]["resourceVersion"]
        kube.delete(CONFIG_MAP, name, uid=changed["uid"], resource_version=version)

    kube.delete(CONFIG_MAP, name, uid=changed["uid"], resource_version=changed["resourceVersion"])
    with pytest.raises(NotFound):
        kube.read(CONFIG_MAP, name)


def test_a_finalizer_holds_a_deletion_and_its_removal_completes_it(cluster: Cluster) -> None:
    kube, name = cluster.kube, a_name("held")
    kube.create(CONFIG_MAP, a_config_map(name, finalizers=[FINALIZER]))

    kube.delete(CONFIG_MAP, name)
    held = kube.read(CONFIG_MAP, name)
    kube.delete(CONFIG_MAP, name)
    assert held["metadata"]["deletionTimestamp"]
    assert kube.read(CONFIG_MAP, name)["metadata"]["uid"] == held["metadata"]["uid"]
    with pytest.raises(Conflict):
        kube.create(CONFIG_MAP, a_config_map(name))

    kube.patch(CONFIG_MAP, name, [{"op": "remove", "path": "/metadata/finalizers/0"}])
    with pytest.raises(NotFound):
        kube.read(CONFIG_MAP, name)


def test_what_is_being_deleted_takes_no_new_finalizer(cluster: Cluster) -> None:
    kube, name = cluster.kube, a_name("late")
    kube.create(CONFIG_MAP, a_config_map(name, finalizers=[FINALIZER]))
    kube.delete(CONFIG_MAP, name)

    with pytest.raises(Refused) as refused:
        added = {"op": "add", "path": "/metadata/finalizers/-", "value": "xylem.test/late"}
        kube.patch(CONFIG_MAP, name, [added])
    assert refused.value.status == 422

    kube.patch(CONFIG_MAP, name, [{"op": "remove", "path": "/metadata/finalizers"}])


def owned_by(owner: Json) -> list[Json]:
    found = {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    return [{"apiVersion": "v1", "kind": "ConfigMap", **found}]


def test_what_an_owner_leaves_behind_is_collected(cluster: Cluster) -> None:
    kube, name = cluster.kube, a_name("anchor")
    owner = kube.create(CONFIG_MAP, a_config_map(name))
    metadata: Json = {"name": name, "ownerReferences": owned_by(owner)}
    kube.create(SECRET, {**a_secret(name, k="v"), "metadata": metadata})
    service: Json = {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
    kube.create(SERVICE, {**service, "spec": {"clusterIP": "None"}})
    kube.create(SECRET, a_secret(f"{name}-free", k="v"))

    kube.delete(CONFIG_MAP, name)

    cluster.until_gone(lambda: kube.read(SECRET, name))
    cluster.until_gone(lambda: kube.read(SERVICE, name))
    kube.read(SECRET, f"{name}-free")


def test_a_dependent_with_a_finalizer_is_deleted_and_held(cluster: Cluster) -> None:
    kube, name = cluster.kube, a_name("anchor")
    owner = kube.create(CONFIG_MAP, a_config_map(name))
    dependent = a_config_map(
        f"{name}-held", ownerReferences=owned_by(owner), finalizers=[FINALIZER]
    )
    kube.create(CONFIG_MAP, dependent)

    kube.delete(CONFIG_MAP, name)

    held = until(
        lambda: kube.read(CONFIG_MAP, f"{name}-held"),
        lambda found: found["metadata"].get("deletionTimestamp"),
    )
    assert held["metadata"]["finalizers"] == [FINALIZER]
    kube.patch(CONFIG_MAP, f"{name}-held", [{"op": "remove", "path": "/metadata/finalizers"}])


def test_what_comes_after_its_owner_went_is_collected_too(cluster: Cluster) -> None:
    kube, name = cluster.kube, a_name("anchor")
    owner = kube.create(CONFIG_MAP, a_config_map(name))
    kube.delete(CONFIG_MAP, name, uid=owner["metadata"]["uid"])

    kube.create(CONFIG_MAP, a_config_map(f"{name}-late", ownerReferences=owned_by(owner)))

    cluster.until_gone(lambda: kube.read(CONFIG_MAP, f"{name}-late"))


def test_an_owner_waits_for_its_finalizer_before_what_it_owns_goes(cluster: Cluster) -> None:
    """In the background the owner goes first; as long as it is held nothing of it is collected."""
    kube, name = cluster.kube, a_name("anchor")
    owner = kube.create(CONFIG_MAP, a_config_map(name, finalizers=[FINALIZER]))
    kube.create(CONFIG_MAP, a_config_map(f"{name}-part", ownerReferences=owned_by(owner)))

    kube.delete(CONFIG_MAP, name)
    part = kube.read(CONFIG_MAP, f"{name}-part")
    assert "deletionTimestamp" not in part["metadata"]

    kube.patch(CONFIG_MAP, name, [{"op": "remove", "path": "/metadata/finalizers"}])
    cluster.until_gone(lambda: kube.read(CONFIG_MAP, f"{name}-part"))


def test_a_lease_is_taken_by_compare_and_swap(cluster: Cluster) -> None:
    kube = cluster.kube
    spec: Json = {
        "holderIdentity": "one",
        "leaseDurationSeconds": 15,
        "leaseTransitions": 0,
        "acquireTime": "2030-01-01T00:00:00.123456Z",
        "renewTime": "2030-01-01T00:00:00.123456Z",
    }
    body: Json = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    read = kube.create(LEASE, {**body, "metadata": {"name": a_name("lease")}, "spec": spec})

    taken = kube.replace(LEASE, {**read, "spec": {**spec, "holderIdentity": "two"}})
    with pytest.raises(Conflict):
        kube.replace(LEASE, {**read, "spec": {**spec, "holderIdentity": "three"}})
    found = kube.read(LEASE, read["metadata"]["name"])

    assert found["spec"] == {**spec, "holderIdentity": "two"}
    assert found["metadata"]["resourceVersion"] == taken["metadata"]["resourceVersion"]


def test_a_secret_keeps_its_bytes(cluster: Cluster) -> None:
    kube, name = cluster.kube, a_name("secret")
    encoded = base64.b64encode(bytes(range(256))).decode()

    kube.create(SECRET, {**a_secret(name), "data": {"bytes": encoded}, "type": "Opaque"})

    assert kube.read(SECRET, name)["data"] == {"bytes": encoded}


def test_a_secret_of_more_than_a_mebibyte_is_refused(cluster: Cluster) -> None:
    with pytest.raises(Refused) as refused:
        cluster.kube.create(SECRET, a_secret(a_name("large"), k="x" * (1024 * 1024 + 1)))

    assert refused.value.status == 422


def test_an_immutable_secret_stays_as_it_is(cluster: Cluster) -> None:
    kube = cluster.kube
    made = kube.create(SECRET, {**a_secret(a_name("fixed"), k="v"), "immutable": True})

    with pytest.raises(Refused) as refused:
        kube.replace(SECRET, {**made, "data": {"k": "dw=="}})

    assert refused.value.status == 422


def test_a_headless_service_has_no_address(cluster: Cluster) -> None:
    body: Json = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": a_name("group")}}
    spec: Json = {"clusterIP": "None", "selector": {"a": "b"}, "publishNotReadyAddresses": True}

    made = cluster.kube.create(SERVICE, {**body, "spec": spec})

    assert made["spec"]["clusterIP"] == "None"
    assert made["spec"]["publishNotReadyAddresses"] is True


def test_an_event_is_found_by_what_it_is_about(cluster: Cluster) -> None:
    name = a_name("subject")
    about: Any = {"kind": "ConfigMap", "apiVersion": "v1", "name": name}
    event = {
        "metadata": {"name": a_name(name)},
        "involvedObject": {**about, "namespace": cluster.namespace},
        "reason": "Tested",
        "message": "hello",
        "type": "Normal",
        "source": {"component": "contract"},
    }
    cluster.core.create_namespaced_event(cluster.namespace, event)

    selector = f"involvedObject.name={name},reason=Tested"
    found = cluster.core.list_namespaced_event(cluster.namespace, field_selector=selector).items

    assert [each.message for each in found] == ["hello"]
