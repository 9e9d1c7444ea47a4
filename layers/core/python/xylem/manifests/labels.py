"""Labels of a group's objects: OSMO's keys, so that what selects by them goes on working.

A value that Kubernetes would refuse is cut to its 63 characters, or left out: one strange user name
must not stop a workflow. What is read back is in the annotations (`names`), whole.
"""

import re
from collections.abc import Mapping

from xylem.domain.ids import task_uuid
from xylem.domain.plan import GroupPlan, TaskPlan
from xylem.manifests.facts import GroupFacts, platform_of
from xylem.manifests.names import (
    GROUP,
    GROUP_LABEL,
    INCARNATION,
    RETRY,
    TASK,
    TOPOLOGY_LABEL,
    VALUE_CHARS,
    WORKFLOW,
)

_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

Labels = dict[str, str]


def of_group(plan: GroupPlan, facts: GroupFacts) -> Labels:
    return possible(
        {
            "osmo.workflow_id": facts.workflow,
            "osmo.workflow_uuid": facts.workflow_uuid,
            "osmo.group_name": plan.name,
            "osmo.submitted_by": _person(facts.user),
            **selector(facts),
        }
    )


def of_pod(plan: GroupPlan, task: TaskPlan, facts: GroupFacts) -> Labels:
    """The user's labels, those of the nodes that the pod goes to, then ours: ours win."""
    selected = possible(platform_of(task, facts).labels)
    return {**facts.labels, **selected, **of_system(plan, task, facts)}


def of_system(plan: GroupPlan, task: TaskPlan, facts: GroupFacts) -> Labels:
    """What a pod is found by: nobody else's word stands before it."""
    ours = {
        **of_group(plan, facts),
        "osmo.task_name": task.name,
        "osmo.task_uuid": task_uuid(facts.group, task.name),
        "osmo.retry_id": str(facts.retries[task.name]),
        "osmo.lead_container": "true" if task.lead else "",
        "osmo.pool": facts.pool,
        "osmo.platform": task.resources.platform or facts.default_platform or "",
        "osmo.priority": facts.priority.lower(),
        **topology(task),
    }
    return possible(ours)


def topology(task: TaskPlan) -> Labels:
    """Pods with the same value belong together, by the key at that place of the alphabet: all tasks
    of a workflow have the same keys."""
    keys = sorted(task.resources.topology, key=lambda each: each.key)
    return {f"{TOPOLOGY_LABEL}{at}": each.group for at, each in enumerate(keys)}


def selector(facts: GroupFacts) -> Labels:
    """Selects the pods of this incarnation: those of an older one may still be on their way out."""
    return {GROUP_LABEL: facts.group, INCARNATION: str(facts.incarnation)}


def fences(task: TaskPlan, facts: GroupFacts) -> Mapping[str, str]:
    """The annotations from which the Backend Listener knows whose pod it sees."""
    return {
        WORKFLOW: facts.workflow,
        GROUP: facts.group,
        INCARNATION: str(facts.incarnation),
        TASK: task.name,
        RETRY: str(facts.retries[task.name]),
    }


def possible(labels: Mapping[str, str]) -> Labels:
    """Those that Kubernetes takes, cut to what it takes."""
    cut = {key: value[:VALUE_CHARS].rstrip("-_.") for key, value in labels.items()}
    return {key: value for key, value in cut.items() if _VALUE.fullmatch(value)}


def _person(user: str) -> str:
    """`alice@example.com` cannot be a label; `alice` can."""
    return user if _VALUE.fullmatch(user) else user.partition("@")[0]
