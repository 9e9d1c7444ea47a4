"""What a spec says as far as it can be understood: the ground on which its parts are held against
each other.

Of a spec whose every value is right, that is all of it. Of one with mistakes it is the tasks and
resources without any, and the names of the others: so that a user is told of the unknown input in
one task and of the misspelt key in another at the same time, and of no mistake that is only the
echo of another.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from xylem.spec.problems import Location
from xylem.spec.resources import ResourceSpec
from xylem.spec.workflow import TaskSpec, WorkflowSpec, is_name


@dataclass(frozen=True, slots=True)
class Placed:
    """A task without a mistake, and where it is."""

    at: Location
    group: str
    task: TaskSpec


@dataclass(frozen=True, slots=True)
class Outline:
    """`names`: all tasks and groups, each with its place; the group that a single task makes has
    the task's. `owners`: the group of each task. `resources`: None for an entry with a mistake."""

    name: tuple[Location, str] | None
    names: Sequence[tuple[Location, str]]
    owners: Mapping[str, str]
    tasks: Sequence[Placed]
    resources: Mapping[str, ResourceSpec | None]


DEFAULT = "default"
"""The entry of `resources` that a task has which names none."""

_TOP: Location = ("workflow",)


def outline_of(spec: WorkflowSpec) -> Outline:
    if spec.tasks:
        return Outline(
            name=((*_TOP, "name"), spec.name),
            names=[
                *(((*_TOP, "tasks", at, "name"), task.name) for at, task in enumerate(spec.tasks)),
                *(
                    ((*_TOP, "tasks", at, "name"), group_of(task.name))
                    for at, task in enumerate(spec.tasks)
                ),
            ],
            owners={task.name: group_of(task.name) for task in spec.tasks},
            tasks=[
                Placed((*_TOP, "tasks", at), group_of(task.name), task)
                for at, task in enumerate(spec.tasks)
            ],
            resources=spec.resources or {DEFAULT: ResourceSpec()},
        )
    placed = [
        Placed((*_TOP, "groups", at, "tasks", position), group.name, task)
        for at, group in enumerate(spec.groups)
        for position, task in enumerate(group.tasks)
    ]
    return Outline(
        name=((*_TOP, "name"), spec.name),
        names=[
            *(((*each.at, "name"), each.task.name) for each in placed),
            *(((*_TOP, "groups", at, "name"), group.name) for at, group in enumerate(spec.groups)),
        ],
        owners={each.task.name: each.group for each in placed},
        tasks=placed,
        resources=spec.resources or {DEFAULT: ResourceSpec()},
    )


def outline_of_broken(value: Mapping[str, Any]) -> Outline:
    """Of a spec that is not one, as YAML says it."""
    names: list[tuple[Location, str]] = []
    owners: dict[str, str] = {}
    tasks: list[Placed] = []
    for at, group, raw in _raw_tasks(value):
        name = raw.get("name")
        if not is_name(name):
            continue
        names.append(((*at, "name"), name))
        owners[name] = group or group_of(name)
        try:
            tasks.append(Placed(at, owners[name], TaskSpec.model_validate(raw)))
        except ValidationError:
            continue
    for at, task in list(names):
        if len(at) == len(_TOP) + 3:
            names.append((at, group_of(task)))
    for position, raw in enumerate(_list(value.get("groups"))):
        if isinstance(raw, dict) and is_name(raw.get("name")):
            names.append(((*_TOP, "groups", position, "name"), raw["name"]))
    name = value.get("name")
    return Outline(
        name=((*_TOP, "name"), str(name)) if is_name(name) else None,
        names=names,
        owners=owners,
        tasks=tasks,
        resources=_raw_resources(value.get("resources")),
    )


def group_of(task: str) -> str:
    """The name of the group that a single task makes."""
    return f"{task}-group"


def _raw_tasks(value: Mapping[str, Any]) -> Iterator[tuple[Location, str | None, dict[str, Any]]]:
    """Each task that is a map, with the name of the group in which it stands."""
    for at, task in enumerate(_list(value.get("tasks"))):
        if isinstance(task, dict):
            yield (*_TOP, "tasks", at), None, task
    for at, group in enumerate(_list(value.get("groups"))):
        if not isinstance(group, dict):
            continue
        name = group.get("name")
        for position, task in enumerate(_list(group.get("tasks"))):
            if isinstance(task, dict):
                own = name if is_name(name) else f"groups[{at}]"
                yield (*_TOP, "groups", at, "tasks", position), own, task


def _raw_resources(value: object) -> Mapping[str, ResourceSpec | None]:
    if not isinstance(value, dict) or not value:
        return {DEFAULT: ResourceSpec()}
    resources: dict[str, ResourceSpec | None] = {}
    for name, raw in value.items():
        try:
            resources[str(name)] = ResourceSpec.model_validate(raw)
        except ValidationError:
            resources[str(name)] = None
    return resources


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
