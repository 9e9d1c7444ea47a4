"""From the models to the plan: what one part of a spec says about another has to be true.

A task may read from a task further down in the file, which OSMO refuses; only what can never start,
tasks that wait for each other in a circle, is refused.
"""

import graphlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from xylem.domain.config import MOST_TASKS
from xylem.domain.errors import Problem
from xylem.domain.ids import TaskName
from xylem.domain.plan import (
    Checkpoint,
    CredentialUse,
    DatasetInput,
    DatasetOutput,
    File,
    GroupPlan,
    Input,
    Kpi,
    Resources,
    TaskInput,
    TaskPlan,
    UrlInput,
    UrlOutput,
    WorkflowPlan,
)
from xylem.domain.tokens import Reference, references
from xylem.spec.datasets import DatasetOutputSpec, DatasetSpec, DatasetUpdateSpec
from xylem.spec.exit_actions import rules
from xylem.spec.outline import DEFAULT, Outline, Placed, group_of
from xylem.spec.problems import Location, problem
from xylem.spec.resources import ResourceSpec, size_in_bytes
from xylem.spec.timeout import TimeoutSpec, period_of
from xylem.spec.workflow import InputSpec, TaskSpec, WorkflowSpec, dns_form

NAME_CHARS = 64
"""OSMO's `workflow_info.max_name_length`. The group that a single task makes is `<task>-group`, so
such a task has 58."""


def problems(outline: Outline) -> Iterator[Problem]:
    """All that does not fit together."""
    yield from _twice(outline)
    for name, entry in outline.resources.items():
        yield from _unit_problems(name, entry)
    members = _members(outline.owners)
    for placed in outline.tasks:
        yield from _problems_of_task(placed, outline, members)
    yield from _topology_problems(outline)
    yield from _circles(outline)
    yield from _sizes(outline)


def plan(spec: WorkflowSpec, outline: Outline) -> WorkflowPlan:
    """Of a spec in which `problems` found none."""
    entries = spec.resources or {DEFAULT: ResourceSpec()}
    resources = {name: entry.resources() for name, entry in entries.items()}
    upstream = outline.upstream
    if spec.tasks:
        groups = [
            GroupPlan(
                name=name,
                tasks=(_task_plan(task, resources, lead=True),),
                upstream=upstream[name],
            )
            for task in spec.tasks
            for name in (group_of(task.name),)
        ]
    else:
        groups = [
            GroupPlan(
                name=group.name,
                tasks=tuple(
                    _task_plan(task, resources, lead=task.lead or len(group.tasks) == 1)
                    for task in group.tasks
                ),
                upstream=upstream[group.name],
                barrier=group.barrier,
                ignore_nonlead_status=group.ignore_nonlead_status,
            )
            for group in spec.groups
        ]
    timeout = spec.timeout or TimeoutSpec()
    return WorkflowPlan(
        name=spec.name,
        groups=tuple(groups),
        labels=dict(spec.labels),
        limits=timeout.limits(),
        own_limits=timeout.own(),
    )


def _twice(outline: Outline) -> Iterator[Problem]:
    seen: set[str] = set()
    told: set[Location] = set()
    for at, name in outline.names:
        form = dns_form(name)
        if form in seen and at not in told:
            told.add(at)
            yield problem(
                "USAGE",
                at,
                f'Multiple tasks/groups have the same name: "{name}". Note that names are not '
                'case sensitive and we consider "-" and "_" the same. For example, "Group_1" and '
                '"group-1" are considered the same name.',
            )
        seen.add(form)


def _unit_problems(name: str, entry: ResourceSpec | None) -> Iterator[Problem]:
    if entry is None:
        return
    for key, text in (("memory", entry.memory), ("storage", entry.storage)):
        if text is None:
            continue
        try:
            size_in_bytes(text)
        except ValueError as error:
            yield problem("RESOURCE", ("workflow", "resources", name, key), str(error))


def _members(owners: Mapping[str, str]) -> Mapping[str, set[str]]:
    members: dict[str, set[str]] = {}
    for task, group in owners.items():
        members.setdefault(group, set()).add(task)
    return members


def _problems_of_task(
    placed: Placed, outline: Outline, members: Mapping[str, set[str]]
) -> Iterator[Problem]:
    at, task = placed.at, placed.task
    if task.resource not in outline.resources:
        yield problem(
            "RESOURCE",
            (*at, "resource"),
            f"Task {task.name} uses the resource {task.resource}, which does not exist. "
            f"Known under workflow.resources are {', '.join(outline.resources)}.",
        )
    for index, input in enumerate(task.inputs):
        if why := _input_fault(input, placed, outline.owners):
            yield problem("SUBMISSION", (*at, "inputs", index, "task"), why)
    for where, text in _texts(task):
        if "{{" in text:
            for reference in references(text):
                if why := _reference_fault(reference, placed, members.get(placed.group, set())):
                    yield problem("SUBMISSION", (*at, *where), why)


def _input_fault(input: InputSpec, placed: Placed, owners: Mapping[str, str]) -> str | None:
    name = input.of
    if name is None:
        return None
    if name not in owners:
        return f"Task input {name} does not exist. Name a task of this workflow."
    if owners[name] == placed.group:
        return (
            f"Task {placed.task.name} reads from {name}, which is in its own group "
            f"{placed.group}: tasks of a group run at the same time. Put the two into different "
            "groups."
        )
    return None


def _texts(task: TaskSpec) -> Iterator[tuple[Location, str]]:
    """Every string in which tokens get their values, with its place below the task."""
    yield ("image",), task.image
    for index, word in enumerate(task.command):
        yield ("command", index), word
    for index, word in enumerate(task.args):
        yield ("args", index), word
    for name, value in task.environment.items():
        yield ("environment", name), value
    for index, file in enumerate(task.files):
        yield ("files", index, "path"), file.path
        if not file.base64:
            yield ("files", index, "contents"), file.contents
    for key, entries in (
        ("inputs", task.inputs),
        ("outputs", task.outputs),
        ("checkpoint", task.checkpoint),
        ("kpis", task.kpis),
    ):
        for index, entry in enumerate(entries):
            for name in ("path", "url", "regex", "index"):
                if text := getattr(entry, name, None):
                    yield (key, index, name), text
            datasets: Sequence[tuple[str, DatasetSpec]] = getattr(entry, "datasets", ())
            for word, dataset in datasets:
                for place, written in dataset.texts():
                    yield (key, index, word, *place), written


def _reference_fault(reference: Reference, placed: Placed, neighbours: set[str]) -> str | None:
    kind, name = reference
    task = placed.task
    if kind == "host":
        if name in neighbours:
            return None
        return (
            f"{{{{host:{name}}}}} is the host name of a task of the same group, and "
            f"{placed.group} has no task {name}. Known are {', '.join(sorted(neighbours))}."
        )
    if any(name in input.names for input in task.inputs):
        return None
    if name.isdecimal() and int(name) < len(task.inputs):
        return None
    return (
        f"{{{{input:{name}}}}} is none of the {len(task.inputs)} inputs of task {task.name}. "
        "Inputs are named by their task, or counted from 0."
    )


def _topology_problems(outline: Outline) -> Iterator[Problem]:
    """OSMO's rule: the tree of a group's tasks has the same levels everywhere."""
    used: dict[str, tuple[str, ...]] = {}
    for placed in outline.tasks:
        entry = outline.resources.get(placed.task.resource)
        if entry is not None:
            keys = sorted(each.key for each in entry.topology)
            used.setdefault(placed.task.resource, tuple(keys))
    if len(set(used.values())) > 1:
        said = "; ".join(f"{name} has {', '.join(keys) or 'none'}" for name, keys in used.items())
        yield problem(
            "RESOURCE",
            ("workflow", "resources"),
            f"All tasks of a workflow have to use the same topology keys, but of their resources "
            f"{said}. Write the same keys under topology in each.",
        )


def _circles(outline: Outline) -> Iterator[Problem]:
    """A group that reads from itself was told of at the input that says so."""
    others = {
        group: [name for name in names if name != group]
        for group, names in outline.upstream.items()
    }
    try:
        graphlib.TopologicalSorter(others).prepare()
    except graphlib.CycleError as error:
        circle = " -> ".join(error.args[1])
        before, group = error.args[1][:2]
        at = next(
            (*placed.at, "inputs", index, "task")
            for placed in outline.tasks
            for index, one in enumerate(placed.task.inputs)
            if placed.group == group and outline.owners.get(one.of or "") == before
        )
        yield problem(
            "SUBMISSION",
            at,
            f"Groups wait for each other in a circle, in which none can start: {circle} "
            "(each reads from the one before it). Take one of these inputs out.",
        )


def _sizes(outline: Outline) -> Iterator[Problem]:
    if len(outline.owners) > MOST_TASKS:
        yield problem(
            "USER",
            ("workflow",),
            f"has {len(outline.owners)} tasks; the most is {MOST_TASKS}. Divide it.",
        )
    names = [outline.name, *outline.names] if outline.name else outline.names
    short = Counter(at for at, name in names if len(name) > NAME_CHARS)
    for at, name in names:
        if len(name) <= NAME_CHARS or (short[at] > 1 and name.endswith("-group")):
            continue
        yield problem(
            "USER", at, f'the name "{name}" is longer than {NAME_CHARS} characters. Shorten it.'
        )


def _task_plan(task: TaskSpec, resources: Mapping[str, Resources], *, lead: bool) -> TaskPlan:
    return TaskPlan(
        name=TaskName(task.name),
        image=task.image,
        command=task.command,
        args=task.args,
        lead=lead,
        resources=resources[task.resource],
        environment=dict(task.environment),
        files=tuple(File(file.path, file.contents, file.base64) for file in task.files),
        inputs=tuple(map(_input, task.inputs)),
        outputs=tuple(UrlOutput(each.url, each.regex) for each in task.outputs if each.url),
        datasets=tuple(_dataset(one) for each in task.outputs for _, one in each.datasets),
        credentials=tuple(
            CredentialUse(name, mount=given)
            if isinstance(given, str)
            else CredentialUse(name, environment=dict(given))
            for name, given in task.credentials.items()
        ),
        checkpoints=tuple(
            Checkpoint(each.path, each.url, period_of(each.frequency), each.regex)
            for each in task.checkpoint
        ),
        kpis=tuple(Kpi(each.index, each.path) for each in task.kpis),
        exit_rules=rules(task.exit_actions),
        privileged=task.privileged,
        host_network=task.host_network,
        volume_mounts=task.volume_mounts,
        cache_size=task.cache_size,
    )


def _input(input: InputSpec) -> Input:
    if input.dataset is not None:
        return DatasetInput(input.dataset.name, input.dataset.regex)
    if input.url is not None:
        return UrlInput(input.url, input.regex)
    if earlier := input.earlier:
        workflow, task = earlier
        return TaskInput(TaskName(task), input.regex, workflow)
    return TaskInput(TaskName(input.of or ""), input.regex)


def _dataset(output: DatasetSpec) -> DatasetOutput:
    match output:
        case DatasetUpdateSpec():
            return DatasetOutput(
                output.name,
                updates=True,
                paths=output.paths,
                metadata=output.metadata,
                labels=output.labels,
            )
        case DatasetOutputSpec():
            return DatasetOutput(
                output.name,
                output.path,
                output.regex,
                metadata=output.metadata,
                labels=output.labels,
            )
        case _:
            raise AssertionError(f"{output!r} is no output")
