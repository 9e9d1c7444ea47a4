"""Submitting an earlier workflow again: all of it, or what failed of it.

Both begin with the spec as it is stored, which holds what the user wrote and nothing less: OSMO
begins with the text that it shows, where secrets are masked and durations written in a form that it
does not read. The new workflow is checked as any other and names its parent.

A restart keeps the groups that did not complete. What their tasks read from tasks that completed,
they read from the earlier workflow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from xylem import spec
from xylem.domain.errors import InvalidRequest, InvalidSpec, UnknownWorkflow
from xylem.domain.group import Group
from xylem.domain.ids import UserName, WorkflowId
from xylem.domain.plan import Input, TaskInput, WorkflowPlan
from xylem.domain.workflow import Workflow
from xylem.ports import Blobs, Workflows
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


# What a workflow reads from earlier ones ---------------------------------------------------------


def resolved(plan: WorkflowPlan, workflows: Workflows) -> WorkflowPlan:
    """The plan with the id of each earlier workflow that it reads from, where its uuid was written.
    Raises `InvalidSpec` with all that cannot be read."""
    faults: list[InvalidSpec] = []
    known: dict[WorkflowId, _Earlier] = {}

    def look(input: Input, place: str) -> Input:
        if not isinstance(input, TaskInput) or input.workflow is None:
            return input
        try:
            if input.workflow not in known:
                known[input.workflow] = _Earlier(input.workflow, workflows)
            return known[input.workflow].checked(input, place)
        except InvalidSpec as fault:
            faults.append(fault)
            return input

    looked = _with_inputs(plan, look)
    if faults:
        raise InvalidSpec("\n".join(map(str, faults)), code=faults[0].code)
    return looked


class _Earlier:
    """An earlier workflow, read once for all that reads from it."""

    def __init__(self, name: WorkflowId, workflows: Workflows) -> None:
        self._name = name
        self._id: WorkflowId | None = None
        self._groups: Sequence[Group] = ()
        try:
            found = describe(name, workflows=workflows)
        except UnknownWorkflow:
            return
        self._id, self._groups = found.workflow.id, found.groups

    def checked(self, input: TaskInput, place: str) -> TaskInput:
        """Raises `InvalidSpec`."""
        written = f"{self._name}:{input.task}"
        if self._id is None:
            raise InvalidSpec(
                f"{place}: Workflow {self._name} was not found. Name the workflow as "
                "`xylem workflow list` shows it.",
                code="DATABASE",
            )
        task = next((task for group in self._groups if (task := group.task(input.task))), None)
        if task is None:
            names = ", ".join(task.name for group in self._groups for task in group.tasks)
            raise InvalidSpec(
                f"{place}: Task input {written} does not exist. The tasks of {self._id} are "
                f"{names}.",
                code="SUBMISSION",
            )
        if not task.status.final:
            raise InvalidSpec(
                f"{place}: Task {written} is {task.status}: it has no output to read yet. "
                "Submit again when it has ended.",
                code="SUBMISSION",
            )
        return replace(input, workflow=self._id)


def _with_inputs(plan: WorkflowPlan, look: Callable[[Input, str], Input]) -> WorkflowPlan:
    groups = []
    for group in plan.groups:
        tasks = []
        for task in group.tasks:
            places = (
                f"task {task.name}, inputs[{index}].task" for index in range(len(task.inputs))
            )
            inputs = tuple(map(look, task.inputs, places))
            tasks.append(replace(task, inputs=inputs))
        groups.append(replace(group, tasks=tuple(tasks)))
    return replace(plan, groups=tuple(groups))
