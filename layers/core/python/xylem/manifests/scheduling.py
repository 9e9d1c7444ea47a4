"""What tells a cluster's scheduler where a pod may go, and before whom.

A platform is labels and tolerations; a workflow has a priority. What a task itself says of its
neighbours and of nodes is `xylem.manifests.pod`'s. The three priority classes have to be there
(docs/join-cluster.md): a pod of a class that a cluster does not know is refused by it. With KAI the
class also says what may be preempted: below 100 is.
"""

from typing import Any

from xylem.domain.plan import TaskPlan
from xylem.manifests.facts import GroupFacts, platform_of

PRIORITY_CLASSES = {"HIGH": "osmo-high", "NORMAL": "osmo-normal", "LOW": "osmo-low"}
"""OSMO's names."""


def of_pod(task: TaskPlan, facts: GroupFacts) -> dict[str, Any]:
    """The part of a pod's spec that is about its place."""
    known = platform_of(task, facts)
    parts: dict[str, Any] = {
        "priorityClassName": PRIORITY_CLASSES.get(facts.priority),
        "nodeSelector": dict(known.labels),
        "tolerations": [one.manifest for one in known.tolerations],
    }
    return {key: value for key, value in parts.items() if value}
