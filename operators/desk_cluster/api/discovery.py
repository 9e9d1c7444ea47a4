"""What the cluster says about itself: versions, groups, kinds, and just enough of an OpenAPI
document."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING

from operators.desk_cluster.kinds import GROUPS, KINDS, PODS, Kind

if TYPE_CHECKING:
    from operators.desk_cluster.objects import Json

# The newest release whose behaviour is imitated: sidecars (1.33) and scheduling gates (1.30) are
# stable.
_VERSION = "v1.33.0"
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]

# kubectl asks for `...spec.v2@v1.0+protobuf`, which is no media type; it wants it with a dot.
OPENAPI_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


def document(path: str) -> Json | None:
    """The discovery document at this path, if there is one."""
    found: Json | None = None
    match path.strip("/").split("/"):
        case ["version"]:
            found = _version()
        case ["api"]:
            found = {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            groups = [_group(group, version) for group, version in GROUPS if group]
            found = {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        case ["apis", group]:
            versions = [version for known, version in GROUPS if known == group]
            if versions:
                found = {"kind": "APIGroup", "apiVersion": "v1", **_group(group, versions[0])}
        case ["api", version] if ("", version) in GROUPS:
            found = _resources("", version)
        case ["apis", group, version] if (group, version) in GROUPS:
            found = _resources(group, version)
    return found


def _version() -> Json:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": "1",
        "minor": _VERSION.split(".")[1],
        "gitVersion": f"{_VERSION}+desk",
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": f"linux/{machine}",
    }


def _group(group: str, version: str) -> Json:
    named = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [named], "preferredVersion": named}


def _resources(group: str, version: str) -> Json:
    resources: list[Json] = []
    for kind in KINDS:
        if (kind.group, kind.version) == (group, version):
            resources.append(_resource(kind))
            if kind.has_status:
                resources.append(_subresource(kind, "status", ["get", "patch", "update"]))
    if group == "":
        resources.append(_subresource(PODS, "log", ["get"]))
        for name in ("exec", "portforward"):
            resources.append(_subresource(PODS, name, ["create", "get"]))
        eviction = _subresource(PODS, "eviction", ["create"])
        resources.append({**eviction, "kind": "Eviction", "group": "policy", "version": "v1"})
    name = f"{group}/{version}" if group else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": name,
        "resources": resources,
    }


def _resource(kind: Kind) -> Json:
    resource: Json = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _VERBS,
        "shortNames": list(kind.short),
    }
    if kind.in_all:
        resource["categories"] = ["all"]
    return resource


def _subresource(kind: Kind, name: str, verbs: list[str]) -> Json:
    return {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": verbs,
    }


def openapi() -> bytes:
    """An OpenAPI v2 document as a protobuf: the kinds, each with fields of any sort.

    `kubectl create` and `apply` validate against it and take it in this encoding alone (gnostic's
    OpenAPIv2.proto, from which the field numbers are). A definition without a type is free-form:
    validation is left to the server.
    """
    info = _field(1, b"Kubernetes") + _field(2, _VERSION.encode())
    definitions = b"".join(_field(1, _definition(kind)) for kind in KINDS)
    return _field(1, b"2.0") + _field(2, info) + _field(9, definitions)


def _definition(kind: Kind) -> bytes:
    names = [{"group": kind.group, "kind": kind.kind, "version": kind.version}]
    value = _field(2, json.dumps(names).encode())
    extension = _field(1, b"x-kubernetes-group-version-kind") + _field(2, value)
    group = kind.group.split(".")[0] or "core"
    name = f"io.k8s.api.{group}.{kind.version}.{kind.kind}"
    return _field(1, name.encode()) + _field(2, _field(31, extension))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protobuf."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
