"""Whether a disruption budget stands in the way of an eviction: pure.

Pods here have no controller whose size could be asked, so a budget is what Kubernetes lets it be for
such pods: a `minAvailable` that is a number
(kubernetes.io/docs/tasks/run-application/configure-pdb, "Arbitrary workloads and arbitrary selectors").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.desk_cluster.affinity import matches
from operators.desk_cluster.objects import Json, is_finished, meta, name_of, spec_of, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable


def hindrance(pod: Json, pods: Iterable[Json], budgets: Iterable[Json]) -> str:
    """The name of a budget that the pod's going would break; empty if there is none.

    `pods` and `budgets` are those of its namespace. Who is not ready, or over, is missed by nobody."""
    if is_finished(pod) or not _is_ready(pod):
        return ""
    ready = [each for each in pods if _is_ready(each)]
    for budget in budgets:
        selector, needed = spec_of(budget).get("selector"), spec_of(budget).get("minAvailable")
        if not isinstance(needed, int) or not matches(selector, meta(pod).get("labels") or {}):
            continue
        if sum(matches(selector, meta(each).get("labels") or {}) for each in ready) <= needed:
            return name_of(budget)
    return ""


def _is_ready(pod: Json) -> bool:
    conditions = status_of(pod).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
