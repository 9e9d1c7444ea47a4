"""What KAI and Volcano are told of a group: that its pods are one gang, and in which queue it is.

A queue for each pool keeps the pool's quota in the cluster. It outlives every group: it is made
with the first that needs it, belongs to none, and is set right with the next one when the pool's
quota has changed. (OSMO has a job of its own for that, sent to every backend at each change of a
pool and at each start of an operator. Here a cluster whose pools run nothing has no queues, and
nobody has to remember which cluster has heard of what.)

The PodGroup is the group's own. Its `minMember` counts the group's tasks, so that none is bound
until there is room for all; one that is tried again joins the others under the same name. The
scheduler of Kubernetes itself knows neither kind: there the gate that the operator lifts is all
that holds a gang.
"""

import hashlib
import re
from typing import Any

from xylem.domain.plan import GroupPlan
from xylem.domain.pool import DEFAULT_SCHEDULER, UNBOUNDED
from xylem.manifests import labels
from xylem.manifests.facts import GroupFacts
from xylem.manifests.names import VALUE_CHARS
from xylem.manifests.scheduling import PRIORITY_CLASSES

Manifest = dict[str, Any]

KAI = "scheduling.run.ai"
KAI_GROUPS, KAI_QUEUES = f"{KAI}/v2alpha2", f"{KAI}/v2"
"""github.com/NVIDIA/KAI-Scheduler: deployments/kai-scheduler/crds."""

VOLCANO = "scheduling.volcano.sh/v1beta1"
"""github.com/volcano-sh/apis: pkg/apis/scheduling/v1beta1."""

KAI_QUEUE_LABELS = ("kai.scheduler/queue", "runai/queue")
"""The second is what KAI read before 0.6."""

GROUP_OF_KAI_POD = "pod-group-name"
GROUP_OF_VOLCANO_POD = "scheduling.k8s.io/group-name"
"""Annotations of pods: KAI's `PodGroupAnnotationForPod`, Volcano's `KubeGroupNameAnnotationKey`."""

MANAGED = {"app.kubernetes.io/managed-by": "xylem"}
"""A queue without it is somebody's own, and stays as it is."""

GPU = "nvidia.com/gpu"

_ALL_OF_IT = {"quota": UNBOUNDED, "limit": UNBOUNDED, "overQuotaWeight": 1}


def objects(plan: GroupPlan, facts: GroupFacts) -> list[Manifest]:
    """Queues first: a PodGroup names one."""
    match facts.scheduler.type:
        case "kai":
            return [_kai_parent(facts), _kai_queue(facts), _kai_group(plan, facts)]
        case "volcano":
            return [_volcano_queue(facts), _volcano_group(plan, facts)]
        case "default":
            return []


def of_pod(facts: GroupFacts) -> tuple[dict[str, str], dict[str, str], Manifest]:
    """Labels, annotations and part of the spec of each pod of the group."""
    scheduler = facts.scheduler
    known = scheduler.name == DEFAULT_SCHEDULER.name
    spec: Manifest = {} if known else {"schedulerName": scheduler.name}
    match scheduler.type:
        case "kai":
            return _queue_labels(facts), {GROUP_OF_KAI_POD: group_name(facts)}, spec
        case "volcano":
            return {}, {GROUP_OF_VOLCANO_POD: group_name(facts)}, spec
        case "default":
            return {}, {}, spec


def group_name(facts: GroupFacts) -> str:
    return f"{facts.group}-{facts.incarnation}"


def queue_name(facts: GroupFacts) -> str:
    """By backend and pool: a cluster may have more backends than one."""
    return _possible(f"osmo-pool-{facts.backend}-{facts.pool}")


def _possible(name: str) -> str:
    """A name of an object that is a label's value as well; one that is changed to be so ends in a
    digest of what it was, so that no two pools share a queue."""
    plain = re.sub(r"[^a-z0-9-]", "-", name.lower()).strip("-")
    if plain == name and len(name) <= VALUE_CHARS:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{plain[: VALUE_CHARS - 9].rstrip('-')}-{digest}"


# KAI -------------------------------------------------------------------------------------------


def _kai_parent(facts: GroupFacts) -> Manifest:
    resources = dict.fromkeys(("gpu", "cpu", "memory"), _ALL_OF_IT)
    return _shared(KAI_QUEUES, _kai_parent_name(facts), {"resources": resources})


def _kai_parent_name(facts: GroupFacts) -> str:
    return _possible(f"osmo-default-{facts.backend}")


def _kai_queue(facts: GroupFacts) -> Manifest:
    quota = facts.quota
    gpu = {
        "quota": quota.guarantee,
        "limit": quota.maximum,
        "overQuotaWeight": quota.weight,
    }
    resources = {"gpu": gpu, "cpu": _ALL_OF_IT, "memory": _ALL_OF_IT}
    spec = {"parentQueue": _kai_parent_name(facts), "resources": resources}
    return _shared(KAI_QUEUES, queue_name(facts), spec)


def _kai_group(plan: GroupPlan, facts: GroupFacts) -> Manifest:
    return _group(KAI_GROUPS, plan, facts, _queue_labels(facts))


def _queue_labels(facts: GroupFacts) -> dict[str, str]:
    return dict.fromkeys(KAI_QUEUE_LABELS, queue_name(facts))


# Volcano ---------------------------------------------------------------------------------------


def _volcano_queue(facts: GroupFacts) -> Manifest:
    """`deserved` is what the plugin `capacity` gives back to a queue, `weight` what `proportion`
    divides by, which has to be 1 at least. A bound that there is no more is said, too."""
    quota = facts.quota
    bounds = {"deserved": quota.guarantee, "capability": quota.maximum}
    spec = {
        "weight": max(1, quota.weight),
        "reclaimable": True,
        **{key: {} if one == UNBOUNDED else {GPU: str(one)} for key, one in bounds.items()},
    }
    return _shared(VOLCANO, queue_name(facts), spec)


def _volcano_group(plan: GroupPlan, facts: GroupFacts) -> Manifest:
    return _group(VOLCANO, plan, facts, {})


# Both ------------------------------------------------------------------------------------------


def _group(api_version: str, plan: GroupPlan, facts: GroupFacts, more: dict[str, str]) -> Manifest:
    priority = PRIORITY_CLASSES.get(facts.priority)
    return {
        "apiVersion": api_version,
        "kind": "PodGroup",
        "metadata": {
            "name": group_name(facts),
            "labels": {**labels.of_group(plan, facts), **more},
        },
        "spec": {
            "minMember": len(plan.tasks),
            "queue": queue_name(facts),
            **({"priorityClassName": priority} if priority else {}),
        },
    }


def _shared(api_version: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": api_version,
        "kind": "Queue",
        "metadata": {"name": name, "labels": dict(MANAGED)},
        "spec": spec,
    }
