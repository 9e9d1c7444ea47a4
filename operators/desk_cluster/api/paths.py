"""Kubernetes' URLs: a path is a group and version, perhaps a namespace, a kind, a name, a
subresource."""

from __future__ import annotations

from dataclasses import dataclass

from operators.desk_cluster.kinds import BY_PLURAL, Kind


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL names. Without a namespace a list goes over all of them."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def parse(path: str) -> Target | None:
    """None for what is no path of an object that is kept here."""
    parts = path.strip("/").split("/")
    match parts:
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            return None
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    if not rest or len(rest) > 3:
        return None
    kind = BY_PLURAL.get(rest[0])
    if kind is None or (kind.group, kind.version) != (group, version):
        return None
    if namespace and not kind.namespaced:
        return None
    name, subresource = (*rest[1:], "", "")[:2]
    return Target(kind, namespace, name, subresource)
