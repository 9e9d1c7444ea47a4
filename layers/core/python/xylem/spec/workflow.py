"""The models of what a user writes below `workflow:`, and the rules that one value can break alone.

They are OSMO's form, complete: a key that OSMO takes is either carried out, or refused as not
supported yet (`unsupported`), or has no effect with OSMO either (`pool`, `backend`, and `resources`
in a task), which then is true here. Rules between values of different tasks are in `planning`.
"""

import base64
import binascii
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from xylem.domain.tokens import OUTPUT_FOLDER, TOKEN, references, substitute
from xylem.spec import labels as label_rules
from xylem.spec.model import SpecModel, fault
from xylem.spec.resources import ResourceSpec
from xylem.spec.timeout import TimeoutSpec
from xylem.spec.unsupported import OF_OTHER_WORKFLOWS, NotYet, not_yet

FILE_BYTES = 1024 * 1024 - 4096
"""A file becomes a Kubernetes Secret of its own; one holds 1 MiB, less what the tokens may add:
https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size"""

_NAME = re.compile(r"[a-zA-Z]([a-zA-Z0-9_-]*[a-zA-Z0-9])?")
_ENVIRONMENT_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
"""Kubernetes refuses any other: `IsEnvVarName` of k8s.io/apimachinery."""

_OURS = {"osmo-ctrl", "osmo-init"}
"""The names of the containers beside the task's own."""


def is_name(text: object) -> bool:
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def is_variable_name(text: str) -> bool:
    return _ENVIRONMENT_NAME.fullmatch(text) is not None


def dns_form(name: str) -> str:
    """The name as Kubernetes knows it: names that are the same in this form are the same."""
    return name.lower().replace("_", "-")


def _name(text: str) -> str:
    if not is_name(text):
        raise fault(
            f'"{text}" is no name: use letters, digits, - and _, '
            "beginning with a letter and ending in a letter or digit."
        )
    return text


def _task_name(text: str) -> str:
    if dns_form(text) in _OURS:
        raise fault(f'"{text}" is the name of a container of the runtime. Choose another.')
    return text


def _words(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        raise fault(
            f"should be a list of words, not one text: "
            f'write {info.field_name}: [sh, -c, "..."], each word an entry of its own.'
        )
    return value


def _not_empty(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if not value:
        raise fault("is empty: it needs at least one entry.")
    return value


def _compiles(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise fault(f'"{text}" is no regular expression: {error}.') from None
    return text


def _variable_name(text: str) -> str:
    if not is_variable_name(text):
        raise fault(
            f'"{text}" is no name of an environment variable: use letters, digits, _, - and ., '
            "not beginning with a digit."
        )
    return text


def _variable_value(value: object) -> object:
    """`DEBUG: true` is `True` in the task's environment, as with OSMO."""
    return str(value) if isinstance(value, bool) else value


def _file_path(path: str) -> str:
    at = file_location(path)
    if path.endswith("/") or at == "/":
        raise fault(f'"{path}" names a folder. Give the name of the file, too.')
    if ":" in TOKEN.sub("", path):
        raise fault(f'"{path}" has a colon, which Kubernetes refuses in a mount path.')
    ours = at == "/osmo" or at.startswith("/osmo/") or any(references(path))
    if ours and not at.startswith(f"{OUTPUT_FOLDER}/"):
        raise fault(
            f'"{path}" lies below /osmo, which is the runtime\'s. '
            "Only files below {{output}} may be put there."
        )
    return path


def file_location(path: str) -> str:
    """Where the file will be: absolute, without `.` and `..`."""
    return posixpath.normpath(posixpath.join("/", substitute(path, {"output": OUTPUT_FOLDER})))


def _refuse_localpath(value: object) -> None:
    if value is not None:
        raise fault(
            "is a file of the submitting machine, which the command line reads and sends "
            "as contents. Send contents."
        )


Name = Annotated[str, AfterValidator(_name)]
Regex = Annotated[str, AfterValidator(_compiles)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class FileSpec(SpecModel):
    path: Annotated[str, AfterValidator(_file_path)]
    contents: str
    base64: bool = False
    localpath: Annotated[None, BeforeValidator(_refuse_localpath)] = None

    @model_validator(mode="after")
    def _check_contents(self) -> Self:
        if len(self.data()) > FILE_BYTES:
            raise fault(
                f"{self.path} has more than {FILE_BYTES} bytes, which is more than Kubernetes "
                "carries to a pod. Fetch it in the task, or take it as an input."
            )
        return self

    def data(self) -> bytes:
        """The bytes of the file, its tokens not yet substituted."""
        if not self.base64:
            return self.contents.encode(errors="replace")
        try:
            return base64.b64decode("".join(self.contents.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise fault(f"the contents of {self.path} are not base64: {error}.") from None


class InputSpec(SpecModel):
    task: str | None = None
    regex: Regex = ""
    url: NotYet = None
    dataset: NotYet = None

    @model_validator(mode="after")
    def _check_task(self) -> Self:
        if self.task is None:
            raise fault("names no task: write task: NAME.")
        if ":" in self.task:
            raise not_yet(f"task: {self.task}", OF_OTHER_WORKFLOWS)
        return self

    @property
    def of(self) -> str:
        """The task that it reads from."""
        return self.task or ""


class TaskSpec(SpecModel):
    name: Annotated[Name, AfterValidator(_task_name)]
    image: Annotated[str, Field(min_length=1)]
    command: Annotated[Words, AfterValidator(_not_empty)]
    args: Words = ()
    lead: bool = False
    resource: str = "default"
    environment: Mapping[
        Annotated[str, AfterValidator(_variable_name)],
        Annotated[str, BeforeValidator(_variable_value)],
    ] = Field(default_factory=dict)
    files: tuple[FileSpec, ...] = ()
    inputs: tuple[InputSpec, ...] = ()
    outputs: NotYet = None
    credentials: NotYet = None
    kpis: NotYet = None
    checkpoint: NotYet = None
    exit_actions: NotYet = None
    privileged: NotYet = None
    host_network: NotYet = None
    volume_mounts: NotYet = None
    download_type: NotYet = None
    cache_size: NotYet = None
    resources: Annotated[object, Field(exclude=True)] = None
    backend: Annotated[object, Field(exclude=True)] = None

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        seen = set()
        for file in self.files:
            at = file_location(file.path)
            if at in seen:
                raise fault(f"two files of task {self.name} have the path {at}.")
            seen.add(at)
        return self


class GroupSpec(SpecModel):
    name: Name
    barrier: bool = True
    ignore_nonlead_status: bool = True
    tasks: Annotated[tuple[TaskSpec, ...], AfterValidator(_not_empty)]

    @model_validator(mode="after")
    def _check_lead(self) -> Self:
        leads = sum(task.lead for task in self.tasks)
        if leads != 1 and len(self.tasks) > 1:
            raise fault(
                f'Group "{self.name}" has {leads} leader(s) but must have exactly one. '
                "Write lead: true in the task whose end is the end of the group."
            )
        return self


class WorkflowSpec(SpecModel):
    name: Name
    tasks: tuple[TaskSpec, ...] = ()
    groups: tuple[GroupSpec, ...] = ()
    resources: Mapping[str, ResourceSpec] = Field(default_factory=dict)
    labels: Mapping[str, Annotated[str, Field(strict=True)]] = Field(default_factory=dict)
    timeout: TimeoutSpec | None = None
    pool: Annotated[str, Field(exclude=True)] = ""
    backend: Annotated[str, Field(exclude=True)] = ""

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        if self.tasks and self.groups:
            raise fault("Cannot use both groups and tasks in the same workflow.")
        if not self.tasks and not self.groups:
            raise fault("has neither tasks nor groups: write the tasks to run.")
        if twice := _twice(self.names()):
            raise fault(
                f'Multiple tasks/groups have the same name: "{twice}". Note that names are not '
                'case sensitive and we consider "-" and "_" the same. For example, "Group_1" and '
                '"group-1" are considered the same name.'
            )
        return self

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        if len(self.labels) > label_rules.MOST:
            raise fault(f"has {len(self.labels)} labels; the most is {label_rules.MOST}.")
        for key, value in self.labels.items():
            if why := label_rules.fault_of(key, value):
                raise fault(f"the label {key}: {value} cannot be: {why}.")
        return self

    def all_groups(self) -> tuple[GroupSpec, ...]:
        """The groups; of a workflow of single tasks, the group that each of them makes. In all of
        them exactly one task has `lead`."""
        if self.tasks:
            return tuple(
                GroupSpec.model_construct(
                    name=f"{task.name}-group", tasks=(task.model_copy(update={"lead": True}),)
                )
                for task in self.tasks
            )
        return tuple(
            group.model_copy(update={"tasks": (group.tasks[0].model_copy(update={"lead": True}),)})
            if len(group.tasks) == 1
            else group
            for group in self.groups
        )

    def names(self) -> Sequence[str]:
        """Of all tasks, then of all groups."""
        groups = self.all_groups()
        return [
            *(task.name for group in groups for task in group.tasks),
            *(group.name for group in groups),
        ]


def _twice(names: Sequence[str]) -> str | None:
    seen = set()
    for name in names:
        if dns_form(name) in seen:
            return name
        seen.add(dns_form(name))
    return None


KEYS: Mapping[str, Sequence[str]] = {
    place: [field.alias or name for name, field in model.model_fields.items()]
    for place, model in (
        ("workflow", WorkflowSpec),
        ("groups", GroupSpec),
        ("tasks", TaskSpec),
        ("resources", ResourceSpec),
        ("files", FileSpec),
        ("inputs", InputSpec),
        ("timeout", TimeoutSpec),
    )
}
"""The keys that may stand below each place."""
