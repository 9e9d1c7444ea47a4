"""What an admin's templates make of a group: its pods with theirs merged onto them, and objects of
any kind beside the pods.

A pod's template stands before what was generated, as with OSMO, but for what the service finds its
pods again by: the system's labels and the fences. What a template may not say at all is refused
when it is set (`xylem.spec.pod_templates`); that would reach the cluster only if it were not.

The objects beside the pods are marked: two groups may be given the same one, so the operator makes
it once, and it goes with the last group that has it.
"""

from typing import Any

from xylem.domain.plan import GroupPlan, TaskPlan
from xylem.domain.templates import filled, merged
from xylem.manifests import gang, labels, variables
from xylem.manifests.facts import GroupFacts, platform_of
from xylem.manifests.names import FROM_TEMPLATE

Manifest = dict[str, Any]


def group_objects(plan: GroupPlan, facts: GroupFacts) -> list[Manifest]:
    """They lie where the pods lie, whatever the template says."""
    values = {**facts.variables, **variables.of_group(plan, facts)}
    return [_object(filled(one, values), plan, facts) for one in facts.group_objects]


def _object(template: Manifest, plan: GroupPlan, facts: GroupFacts) -> Manifest:
    metadata = template["metadata"]
    said = labels.possible(metadata.get("labels") or {})
    rest = {key: one for key, one in metadata.items() if key != "namespace"}
    return {
        **template,
        "metadata": {
            **rest,
            "labels": {**facts.labels, **said, **labels.of_group(plan, facts)},
            "annotations": {**(metadata.get("annotations") or {}), FROM_TEMPLATE: "true"},
        },
    }


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
