"""What the API server refuses, and how it says so (reference/kubernetes-api; the sentences are
those of k8s.io/apimachinery)."""

import base64
from typing import Any

import pytest

from operators.desk_cluster.errors import Invalid
from operators.desk_cluster.kinds import (
    CONFIG_MAPS,
    LEASES,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICES,
    Kind,
)
from operators.desk_cluster.objects import Json, copied
from operators.desk_cluster.validation import check_changed, check_new
from tests.unit.operators.desk_cluster.builders import a_container, a_pod, terminating


def refused(obj: Json, kind: Kind = PODS) -> list[tuple[str, str]]:
    """The fields that are wrong, and why."""
    return [(cause.field, cause.reason) for cause in check_new(kind, obj)]


def named(name: str, **fields: Any) -> Json:
    return {"metadata": {"name": name}, **fields}


def with_metadata(**fields: Any) -> Json:
    pod = a_pod()
    return {**pod, "metadata": {**pod["metadata"], **fields}}


def with_container(**fields: Any) -> Json:
    return a_pod(a_container(**fields))


def with_volume(**fields: Any) -> Json:
    return a_pod(volumes=[{"name": "v", **fields}])


REQUIRED, INVALID = "FieldValueRequired", "FieldValueInvalid"
FORBIDDEN, DUPLICATE = "FieldValueForbidden", "FieldValueDuplicate"
UNSUPPORTED, NOT_FOUND = "FieldValueNotSupported", "FieldValueNotFound"
TOO_LONG = "FieldValueTooLong"


def test_a_good_pod_is_accepted() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {}}}]
    pod = a_pod(
        a_container(
            command=["sh"],
            env=env,
            volumeMounts=[{"name": "v", "mountPath": "/v", "subPath": "a/b"}],
            resources={"requests": {"cpu": "1"}, "limits": {"cpu": "2"}},
        ),
        inits=(a_container("side", restartPolicy="Always"),),
        volumes=[{"name": "v", "emptyDir": {}}],
        hostname="a-0",
        subdomain="group",
        activeDeadlineSeconds=60,
    )
    pod["metadata"] |= {
        "labels": {"xylem.dev/group": "a", "app": ""},
        "annotations": {"a/b": "anything: at all"},
        "finalizers": ["xylem.dev/told"],
    }

    assert refused(pod) == []


@pytest.mark.parametrize("name", ["a", "a-0.b", "0", "a" * 253])
def test_a_pods_name_is_a_subdomain(name: str) -> None:
    assert refused(with_metadata(name=name)) == []


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a-", "a..b", "a/b", "é", "a\n", "a" * 254])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert refused(with_metadata(name=name)) == [("metadata.name", INVALID)]


def test_a_name_is_needed() -> None:
    assert refused(with_metadata(name="")) == [("metadata.name", REQUIRED)]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(NAMESPACES, "a.b"), (NAMESPACES, "a" * 64), (SERVICES, "0a"), (SERVICES, "a.b")],
)
def test_some_names_are_labels(kind: Kind, name: str) -> None:
    service = named(name, spec={"clusterIP": "None"})

    assert refused(service, kind) == [("metadata.name", INVALID)]


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"labels": {"a": "b c"}}, "metadata.labels"),
        ({"labels": {"a": "-b"}}, "metadata.labels"),
        ({"labels": {"a": "b" * 64}}, "metadata.labels"),
        ({"labels": {"a": 1}}, "metadata.labels"),
        ({"labels": {"a b": "c"}}, "metadata.labels"),
        ({"labels": {"a" * 64: "c"}}, "metadata.labels"),
        ({"labels": {"UPPER.com/a": "c"}}, "metadata.labels"),
        ({"labels": {"/a": "c"}}, "metadata.labels"),
        ({"annotations": {"a b": "c"}}, "metadata.annotations"),
        ({"finalizers": ["plain"]}, "metadata.finalizers[0]"),
    ],
)
def test_metadata_has_a_form(metadata: Json, field: str) -> None:
    assert refused(with_metadata(**metadata)) == [(field, INVALID)]


def test_annotations_have_a_limit() -> None:
    assert refused(with_metadata(annotations={"a": "x" * 262_144})) == [
        ("metadata.annotations", TOO_LONG)
    ]


@pytest.mark.parametrize("missing", ["apiVersion", "kind", "name", "uid"])
def test_an_owner_is_named_completely(missing: str) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "u"}
    del owner[missing]

    assert refused(with_metadata(ownerReferences=[owner])) == [
        (f"metadata.ownerReferences[0].{missing}", REQUIRED)
    ]


@pytest.mark.parametrize(
    ("pod", "field", "reason"),
    [
        (a_pod(containers=[]), "spec.containers", REQUIRED),
        (a_pod(restartPolicy="Sometimes"), "spec.restartPolicy", UNSUPPORTED),
        (a_pod(hostname="a.b"), "spec.hostname", INVALID),
        (a_pod(subdomain="A"), "spec.subdomain", INVALID),
        (a_pod(activeDeadlineSeconds=0), "spec.activeDeadlineSeconds", INVALID),
        (a_pod(activeDeadlineSeconds=2**31), "spec.activeDeadlineSeconds", INVALID),
        (a_pod(schedulingGates=[{"name": "a/b"}]), "spec.nodeName", FORBIDDEN),
        (
            a_pod(nodeName="", schedulingGates=[{"name": "g"}, {"name": "g"}]),
            "spec.schedulingGates[1].name",
            DUPLICATE,
        ),
        (a_pod(a_container("a"), a_container("a")), "spec.containers[1].name", DUPLICATE),
        (a_pod(inits=(a_container("main"),)), "spec.containers[0].name", DUPLICATE),
        (with_container(name="A"), "spec.containers[0].name", INVALID),
        (with_container(name=""), "spec.containers[0].name", REQUIRED),
        (with_container(image=""), "spec.containers[0].image", REQUIRED),
        (with_container(command=["sleep", 1]), "spec.containers[0].command[1]", INVALID),
        (with_container(args=[None]), "spec.containers[0].args[0]", INVALID),
        (with_container(env=[{"value": "1"}]), "spec.containers[0].env[0].name", REQUIRED),
        (
            with_container(env=[{"name": "A", "value": 1}]),
            "spec.containers[0].env[0].value",
            INVALID,
        ),
        (with_container(restartPolicy="Always"), "spec.containers[0].restartPolicy", FORBIDDEN),
        (
            a_pod(inits=(a_container("i", restartPolicy="Never"),)),
            "spec.initContainers[0].restartPolicy",
            UNSUPPORTED,
        ),
        (
            with_container(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
            "spec.containers[0].volumeMounts[0].name",
            NOT_FOUND,
        ),
        (
            with_container(resources={"limits": {"memory": "1GiB"}}),
            "spec.containers[0].resources.limits[memory]",
            INVALID,
        ),
        (
            with_container(resources={"requests": {"cpu": "-1"}}),
            "spec.containers[0].resources.requests[cpu]",
            INVALID,
        ),
        (
            with_container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
            "spec.containers[0].resources.requests",
            INVALID,
        ),
        (with_volume(secret={}), "spec.volumes[0].secret.secretName", REQUIRED),
        (with_volume(configMap={}), "spec.volumes[0].configMap.name", REQUIRED),
        (with_volume(hostPath={}), "spec.volumes[0].hostPath.path", REQUIRED),
        (with_volume(emptyDir={}, secret={"secretName": "s"}), "spec.volumes[0].secret", FORBIDDEN),
        (a_pod(volumes=[{"name": "v"}, {"name": "v"}]), "spec.volumes[1].name", DUPLICATE),
        (a_pod(volumes=[{"name": "V"}]), "spec.volumes[0].name", INVALID),
    ],
)
def test_a_pod_that_is_wrong_is_refused(pod: Json, field: str, reason: str) -> None:
    assert refused(pod) == [(field, reason)]


@pytest.mark.parametrize(
    ("mount", "field", "reason"),
    [
        ({"mountPath": ""}, "mountPath", REQUIRED),
        ({"mountPath": "/v", "subPath": "/a"}, "subPath", INVALID),
        ({"mountPath": "/v", "subPath": "a/../../b"}, "subPath", INVALID),
    ],
)
def test_a_mount_stays_within_its_volume(mount: Json, field: str, reason: str) -> None:
    pod = a_pod(
        a_container(volumeMounts=[{"name": "v", **mount}]), volumes=[{"name": "v", "emptyDir": {}}]
    )

    assert refused(pod) == [(f"spec.containers[0].volumeMounts[0].{field}", reason)]


def test_two_mounts_do_not_share_a_path() -> None:
    mounts = [{"name": "v", "mountPath": "/v"}] * 2
    pod = a_pod(a_container(volumeMounts=mounts), volumes=[{"name": "v", "emptyDir": {}}])

    assert refused(pod) == [("spec.containers[0].volumeMounts[1].mountPath", INVALID)]


@pytest.mark.parametrize("path", ["../outside", "a/../../b", "/absolute", ".."])
@pytest.mark.parametrize("source", ["secret", "configMap", "downwardAPI", "projected"])
def test_a_file_of_a_volume_stays_within_it(source: str, path: str) -> None:
    item = {"key": "k", "path": path}
    sources: dict[str, Json] = {
        "secret": {"secretName": "s", "items": [item]},
        "configMap": {"name": "c", "items": [item]},
        "downwardAPI": {"items": [{**item, "fieldRef": {"fieldPath": "metadata.name"}}]},
        "projected": {"sources": [{"secret": {"name": "s", "items": [item]}}]},
    }

    (cause,) = refused(with_volume(**{source: sources[source]}))

    assert cause[0].endswith("items[0].path")
    assert cause[1] == INVALID


def test_all_mistakes_are_told_at_once_in_one_sentence() -> None:
    pod = with_container(image="", name="A")

    error = Invalid("Pod", "a", check_new(PODS, pod)).status()

    assert (error["code"], error["reason"]) == (422, "Invalid")
    assert error["message"].startswith('Pod "a" is invalid: [spec.containers[0].name: Invalid')
    assert [cause["field"] for cause in error["details"]["causes"]] == [
        "spec.containers[0].name",
        "spec.containers[0].image",
    ]


# What may change --------------------------------------------------------------------------------


def changed(old: Json, new: Json, kind: Kind = PODS) -> list[tuple[str, str]]:
    return [(cause.field, cause.reason) for cause in check_changed(kind, old, new)]


def with_spec(pod: Json, **fields: Any) -> Json:
    return {**pod, "spec": {**pod["spec"], **fields}}


def test_of_a_pods_spec_only_a_few_fields_change() -> None:
    pod = with_container(image="one")

    assert changed(pod, with_container(image="two")) == []
    assert changed(pod, with_spec(pod, activeDeadlineSeconds=5)) == []
    assert changed(pod, with_spec(pod, tolerations=[{"operator": "Exists"}])) == []
    assert changed(pod, with_container(command=["true"])) == [("spec", FORBIDDEN)]
    assert changed(pod, with_spec(pod, restartPolicy="Always")) == [("spec", FORBIDDEN)]
    assert changed(pod, with_spec(pod, nodeSelector={"a": "b"})) == [("spec", FORBIDDEN)]


def test_gates_are_lifted_and_never_added() -> None:
    gated = a_pod(nodeName="", schedulingGates=[{"name": "a/a"}, {"name": "b/b"}])
    lifted = with_spec(gated, schedulingGates=[{"name": "b/b"}])
    without = {**gated, "spec": {k: v for k, v in gated["spec"].items() if k != "schedulingGates"}}

    assert changed(gated, lifted) == []
    assert changed(gated, without) == []
    assert changed(lifted, gated) == [("spec.schedulingGates", FORBIDDEN)]
    assert changed(without, lifted) == [("spec.schedulingGates", FORBIDDEN)]


def test_where_a_gated_pod_may_run_can_still_be_said() -> None:
    gated = a_pod(nodeName="", schedulingGates=[{"name": "a/a"}])

    assert changed(gated, with_spec(gated, nodeSelector={"a": "b"})) == []


def test_a_deadline_only_comes_closer() -> None:
    pod = a_pod(activeDeadlineSeconds=60)

    assert changed(pod, with_spec(pod, activeDeadlineSeconds=59)) == []
    assert changed(pod, with_spec(pod, activeDeadlineSeconds=61)) == [
        ("spec.activeDeadlineSeconds", INVALID)
    ]


def test_a_toleration_stays() -> None:
    pod = a_pod(tolerations=[{"key": "a"}])

    assert changed(pod, with_spec(pod, tolerations=[{"key": "b"}])) == [
        ("spec.tolerations", FORBIDDEN)
    ]


def test_an_object_that_is_deleted_gets_no_new_finalizer() -> None:
    old = terminating(with_metadata(finalizers=["a/a"]))
    new = copied(old)
    new["metadata"]["finalizers"] = ["a/a", "b/b"]

    assert changed(old, new) == [("metadata.finalizers", FORBIDDEN)]
    assert changed(new, old) == []


# Other kinds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["a b", "a/b", "..", "", "a" * 254])
def test_a_key_is_a_files_name(key: str) -> None:
    assert refused(named("a", data={key: "x"}), CONFIG_MAPS) == [(f"data[{key}]", INVALID)]


def test_a_secret_is_base64() -> None:
    good = base64.b64encode(b"\xff").decode()

    assert refused(named("a", data={"k": good}), SECRETS) == []
    assert refused(named("a", data={"k": "not base64"}), SECRETS) == [("data[k]", INVALID)]


def test_a_secret_is_not_repeated_in_the_sentence_that_refuses_it() -> None:
    (cause,) = check_new(SECRETS, named("a", data={"k": "s3cret!"}))

    assert "s3cret" not in cause.message


def test_a_mebibyte_of_data_is_the_limit() -> None:
    assert refused(named("a", data={"k": "x" * (1024 * 1024 - 1)}), CONFIG_MAPS) == []
    assert refused(named("a", data={"k": "x" * 1024 * 1024}), CONFIG_MAPS) == [("", TOO_LONG)]


def test_what_is_immutable_stays() -> None:
    old = named("a", data={"k": "1"}, immutable=True)

    assert changed(old, {**old, "data": {"k": "2"}}, CONFIG_MAPS) == [("data", FORBIDDEN)]
    assert changed(old, {**old, "immutable": False}, CONFIG_MAPS) == [("immutable", FORBIDDEN)]
    assert changed(old, {**old, "metadata": {"name": "a", "labels": {}}}, CONFIG_MAPS) == []


def test_a_secrets_type_stays() -> None:
    old = named("a", type="Opaque")

    assert changed(old, {**old, "type": "other"}, SECRETS) == [("type", INVALID)]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"leaseDurationSeconds": 0}, "spec.leaseDurationSeconds"),
        ({"leaseTransitions": -1}, "spec.leaseTransitions"),
    ],
)
def test_a_lease_counts_forwards(spec: Json, field: str) -> None:
    assert refused(named("a", spec=spec), LEASES) == [(field, INVALID)]


def test_a_service_has_ports_unless_it_is_headless() -> None:
    assert refused(named("a", spec={}), SERVICES) == [("spec.ports", REQUIRED)]
    assert refused(named("a", spec={"clusterIP": "None"}), SERVICES) == []
    assert refused(named("a", spec={"ports": [{"port": 0}]}), SERVICES) == [
        ("spec.ports[0].port", INVALID)
    ]
