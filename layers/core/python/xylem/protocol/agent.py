"""The words between a cluster's operator and the Agent: JSON text, one message per frame.

Every message of the operator carries `to: "agent"`, by which API Gateway chooses the route. The
rules of the conversation are told in `docs/operator-protocol.md`; `xylem.protocol.link` is the
operator's half, `xylem.usecases.operators` and `xylem.usecases.news` are the service's.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from xylem.domain.ids import BackendName, GroupId, MailId, TaskName, WorkflowId
from xylem.domain.status import TaskStatus
from xylem.protocol.limits import (
    BOOT_ID_CHARS,
    CLUSTER_UID_CHARS,
    DETAIL_CHARS,
    DETAIL_CONDITIONS,
    DETAIL_CONTAINERS,
    DETAIL_NAME_CHARS,
    DETAIL_WARNINGS,
    MESSAGE_CHARS,
    NEWS_EVENTS,
    NODE_CONDITION_CHARS,
    NODE_USES,
)
from xylem.protocol.message import LATER, Message
from xylem.protocol.session_ids import SessionId
from xylem.protocol.session_ids import Token as SessionToken

BootId = Annotated[str, Field(min_length=1, max_length=BOOT_ID_CHARS)]
Seq = Annotated[int, Field(ge=1)]


class FromOperator(Message):
    to: Literal["agent"] = "agent"


DetailName = Annotated[str, Field(max_length=DETAIL_NAME_CHARS)]
DetailText = Annotated[str, Field(max_length=DETAIL_CHARS)]


class ContainerDetail(Message):
    """A container that waits for what does not come by itself, was restarted, or ended badly.
    `state` is Kubernetes' word (waiting, running, terminated). Its exit code is its own, without
    the offset that says whose it is."""

    name: DetailName
    state: DetailName
    reason: DetailName = ""
    message: DetailText = ""
    exit_code: int | None = None
    restarts: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None


class PodCondition(Message):
    """A condition of the pod that is not as it should be, in Kubernetes' words."""

    type: DetailName
    status: DetailName
    reason: DetailName = ""
    message: DetailText = ""
    since: datetime | None = None


class PodWarning(Message):
    """The newest of the cluster's events of the type Warning with this reason, about this pod."""

    reason: DetailName
    message: DetailText = ""
    count: Annotated[int, Field(ge=1)] = 1
    at: datetime | None = None


class PodDetail(Message):
    """What explains an observation and decides nothing. Absent where all is well with a pod."""

    containers: Annotated[list[ContainerDetail], Field(max_length=DETAIL_CONTAINERS)] = []
    conditions: Annotated[list[PodCondition], Field(max_length=DETAIL_CONDITIONS)] = []
    warnings: Annotated[list[PodWarning], Field(max_length=DETAIL_WARNINGS)] = []


class PodObservation(Message):
    """What a pod's object says of one attempt of a task.

    `workflow, group, incarnation, task, retry` are the attempt's fences. `status` is never WAITING
    or PROCESSING (nobody sees those in a cluster). `bound`: a node was chosen, so it may have run.
    `disrupted`: the node, the scheduler or the cluster ended it, not its command; who does not know
    this word says nothing of it. Times are the pod's own; None where the pod does not say."""

    workflow: WorkflowId
    group: GroupId
    incarnation: int
    task: TaskName
    retry: int
    uid: str
    status: TaskStatus
    exit_code: int | None = None
    message: Annotated[str, Field(max_length=MESSAGE_CHARS)] = ""
    node: str | None = None
    pod_ip: str | None = None
    bound: bool = False
    scheduled_at: datetime | None = None
    initializing_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    disrupted: bool = False
    detail: PodDetail | None = None


class Event(Message):
    """One piece of news. A newer observation always takes a new `seq`; saying it again keeps it."""

    seq: Seq
    pod: PodObservation


class Hello(FromOperator):
    """`data_keys`: the operator opens a payload with the data key that comes beside it."""

    type: Literal["hello"] = "hello"
    backend: BackendName
    cluster_uid: Annotated[str, Field(min_length=1, max_length=CLUSTER_UID_CHARS)]
    boot_id: BootId
    version: str
    data_keys: bool = False


class Heartbeat(FromOperator):
    type: Literal["heartbeat"] = "heartbeat"


class News(FromOperator):
    type: Literal["news"] = "news"
    boot_id: BootId
    events: Annotated[list[Event], Field(min_length=1, max_length=NEWS_EVENTS)]


TaskRange = tuple[str, str]
"""Two bounds of task names, both included, by string order; they need not be names themselves."""


class JobResult(FromOperator):
    """The answer to the job in mailbox row `job_id`. To `observe` it carries every pod of that
    group and incarnation, found by a quorum read begun after the job's receipt.

    An answer that is larger than a frame comes in parts. A part is whole for the tasks in `tasks`
    alone (None: for all), so an absence counts only for these; while `more` follow, the mailbox row
    stays. The tasks of a part that was lost stay undecided until the next `observe`."""

    type: Literal["job_result"] = "job_result"
    workflow: WorkflowId
    job_id: MailId
    status: Literal["done", "failed", "superseded"]
    message: Annotated[str, Field(max_length=MESSAGE_CHARS)] = ""
    observations: list[PodObservation] = []
    tasks: TaskRange | None = None
    more: bool = False


class Bundle(FromOperator):
    """News and answers in one frame. Said only to a service whose `welcome` knows `bundles`."""

    type: Literal["bundle"] = "bundle"
    boot_id: BootId
    events: Annotated[list[Event], Field(max_length=NEWS_EVENTS)] = []
    results: Annotated[list[JobResult], Field(min_length=1, max_length=NEWS_EVENTS)]


class Anchor(Message):
    """A group's ConfigMap in the cluster: which incarnation, how far it got."""

    workflow: WorkflowId
    group: GroupId
    incarnation: int
    state: Literal["creating", "created", "closing", "closed"]
    done: int
    """The highest ordinal of a create that the anchor records as done; 0: none."""


class Inventory(FromOperator):
    """One chunk of all that the cluster holds of ours, whole for the groups from `first` to `last`
    (both included, by string order). Anchors were listed before pods, by quorum reads begun after
    the last `welcome`; pods with unacknowledged terminal news are in it. A group that is larger
    than a frame has chunks of its own, each whole for the tasks in `tasks` alone."""

    type: Literal["inventory"] = "inventory"
    boot_id: BootId
    first: str
    last: str
    anchors: list[Anchor] = []
    pods: list[PodObservation] = []
    tasks: TaskRange | None = None


class NodeAmounts(Message):
    """`cpu` in thousandths of a core, `memory` and `storage` in bytes."""

    cpu: Annotated[int, Field(ge=0)] = 0
    gpu: Annotated[int, Field(ge=0)] = 0
    memory: Annotated[int, Field(ge=0)] = 0
    storage: Annotated[int, Field(ge=0)] = 0


class NodeTaint(Message):
    key: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    value: str = ""


class NodeUse(Message):
    """What the pods of one pool and priority, as their labels say, ask for on this node: those that
    were bound to it and have not ended."""

    pool: str
    priority: str
    pods: Annotated[int, Field(ge=1)]
    amounts: NodeAmounts = NodeAmounts()


class NodeCondition(Message):
    type: Annotated[str, Field(max_length=NODE_CONDITION_CHARS)]
    status: Literal["True", "False", "Unknown"]


class NodeObservation(Message):
    """What a node's object says, and the pods on it. `capacity`: all that the machine has, with
    what its system keeps to itself; None where nobody says. `others`: what the pods of everybody
    else ask for, together. `ready`: its condition; `cordoned`: an admin wants no more pods
    there. `conditions`: what is said of it, that one among them; which of them keep it from use is
    the service's to know."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    capacity: NodeAmounts | None = None
    allocatable: NodeAmounts = NodeAmounts()
    uses: Annotated[list[NodeUse], Field(max_length=NODE_USES)] = []
    others: NodeAmounts = NodeAmounts()
    ready: bool = False
    cordoned: bool = False
    labels: dict[str, str] = {}
    taints: list[NodeTaint] = []
    conditions: list[NodeCondition] = []


class Nodes(FromOperator):
    """Facts about nodes: those that changed, and the names of those that are gone. With `whole`
    they are all that there are from its first to its last name, both included.

    Nobody acknowledges them: they are hints, and all of them are said again with every inventory.
    `number` counts the frames of this boot, so that an older one undoes no newer. Only said where
    the welcome said that they are understood. `tests`, with the last frame of all: the `digest` of
    the tests that the cluster has, empty before any were told."""

    type: Literal["nodes"] = "nodes"
    boot_id: BootId
    number: Seq
    nodes: list[NodeObservation] = []
    gone: list[str] = []
    whole: tuple[str, str] | None = None
    tests: Annotated[str, Field(max_length=64)] | None = None


class Welcome(Message):
    """`bundles`: the service takes `bundle`; `nodes`: and `nodes`."""

    type: Literal["welcome"] = "welcome"
    epoch: int
    bundles: bool = False
    nodes: bool = False


class Ack(Message):
    """The events with exactly these numbers are durable: pairs of first and last, both included."""

    type: Literal["ack"] = "ack"
    boot_id: BootId
    ranges: list[tuple[Seq, Seq]]


class Rejected(Message):
    """The event can never be applied. `unknown_entity` was found by a consistent read: the operator
    releases and collects the pod; any other code holds it for an admin."""

    type: Literal["rejected"] = "rejected"
    boot_id: BootId
    seq: Seq
    code: Literal["unknown_entity", "not_yours", "invalid"]
    message: str = ""


class Refusal(Message):
    """A whole frame was refused: it was not understood, or its sender may not say it."""

    type: Literal["refusal"] = "refusal"
    code: Literal["invalid_frame", "too_large", "not_yours", "other_cluster"]
    message: str


class Job(Message):
    """One mailbox row. It waits, unanswered, until the ordinal in `after` is done (0: at once).

    `payload` is base64 of gzipped JSON; above `INLINE_PAYLOAD_BYTES` the gzip lies behind
    `payload_url`, a presigned GET. With a `payload_data_key`, base64 of 32 bytes, it lies there
    locked: 12 bytes of nonce, and what AES-256-GCM makes of the gzip, its tag at the end."""

    workflow: WorkflowId
    job_id: MailId
    ordinal: int
    after: int
    kind: Literal["create", "cleanup", "observe"]
    payload: str | None = None
    payload_url: str | None = None
    payload_data_key: str | None = None


class BackendTest(Message):
    """`conditions`: the whole types of those that its pods set. `template`: of its pods, as
    Kubernetes reads it."""

    name: str
    schedule: str
    timeout_seconds: Annotated[int, Field(ge=1)]
    conditions: list[str]
    template: dict[str, Any]


class BackendTests(Message):
    """All tests that the backend is to have: those of before that are not among them are to go.
    Told as often as what `nodes` says of them is another `digest`."""

    digest: str
    tests: list[BackendTest]


class Jobs(Message):
    type: Literal["jobs"] = "jobs"
    jobs: list[Job]
    tests: BackendTests | None = None


class Invite(Message):
    """Somebody wants to enter this attempt: attach to the session `sid` with this token, on a
    socket of its own (`xylem.protocol.session`). Told again while nobody comes."""

    type: Literal["invite"] = "invite"
    sid: SessionId
    token: SessionToken
    purpose: Literal["exec", "port-forward", "rsync"]
    workflow: WorkflowId
    group: GroupId
    incarnation: int
    task: TaskName
    retry: int


class CreatePayload(Message):
    """The JSON inside a create's payload: Kubernetes objects, pods last, without namespace, owner
    references and anchor, which are the Backend Worker's to add. Pods carry gate and finalizer."""

    objects: list[dict[str, Any]]


class CleanupPayload(Message):
    """`grace_seconds` None: each pod's own terminationGracePeriodSeconds."""

    grace_seconds: int | None = None
    force: bool = False


OperatorMessage = Annotated[
    Hello | Heartbeat | News | JobResult | Bundle | Inventory | Nodes,
    Field(discriminator="type"),
]
AgentMessage = Annotated[
    Welcome | Ack | Rejected | Refusal | Jobs | Invite, Field(discriminator="type")
]

operator_message: TypeAdapter[OperatorMessage] = TypeAdapter(OperatorMessage, config=LATER)
agent_message: TypeAdapter[AgentMessage] = TypeAdapter(AgentMessage, config=LATER)
