"""What a workflow is to do: the user's spec after templates, defaults and checks.

`xylem.spec` makes it from YAML once, at submission; it is stored beside the text and never changes.
The state of the same workflow (`group`, `workflow`) is kept apart: it changes all the time and
stays small. Special tokens of tasks (`{{output}}`, `{{input:0}}`, `{{host:x}}`, `{{workflow_id}}`)
are still in the strings, because some are known only when a group is rendered (`xylem.manifests`).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from xylem.domain.exits import ExitRule
from xylem.domain.ids import TaskName, WorkflowId
from xylem.domain.values import dataclass, field


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a task may be tried again: after what the infrastructure did to it (a lost node, an
    eviction by the node, a preemption), and where an exit rule asks for it. OSMO has one number for
    both, 0 by default."""

    disrupted: int = 3
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a group may be in the queue of its cluster, how long its tasks may take to start,
    and how long they may run. The defaults are OSMO's (60 d, 30 m, 60 d).

    Beyond OSMO: how long it may take until its pods are seen in the cluster (`processing`), and how
    long it may wait for groups upstream (`waiting`; None: as long as these may take, which have
    limits themselves). `retries` are each task's."""

    queue: timedelta = timedelta(days=60)
    start: timedelta = timedelta(minutes=30)
    execution: timedelta = timedelta(days=60)
    processing: timedelta = timedelta(days=60)
    waiting: timedelta | None = None
    retries: Retries = Retries()


@dataclass(frozen=True, slots=True)
class Topology:
    """Tasks of one `group` (of topology, not of tasks) want to be near each other: on nodes that
    have the same value of the pool's topology key `key`. Not `required`: if that can be had."""

    key: str
    group: str = "default"
    required: bool = True


@dataclass(frozen=True, slots=True)
class Resources:
    """What one task asks of a node. `memory` and `storage` in bytes; None: the pool's default."""

    cpu: int | None = None
    gpu: int | None = None
    memory: int | None = None
    storage: int | None = None
    platform: str | None = None
    nodes_excluded: tuple[str, ...] = ()
    topology: tuple[Topology, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file of the spec. `contents` is text, or base64 of bytes when `base64` says so."""

    path: str
    contents: str
    base64: bool = False


@dataclass(frozen=True, slots=True)
class TaskInput:
    """The output of another task, filtered by `regex` over relative paths. `workflow`: an earlier
    one, whose task it is; None: this one."""

    task: TaskName
    regex: str = ""
    workflow: WorkflowId | None = None
    kind: Literal["task"] = "task"


@dataclass(frozen=True, slots=True)
class UrlInput:
    """Objects below a URL of an object store, filtered by `regex` over their keys."""

    url: str
    regex: str = ""
    kind: Literal["url"] = "url"


@dataclass(frozen=True, slots=True)
class DatasetInput:
    """A version of a dataset, or what a collection holds, filtered by `regex` over its paths.
    `dataset`: `[bucket/]name[:tag-or-version]`; with its bucket once it was submitted."""

    dataset: str
    regex: str = ""
    kind: Literal["dataset"] = "dataset"


Input = TaskInput | UrlInput | DatasetInput


@dataclass(frozen=True, slots=True)
class DatasetOutput:
    """Files of the output that become a version of a dataset: those below `path`, filtered by
    `regex`. With `updates` a new version of the one that is named, with these paths of the output
    beside what it has, `source` or `source:folder` each. `metadata` and `labels`: files of YAML in
    the output."""

    dataset: str
    path: str = ""
    regex: str = ""
    updates: bool = False
    paths: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UrlOutput:
    """Where a copy of the task's output goes, filtered by `regex`."""

    url: str
    regex: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """While the task runs, and once at its end, `path` is copied to `url`."""

    path: str
    url: str
    frequency: timedelta
    regex: str = ""


@dataclass(frozen=True, slots=True)
class Kpi:
    """A file of the output that holds figures, under the name by which they are found."""

    index: str
    path: str


@dataclass(frozen=True, slots=True)
class CredentialUse:
    """A credential of the user's in a task: as files below `mount`, one for each key of its
    payload, or as environment variables, each naming the key that it takes."""

    name: str
    mount: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskPlan:
    name: TaskName
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    lead: bool = False
    resources: Resources = Resources()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: tuple[File, ...] = ()
    inputs: tuple[Input, ...] = ()
    outputs: tuple[UrlOutput, ...] = ()
    datasets: tuple[DatasetOutput, ...] = ()
    credentials: tuple[CredentialUse, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    kpis: tuple[Kpi, ...] = ()
    exit_rules: tuple[ExitRule, ...] = ()
    privileged: bool = False
    host_network: bool = False
    volume_mounts: tuple[str, ...] = ()
    """`source` or `source:target`, folders of the node that the platform allows."""
    cache_size: str | None = None


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """Tasks that start together. `upstream` are the names of groups of this workflow whose output
    its tasks read."""

    name: str
    tasks: tuple[TaskPlan, ...]
    upstream: tuple[str, ...] = ()
    barrier: bool = True
    ignore_nonlead_status: bool = True

    @property
    def waits_at_barrier(self) -> bool:
        return self.barrier and len(self.tasks) > 1

    def task(self, name: TaskName) -> TaskPlan:
        """Raises `KeyError` for a task of another group."""
        for task in self.tasks:
            if task.name == name:
                return task
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class WorkflowPlan:
    """Groups in the order of the file. `labels` go onto the pods. `limits` are each group's;
    `own_limits` names those that the spec itself says."""

    name: str
    groups: tuple[GroupPlan, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    own_limits: frozenset[str] = frozenset()

    def group(self, name: str) -> GroupPlan:
        """Raises `KeyError`."""
        for group in self.groups:
            if group.name == name:
                return group
        raise KeyError(name)

    def group_of(self, task: TaskName) -> GroupPlan:
        """Raises `KeyError`."""
        for group in self.groups:
            if any(known.name == task for known in group.tasks):
                return group
        raise KeyError(task)
