"""Submitting an earlier workflow again: all of it, or what failed of it.

Both begin with the spec as it is stored, which holds what the user wrote and nothing less: OSMO
begins with the text that it shows, where secrets are masked and durations written in a form that it
does not read. The new workflow is checked as any other and names its parent.

A restart keeps the groups that did not complete. What their tasks read from tasks that completed,
they read from the earlier workflow.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from xylem import spec
from xylem.domain.errors import InvalidRequest
from xylem.domain.group import Group
from xylem.domain.ids import UserName
from xylem.domain.workflow import Workflow
from xylem.ports.blobs import Blobs
from xylem.ports.workflows import Workflows
from xylem.usecases.queries import describe, spec_file
from xylem.usecases.submit import Request


def resubmission(
    id_or_uuid: str, *, by: UserName, workflows: Workflows, store: Blobs, **more: Any
) -> Request:
    """The whole of an earlier workflow. `more`: what else the request says. Raises
    `UnknownWorkflow`, `InvalidRequest`."""
    earlier = describe(id_or_uuid, workflows=workflows, with_groups=False).workflow
    text = spec_file(earlier.id, workflows=workflows, store=store).rendered
    return Request(text=text, user=by, parent=earlier.id, **more)


def restart(id_or_uuid: str, *, by: UserName, workflows: Workflows, store: Blobs) -> Request:
    """What did not complete of a workflow that failed. Raises `UnknownWorkflow`,
    `InvalidRequest`."""
    described = describe(id_or_uuid, workflows=workflows)
    earlier = described.workflow
    if not earlier.status.failed:
        raise InvalidRequest(
            "Restart can only be used on FAILED workflows: "
            f"Workflow {earlier.id} has status WorkflowStatus.{earlier.status}",
            code="SUBMISSION",
        )
    text = spec_file(earlier.id, workflows=workflows, store=store).rendered
    text = _without(described.groups, earlier, text)
    return Request(text=text, user=by, priority=earlier.priority, parent=earlier.id)


def _without(groups: Sequence[Group], earlier: Workflow, text: str) -> str:
    """The stored spec less the groups that completed."""
    completed = {group.name for group in groups if not group.status.failed}
    elsewhere = {task.name for group in groups if group.name in completed for task in group.tasks}

    def led(input: Mapping[str, Any]) -> Mapping[str, Any]:
        of = input.get("task")
        return {**input, "task": f"{earlier.id}:{of}"} if of in elsewhere else input

    def kept(task: Mapping[str, Any]) -> Mapping[str, Any]:
        return (
            {**task, "inputs": [led(one) for one in task["inputs"]]} if "inputs" in task else task
        )

    workflow = spec.mapping(text, "workflow")
    left = [
        {**group, "tasks": [kept(task) for task in group["tasks"]]}
        for group in workflow["groups"]
        if group["name"] not in completed
    ]
    return spec.dump({"version": spec.VERSION, "workflow": {**workflow, "groups": left}})
