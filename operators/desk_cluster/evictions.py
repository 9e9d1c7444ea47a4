"""Whom a node's NoExecute taints put out, and when: pure.

A pod that does not tolerate a taint goes at once; one that tolerates it for some seconds goes when
they are over, of several such taints by the first; one that tolerates all for ever stays
(kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration, "taint based evictions").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from operators.desk_cluster.objects import (
    Json,
    is_finished,
    is_terminating,
    moment_of,
    name_of,
    spec_of,
)
from operators.desk_cluster.scheduler import tolerates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Eviction:
    pod: Json
    at: datetime


def due(pods: Iterable[Json], nodes: Iterable[Json]) -> Iterator[Eviction]:
    """Every eviction that is to come, unless something changes. Every taint has its `timeAdded`."""
    taints = {name_of(node): listed for node in nodes if (listed := _of(node))}
    for pod in pods if taints else ():
        listed = taints.get(str(spec_of(pod).get("nodeName")), [])
        if listed and not is_finished(pod) and not is_terminating(pod):
            moments = [_until(spec_of(pod), taint) for taint in listed]
            first = min(filter(None, moments), default=None)
            if first is not None:
                yield Eviction(pod, first)


def _of(node: Json) -> list[Json]:
    taints = spec_of(node).get("taints") or ()
    return [each for each in taints if each.get("effect") == "NoExecute" and "timeAdded" in each]


def _until(spec: Json, taint: Json) -> datetime | None:
    """When the pod's patience with this taint ends; None if it does not."""
    since = moment_of(str(taint["timeAdded"]))
    fitting = [each for each in spec.get("tolerations") or () if tolerates(each, taint)]
    limits = [each.get("tolerationSeconds") for each in fitting]
    if not fitting:
        return since
    if any(limit is None for limit in limits):
        return None
    return since + timedelta(seconds=max(0, min(int(limit) for limit in limits)))
