"""What the objects of a group need to know that its plan does not say, and the names it makes.

Names are deterministic, so that making an object twice finds the first; and they contain the
attempt, so that a retry never waits for a deletion.
"""

from collections.abc import Mapping

from xylem.domain.ids import (
    BackendName,
    GroupId,
    PoolName,
    TaskName,
    UserName,
    WorkflowId,
    WorkflowUuid,
    group_service,
    task_uuid,
)
from xylem.domain.plan import Limits, Resources, TaskPlan
from xylem.domain.pool import (
    DEFAULT_SCHEDULER,
    SHIPPED_DEFAULTS,
    GpuQuota,
    PodScheduling,
    Scheduler,
)
from xylem.domain.templates import Template, Value
from xylem.domain.values import dataclass, field


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """`retries` names the tasks whose pods are to be rendered, each with its attempt; `tokens` has
    a token for each of these attempts. `defaults` and `default_platform` are the pool's, for what
    a task does not ask for.

    `credentials`: the payload of each of the user's credentials that a task names, whose keys are
    such as a Secret may have. `stores`: the keys of object stores, by the URL below which they
    open. `registries`: the logins for the tasks' images, by the name below which these lie;
    `runtime_registry`: for the Task Runtime's. `topology_labels`: the label of nodes behind each of
    the pool's topology keys; a key that is not among them is a label itself. `restarts`: how often
    the group began anew."""

    workflow: WorkflowId
    workflow_uuid: WorkflowUuid
    group: GroupId
    incarnation: int
    restarts: int
    user: UserName
    pool: PoolName
    priority: str
    labels: Mapping[str, str]
    retries: Mapping[TaskName, int]
    tokens: Mapping[TaskName, str]
    api_url: str
    runtime_image: str
    image_pull_policy: str
    default_platform: str | None = None
    defaults: Resources = SHIPPED_DEFAULTS
    limits: Limits = Limits()
    credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    stores: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    registries: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    runtime_registry: Mapping[str, str] = field(default_factory=dict, repr=False)
    topology_labels: Mapping[str, str] = field(default_factory=dict)
    scheduling: Mapping[str, PodScheduling] = field(default_factory=dict)
    """By platform."""
    scheduler: Scheduler = DEFAULT_SCHEDULER
    backend: BackendName = BackendName("")
    quota: GpuQuota = GpuQuota()
    """The pool's, which KAI and Volcano keep in its queue of this backend."""
    group_objects: tuple[Template, ...] = ()
    """What the pool's group templates come to, and beside the group's own what fills them in."""
    variables: Mapping[str, Value] = field(default_factory=dict)


def pod_name(task: TaskPlan, facts: GroupFacts) -> str:
    """OSMO's `<workflow>-<task>`, with the attempt."""
    of_task = task_uuid(facts.group, task.name)[:16]
    retry = facts.retries[task.name]
    return f"{facts.workflow_uuid[:16]}-{of_task}-r{retry}-{facts.incarnation}"


def service_name(facts: GroupFacts) -> str:
    """The headless Service, and so the subdomain of the pods."""
    return group_service(facts.group, facts.incarnation)


def platform_of(task: TaskPlan, facts: GroupFacts) -> PodScheduling:
    """What the task's platform puts onto its pods."""
    name = task.resources.platform or facts.default_platform or ""
    return facts.scheduling.get(name, PodScheduling())
