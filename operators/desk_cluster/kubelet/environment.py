"""A container's command and environment, from its spec and what that refers to: pure."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, TypeAlias

from operators.desk_cluster.objects import Json, meta, name_of, namespace_of, spec_of, uid_of
from operators.shared.quantities import in_units

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOME = "/root"

_REFERENCE = re.compile(r"\$\$|\$\(([^()]+)\)")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class ConfigError(Exception):
    """The container cannot be made as its spec stands: CreateContainerConfigError."""


# The secrets, config maps and claims of the pod's namespace: kind, name -> object.
Lookup: TypeAlias = "Callable[[str, str], Json | None]"


def hostname(pod: Json) -> str:
    return str(spec_of(pod).get("hostname") or name_of(pod))[:63].rstrip(".-")


def command(container: Json, environment: Mapping[str, str]) -> list[str]:
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    return [expand(word, environment) for word in words]


def environment(
    pod: Json, container: Json, lookup: Lookup, *, ip: str, node: Mapping[str, str]
) -> dict[str, str]:
    """Raises ConfigError for a reference to what is not there."""
    values: dict[str, str] = {"PATH": PATH, "HOME": HOME, "HOSTNAME": hostname(pod)}
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix", "")
        for name, value in _all_of(source, lookup).items():
            values[prefix + name] = value
    for variable in container.get("env") or ():
        name = variable["name"]
        if "valueFrom" in variable:
            found = _referred(pod, container, variable["valueFrom"], lookup, ip=ip, node=node)
            if found is not None:
                values[name] = found
        else:
            values[name] = expand(variable.get("value", ""), values)
    return values


def expand(text: str, values: Mapping[str, str]) -> str:
    """`$(NAME)` where NAME is known; `$$(NAME)` is an escape; everything else stays."""

    def replaced(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return values.get(found[1], found[0])

    return _REFERENCE.sub(replaced, text)


def _all_of(source: Json, lookup: Lookup) -> dict[str, str]:
    for field, kind in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
        reference = source.get(field)
        if reference is None:
            continue
        found = lookup(kind, reference.get("name", ""))
        if found is None and not reference.get("optional"):
            raise ConfigError(_missing(kind, reference.get("name", "")))
        return {
            name: _text(kind, value) for name, value in ((found or {}).get("data") or {}).items()
        }
    return {}


def _referred(
    pod: Json,
    container: Json,
    source: Json,
    lookup: Lookup,
    *,
    ip: str,
    node: Mapping[str, str],
) -> str | None:
    for field, kind in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if field in source:
            return _value_at(source[field], kind, lookup, namespace_of(pod))
    if "fieldRef" in source:
        return pod_field(pod, source["fieldRef"]["fieldPath"], ip=ip)
    if "resourceFieldRef" in source:
        return resource_field(pod, source["resourceFieldRef"], node, default=container["name"])
    raise ConfigError(f"a variable's valueFrom {sorted(source)} is not supported here")


def _value_at(reference: Json, kind: str, lookup: Lookup, namespace: str) -> str | None:
    name, key = reference.get("name", ""), reference.get("key", "")
    found = lookup(kind, name)
    value = ((found or {}).get("data") or {}).get(key)
    if value is not None:
        return _text(kind, value)
    if reference.get("optional"):
        return None
    if found is None:
        raise ConfigError(_missing(kind, name))
    article = {"configmaps": "ConfigMap", "secrets": "Secret"}[kind]
    raise ConfigError(f"couldn't find key {key} in {article} {namespace}/{name}")


def _missing(kind: str, name: str) -> str:
    return f'{kind.removesuffix("s")} "{name}" not found'


def _text(kind: str, value: str) -> str:
    if kind == "secrets":
        return base64.b64decode(value).decode(errors="surrogateescape")
    return value


def pod_field(pod: Json, path: str, *, ip: str) -> str:
    """A field of the downward API. Raises ConfigError for one that it does not have."""
    if found := _SUBSCRIPT.fullmatch(path):
        return str((meta(pod).get(found[1]) or {}).get(found[2], ""))
    match path:
        case "metadata.name":
            return name_of(pod)
        case "metadata.namespace":
            return namespace_of(pod)
        case "metadata.uid":
            return uid_of(pod)
        case "metadata.labels" | "metadata.annotations":
            listed = sorted((meta(pod).get(path.partition(".")[2]) or {}).items())
            return "\n".join(f'{name}="{value}"' for name, value in listed)
        case "spec.nodeName":
            return str(spec_of(pod).get("nodeName", ""))
        case "spec.serviceAccountName":
            return str(spec_of(pod).get("serviceAccountName", ""))
        case "status.podIP" | "status.hostIP" | "status.podIPs" | "status.hostIPs":
            return ip
    raise ConfigError(f"unsupported fieldPath: {path}")


def resource_field(
    pod: Json, reference: Json, node: Mapping[str, str], *, default: str = ""
) -> str:
    """A container's request or limit; without a limit it is what the node has."""
    named = reference.get("containerName") or default
    spec = spec_of(pod)
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        if container["name"] == named:
            which, _, name = str(reference["resource"]).partition(".")
            amounts = (container.get("resources") or {}).get(which) or {}
            value = amounts.get(name, node.get(name, "0") if which == "limits" else "0")
            return str(in_units(value, reference.get("divisor") or "1"))
    raise ConfigError(f'container "{named}" not found')
