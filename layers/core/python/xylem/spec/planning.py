"""From the models to the plan: what one part of a spec says about another has to be true.

A task may read from a task further down in the file, which OSMO refuses; only what can never start,
tasks that wait for each other in a circle, is refused.
"""

import graphlib
from collections.abc import Iterator, Mapping, Sequence

from xylem.domain.ids import TaskName
from xylem.domain.plan import File, GroupPlan, Limits, Resources, TaskInput, TaskPlan, WorkflowPlan
from xylem.domain.tokens import Reference, references
from xylem.spec.problems import Problem, refusal
from xylem.spec.resources import ResourceSpec, size_in_bytes
from xylem.spec.workflow import GroupSpec, TaskSpec, WorkflowSpec

NAME_CHARS = 64
"""OSMO's `workflow_info.max_name_length`. The group that a single task makes is `<task>-group`, so
such a task has 58."""

MOST_TASKS = 10_000

DEFAULT = "default"
"""The entry of `resources` that a task has which names none."""


def plan(spec: WorkflowSpec) -> WorkflowPlan:
    """Raises `InvalidSpec` with all that does not fit together."""
    groups = spec.all_groups()
    owners = {task.name: group.name for group in groups for task in group.tasks}
    resources, problems = _resources(spec)
    for path, group, task in _tasks(spec, groups):
        problems += _problems_of_task(path, group, task, resources, owners)
    upstream = _upstream(groups, owners)
    if problems := problems or list(_circles(upstream)):
        raise refusal(problems)
    if too_much := list(_sizes(spec, groups)):
        raise refusal(too_much, spec.name)
    return WorkflowPlan(
        name=spec.name,
        groups=tuple(
            GroupPlan(
                name=group.name,
                tasks=tuple(_task_plan(task, resources) for task in group.tasks),
                upstream=upstream[group.name],
                barrier=group.barrier,
                ignore_nonlead_status=group.ignore_nonlead_status,
            )
            for group in groups
        ),
        labels=dict(spec.labels),
        limits=spec.timeout.limits() if spec.timeout else Limits(),
    )


def _resources(spec: WorkflowSpec) -> tuple[Mapping[str, Resources], list[Problem]]:
    """The entries by name: those that can be read."""
    problems = []
    resources = {}
    for name, entry in (spec.resources or {DEFAULT: ResourceSpec()}).items():
        faults = list(_unit_problems(name, entry))
        problems += faults
        resources[name] = Resources() if faults else entry.resources()
    return resources, problems


def _unit_problems(name: str, entry: ResourceSpec) -> Iterator[Problem]:
    for key, text in (("memory", entry.memory), ("storage", entry.storage)):
        try:
            size_in_bytes(text or "0")
        except ValueError as error:
            yield Problem("RESOURCE", f"workflow.resources.{name}.{key}", str(error))


def _tasks(
    spec: WorkflowSpec, groups: Sequence[GroupSpec]
) -> Iterator[tuple[str, GroupSpec, TaskSpec]]:
    """Each task with its path in the YAML."""
    for at, group in enumerate(groups):
        for position, task in enumerate(group.tasks):
            path = f"tasks[{at}]" if spec.tasks else f"groups[{at}].tasks[{position}]"
            yield f"workflow.{path}", group, task


def _problems_of_task(
    path: str,
    group: GroupSpec,
    task: TaskSpec,
    resources: Mapping[str, Resources],
    owners: Mapping[str, str],
) -> Iterator[Problem]:
    if task.resource not in resources:
        yield Problem(
            "RESOURCE",
            f"{path}.resource",
            f"Task {task.name} uses the resource {task.resource}, which does not exist. "
            f"Known under workflow.resources are {', '.join(resources)}.",
        )
    for index, input in enumerate(task.inputs):
        if why := _input_fault(input.of, group, task, owners):
            yield Problem("SUBMISSION", f"{path}.inputs[{index}].task", why)
    for key, text in _texts(task):
        for reference in references(text) if "{{" in text else ():
            if why := _reference_fault(reference, group, task):
                yield Problem("SUBMISSION", f"{path}.{key}", why)


def _input_fault(
    name: str, group: GroupSpec, task: TaskSpec, owners: Mapping[str, str]
) -> str | None:
    if name not in owners:
        return f"Task input {name} does not exist. Name a task of this workflow."
    if owners[name] == group.name:
        return (
            f"Task {task.name} reads from {name}, which is in its own group {group.name}: "
            "tasks of a group run at the same time. Put the two into different groups."
        )
    return None


def _texts(task: TaskSpec) -> Iterator[tuple[str, str]]:
    """Every string in which tokens get their values, with its path below the task."""
    yield "image", task.image
    for key, words in (("command", task.command), ("args", task.args)):
        for index, word in enumerate(words):
            yield f"{key}[{index}]", word
    for name, value in task.environment.items():
        yield f"environment.{name}", value
    for index, file in enumerate(task.files):
        yield f"files[{index}].path", file.path
        if not file.base64:
            yield f"files[{index}].contents", file.contents
    for index, input in enumerate(task.inputs):
        yield f"inputs[{index}].regex", input.regex


def _reference_fault(reference: Reference, group: GroupSpec, task: TaskSpec) -> str | None:
    kind, name = reference
    if kind == "host":
        if any(other.name == name for other in group.tasks):
            return None
        return (
            f"{{{{host:{name}}}}} is the host name of a task of the same group, and {group.name} "
            f"has no task {name}."
        )
    if any(input.of == name for input in task.inputs):
        return None
    if name.isdecimal() and int(name) < len(task.inputs):
        return None
    return (
        f"{{{{input:{name}}}}} is none of the {len(task.inputs)} inputs of task {task.name}. "
        "Inputs are named by their task, or counted from 0."
    )


def _upstream(
    groups: Sequence[GroupSpec], owners: Mapping[str, str]
) -> Mapping[str, tuple[str, ...]]:
    """The groups that each group reads from, each once."""
    return {
        group.name: tuple(
            dict.fromkeys(
                owners[input.of]
                for task in group.tasks
                for input in task.inputs
                if input.of in owners
            )
        )
        for group in groups
    }


def _circles(upstream: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    try:
        graphlib.TopologicalSorter(upstream).prepare()
    except graphlib.CycleError as error:
        circle = " -> ".join(error.args[1])
        yield Problem(
            "SUBMISSION",
            "workflow",
            f"Groups wait for each other in a circle, in which none can start: {circle} "
            "(each reads from the one before it). Take one of these inputs out.",
        )


def _sizes(spec: WorkflowSpec, groups: Sequence[GroupSpec]) -> Iterator[Problem]:
    tasks = sum(len(group.tasks) for group in groups)
    if tasks > MOST_TASKS:
        yield Problem("USER", "workflow", f"has {tasks} tasks; the most is {MOST_TASKS}.")
    for name in (spec.name, *spec.names()):
        if len(name) > NAME_CHARS:
            yield Problem(
                "USER", "workflow", f'the name "{name}" is longer than {NAME_CHARS} characters.'
            )


def _task_plan(task: TaskSpec, resources: Mapping[str, Resources]) -> TaskPlan:
    return TaskPlan(
        name=TaskName(task.name),
        image=task.image,
        command=task.command,
        args=task.args,
        lead=task.lead,
        resources=resources[task.resource],
        environment=dict(task.environment),
        files=tuple(File(file.path, file.contents, file.base64) for file in task.files),
        inputs=tuple(TaskInput(TaskName(input.of), input.regex) for input in task.inputs),
    )
