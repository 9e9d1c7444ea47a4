"""The three patches that clients send: JSON patch (RFC 6902), merge patch (RFC 7396), strategic
merge.

A strategic merge is a merge patch that knows which lists are maps in disguise. Kubernetes reads
that from its Go types; the table below is what those types say for the kinds kept here.
Server-side apply is not here: `kubectl apply` does not ask for it unless told to, and our
operators do not use it.
"""

from __future__ import annotations

from typing import Any

from operators.desk_cluster.errors import BadRequest, Unprocessable
from operators.desk_cluster.objects import Json, copied

# The last two names of a list's path, or only the last: the key that names its items. `""` marks a
# list of plain values that is merged as a set. What is not here is replaced as a whole.
_MERGE_KEYS: dict[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "schedulingGates": "name",
    "resourceClaims": "name",
    "topologySpreadConstraints": "topologyKey",
    "conditions": "type",
    "podIPs": "ip",
    "hostIPs": "ip",
    "addresses": "type",
    "taints": "key",
    "ownerReferences": "uid",
    "finalizers": "",
    "podCIDRs": "",
    "secrets": "name",
}
_MERGE_KEYS_BELOW: dict[tuple[str, str], str] = {
    ("containers", "ports"): "containerPort",
    ("initContainers", "ports"): "containerPort",
    ("spec", "ports"): "port",
}

_KEEP_ORDER = "$setElementOrder/"
_DELETE_VALUES = "$deleteFromPrimitiveList/"


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return copied(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def strategic_merge(target: Json, patch: Json, path: tuple[str, ...] = ()) -> Json:
    match patch.get("$patch"):
        case "replace":
            return {name: copied(value) for name, value in patch.items() if name != "$patch"}
        case "delete":
            return {}
        case None | "merge":
            pass
        case other:
            raise BadRequest(f"unknown $patch directive: {other}")
    merged = dict(target)
    if "$retainKeys" in patch:
        kept = set(patch["$retainKeys"])
        merged = {name: value for name, value in merged.items() if name in kept}
    for name, value in patch.items():
        if name.startswith(_DELETE_VALUES):
            listed = name.removeprefix(_DELETE_VALUES)
            merged[listed] = [item for item in merged.get(listed) or [] if item not in value]
        elif not name.startswith("$"):
            _merge_field(merged, name, value, path)
    for name, value in patch.items():
        if name.startswith(_KEEP_ORDER):
            listed = name.removeprefix(_KEEP_ORDER)
            merged[listed] = _in_order(merged.get(listed) or [], value, _merge_key(listed, path))
    return merged


def _merge_field(merged: Json, name: str, value: Any, path: tuple[str, ...]) -> None:
    if value is None:
        merged.pop(name, None)
    elif isinstance(value, dict):
        old = merged.get(name)
        merged[name] = strategic_merge(old if isinstance(old, dict) else {}, value, (*path, name))
    elif isinstance(value, list):
        key = _merge_key(name, path)
        merged[name] = _merge_list(merged.get(name) or [], value, key, (*path, name))
    else:
        merged[name] = value


def _merge_key(name: str, path: tuple[str, ...]) -> str | None:
    above = path[-1] if path else ""
    return _MERGE_KEYS_BELOW.get((above, name), _MERGE_KEYS.get(name))


def _merge_list(old: list[Any], new: list[Any], key: str | None, path: tuple[str, ...]) -> Any:
    if key is None:
        return copied(new)
    if key == "":
        return [*old, *(item for item in new if item not in old)]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in new):
        return [copied(item) for item in new if "$patch" not in item]
    merged = list(old)
    for item in new:
        if not isinstance(item, dict) or key not in item:
            raise BadRequest(f"map: {item} does not contain declared merge key: {key}")
        at = next((i for i, known in enumerate(merged) if known.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            merged = [known for known in merged if known.get(key) != item[key]]
        elif at is None:
            merged.append(strategic_merge({}, item, path))
        else:
            merged[at] = strategic_merge(merged[at], item, path)
    return merged


def _in_order(items: list[Any], order: list[Any], key: str | None) -> list[Any]:
    """Items that the order names, in its order; the others keep their place behind them."""
    names = [item.get(key) for item in order] if key else order
    rank = {name: number for number, name in enumerate(names)}
    return sorted(items, key=lambda item: rank.get(item.get(key) if key else item, len(rank)))


def json_patch(target: Any, operations: list[Json]) -> Any:
    """RFC 6902. Raises BadRequest for what is no patch, Unprocessable for one that does not apply."""
    if not isinstance(operations, list):
        raise BadRequest("a JSON patch is a list of operations")
    if not all(isinstance(operation, dict) for operation in operations):
        raise BadRequest("an operation of a JSON patch is an object")
    document = copied(target)
    for operation in operations:
        document = _operate(document, operation)
    return document


def _operate(document: Any, operation: Json) -> Any:
    path = _pointer(operation.get("path"))
    match operation.get("op"):
        case "add":
            return _insert(document, path, copied(operation.get("value")))
        case "remove":
            return _take(document, path)[0]
        case "replace":
            without, _ = _take(document, path)
            return _insert(without, path, copied(operation.get("value")))
        case "move":
            without, value = _take(document, _pointer(operation.get("from")))
            return _insert(without, path, value)
        case "copy":
            return _insert(document, path, copied(_find(document, _pointer(operation.get("from")))))
        case "test":
            if not _equal(_find(document, path), operation.get("value")):
                raise Unprocessable(f"testing value {operation.get('path')} failed")
            return document
        case other:
            raise BadRequest(f"unknown operation of a JSON patch: {other}")


def _equal(left: Any, right: Any) -> bool:
    """As JSON is: Python takes true for 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _pointer(text: object) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise BadRequest(f"not a JSON pointer: {text!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _find(document: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list):
            document = document[_index(document, part, len(document) - 1)]
        else:
            raise Unprocessable(f"JSON patch: the path /{'/'.join(path)} does not exist")
    return document


def _insert(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    holder = _find(document, path[:-1])
    if isinstance(holder, dict):
        holder[path[-1]] = value
    elif isinstance(holder, list):
        at = len(holder) if path[-1] == "-" else _index(holder, path[-1], len(holder))
        holder.insert(at, value)
    else:
        raise Unprocessable(f"JSON patch: the path /{'/'.join(path)} does not exist")
    return document


def _take(document: Any, path: list[str]) -> tuple[Any, Any]:
    if not path:
        return None, document
    value = _find(document, path)
    holder = _find(document, path[:-1])
    if isinstance(holder, list):
        del holder[_index(holder, path[-1], len(holder) - 1)]
    else:
        del holder[path[-1]]
    return document, value


def _index(items: list[Any], part: str, last: int) -> int:
    if not part.isdecimal() or int(part) > last:
        raise Unprocessable(f"JSON patch: a list of {len(items)} has no place {part}")
    return int(part)
