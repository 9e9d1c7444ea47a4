"""Events: what `kubectl describe` tells about an object, beside its status."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

from operators.desk_cluster.errors import ApiError
from operators.desk_cluster.kinds import EVENTS
from operators.desk_cluster.objects import (
    Json,
    copied,
    meta,
    moment_of,
    name_of,
    namespace_of,
    timestamp,
    uid_of,
)

if TYPE_CHECKING:
    from datetime import datetime

    from operators.desk_cluster.registry import Registry

# kube-apiserver --event-ttl
LIFE_SECONDS = 3600


class Recorder:
    """Says the same thing about the same object once, with a count."""

    def __init__(self, registry: Registry, *, component: str, node: str) -> None:
        self._registry = registry
        self._source = {"component": component, "host": node}
        self._said: dict[tuple[str, str, str], str] = {}

    def record(
        self, obj: Json, reason: str, message: str, *, warning: bool = False, container: str = ""
    ) -> None:
        """An event that cannot be kept is lost: what it tells of goes on, as in a namespace that
        is being deleted."""
        with contextlib.suppress(ApiError):
            self._record(obj, reason, message, warning=warning, container=container)

    def _record(
        self, obj: Json, reason: str, message: str, *, warning: bool, container: str
    ) -> None:
        namespace = namespace_of(obj)
        place = (uid_of(obj), reason, message)
        before = self._said.get(place)
        now = timestamp(self._registry.now())
        if before and self._registry.find(EVENTS, namespace, before):
            self._registry.update(EVENTS, namespace, before, lambda event: _again(event, now))
            return
        name = f"{name_of(obj)[:220]}.{secrets.token_hex(8)}"
        involved: Json = {
            "kind": obj["kind"],
            "apiVersion": obj["apiVersion"],
            "name": name_of(obj),
            "namespace": namespace,
            "uid": uid_of(obj),
            "resourceVersion": meta(obj).get("resourceVersion", ""),
        }
        if container:
            involved["fieldPath"] = f"spec.containers{{{container}}}"
        event: Json = {
            "metadata": {"name": name},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": self._source,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source["host"],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "eventTime": None,
        }
        self._registry.create(EVENTS, namespace, event)
        self._said[place] = name

    def forget(self, uid: str) -> None:
        for place in [place for place in self._said if place[0] == uid]:
            del self._said[place]


def _again(event: Json, now: str) -> Json:
    repeated: Json = copied(event)
    repeated["count"] = int(event.get("count", 1)) + 1
    repeated["lastTimestamp"] = now
    return repeated


def is_old(event: Json, now: datetime) -> bool:
    seen = event.get("lastTimestamp") or meta(event).get("creationTimestamp")
    return bool(seen) and (now - moment_of(str(seen))).total_seconds() > LIFE_SECONDS
