"""What a workflow reads from tasks of earlier workflows: checked when it is submitted.

The task has to be there and to have ended, in whatever way: OSMO lets the output of a failed task
be read, and so do we.
"""

from collections.abc import Callable
from contextlib import suppress

from xylem import spec
from xylem.domain.errors import Problem, UnknownWorkflow
from xylem.domain.ids import TaskName, WorkflowId
from xylem.domain.plan import Input, TaskInput, WorkflowPlan
from xylem.domain.values import replace
from xylem.ports.workflows import Workflows
from xylem.usecases.queries import Described, describe


def resolved(plan: WorkflowPlan, workflows: Workflows, *, of: spec.Specification) -> WorkflowPlan:
    """The plan with the id of each earlier workflow that it reads from, where its uuid was written.
    `of`: what the user wrote of it. Raises `InvalidSpec` with all that cannot be read."""
    problems: list[Problem] = []
    known: dict[WorkflowId, _Earlier] = {}

    def look(input: Input, task: TaskName, index: int) -> Input:
        if not isinstance(input, TaskInput) or input.workflow is None:
            return input
        if input.workflow not in known:
            known[input.workflow] = _Earlier(input.workflow, workflows)
        earlier = known[input.workflow]
        if fault := earlier.fault(input):
            code, text = fault
            place = (*spec.place_of(task, plan, of.written), "inputs", index, "task")
            problems.append(spec.problem(code, place, text))
        return replace(input, workflow=earlier.id)

    looked = _with_inputs(plan, look)
    if problems:
        raise spec.refusal(of.on_lines(problems), kept_as=plan.name)
    return looked


class _Earlier:
    """An earlier workflow, read once for all that reads from it."""

    def __init__(self, name: WorkflowId, workflows: Workflows) -> None:
        self._name = name
        self._found: Described | None = None
        with suppress(UnknownWorkflow):
            self._found = describe(name, workflows=workflows)

    @property
    def id(self) -> WorkflowId:
        return self._found.workflow.id if self._found else self._name

    def fault(self, input: TaskInput) -> tuple[str, str] | None:
        """Why it cannot be read, with the code; None: it can."""
        written = f"{self._name}:{input.task}"
        found = self._found
        if found is None:
            return "DATABASE", (
                f"Workflow {self._name} was not found. Name the workflow as `xylem workflow list` "
                "shows it."
            )
        task = next((task for group in found.groups if (task := group.task(input.task))), None)
        if task is None:
            names = ", ".join(task.name for group in found.groups for task in group.tasks)
            return "SUBMISSION", (
                f"Task input {written} does not exist. "
                f"The tasks of {found.workflow.id} are {names}."
            )
        if not task.status.final:
            return "SUBMISSION", (
                f"Task {written} is {task.status}: it has no output to read yet. "
                "Submit again when it has ended."
            )
        return None


def _with_inputs(plan: WorkflowPlan, look: Callable[[Input, TaskName, int], Input]) -> WorkflowPlan:
    groups = []
    for group in plan.groups:
        tasks = [
            replace(
                task,
                inputs=tuple(look(one, task.name, index) for index, one in enumerate(task.inputs)),
            )
            for task in group.tasks
        ]
        groups.append(replace(group, tasks=tuple(tasks)))
    return replace(plan, groups=tuple(groups))
