"""Selectors as `kubectl get -l` and `--field-selector` take them (concepts/overview/
working-with-objects: labels, field-selectors)."""

import pytest

from operators.desk_cluster.errors import BadRequest
from operators.desk_cluster.objects import Json
from operators.desk_cluster.selectors import by_fields, by_labels


def labelled(**labels: str) -> Json:
    return {"metadata": {"labels": labels}} if labels else {"metadata": {}}


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("", {}, True),
        ("a=1", {"a": "1"}, True),
        ("a==1", {"a": "1"}, True),
        ("a=1", {"a": "2"}, False),
        ("a=1", {}, False),
        ("a=", {"a": ""}, True),
        ("a=", {}, False),
        ("a!=1", {"a": "2"}, True),
        ("a!=1", {"a": "1"}, False),
        ("a!=1", {}, True),
        ("a in (1,2)", {"a": "2"}, True),
        ("a in ( 1 , 2 )", {"a": "1"}, True),
        ("a in (1,2)", {"a": "3"}, False),
        ("a in (1,2)", {}, False),
        ("a notin (1,2)", {"a": "3"}, True),
        ("a notin (1,2)", {"a": "1"}, False),
        ("a notin (1,2)", {}, True),
        ("a", {"a": ""}, True),
        ("a", {}, False),
        ("!a", {}, True),
        ("!a", {"a": "1"}, False),
        ("a=1,b=2", {"a": "1", "b": "2"}, True),
        ("a=1,b=2", {"a": "1", "b": "3"}, False),
        ("a=1, b in (2,3), !c", {"a": "1", "b": "3"}, True),
        ("a=1, b in (2,3), !c", {"a": "1", "b": "3", "c": ""}, False),
        ("a in (1,2),b", {"a": "1", "b": ""}, True),
        ("in=1", {"in": "1"}, True),
    ],
)
def test_a_label_selector_selects(text: str, labels: dict[str, str], matches: bool) -> None:
    assert by_labels(text)(labelled(**labels)) is matches


def test_a_label_may_have_a_prefix() -> None:
    pod = {"metadata": {"labels": {"xylem.dev/group": "a-b_c.d"}}}

    assert by_labels("xylem.dev/group=a-b_c.d")(pod)
    assert by_labels("xylem.dev/group")(pod)


@pytest.mark.parametrize("text", ["a=1=2", "a in 1", "a in (1", "=1", "a b", "a=1;b=2", "a,,b"])
def test_what_is_no_label_selector_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest):
        by_labels(text)


POD = {
    "metadata": {"name": "a", "namespace": "default"},
    "spec": {"nodeName": "desk", "restartPolicy": "Never"},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("metadata.name=a", True),
        ("metadata.name==a", True),
        ("metadata.name!=a", False),
        ("metadata.namespace=default", True),
        ("status.phase=Running", True),
        ("status.phase!=Running", False),
        ("status.phase!=Running,spec.nodeName=desk", False),
        ("status.phase=Running,spec.nodeName=desk", True),
        ("status.podIP=", True),
        ("spec.hostNetwork=false", True),
    ],
)
def test_a_field_selector_selects(text: str, matches: bool) -> None:
    assert by_fields("pods", text)(POD) is matches


@pytest.mark.parametrize(
    ("kind", "text"),
    [("pods", "spec.containers=x"), ("leases", "status.phase=x"), ("pods", "metadata.name")],
)
def test_only_some_fields_can_be_selected_by(kind: str, text: str) -> None:
    with pytest.raises(BadRequest):
        by_fields(kind, text)


def test_events_are_found_by_what_they_are_about() -> None:
    """What `kubectl describe` asks for."""
    about = {"name": "a", "namespace": "default", "kind": "Pod", "uid": "u"}
    event = {"metadata": {"name": "e"}, "involvedObject": about, "source": {"component": "desk"}}
    asked = "involvedObject.name=a,involvedObject.namespace=default,involvedObject.kind=Pod"

    assert by_fields("events", f"{asked},involvedObject.uid=u")(event)
    assert not by_fields("events", f"{asked},involvedObject.uid=v")(event)
    assert by_fields("events", "source=desk")(event)
