"""Lists: selectors, and pages that all show the cluster as it was when the first was asked for."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from operators.desk_cluster.errors import BadRequest, Expired
from operators.desk_cluster.objects import Json, name_of, namespace_of
from operators.desk_cluster.selectors import Predicate, by_fields, by_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operators.desk_cluster.kinds import Kind
    from operators.desk_cluster.store import Store


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Json]
    version: int
    following: str = ""
    remaining: int = 0


def matching(kind: Kind, query: Mapping[str, str]) -> Predicate:
    labels = by_labels(query.get("labelSelector", ""))
    fields = by_fields(kind.plural, query.get("fieldSelector", ""))
    return lambda obj: labels(obj) and fields(obj)


def page(store: Store, kind: Kind, namespace: str, query: Mapping[str, str]) -> Page:
    limit = _number(query, "limit")
    version, after = store.revision, ("", "")
    if query.get("continue"):
        version, after = _read_token(query["continue"])
    elif query.get("resourceVersionMatch") == "Exact":
        version = _number(query, "resourceVersion")
    if version == store.revision:
        objects = store.all_of(kind.plural, namespace)
    else:
        objects = store.list_at(kind.plural, namespace, version)
    matches = matching(kind, query)
    found = [obj for obj in objects if _place(obj) > after and matches(obj)]
    if not limit or len(found) <= limit:
        return Page(found, version)
    shown = found[:limit]
    return Page(shown, version, _token(version, _place(shown[-1])), len(found) - limit)


def _place(obj: Json) -> tuple[str, str]:
    return namespace_of(obj), name_of(obj)


def _token(version: int, after: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, *after]).encode()).decode()


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError, binascii.Error):
        raise BadRequest("continue key is not valid") from None
    return int(version), (str(namespace), str(name))


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "") or "0"
    if not text.isdecimal():
        raise BadRequest(f"{name}: {text!r} is not a number")
    return int(text)


def watch_version(query: Mapping[str, str]) -> int:
    """The version to watch from; 0 begins with everything there is."""
    if query.get("sendInitialEvents"):
        raise BadRequest("sendInitialEvents is forbidden: the WatchList feature is not there")
    text = query.get("resourceVersion", "") or "0"
    if not text.isdecimal():
        raise Expired(f"resource version {text!r} is not one of this cluster")
    return int(text)
