"""A generated pod with an admin's template merged onto it.

The template stands before what was generated, as with OSMO, but for what the service finds its pods
again by: the system's labels and the fences. What a template may not say at all is refused when it
is set (`xylem.spec.pod_templates`); that would reach the cluster only if it were not.
"""

from typing import Any

from xylem.domain.plan import GroupPlan, TaskPlan
from xylem.domain.templates import filled, merged
from xylem.manifests import gang, labels, variables
from xylem.manifests.facts import GroupFacts, platform_of

Manifest = dict[str, Any]


def merged_onto(pod: Manifest, plan: GroupPlan, task: TaskPlan, facts: GroupFacts) -> Manifest:
    platform = platform_of(task, facts)
    if not platform.template:
        return pod
    values = variables.of_task(plan, task, facts, platform)
    whole: Manifest = merged(pod, filled(platform.template, values))
    metadata = whole["metadata"]
    own = pod["metadata"]["labels"]
    said = labels.possible(metadata["labels"])
    queue, _, _ = gang.of_pod(facts)
    system = {key: own[key] for key in (*labels.of_system(plan, task, facts), *queue)}
    return {
        **whole,
        "apiVersion": pod["apiVersion"],
        "kind": pod["kind"],
        "metadata": {
            **metadata,
            "labels": {**said, **system},
            "annotations": {**metadata["annotations"], **pod["metadata"]["annotations"]},
        },
        "spec": {**whole["spec"], "containers": _sane(whole["spec"]["containers"])},
    }


def _sane(containers: list[Manifest]) -> list[Manifest]:
    """A variable that got another value no longer comes from elsewhere: Kubernetes refuses both."""
    return [
        {**one, "env": [_one_source(each) for each in one["env"]]} if "env" in one else one
        for one in containers
    ]


def _one_source(variable: Manifest) -> Manifest:
    if "value" not in variable or "valueFrom" not in variable:
        return variable
    return {key: one for key, one in variable.items() if key != "valueFrom"}
