"""What goes with what went (concepts/architecture/garbage-collection)."""

from operators.desk_cluster import gc
from operators.desk_cluster.objects import Json
from tests.unit.operators.desk_cluster.builders import a_pod, terminating


def owned_by(*uids: str, kind: str = "ConfigMap", blocking: bool = False) -> Json:
    pod = a_pod()
    pod["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "v1",
            "kind": kind,
            "name": uid,
            "uid": uid,
            "blockOwnerDeletion": blocking,
        }
        for uid in uids
    ]
    return pod


def test_a_dependent_goes_with_its_last_owner() -> None:
    assert gc.fate(owned_by("one"), lambda _: False) == gc.Delete()
    assert gc.fate(owned_by("one", "two"), lambda _: False) == gc.Delete()


def test_a_dependent_loses_the_owners_that_are_gone() -> None:
    assert gc.fate(owned_by("one", "two"), lambda uid: uid == "two") == gc.KeepOwners(("two",))


def test_who_has_all_its_owners_or_none_stays() -> None:
    assert gc.fate(owned_by("one", "two"), lambda _: True) is None
    assert gc.fate(a_pod(), lambda _: False) is None


def test_an_owner_of_an_unknown_kind_may_live_elsewhere() -> None:
    assert gc.fate(owned_by("one", kind="PodGroup"), lambda _: False) is None


def test_only_who_says_so_holds_up_its_owners_deletion() -> None:
    owner: Json = {"metadata": {"uid": "one"}}

    assert gc.blocks(owned_by("one", blocking=True), owner)
    assert not gc.blocks(owned_by("one"), owner)
    assert not gc.blocks(owned_by("two", blocking=True), owner)


def test_a_deleted_pod_that_was_never_bound_will_never_run() -> None:
    unbound = a_pod()
    del unbound["spec"]["nodeName"]

    assert gc.will_never_run(terminating(unbound))
    assert not gc.will_never_run(unbound)
    assert not gc.will_never_run(terminating(a_pod()))
    assert not gc.will_never_run(terminating({**unbound, "status": {"phase": "Failed"}}))
