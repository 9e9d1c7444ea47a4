"""Labels and metadata: small trees of a user's, merged into each other and bounded.

Objects merge key by key, anything else takes the place of what was there; a dotted path deletes.
Deleting what is not there is no error, and an object that was emptied stays, as with OSMO.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from xylem.domain.errors import InvalidRequest, TooLarge

Tree = Mapping[str, Any]

KEY = re.compile(r"[a-zA-Z0-9_-]+", re.ASCII)
MOST_BYTES = 32 * 1024
"""Of one tree as JSON: a row of DynamoDB holds 400 KB, and lists read many rows."""

MOST_DEPTH = 8
MOST_PATHS = 200
"""Of deletions in one request."""


def merged(tree: Tree, given: Tree, deleted: Iterable[str] = (), *, what: str) -> Tree:
    """`tree` with `given` merged into it, then without the paths. `what`: labels or metadata, for
    the words of errors. Raises `InvalidRequest`, `TooLarge`."""
    _check(given, what, depth=1)
    result = _merge(tree, given)
    paths = list(deleted)
    if len(paths) > MOST_PATHS:
        raise InvalidRequest(f"{what}: {len(paths)} keys to delete; the most is {MOST_PATHS}.")
    for path in paths:
        result = _without(result, path.split("."))
    size = len(json.dumps(result).encode())
    if size > MOST_BYTES:
        raise TooLarge(f"The {what} would have {size} bytes of JSON; the most is {MOST_BYTES}.")
    return result


def at(tree: Tree, path: Iterable[str]) -> Any:
    """What is there. Raises `KeyError` where nothing is."""
    value: Any = tree
    for key in path:
        if not isinstance(value, Mapping):
            raise KeyError(key)
        value = value[key]
    return value


def _check(given: Tree, what: str, depth: int) -> None:
    if depth > MOST_DEPTH:
        raise InvalidRequest(f"The {what} are nested deeper than {MOST_DEPTH} objects.")
    for key, value in given.items():
        if KEY.fullmatch(key) is None:
            raise InvalidRequest(
                f"{key[:100]!r} is no key of {what}: use letters, digits, - and _.", code="USER"
            )
        if isinstance(value, Mapping):
            _check(value, what, depth + 1)
        elif _deep(value, MOST_DEPTH - depth):
            raise InvalidRequest(f"The {what} are nested deeper than {MOST_DEPTH} objects.")


def _deep(value: object, left: int) -> bool:
    if not isinstance(value, list | Mapping):
        return False
    inside = value.values() if isinstance(value, Mapping) else value
    return left <= 0 or any(_deep(one, left - 1) for one in inside)


def _merge(tree: Tree, given: Tree) -> dict[str, Any]:
    result = dict(tree)
    for key, value in given.items():
        before = result.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            result[key] = _merge(before, value)
        else:
            result[key] = value
    return result


def _without(tree: Tree, path: list[str]) -> dict[str, Any]:
    first, *rest = path
    result = dict(tree)
    if not rest:
        result.pop(first, None)
    elif isinstance(result.get(first), Mapping):
        result[first] = _without(result[first], rest)
    return result
