"""A container's command and variables (tasks/inject-data-application)."""

import base64
from typing import Any

import pytest

from operators.desk_cluster.kubelet.environment import (
    ConfigError,
    command,
    environment,
    expand,
    hostname,
    pod_field,
)
from operators.desk_cluster.objects import Json
from tests.unit.operators.desk_cluster.builders import UID, a_container, a_pod

NODE = {"cpu": "8", "memory": "16Gi"}
OBJECTS: dict[tuple[str, str], Json] = {
    ("configmaps", "settings"): {"data": {"color": "blue", "size": "7"}},
    ("secrets", "keys"): {"data": {"token": base64.b64encode(b"s3cret").decode()}},
}


def variables(*env: Json, pod: Json | None = None, **fields: Any) -> dict[str, str]:
    container = a_container(env=list(env), **fields)
    found = environment(
        pod or a_pod(container),
        container,
        lambda kind, name: OBJECTS.get((kind, name)),
        ip="127.0.0.1",
        node=NODE,
    )
    ours = {"PATH", "HOME", "HOSTNAME"} - {variable.get("name") for variable in env}
    return {name: value for name, value in found.items() if name not in ours}


def of(name: str, **source: Json) -> Json:
    return {"name": name, "valueFrom": source}


def of_key(kind: str, name: str, key: str, **more: bool) -> Json:
    return of("A", **{kind: {"name": name, "key": key, **more}})


def test_a_container_knows_its_name_and_where_programs_are() -> None:
    found = environment(a_pod(), a_container(), lambda *_: None, ip="", node={})

    assert found["HOSTNAME"] == "a"
    assert "/usr/bin" in found["PATH"].split(":")
    assert found["HOME"] == "/root"


def test_a_variable_may_refer_to_those_before_it() -> None:
    later = {"name": "B", "value": "$(A)-$(C)-$$(A)"}

    assert variables({"name": "A", "value": "1"}, later, {"name": "C", "value": "3"}) == {
        "A": "1",
        "B": "1-$(C)-$(A)",
        "C": "3",
    }


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("$(A)$(A)", "11"),
        ("$(NONE)", "$(NONE)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A}", "$A ${A}"),
        ("$$", "$"),
        ("$(", "$("),
        ("$()", "$()"),
        ("100%", "100%"),
    ],
)
def test_references_are_expanded(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1"}) == expanded


def test_a_command_is_followed_by_its_arguments() -> None:
    container = a_container(command=["sh", "-c"], args=["echo $(A)"])

    assert command(container, {"A": "1"}) == ["sh", "-c", "echo 1"]


def test_a_value_comes_from_a_config_map_or_a_secret() -> None:
    assert variables(of_key("configMapKeyRef", "settings", "color")) == {"A": "blue"}
    assert variables(of_key("secretKeyRef", "keys", "token")) == {"A": "s3cret"}


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        (of_key("configMapKeyRef", "none", "k"), 'configmap "none" not found'),
        (of_key("secretKeyRef", "none", "k"), 'secret "none" not found'),
        (
            of_key("configMapKeyRef", "settings", "k"),
            "couldn't find key k in ConfigMap default/settings",
        ),
        (of_key("secretKeyRef", "keys", "k"), "couldn't find key k in Secret default/keys"),
        (of("A", fieldRef={"fieldPath": "spec.containers"}), "unsupported fieldPath"),
        (of("A", imageRef={}), "not supported"),
        (
            of("A", resourceFieldRef={"containerName": "none", "resource": "limits.cpu"}),
            'container "none" not found',
        ),
    ],
)
def test_a_reference_to_what_is_not_there_says_so(reference: Json, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        variables(reference)


def test_an_optional_reference_to_what_is_not_there_is_left_out() -> None:
    assert variables(of_key("configMapKeyRef", "none", "k", optional=True)) == {}
    assert variables(of_key("secretKeyRef", "keys", "k", optional=True)) == {}


def test_all_of_a_config_map_or_a_secret_is_taken_with_a_prefix() -> None:
    sources = [
        {"configMapRef": {"name": "settings"}, "prefix": "S_"},
        {"secretRef": {"name": "keys"}},
        {"secretRef": {"name": "none", "optional": True}},
    ]

    assert variables({"name": "token", "value": "mine"}, envFrom=sources) == {
        "S_color": "blue",
        "S_size": "7",
        "token": "mine",
    }


def test_all_of_what_is_not_there_is_missed() -> None:
    with pytest.raises(ConfigError, match='configmap "none" not found'):
        variables(envFrom=[{"configMapRef": {"name": "none"}}])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "a"),
        ("metadata.namespace", "default"),
        ("metadata.uid", UID),
        ("metadata.labels", 'app="x"\nzone="y"'),
        ("metadata.labels['app']", "x"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['a.b/c']", "d"),
        ("spec.nodeName", "desk"),
        ("status.podIP", "127.0.0.1"),
        ("status.hostIP", "127.0.0.1"),
    ],
)
def test_a_pods_own_fields_can_be_asked_for(path: str, value: str) -> None:
    pod = a_pod()
    pod["metadata"] |= {"labels": {"zone": "y", "app": "x"}, "annotations": {"a.b/c": "d"}}

    assert pod_field(pod, path, ip="127.0.0.1") == value


def test_limits_and_requests_can_be_asked_for_and_are_the_nodes_where_there_are_none() -> None:
    resources = {"requests": {"cpu": "250m"}, "limits": {"memory": "1Gi"}}

    def asked(resource: str, divisor: str = "1") -> str:
        reference = {"resource": resource, "divisor": divisor}
        container = a_container(resources=resources)
        return variables(of("A", resourceFieldRef=reference), pod=a_pod(container))["A"]

    assert asked("requests.cpu") == "1"
    assert asked("requests.cpu", "1m") == "250"
    assert asked("limits.memory", "1Mi") == "1024"
    assert asked("limits.cpu") == "8"
    assert asked("requests.memory") == "0"


@pytest.mark.parametrize(
    ("spec", "name"),
    [({}, "a"), ({"hostname": "b"}, "b")],
)
def test_a_pod_has_a_host_name(spec: Json, name: str) -> None:
    assert hostname(a_pod(**spec)) == name


def test_a_host_name_has_at_most_63_characters_and_no_dot_at_its_end() -> None:
    assert hostname(a_pod(name="a" * 62 + ".b")) == "a" * 62
