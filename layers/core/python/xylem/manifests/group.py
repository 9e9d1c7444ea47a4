"""A group as Kubernetes objects, in the order in which they are to be made."""

from typing import Any

from xylem.domain.plan import GroupPlan, TaskPlan
from xylem.manifests import gang, labels, registries, secrets, templates
from xylem.manifests.facts import GroupFacts, service_name
from xylem.manifests.pod import pod
from xylem.manifests.tokens import filled_in

Manifest = dict[str, Any]


def render(plan: GroupPlan, facts: GroupFacts) -> list[Manifest]:
    """The objects of the tasks in `facts.retries`, and what the group shares; pods last."""
    tasks = _tasks(plan, facts)
    files = {
        secrets.file_secret_name(file, facts): secrets.of_file(file, plan, facts)
        for task in tasks
        for file in task.files
    }
    service = [_service(plan, facts)] if len(plan.tasks) > 1 else []
    return [
        *templates.group_objects(plan, facts),
        *files.values(),
        *(secrets.of_attempt(plan, task, facts) for task in tasks),
        *(
            secrets.of_credential(index, use, plan, task, facts)
            for task in tasks
            for index, use in enumerate(task.credentials)
        ),
        *(each for task in tasks for each in registries.of_attempt(plan, task, facts)),
        *service,
        *gang.objects(plan, facts),
        *(pod(plan, task, facts) for task in tasks),
    ]


def secrets_in(plan: GroupPlan, facts: GroupFacts) -> list[str]:
    """All that is to be masked in what these pods print."""
    found = {secret for task in _tasks(plan, facts) for secret in secrets.masked(task, facts)}
    return sorted(found)


def _tasks(plan: GroupPlan, facts: GroupFacts) -> list[TaskPlan]:
    return [filled_in(task, plan, facts) for task in plan.tasks if task.name in facts.retries]


def _service(plan: GroupPlan, facts: GroupFacts) -> Manifest:
    """Gives each task a host name. A name resolves as soon as its pod has an address: a task may
    listen long before all of its containers are ready."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service_name(facts), "labels": labels.of_group(plan, facts)},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": labels.selector(facts),
        },
    }
