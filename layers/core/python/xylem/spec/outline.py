"""What a spec says as far as it can be understood: the ground on which its parts are held against
each other.

Of a spec whose every value is right, that is all of it. Of one with mistakes it is what is without
any: so that a user is told of the unknown input and of the misspelt key beside it at the same time,
and of no mistake that is only the echo of another.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from xylem.domain.values import dataclass
from xylem.spec.problems import Location
from xylem.spec.resources import ResourceSpec
from xylem.spec.workflow import InputSpec, TaskSpec, WorkflowSpec, is_name


@dataclass(frozen=True, slots=True)
class Placed:
    """A task, without its mistakes, and where it is."""

    at: Location
    group: str
    task: TaskSpec


@dataclass(frozen=True, slots=True)
class Outline:
    """`names`: all tasks and groups, each with its place; the group that a single task makes has
    the task's. `owners`: the group of each task. `resources`: None for an entry with a mistake.
    `upstream`: the groups that each group reads from, each once."""

    name: tuple[Location, str] | None
    names: Sequence[tuple[Location, str]]
    owners: Mapping[str, str]
    tasks: Sequence[Placed]
    resources: Mapping[str, ResourceSpec | None]
    upstream: Mapping[str, tuple[str, ...]]


DEFAULT = "default"
"""The entry of `resources` that a task has which names none."""

_TOP: Location = ("workflow",)


def outline_of(spec: WorkflowSpec) -> Outline:
    if spec.tasks:
        tasks = [
            Placed((*_TOP, "tasks", at), group_of(task.name), task)
            for at, task in enumerate(spec.tasks)
        ]
        groups = [((*each.at, "name"), each.group) for each in tasks]
    else:
        tasks = [
            Placed((*_TOP, "groups", at, "tasks", position), group.name, task)
            for at, group in enumerate(spec.groups)
            for position, task in enumerate(group.tasks)
        ]
        groups = [((*_TOP, "groups", at, "name"), each.name) for at, each in enumerate(spec.groups)]
    owners = {each.task.name: each.group for each in tasks}
    return Outline(
        name=((*_TOP, "name"), spec.name),
        names=[*(((*each.at, "name"), each.task.name) for each in tasks), *groups],
        owners=owners,
        tasks=tasks,
        resources=spec.resources or {DEFAULT: ResourceSpec()},
        upstream=_upstream(tasks, owners),
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
        if task := _understood(raw):
            tasks.append(Placed(at, owners[name], task))
    for at, single in list(names):
        if len(at) == len(_TOP) + 3:
            names.append((at, group_of(single)))
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
        upstream=_upstream(tasks, owners),
    )


def _upstream(tasks: Sequence[Placed], owners: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    upstream: dict[str, dict[str, None]] = {}
    for placed in tasks:
        read_from = upstream.setdefault(placed.group, {})
        for input in placed.task.inputs:
            if group := owners.get(input.of or ""):
                read_from[group] = None
    return {group: tuple(names) for group, names in upstream.items()}


def group_of(task: str) -> str:
    """The name of the group that a single task makes."""
    return f"{task}-group"


def _understood(raw: Mapping[str, Any]) -> TaskSpec | None:
    """What can be understood of a task. None: nothing that others could be held against."""
    try:
        return TaskSpec.model_validate(raw)
    except ValidationError as error:
        wrong = [detail["loc"] for detail in error.errors(include_url=False, include_context=False)]
    rest = {"image": _ANY, "command": [_ANY], **raw}
    for key, *inner in (location or _ANYWHERE for location in wrong):
        if key == "inputs" and inner and isinstance(inner[0], int):
            rest["inputs"] = [
                _input_understood(each) if at == inner[0] else each
                for at, each in enumerate(rest["inputs"])
            ]
        elif key in ("inputs", "name"):
            return None
        elif key in _REQUIRED:
            rest[str(key)] = _REQUIRED[str(key)]
        else:
            rest.pop(str(key), None)
    if () in wrong:
        for key in _PLACED:
            rest.pop(key, None)
    try:
        return TaskSpec.model_validate(rest)
    except ValidationError:
        return None


def _input_understood(raw: object) -> Mapping[str, Any]:
    """The inputs beside it keep their numbers, and it keeps its name."""
    task = raw.get("task") if isinstance(raw, dict) else None
    try:
        return InputSpec(task=task).model_dump(include={"task"})
    except ValidationError:
        return {"url": "s3://any"}


_ANY = "any"
_REQUIRED: Mapping[str, Any] = {"image": _ANY, "command": [_ANY]}
_PLACED = ("files", "credentials", "volumeMounts")
"""What a task may say together that is wrong, when each by itself is right."""

_ANYWHERE = ("",)


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
