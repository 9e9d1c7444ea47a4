"""What a workflow reads from tasks of earlier workflows: checked when it is submitted.

The task has to be there and to have ended, in whatever way: OSMO lets the output of a failed task
be read, and so do we.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from xylem.domain.errors import InvalidSpec, UnknownWorkflow
from xylem.domain.ids import WorkflowId
from xylem.domain.plan import Input, TaskInput, WorkflowPlan
from xylem.ports import Workflows
from xylem.usecases.queries import Described, describe


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
        text = "\n".join(map(str, faults))
        raise InvalidSpec(text, code=faults[0].code, kept_as=plan.name)
    return looked


class _Earlier:
    """An earlier workflow, read once for all that reads from it."""

    def __init__(self, name: WorkflowId, workflows: Workflows) -> None:
        self._name = name
        self._found: Described | None = None
        with suppress(UnknownWorkflow):
            self._found = describe(name, workflows=workflows)

    def checked(self, input: TaskInput, place: str) -> TaskInput:
        """Raises `InvalidSpec`."""
        written = f"{self._name}:{input.task}"
        found = self._found
        if found is None:
            raise InvalidSpec(
                f"{place}: Workflow {self._name} was not found. Name the workflow as "
                "`xylem workflow list` shows it.",
                code="DATABASE",
            )
        task = next((task for group in found.groups if (task := group.task(input.task))), None)
        if task is None:
            names = ", ".join(task.name for group in found.groups for task in group.tasks)
            raise InvalidSpec(
                f"{place}: Task input {written} does not exist. "
                f"The tasks of {found.workflow.id} are {names}.",
                code="SUBMISSION",
            )
        if not task.status.final:
            raise InvalidSpec(
                f"{place}: Task {written} is {task.status}: it has no output to read yet. "
                "Submit again when it has ended.",
                code="SUBMISSION",
            )
        return replace(input, workflow=found.workflow.id)


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
