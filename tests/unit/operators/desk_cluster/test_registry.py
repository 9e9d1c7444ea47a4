"""What the API server does with an object: reference/using-api/api-concepts,
concepts/overview/working-with-objects/finalizers, concepts/workloads/pods/pod-lifecycle."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from operators.desk_cluster.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
)
from operators.desk_cluster.kinds import (
    CONFIG_MAPS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    SERVICES,
)
from operators.desk_cluster.objects import Json
from operators.desk_cluster.patches import json_patch
from operators.desk_cluster.registry import DeleteOptions, Registry
from operators.desk_cluster.store import Change, Store
from tests.unit.operators.desk_cluster.builders import NOON, a_body

NOW = DeleteOptions()


def in_a_cluster(path: Path, story: Callable[[Registry], Awaitable[None]]) -> None:
    async def told() -> None:
        store = Store(path / "cluster.sqlite")
        registry = Registry(store, lambda: NOON)
        registry.create(NAMESPACES, "", {"metadata": {"name": "default"}})
        await story(registry)
        store.close()

    asyncio.run(told())


def made(registry: Registry, name: str = "a", **fields: Any) -> Json:
    body = {"metadata": {"name": name, **fields.pop("metadata", {})}, **fields}
    return registry.create(CONFIG_MAPS, "default", body)


def a_bound_pod(registry: Registry, **metadata: Any) -> Json:
    body = a_body()
    body["metadata"] |= metadata
    registry.bind(registry.create(PODS, "default", body), "desk")
    return registry.get(PODS, "default", "a")


def finished(registry: Registry, phase: str = "Succeeded") -> None:
    registry.update(
        PODS, "default", "a", lambda old: {**old, "status": {"phase": phase}}, status=True
    )


# Creating ---------------------------------------------------------------------------------------


def test_the_server_names_times_and_numbers_what_is_created(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        theirs = {"uid": "mine", "resourceVersion": "7", "creationTimestamp": "yesterday"}
        metadata = made(registry, metadata=theirs)["metadata"]

        assert metadata["uid"] != "mine"
        assert metadata["creationTimestamp"] == "2030-01-01T12:00:00Z"
        assert metadata["resourceVersion"] == str(registry.store.revision)
        assert metadata["namespace"] == "default"

    in_a_cluster(tmp_path, story)


def test_a_generated_name_begins_as_asked_and_is_new(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        body = {"metadata": {"generateName": "job-"}}
        names = {
            registry.create(CONFIG_MAPS, "default", body)["metadata"]["name"] for _ in range(20)
        }

        assert len(names) == 20
        assert all(name.startswith("job-") and len(name) == 9 for name in names)

    in_a_cluster(tmp_path, story)


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        made(registry)

        with pytest.raises(AlreadyExists) as refused:
            made(registry)
        assert (refused.value.code, refused.value.reason) == (409, "AlreadyExists")
        assert refused.value.message == 'configmaps "a" already exists'

    in_a_cluster(tmp_path, story)


def test_an_object_needs_a_namespace_that_is_there(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        with pytest.raises(NotFound):
            registry.create(CONFIG_MAPS, "nowhere", {"metadata": {"name": "a"}})
        registry.create(NAMESPACES, "", {"metadata": {"name": "closing"}})
        registry.delete(NAMESPACES, "", "closing", NOW)
        with pytest.raises(Forbidden):
            registry.create(CONFIG_MAPS, "closing", {"metadata": {"name": "a"}})

    in_a_cluster(tmp_path, story)


@pytest.mark.parametrize(
    "body",
    [
        [],
        "pod",
        {"metadata": None},
        {"metadata": {"name": "a"}, "kind": "Secret"},
        {"metadata": {"name": "a"}, "apiVersion": "v2"},
        {"metadata": {"name": "a", "namespace": "other"}},
        {"metadata": {"name": "a", "labels": ["a"]}},
        {"metadata": {"name": "a"}, "spec": []},
        {"metadata": {"name": "a"}, "spec": {"containers": "main"}},
        {"metadata": {"name": "a"}, "spec": {"containers": [["main"]]}},
        {"metadata": {"name": "a"}, "spec": {"containers": [{"name": ["a"], "image": "b"}]}},
        {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "env": "A=1"}]}},
    ],
)
def test_what_is_no_pod_is_a_bad_request(tmp_path: Path, body: Any) -> None:
    async def story(registry: Registry) -> None:
        with pytest.raises(BadRequest):
            registry.create(PODS, "default", body)
        assert registry.store.all_of("pods") == []

    in_a_cluster(tmp_path, story)


def test_what_is_invalid_is_not_stored(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        with pytest.raises(Invalid):
            registry.create(PODS, "default", {"metadata": {"name": "a"}, "spec": {}})
        assert registry.store.all_of("pods") == []

    in_a_cluster(tmp_path, story)


def test_a_dry_run_answers_and_leaves_nothing(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        body = {"metadata": {"name": "a"}}
        answer = registry.create(CONFIG_MAPS, "default", body, dry_run=True)

        assert answer["metadata"]["uid"]
        assert registry.find(CONFIG_MAPS, "default", "a") is None

    in_a_cluster(tmp_path, story)


def test_a_pod_gets_what_its_author_left_out(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        pod = registry.create(PODS, "default", a_body())

        spec, (container,) = pod["spec"], pod["spec"]["containers"]
        assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"]) == ("Always", 30)
        assert container["terminationMessagePath"] == "/dev/termination-log"
        assert container["imagePullPolicy"] == "Always"
        assert pod["status"] == {"phase": "Pending", "qosClass": "BestEffort"}

    in_a_cluster(tmp_path, story)


def test_a_limit_is_a_request_too_and_says_the_quality(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        limits = {"cpu": "1", "memory": "1Gi"}
        container = {"name": "main", "image": "any:1", "resources": {"limits": limits}}
        pod = registry.create(PODS, "default", a_body(container))

        assert pod["spec"]["containers"][0]["resources"]["requests"] == limits
        assert pod["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"
        assert pod["status"]["qosClass"] == "Guaranteed"

    in_a_cluster(tmp_path, story)


def test_a_pod_with_a_gate_says_that_it_is_gated(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        pod = registry.create(PODS, "default", a_body(schedulingGates=[{"name": "a/held"}]))

        (condition,) = pod["status"]["conditions"]
        assert (condition["type"], condition["status"]) == ("PodScheduled", "False")
        assert condition["reason"] == "SchedulingGated"

    in_a_cluster(tmp_path, story)


def test_a_secret_may_be_written_as_text(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        body = {"metadata": {"name": "a"}, "stringData": {"k": "v"}, "data": {"j": "dw=="}}
        secret = registry.create(SECRETS, "default", body)

        assert secret["data"] == {"j": "dw==", "k": "dg=="}
        assert "stringData" not in secret
        assert secret["type"] == "Opaque"

    in_a_cluster(tmp_path, story)


def test_a_services_name_leads_to_this_machine_unless_it_is_headless(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        plain = {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
        headless = {"metadata": {"name": "b"}, "spec": {"clusterIP": "None"}}

        made_plain = registry.create(SERVICES, "default", plain)["spec"]
        made_headless = registry.create(SERVICES, "default", headless)["spec"]

        assert made_plain["clusterIP"] == "127.0.0.1"
        assert made_plain["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
        assert made_headless["clusterIP"] == "None"

    in_a_cluster(tmp_path, story)


# Changing ---------------------------------------------------------------------------------------


def test_who_read_an_older_version_does_not_overwrite_the_newer(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        lease = {"metadata": {"name": "a"}, "spec": {"holderIdentity": "one"}}
        read = registry.create(LEASES, "default", lease)

        def hold(holder: str) -> Json:
            new = {**read, "spec": {"holderIdentity": holder}}
            return registry.update(LEASES, "default", "a", lambda _: new)

        first = hold("two")
        with pytest.raises(Conflict) as refused:
            hold("three")

        assert refused.value.code == 409
        assert registry.get(LEASES, "default", "a") == first

    in_a_cluster(tmp_path, story)


def test_an_update_without_a_version_overwrites_whatever_is_there(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        made(registry, data={"k": "1"})
        body = {"metadata": {"name": "a"}, "data": {"k": "2"}}

        assert registry.update(CONFIG_MAPS, "default", "a", lambda _: body)["data"] == {"k": "2"}

    in_a_cluster(tmp_path, story)


def test_a_uid_is_a_precondition(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        made(registry)
        body = {"metadata": {"name": "a", "uid": "of an earlier one"}}

        with pytest.raises(Conflict):
            registry.update(CONFIG_MAPS, "default", "a", lambda _: body)

    in_a_cluster(tmp_path, story)


def test_a_change_that_changes_nothing_is_none(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        before = made(registry, data={"k": "1"})
        revision = registry.store.revision

        assert registry.update(CONFIG_MAPS, "default", "a", lambda old: old) == before
        assert registry.store.revision == revision

    in_a_cluster(tmp_path, story)


def test_what_the_server_says_of_an_object_stays(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        before = made(registry)["metadata"]

        def change(old: Json) -> Json:
            theirs = {"creationTimestamp": "2000-01-01T00:00:00Z", "deletionTimestamp": "now"}
            return {**old, "metadata": {**old["metadata"], **theirs, "labels": {"a": "b"}}}

        after = registry.update(CONFIG_MAPS, "default", "a", change)["metadata"]
        assert after["creationTimestamp"] == before["creationTimestamp"]
        assert "deletionTimestamp" not in after
        assert after["labels"] == {"a": "b"}

    in_a_cluster(tmp_path, story)


def test_an_object_is_not_renamed(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        made(registry)

        with pytest.raises(BadRequest):
            registry.update(CONFIG_MAPS, "default", "a", lambda _: {"metadata": {"name": "b"}})
        with pytest.raises(NotFound):
            registry.update(CONFIG_MAPS, "default", "b", lambda _: {"metadata": {"name": "b"}})

    in_a_cluster(tmp_path, story)


def test_the_spec_and_the_status_are_written_through_their_own_doors(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        pod = a_bound_pod(registry)

        def both(old: Json) -> Json:
            return {
                **old,
                "spec": {**old["spec"], "activeDeadlineSeconds": 5},
                "status": {"phase": "Running"},
            }

        by_spec = registry.update(PODS, "default", "a", both)
        assert by_spec["spec"]["activeDeadlineSeconds"] == 5
        assert by_spec["status"] == pod["status"]

        def status(old: Json) -> Json:
            return {**both(old), "spec": {"containers": []}}

        by_status = registry.update(PODS, "default", "a", status, status=True)
        assert by_status["spec"] == by_spec["spec"]
        assert by_status["status"] == {"phase": "Running"}

    in_a_cluster(tmp_path, story)


def test_a_gate_is_lifted_by_a_patch_that_tests_the_uid(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        pod = registry.create(PODS, "default", a_body(schedulingGates=[{"name": "a/held"}]))
        lift = {"op": "remove", "path": "/spec/schedulingGates"}

        def lifted(uid: str) -> Json:
            test = {"op": "test", "path": "/metadata/uid", "value": uid}
            return registry.update(
                PODS, "default", "a", lambda old: dict(json_patch(old, [test, lift]))
            )

        with pytest.raises(ApiError) as refused:
            lifted("of an earlier pod")
        assert refused.value.code == 422
        assert "schedulingGates" not in lifted(pod["metadata"]["uid"])["spec"]

    in_a_cluster(tmp_path, story)


# Deleting ---------------------------------------------------------------------------------------


def test_what_nothing_holds_is_gone_at_once(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        made(registry)

        registry.delete(CONFIG_MAPS, "default", "a", NOW)

        assert registry.find(CONFIG_MAPS, "default", "a") is None
        with pytest.raises(NotFound):
            registry.delete(CONFIG_MAPS, "default", "a", NOW)

    in_a_cluster(tmp_path, story)


def test_a_deletion_has_preconditions(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        obj = made(registry)["metadata"]

        for wrong in (DeleteOptions(uid="another"), DeleteOptions(version="1")):
            with pytest.raises(Conflict):
                registry.delete(CONFIG_MAPS, "default", "a", wrong)
        right = DeleteOptions(uid=obj["uid"], version=obj["resourceVersion"])
        registry.delete(CONFIG_MAPS, "default", "a", right)

    in_a_cluster(tmp_path, story)


def test_a_finalizer_holds_what_is_deleted_until_it_is_taken_away(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        told: list[Change] = []
        made(registry, metadata={"finalizers": ["xylem.dev/told"]})
        held = registry.delete(CONFIG_MAPS, "default", "a", NOW)
        again = registry.delete(CONFIG_MAPS, "default", "a", NOW)

        assert held["metadata"]["deletionTimestamp"] == "2030-01-01T12:00:00Z"
        assert again == held
        await registry.store.durable()
        registry.store.watch(told.extend)
        last = registry.update(
            CONFIG_MAPS,
            "default",
            "a",
            lambda old: {**old, "metadata": {**old["metadata"], "finalizers": None}},
        )
        await registry.store.durable()

        assert registry.find(CONFIG_MAPS, "default", "a") is None
        assert told[-1].obj is None
        assert told[-1].last["metadata"]["resourceVersion"] == last["metadata"]["resourceVersion"]

    in_a_cluster(tmp_path, story)


def test_a_bound_pod_is_held_by_its_grace(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        a_bound_pod(registry)

        held = registry.delete(PODS, "default", "a", NOW)["metadata"]

        assert held["deletionGracePeriodSeconds"] == 30
        assert held["deletionTimestamp"] == "2030-01-01T12:00:30Z"
        assert registry.find(PODS, "default", "a") is not None

    in_a_cluster(tmp_path, story)


def test_a_grace_is_shortened_and_never_lengthened(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        a_bound_pod(registry)

        def asked(seconds: int) -> int:
            options = DeleteOptions(grace_seconds=seconds)
            pod = registry.delete(PODS, "default", "a", options)
            return int(pod["metadata"]["deletionGracePeriodSeconds"])

        assert [asked(20), asked(5), asked(60)] == [20, 5, 5]

    in_a_cluster(tmp_path, story)


def test_a_grace_of_nothing_takes_a_pod_at_once_unless_a_finalizer_holds_it(
    tmp_path: Path,
) -> None:
    async def story(registry: Registry) -> None:
        force = DeleteOptions(grace_seconds=0)
        a_bound_pod(registry)
        registry.delete(PODS, "default", "a", force)
        assert registry.find(PODS, "default", "a") is None

        a_bound_pod(registry, finalizers=["xylem.dev/told"])
        registry.delete(PODS, "default", "a", force)
        assert registry.find(PODS, "default", "a") is not None

    in_a_cluster(tmp_path, story)


def test_a_pod_that_was_never_bound_or_has_finished_has_no_grace(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        registry.create(PODS, "default", a_body())
        registry.delete(PODS, "default", "a", NOW)
        assert registry.find(PODS, "default", "a") is None

        a_bound_pod(registry)
        finished(registry)
        registry.delete(PODS, "default", "a", NOW)
        assert registry.find(PODS, "default", "a") is None

    in_a_cluster(tmp_path, story)


def test_a_pod_whose_grace_holds_it_does_not_go_with_its_last_finalizer(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        a_bound_pod(registry, finalizers=["xylem.dev/told"])
        registry.delete(PODS, "default", "a", NOW)

        def told(old: Json) -> Json:
            return {**old, "metadata": {**old["metadata"], "finalizers": []}}

        registry.update(PODS, "default", "a", told)
        assert registry.find(PODS, "default", "a") is not None

    in_a_cluster(tmp_path, story)


@pytest.mark.parametrize(
    ("propagation", "finalizer"),
    [("Foreground", "foregroundDeletion"), ("Orphan", "orphan"), ("Background", None)],
)
def test_an_owner_waits_for_its_dependents_if_asked(
    tmp_path: Path, propagation: str, finalizer: str | None
) -> None:
    async def story(registry: Registry) -> None:
        uid = made(registry)["metadata"]["uid"]
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": uid}
        made(registry, "b", metadata={"ownerReferences": [owner]})

        registry.delete(CONFIG_MAPS, "default", "a", DeleteOptions(propagation=propagation))

        found = registry.find(CONFIG_MAPS, "default", "a")
        assert (found and found["metadata"]["finalizers"]) == (finalizer and [finalizer])

    in_a_cluster(tmp_path, story)


def test_a_namespace_is_held_by_its_content(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        registry.create(NAMESPACES, "", {"metadata": {"name": "mine"}})

        held = registry.delete(NAMESPACES, "", "mine", NOW)
        assert held["status"]["phase"] == "Terminating"
        with pytest.raises(Forbidden):
            registry.delete(NAMESPACES, "", "default", NOW)

    in_a_cluster(tmp_path, story)


def test_a_node_has_no_namespace(tmp_path: Path) -> None:
    async def story(registry: Registry) -> None:
        node = registry.create(NODES, "", {"metadata": {"name": "desk", "namespace": "default"}})

        assert "namespace" not in node["metadata"]

    in_a_cluster(tmp_path, story)
