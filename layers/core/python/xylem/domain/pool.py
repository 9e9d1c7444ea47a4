"""A pool: the part of a cluster that users submit to, as its admin configured it.

The words are OSMO's, field for field, so that an admin's config of a pool there is one here. What
means something to Xylem stands in a field of its own, parsed once when it is put; `kept` holds what
OSMO's configs may say besides, so that who reads a config back finds what was written. An amount of
-1 means "no bound".

Templates of pods and conditions of resources are configs of their own, which pools name. A pool as
it was put has the names alone; `xylem.domain.pool_book` looks them up.
"""

from collections.abc import Collection, Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any, Literal

from xylem.domain.exits import ExitRule
from xylem.domain.ids import BackendName, PoolName
from xylem.domain.node import Amounts, Toleration
from xylem.domain.node_conditions import DEFAULT_CONDITIONS, NodeConditions
from xylem.domain.plan import Limits, Resources
from xylem.domain.templates import Template, Value
from xylem.domain.values import dataclass, field, replace

UNBOUNDED = -1

Kept = str | tuple[str, ...]

SIDECAR = Amounts(cpu=10, memory=64 * 1024**2, storage=64 * 1024**2)
"""What each pod asks for beside its task, where no template says otherwise: `xylem.manifests.pod`
says the same."""

Comparison = Literal["GT", "GE", "LT", "LE", "EQ"]


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a task's resources must satisfy: two operands, each a literal or `{{USER_CPU}}` (what
    the task wants) or `{{K8_CPU}}` (what a node has), and what to say where they do not."""

    operator: Comparison
    left: str
    right: str
    message: str


@dataclass(frozen=True, slots=True)
class Platform:
    """A kind of node within a pool: nodes that have `labels` and whose taints are tolerated.

    `defaults`: what its tasks get that ask for nothing. `mounts`: folders of the node that a task
    may name; `default_mounts`: those that an admin's template mounts anyway. `pod_templates`: names
    of those that come after the pool's; `template`: all of them merged, once they were looked
    up."""

    description: str = ""
    host_network_allowed: bool = False
    privileged_allowed: bool = False
    allowed_mounts: tuple[str, ...] = ()
    default_mounts: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    variables: Mapping[str, Value] = field(default_factory=dict)
    defaults: Resources = Resources()
    resource_validations: tuple[str, ...] = ()
    assertions: tuple[Assertion, ...] = ()
    pod_templates: tuple[str, ...] = ()
    template: Template = field(default_factory=dict)
    beside: Amounts = SIDECAR
    """What its pods ask for beside their tasks, once templates were looked up."""


@dataclass(frozen=True, slots=True)
class GpuQuota:
    """`guarantee`: what HIGH and NORMAL work may have for sure; `maximum`: what LOW work may borrow
    up to, while nobody else wants it; `weight`: how what is left over is shared among pools."""

    guarantee: int = UNBOUNDED
    maximum: int = UNBOUNDED
    weight: int = 1


@dataclass(frozen=True, slots=True)
class TopologyKey:
    """`key` is what specs say; `label` is the label of nodes that it stands for."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """None: the service's own."""

    queue: timedelta | None = None
    execution: timedelta | None = None
    start: timedelta | None = None
    waiting: timedelta | None = None
    processing: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """As the admin wrote them; empty: the service's own. OSMO has the first four."""

    default_exec: str = ""
    default_queue: str = ""
    max_exec: str = ""
    max_queue: str = ""
    default_start: str = ""
    default_waiting: str = ""
    default_processing: str = ""
    max_start: str = ""
    max_waiting: str = ""
    max_processing: str = ""


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Who binds the pods of a cluster to its nodes, under the name that its pods call it by. KAI
    and Volcano are told which pods are one gang, and in which queue it waits; Kubernetes' own knows
    neither, and begins with a gang when all of it exists."""

    type: Literal["default", "kai", "volcano"] = "default"
    name: str = "default-scheduler"
    timeout: int = 30


DEFAULT_SCHEDULER = Scheduler()


@dataclass(frozen=True, slots=True)
class Pool:
    """`exit_rules` is `exit_actions`, and `default_limits` and `max_limits` are `timeouts`, parsed.
    `defaults` is `variables`, parsed. `group_templates`: names of what each group gets beside its
    pods; `group_objects`: these objects, once they were looked up. `scheduler` and
    `node_conditions` are its backend's, once that was looked up."""

    name: PoolName
    backend: BackendName
    description: str = ""
    default_platform: str | None = None
    platforms: Mapping[str, Platform] = field(default_factory=dict)
    maintenance: bool = False
    timeouts: Timeouts = Timeouts()
    default_limits: PoolLimits = PoolLimits()
    max_limits: PoolLimits = PoolLimits()
    exit_actions: Mapping[str, str] = field(default_factory=dict)
    exit_rules: tuple[ExitRule, ...] = ()
    gpu: GpuQuota | None = None
    topology_keys: tuple[TopologyKey, ...] = ()
    variables: Mapping[str, Value] = field(default_factory=dict)
    defaults: Resources = Resources()
    resource_validations: tuple[str, ...] = ()
    assertions: tuple[Assertion, ...] = ()
    pod_templates: tuple[str, ...] = ()
    group_templates: tuple[str, ...] = ()
    group_objects: tuple[Template, ...] = ()
    scheduler: Scheduler = DEFAULT_SCHEDULER
    node_conditions: NodeConditions = DEFAULT_CONDITIONS
    kept: Mapping[str, Kept] = field(default_factory=dict)

    @property
    def quota(self) -> GpuQuota:
        """Without one of its own nothing bounds the pool but its nodes."""
        return self.gpu or GpuQuota()


@dataclass(frozen=True, slots=True)
class PodScheduling:
    """What a platform puts onto its pods: where they go, and what its templates say of them with
    which variables. As it was when the workflow was submitted."""

    labels: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    template: Template = field(default_factory=dict)
    variables: Mapping[str, Value] = field(default_factory=dict)


def scheduling(pool: Pool) -> dict[str, PodScheduling]:
    """Of each platform that says something. The pool is one whose names were looked up."""
    return {
        name: PodScheduling(
            platform.labels,
            platform.tolerations,
            platform.template,
            {**pool.variables, **platform.variables} if platform.template else {},
        )
        for name, platform in pool.platforms.items()
        if platform.labels or platform.tolerations or platform.template
    }


SHIPPED_DEFAULTS = Resources(cpu=1, gpu=0, memory=1024**3, storage=1024**3)
"""OSMO's USER_CPU 1, USER_GPU 0, USER_MEMORY 1Gi and USER_STORAGE 1Gi."""


def wanted(asked: Resources, pool: Pool, platform: Platform | None) -> Resources:
    """What a task wants in the end: its own word, then its platform's, its pool's, and ours."""
    given = asked
    of_platform = platform.defaults if platform else Resources()
    for defaults in (of_platform, pool.defaults, SHIPPED_DEFAULTS):
        if None in (given.cpu, given.gpu, given.memory, given.storage):
            given = with_defaults(given, defaults)
    return given


def with_defaults(asked: Resources, defaults: Resources) -> Resources:
    """What is asked for, and of the rest what these say."""
    return Resources(
        platform=asked.platform,
        nodes_excluded=asked.nodes_excluded,
        topology=asked.topology,
        cpu=defaults.cpu if asked.cpu is None else asked.cpu,
        gpu=defaults.gpu if asked.gpu is None else asked.gpu,
        memory=defaults.memory if asked.memory is None else asked.memory,
        storage=defaults.storage if asked.storage is None else asked.storage,
    )


def bounded(limits: Limits, pool: Pool, own: Collection[str]) -> Limits:
    """The limits of a workflow in this pool. A default of the pool's stands where the spec says
    nothing, that is, of each limit that is not in `own`. What is above the pool's maximum is cut to
    it, without a word, as upstream."""
    names = [field.name for field in fields(PoolLimits)]
    given: dict[str, Any] = {name: _bounded(name, limits, pool, own) for name in names}
    return replace(limits, **given)


def _bounded(name: str, limits: Limits, pool: Pool, own: Collection[str]) -> timedelta | None:
    asked: timedelta | None = getattr(limits, name)
    default: timedelta | None = getattr(pool.default_limits, name)
    most: timedelta | None = getattr(pool.max_limits, name)
    chosen = asked if name in own or default is None else default
    if chosen is None or most is None:
        return chosen or most
    return min(chosen, most)
