"""`Workflow`: the tasks that calls add to it, and what they come to as a spec.

Which workflow a call belongs to is known by the `with` that it stands in. A task's inputs are the
tasks that its texts name: those are looked for when the task is added, so what it reads from was
added before it, and a workflow has no cycles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, Unpack

from clients.sdk.client import Client, SubmitRequest
from clients.sdk.errors import BadInput
from clients.workflows import promises
from clients.workflows.text import as_yaml
from xylem.domain.ids import TaskName
from xylem.domain.tokens import TOKEN, references
from xylem.spec.workflow import dns_form, is_name

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType

    from clients.sdk.models import Submission
    from clients.workflows.options import Options, Resources

FOLDER = "/tmp/xylem"
"""In the container: every image has /tmp."""

READS_NOTHING = "^$"
"""A pattern that no path matches: the task is waited for, and nothing of it is downloaded."""


class Text(NamedTuple):
    """A file of a task."""

    path: str
    contents: str


@dataclass
class _Group:
    """Without a `name`: one task, which nobody put into a group."""

    name: str | None
    spec: Mapping[str, Any] = field(default_factory=dict)
    tasks: list[dict[str, Any]] = field(default_factory=list)


_current: ContextVar[Workflow | None] = ContextVar("workflow", default=None)


def current() -> Workflow | None:
    return _current.get()


class Workflow:
    """Calls of tasks within `with Workflow(...) as it:` are added to it.

    `resources`: what tasks need that say nothing themselves. `timeout` and the keys of `spec`: as
    in YAML."""

    def __init__(
        self,
        name: str,
        *,
        resources: Resources | None = None,
        labels: Mapping[str, str] | None = None,
        timeout: Mapping[str, str] | None = None,
    ) -> None:
        if not is_name(name):
            raise BadInput(_no_name("a workflow", name))
        self.name = name
        self._resources: dict[str, Resources] = {"default": resources} if resources else {}
        self._said = {"labels": dict(labels or {}), "timeout": dict(timeout or {})}
        self._groups: list[_Group] = []
        self._open: _Group | None = None
        self._names: dict[str, TaskName] = {}
        self._shared: dict[tuple[Text, ...], list[dict[str, str]]] = {}
        self._before: Token[Workflow | None] | None = None

    def __enter__(self) -> Self:
        if current() is not None:
            raise BadInput("a workflow is not written within another one: end that one first.")
        self._before = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            _current.reset(self._before)

    def add(
        self,
        name: str,
        command: Sequence[str],
        args: Sequence[str],
        options: Options,
        *,
        files: tuple[Text, ...] = (),
    ) -> TaskName:
        """A task; `name` where `options` have none, with a number if it is taken. Raises
        `BadInput`."""
        known = self._named(options.get("name"), name)
        own = tuple(Text(*one) for one in options.get("files", {}).items())
        environment = dict(options.get("environment", {}))
        read = (*command, *args, *environment.values(), *(one.contents for one in (*files, *own)))
        task = {
            "name": known,
            "image": options["image"],
            "command": list(command),
            "args": list(args),
            "lead": options.get("lead"),
            "resource": self._resource(known, options.get("resources")),
            "environment": environment,
            "files": self._files((*files, *own)),
            "inputs": [*map(dict, options.get("inputs", ())), *self._inputs(read, options)],
            "outputs": [_output(one) for one in options.get("outputs", ())],
            "credentials": dict(options.get("credentials", {})),
            "exitActions": {"RESCHEDULE": code} if (code := options.get("retry_on")) else {},
            **options.get("spec", {}),
        }
        task = {key: value for key, value in task.items() if value not in (None, [], {})}
        if self._open is None:
            self._groups.append(_Group(None, tasks=[task]))
        else:
            self._open.tasks.append(task)
        self._names[dns_form(known)] = known
        return known

    @contextmanager
    def group(self, name: str, **spec: Any) -> Iterator[None]:
        if self._open is not None:
            raise BadInput(f"group {name} is not written within {self._open.name}: end that first.")
        if not is_name(name):
            raise BadInput(_no_name("a group", name))
        self._open = _Group(name, spec)
        try:
            yield
        finally:
            opened, self._open = self._open, None
        if not opened.tasks:
            raise BadInput(f"group {name} has no task: call one within it.")
        self._groups.append(opened)

    def spec(self) -> dict[str, Any]:
        """What stands below `workflow:`."""
        if not self._groups:
            raise BadInput(f"workflow {self.name} has no task: call one within `with`.")
        tasks = [task for group in self._groups for task in group.tasks]
        resources = {name: one.spec() for name, one in self._resources.items()}
        if resources and any("resource" not in task for task in tasks):
            # Beside others there has to be the one that tasks have which name none.
            resources = {"default": {}, **resources}
        said = {"resources": resources, **self._said}
        head = {"name": self.name, **{key: value for key, value in said.items() if value}}
        if all(group.name is None for group in self._groups):
            return {**head, "tasks": tasks}
        return {**head, "groups": list(map(_grouped, self._groups))}

    def to_yaml(self) -> str:
        return as_yaml(self.spec())

    def request(self, *, pool: str, priority: str | None = None) -> SubmitRequest:
        """What a client submits, validates or renders."""
        return SubmitRequest(spec=self.to_yaml(), pool=pool, priority=priority)

    def submit(self, client: Client, *, pool: str, priority: str | None = None) -> Submission:
        return client.submit(self.request(pool=pool, priority=priority))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.to_yaml())}</pre>"

    def _named(self, asked: str | None, otherwise: str) -> TaskName:
        if asked is not None and dns_form(asked) in self._names:
            raise BadInput(f"workflow {self.name} has two tasks named {asked}: rename one.")
        name, number = asked or otherwise, 1
        while dns_form(name) in self._names:
            number += 1
            name = f"{otherwise}-{number}"
        if not is_name(name):
            raise BadInput(_no_name("a task", name))
        return TaskName(name)

    def _inputs(self, texts: Sequence[str], options: Options) -> list[dict[str, str]]:
        """Of the texts in their order, then of what it waits for without reading it."""
        found = {
            one.name: None
            for text in texts
            for one in references(text)
            if one.kind == "input" and not one.name.isdigit()
        }
        given = [each.get("task", each.get("dataset")) for each in options.get("inputs", ())]
        read = [name for name in found if name in self._names.values()]
        for name in found:
            if name not in read and not any(_is_called(name, one) for one in given):
                raise BadInput(
                    f"{{{{input:{name}}}}} names no task that was called before: "
                    f"there are {', '.join(self._names.values()) or 'none'}."
                )
        waited = [name for one in options.get("after", ()) for name in _tasks_of(one)]
        return [
            *({"task": name} for name in read if name not in given),
            *({"task": one, "regex": READS_NOTHING} for one in waited if one not in read),
        ]

    def _files(self, files: tuple[Text, ...]) -> list[dict[str, str]]:
        """The same list for the same files, which YAML then writes once."""
        if files not in self._shared:
            self._shared[files] = [{"path": one.path, "contents": one.contents} for one in files]
        return self._shared[files]

    def _resource(self, task: str, asked: Resources | None) -> str | None:
        """None: the default."""
        if asked is None or asked == self._resources.get("default"):
            return None
        for name, known in self._resources.items():
            if known == asked:
                return name
        name = asked.name or task
        if name in self._resources:
            raise BadInput(f"two different resources are named {name}: rename one.")
        self._resources[name] = asked
        return name


def group(
    name: str, *, barrier: bool = True, ignore_nonlead_status: bool = True
) -> AbstractContextManager[None]:
    """`with group(...):` the tasks that are called in it run at the same time."""
    said = {
        **({} if barrier else {"barrier": False}),
        **({} if ignore_nonlead_status else {"ignoreNonleadStatus": False}),
    }
    return _workflow(f"group {name}").group(name, **said)


def container(
    name: str, command: Sequence[str], args: Sequence[str] = (), /, **options: Unpack[Options]
) -> Path:
    """A task of any image. What it gives back is the folder with its output: `folder / "a.csv"` in
    the words of another one, or as an argument of a function."""
    if "image" not in options:
        raise BadInput(f"task {name} has no image: say which one its command is in.")
    options["name"] = name
    return Path(promises.folder_of(_workflow(f"task {name}").add(name, command, args, options)))


def shell(name: str, script: str, /, *, shell: str = "sh", **options: Unpack[Options]) -> Path:
    """A task that runs a script, and fails with its first command that does."""
    return container(name, [shell, "-ec"], [script], **options)


def host(task: object) -> str:
    """The name by which the tasks of its group reach this one, by its result or its name."""
    names = [task] if isinstance(task, str) and is_name(task) else _tasks_of(task)
    return f"{{{{host:{names[0]}}}}}"


def _workflow(what: str) -> Workflow:
    workflow = current()
    if workflow is None:
        raise BadInput(f"{what} belongs to no workflow: write it within `with Workflow(...)`.")
    return workflow


def _grouped(one: _Group) -> dict[str, Any]:
    if one.name is None:
        return {"name": f"{one.tasks[0]['name']}-group", "tasks": one.tasks}
    led = len(one.tasks) == 1 or any(task.get("lead") for task in one.tasks)
    first = one.tasks[0] if led else _leading(one.tasks[0])
    return {"name": one.name, **one.spec, "tasks": [first, *one.tasks[1:]]}


def _leading(task: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": task["name"], "lead": True, **task}


def _output(one: str | Mapping[str, Any]) -> dict[str, Any]:
    return {"url": one} if isinstance(one, str) else dict(one)


def _tasks_of(result: object) -> list[str]:
    """The tasks whose result, or folder, it is."""
    text = promises.folder_of(result.task) if isinstance(result, promises.Promise) else str(result)
    found = [one.name for one in references(text) if one.kind == "input"]
    if not found:
        raise BadInput(f"{text} is no result of a task: give what calling one gave.")
    return found


def _is_called(name: str, given: object) -> bool:
    """Whether `{{input:NAME}}` may call an input so, which is in the words of YAML."""
    if isinstance(given, Mapping):
        given = given.get("name")
    text = str(given or "")
    return name in (text, text.rpartition(":")[2], text.rpartition("/")[2].partition(":")[0])


def _no_name(what: str, name: str) -> str:
    return (
        f'{what} cannot be called "{TOKEN.sub("...", name)}": use letters, digits, - and _, '
        "beginning with a letter and ending in a letter or digit."
    )
