"""The models of what a user writes below `workflow:`, and the rules that one value can break alone.

They are OSMO's form, complete: a key that OSMO takes is either carried out, or has no effect with
OSMO either (`pool`, `backend`, `cacheSize`, `downloadType`, and `resources` in a task), which then
is true here. Rules between values of
different tasks are in `planning`; the descriptions are those of the published schema (`schema`).
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self, TypeGuard

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from xylem.domain.ids import WorkflowId
from xylem.spec import labels as label_rules
from xylem.spec.datasets import (
    DatasetInputSpec,
    DatasetOutputSpec,
    DatasetSpec,
    DatasetUpdateSpec,
)
from xylem.spec.exit_actions import ACTION_PATTERN, CODES_PATTERN, ExitActions
from xylem.spec.model import SpecModel, fault, shown
from xylem.spec.places import (
    Credential,
    FilePath,
    VariableName,
    VolumeMount,
    collision,
    target_of,
)
from xylem.spec.resources import ResourceSpec, TopologySpec, size_in_bytes
from xylem.spec.timeout import Period, TimeoutSpec
from xylem.spec.urls import StorageUrl

FILE_BYTES = 1024 * 1024 - 4096
"""A file becomes a Kubernetes Secret of its own; one holds 1 MiB, less what the tokens may add:
https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size"""

NAME_PATTERN = r"^[a-zA-Z]([a-zA-Z0-9_-]*[a-zA-Z0-9])?$"
_NAME = re.compile(NAME_PATTERN.strip("^$"))
_UUID = re.compile(r"[0-9a-f]{32}")
"""Of a workflow, which may be named by it as by its id."""

_PERCENT = re.compile(r"(100|[1-9]?[0-9])%")

_OURS = {"osmo-ctrl", "osmo-init"}
"""The names of the containers beside the task's own."""


def is_name(text: object) -> TypeGuard[str]:
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


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


def _variable_value(value: object) -> object:
    """`DEBUG: true` is `True` in the task's environment, as with OSMO."""
    return str(value) if isinstance(value, bool) else value


def _refuse_localpath(value: object) -> None:
    if value is not None:
        raise fault(
            "is a file of the submitting machine, which the command line reads and sends "
            "as contents. Send contents."
        )


def _cache_size(text: str | None) -> str | None:
    if text is not None and not _PERCENT.fullmatch(text):
        try:
            size_in_bytes(text)
        except ValueError as error:
            raise fault(f"{error} Or write a part of the storage, for example 90%.") from None
    return text


def _download_type(text: str | None) -> str | None:
    if text not in (None, "download"):
        raise fault(f"{shown(text)} is no way to download. The only one is download.")
    return text


def _input_task(text: str | None) -> str | None:
    if text is None:
        return None
    workflow, colon, task = text.rpartition(":")
    if not is_name(task) or (colon and not (is_name(workflow) or _UUID.fullmatch(workflow))):
        raise fault(
            f"{shown(text)} names no task: write the name of a task of this workflow, or "
            "WORKFLOW:TASK for one of an earlier workflow, for example hello-1:greet."
        )
    return text


Name = Annotated[
    str,
    AfterValidator(_name),
    Field(json_schema_extra={"type": "string", "pattern": NAME_PATTERN + r"|\{\{"}),
]
Regex = Annotated[
    str,
    AfterValidator(_compiles),
    Field(description="Only files whose path it matches (Python's syntax). Default: all."),
]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class FileSpec(SpecModel):
    path: Annotated[FilePath, Field(description="Where the task finds it.")]
    contents: Annotated[str, Field(description="Its text, in which tokens get their values.")]
    base64: Annotated[bool, Field(description="The contents are base64 of its bytes.")] = False
    localpath: Annotated[
        None,
        BeforeValidator(_refuse_localpath),
        WithJsonSchema({"type": "string"}),
        Field(
            description="Instead of contents: a file beside this one, which the command line "
            "reads when it submits."
        ),
    ] = None

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
    task: Annotated[
        str | None,
        AfterValidator(_input_task),
        Field(
            description="The task whose output it is; WORKFLOW:TASK for one of an earlier workflow."
        ),
    ] = None
    url: Annotated[
        StorageUrl | None, Field(description="Where it is in an object store, for example s3://b/k")
    ] = None
    dataset: Annotated[
        DatasetInputSpec | None, Field(description="A version of a dataset, or a collection.")
    ] = None
    regex: Regex = ""

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        given = [one for one in (self.task, self.url, self.dataset) if one is not None]
        if not given:
            raise fault(
                "names no task, no URL and no dataset: write task: NAME, url: s3://BUCKET/PATH or "
                "dataset: {name: NAME}."
            )
        if len(given) > 1:
            raise fault("has several of task, url and dataset. Make an input of each.")
        if self.dataset is not None and self.regex:
            raise fault("has a dataset: write its regex below dataset.")
        return self

    @property
    def datasets(self) -> Sequence[tuple[str, DatasetSpec]]:
        return [("dataset", self.dataset)] if self.dataset else []

    @property
    def of(self) -> str | None:
        """The task of this workflow that it reads from."""
        return self.task if self.task is not None and ":" not in self.task else None

    @property
    def earlier(self) -> tuple[WorkflowId, str] | None:
        """The earlier workflow, and its task that it reads from."""
        workflow, colon, task = (self.task or "").rpartition(":")
        return (WorkflowId(workflow), task) if colon else None

    @property
    def names(self) -> Sequence[str]:
        """What `{{input:NAME}}` may call it, beside its number."""
        earlier = self.earlier
        dataset = self.dataset and self.dataset.bare_name
        return [name for name in (self.task, earlier and earlier[1], dataset) if name]


class OutputSpec(SpecModel):
    url: Annotated[
        StorageUrl | None,
        Field(description="Where a copy of {{output}} goes, for example s3://b/k"),
    ] = None
    dataset: Annotated[
        DatasetOutputSpec | None, Field(description="Becomes a version of this dataset.")
    ] = None
    update_dataset: Annotated[
        DatasetUpdateSpec | None,
        Field(alias="update_dataset", description="Becomes part of a new version of it."),
    ] = None
    regex: Regex = ""

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        places = (self.url, self.dataset, self.update_dataset)
        given = [one for one in places if one is not None]
        if not given:
            raise fault(
                "names no URL and no dataset: write url: s3://BUCKET/PATH, dataset: {name: NAME} "
                "or update_dataset: {name: NAME, paths: [...]}. What other tasks read needs no "
                "entry."
            )
        if len(given) > 1:
            raise fault("has several of url, dataset and update_dataset. Make an output of each.")
        if self.url is None and self.regex:
            raise fault("has a dataset: write its regex below dataset.")
        return self

    @property
    def datasets(self) -> Sequence[tuple[str, DatasetSpec]]:
        both = (("dataset", self.dataset), ("update_dataset", self.update_dataset))
        return [(word, one) for word, one in both if one is not None]


class CheckpointSpec(SpecModel):
    path: Annotated[str, Field(min_length=1, description="The folder or file to copy.")]
    url: Annotated[StorageUrl, Field(description="Where the copy goes.")]
    frequency: Annotated[
        Period, Field(description="How often it is copied; once more when the task ends.")
    ]
    regex: Regex = ""


class KpiSpec(SpecModel):
    index: Annotated[
        str, Field(min_length=1, description="The name by which its figures are found.")
    ]
    path: Annotated[str, Field(min_length=1, description="The file with the figures.")]


class TaskSpec(SpecModel):
    name: Annotated[Name, AfterValidator(_task_name), Field(description="Unique in the workflow.")]
    image: Annotated[str, Field(min_length=1, description="The container image it runs in.")]
    command: Annotated[
        Words,
        AfterValidator(_not_empty),
        Field(json_schema_extra={"minItems": 1}, description="What it runs."),
    ]
    args: Annotated[Words, Field(description="More words of the command.")] = ()
    lead: Annotated[
        bool, Field(description="The end of this task is the end of its group; one in each.")
    ] = False
    resource: Annotated[
        str, Field(description="The entry of workflow.resources that says what it needs.")
    ] = "default"
    environment: Annotated[
        Mapping[
            VariableName,
            Annotated[
                str,
                BeforeValidator(_variable_value),
                WithJsonSchema({"type": ["string", "number", "boolean"]}),
            ],
        ],
        Field(description="Environment variables of the task."),
    ] = Field(default_factory=dict)
    files: Annotated[
        tuple[FileSpec, ...], Field(description="Files that are put into its container.")
    ] = ()
    inputs: Annotated[
        tuple[InputSpec, ...],
        Field(description="What is downloaded before it starts, to {{input:0}}, {{input:1}}, ..."),
    ] = ()
    outputs: Annotated[
        tuple[OutputSpec, ...], Field(description="Where {{output}} is uploaded when it ends.")
    ] = ()
    credentials: Annotated[
        Mapping[Annotated[str, Field(min_length=1)], Credential],
        Field(description="Credentials of the user, as files in a folder or as variables."),
    ] = Field(default_factory=dict)
    checkpoint: Annotated[
        tuple[CheckpointSpec, ...], Field(description="What is copied while it runs.")
    ] = ()
    kpis: Annotated[tuple[KpiSpec, ...], Field(description="Files of figures.")] = ()
    exit_actions: Annotated[
        ExitActions,
        Field(description="What its exit codes mean, where 0 is not all that is success."),
        WithJsonSchema(
            {
                "type": "object",
                "propertyNames": {"pattern": ACTION_PATTERN},
                "additionalProperties": {
                    "anyOf": [{"type": "string", "pattern": CODES_PATTERN}, {"type": "integer"}]
                },
                "examples": [{"COMPLETE": "3,10-19"}],
            }
        ),
    ] = Field(default_factory=dict)
    privileged: Annotated[
        bool, Field(description="With all rights on its node, where the platform allows it.")
    ] = False
    host_network: Annotated[
        bool, Field(description="In the network of its node, where the platform allows it.")
    ] = False
    volume_mounts: Annotated[
        tuple[VolumeMount, ...],
        Field(description="Folders of its node, SOURCE or SOURCE:TARGET, that the pool allows."),
    ] = ()
    download_type: Annotated[
        str | None,
        AfterValidator(_download_type),
        WithJsonSchema({"enum": ["download", None]}),
        Field(description="How inputs come; there is one way."),
    ] = None
    cache_size: Annotated[
        str | None,
        AfterValidator(_cache_size),
        Field(description="A size, or a part of the storage: 90%. For templates of the pool."),
    ] = None
    resources: Annotated[
        object, Field(exclude=True, description="Has no effect: use resource.")
    ] = None
    backend: Annotated[object, Field(exclude=True, description="Has no effect.")] = None

    @model_validator(mode="after")
    def _check_places(self) -> Self:
        places = [("file", file.path) for file in self.files]
        places += [("volume mount", target_of(each)) for each in self.volume_mounts]
        places += [
            ("credential", mount) for mount in self.credentials.values() if isinstance(mount, str)
        ]
        if len(places) > 1 and (why := collision(self.name, places)):
            raise fault(why)
        return self

    @model_validator(mode="after")
    def _check_variables(self) -> Self:
        taken: dict[str, str] = {}
        for credential, given in self.credentials.items():
            for variable in () if isinstance(given, str) else given:
                if variable in taken:
                    raise fault(
                        f"the credentials {taken[variable]} and {credential} both give the "
                        f"environment variable {variable}. Rename one."
                    )
                taken[variable] = credential
        return self


class GroupSpec(SpecModel):
    name: Annotated[Name, Field(description="Unique among tasks and groups.")]
    barrier: Annotated[
        bool, Field(description="All tasks start together, when the last has its inputs.")
    ] = True
    ignore_nonlead_status: Annotated[
        bool, Field(description="Another task than the lead may fail without failing the group.")
    ] = True
    tasks: Annotated[
        tuple[TaskSpec, ...],
        AfterValidator(_not_empty),
        Field(json_schema_extra={"minItems": 1}, description="Tasks that run at the same time."),
    ]

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
    name: Annotated[Name, Field(description="Its runs are NAME-1, NAME-2, ...")]
    tasks: Annotated[
        tuple[TaskSpec, ...], Field(description="Single tasks; instead of groups.")
    ] = ()
    groups: Annotated[
        tuple[GroupSpec, ...], Field(description="Tasks that run together; instead of tasks.")
    ] = ()
    resources: Annotated[
        Mapping[str, ResourceSpec],
        Field(description="What tasks need, by name. A task that names none has default."),
    ] = Field(default_factory=dict)
    labels: Annotated[
        Mapping[str, Annotated[str, Field(strict=True)]],
        Field(
            json_schema_extra={"maxProperties": label_rules.MOST},
            description="They go onto the pods, too.",
        ),
    ] = Field(default_factory=dict)
    timeout: Annotated[TimeoutSpec | None, Field(description="Limits of each group.")] = None
    pool: Annotated[
        str, Field(exclude=True, description="Has no effect: the pool is chosen at submission.")
    ] = ""
    backend: Annotated[str, Field(exclude=True, description="Has no effect.")] = ""

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        if self.tasks and self.groups:
            raise fault("Cannot use both groups and tasks in the same workflow. Keep one of them.")
        if not self.tasks and not self.groups:
            raise fault("has neither tasks nor groups: write the tasks to run.")
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


KEYS: Mapping[str, Sequence[str]] = {
    place: [field.alias or name for name, field in model.model_fields.items()]
    for place, model in (
        ("workflow", WorkflowSpec),
        ("groups", GroupSpec),
        ("tasks", TaskSpec),
        ("resources", ResourceSpec),
        ("files", FileSpec),
        ("inputs", InputSpec),
        ("outputs", OutputSpec),
        ("checkpoint", CheckpointSpec),
        ("kpis", KpiSpec),
        ("topology", TopologySpec),
        ("timeout", TimeoutSpec),
    )
}
"""The keys that may stand below each place."""
