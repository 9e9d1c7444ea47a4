"""Label and field selectors: text to predicate."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from operators.desk_cluster.errors import BadRequest
from operators.desk_cluster.objects import Json, meta

if TYPE_CHECKING:
    from collections.abc import Callable

Predicate: TypeAlias = "Callable[[Json], bool]"

_SET = re.compile(r"\s*([-./\w]+)\s+(in|notin)\s*\(([^()]*)\)\s*(?:,|$)", re.ASCII)
_EQUAL = re.compile(r"\s*([-./\w]+)\s*(==|=|!=)\s*([-.\w]*)\s*(?:,|$)", re.ASCII)
_EXISTS = re.compile(r"\s*(!?)\s*([-./\w]+)\s*(?:,|$)", re.ASCII)

# What the API server indexes for each kind; metadata.name and metadata.namespace work for all.
_FIELDS: dict[str, frozenset[str]] = {
    "pods": frozenset(
        {
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        }
    ),
    "events": frozenset(
        {
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        }
    ),
    "secrets": frozenset({"type"}),
    "nodes": frozenset({"spec.unschedulable"}),
    "namespaces": frozenset({"status.phase"}),
}
_EVERYWHERE = frozenset({"metadata.name", "metadata.namespace"})


def by_labels(text: str) -> Predicate:
    """Raises BadRequest for what is not a label selector."""
    tests: list[Callable[[dict[str, str]], bool]] = []
    at = 0
    while at < len(text):
        if found := _SET.match(text, at):
            values = frozenset(value.strip() for value in found[3].split(","))
            tests.append(_in_set(found[1], values, wanted=found[2] == "in"))
        elif found := _EQUAL.match(text, at):
            tests.append(_in_set(found[1], frozenset({found[3]}), wanted=found[2] != "!="))
        elif found := _EXISTS.match(text, at):
            tests.append(_exists(found[2], wanted=not found[1]))
        else:
            raise BadRequest(f"unable to parse requirement: found {text[at:]!r} in {text!r}")
        at = found.end()
    return lambda obj: all(test(meta(obj).get("labels") or {}) for test in tests)


def by_fields(kind: str, text: str) -> Predicate:
    """Raises BadRequest for what is not a field selector of this kind."""
    tests: list[tuple[str, str, bool]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        field, operator, value = _split_field(part)
        if field not in _EVERYWHERE | _FIELDS.get(kind, frozenset()):
            raise BadRequest(f'field label not supported: "{field}"')
        tests.append((field, value, operator != "!="))
    return lambda obj: all((_field(obj, name) == value) is same for name, value, same in tests)


def _split_field(part: str) -> tuple[str, str, str]:
    for operator in ("!=", "==", "="):
        if operator in part:
            field, _, value = part.partition(operator)
            return field.strip(), operator, value.strip()
    raise BadRequest(f"invalid field selector: {part!r}; can't understand it")


def _field(obj: Json, path: str) -> str:
    if path == "source":
        path = "source.component"
    value: object = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "false" if path in ("spec.unschedulable", "spec.hostNetwork") else ""
    return str(value)


def _in_set(name: str, values: frozenset[str], *, wanted: bool) -> Callable[[dict[str, str]], bool]:
    # `!=` and `notin` also hold for an object that has no such label.
    return lambda labels: (labels.get(name) in values) is wanted


def _exists(name: str, *, wanted: bool) -> Callable[[dict[str, str]], bool]:
    return lambda labels: (name in labels) is wanted
