"""The operator's half of the conversation with the Agent, without sockets, clock or dice.

Text and moments go in; text, orders and the next wake-up come out. The owner of the sockets asks
`dial` whether a connection is wanted, tells `opened`, `received` and `closed`, sends all of
`to_send` and closes what is `finished`; the Listener calls `report`, the Worker `answer` or
`put_down`.

What is promised (`docs/operator-protocol.md` has all of it):

* Every observation has a number of its own. A newer one of the same pod replaces the older and
  takes a new number; saying one again keeps it. So an acknowledgement can only ever clear the very
  event that was said, not one that came after it.
* An acknowledgement counts for exact numbers, of this process's `boot_id`, that were said. The next
  number cleared implies nothing about the one before: there is no watermark, because every frame is
  a Lambda of its own and they overtake each other.
* What is not acknowledged is said again, after 60 s and on every new connection.
* While news of a workflow is on its way to a commit, what else there is to say of this workflow
  waits, until the news is acknowledged or for `NEWS_HOLD` (it doubles while acknowledgements are
  late), and then goes out together: Nagle's algorithm, for each workflow. So two Agents hardly ever
  commit to one workflow at a time, and a commit holds the more, the more there is to tell.
* Nothing but `hello` is said before the `welcome`: the service must know who speaks.
* No frame is larger than `FRAME_BYTES`, whatever a pod's message contains.

`connections` knows when to dial and which connection to speak on, `outbox` what there is to say and
when, `frames` how it is cut.

Rejected: a queue of events instead of the latest per pod (it grows without bound while the service
is away, and nobody needs the pod's past: its own times are in the newest observation); WebSocket
pings to notice a dead peer (heartbeats are unanswered by design, and whether pings are answered is
not in API Gateway's contract): unanswered news for `OFFLINE_AFTER` is the sign, besides TCP's own.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import JsonValue, ValidationError

from xylem.domain.ids import MailId, mail_parts
from xylem.domain.values import dataclass
from xylem.protocol.agent import (
    Ack,
    Anchor,
    BackendTests,
    Heartbeat,
    Hello,
    Invite,
    Job,
    JobResult,
    Jobs,
    PodObservation,
    Refusal,
    Rejected,
    Welcome,
    agent_message,
)
from xylem.protocol.connections import Connections
from xylem.protocol.frames import chunks
from xylem.protocol.limits import HEARTBEAT, NEWS_FLUSH
from xylem.protocol.message import Message
from xylem.protocol.nodes import NodeNews
from xylem.protocol.outbox import Outbox

INVENTORY_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Perform:
    """A job to be performed. It ends in `answer`, or in `put_down` when it stays unanswered."""

    job: Job
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """The acknowledged event was terminal: whoever holds this pod for its exit code may let go."""

    uid: str


@dataclass(frozen=True, slots=True)
class Collect:
    """The service knows no such task: release the pod and delete it."""

    uid: str


@dataclass(frozen=True, slots=True)
class TakeInventory:
    """List the cluster, beginning now, and hand the result to `inventory` with this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something that an admin should read: a refused frame, held news, words not understood."""

    text: str


@dataclass(frozen=True, slots=True)
class SetTests:
    """These are the tests of nodes that the cluster is to have, and no others."""

    told: BackendTests


@dataclass(frozen=True, slots=True)
class Enter:
    """Somebody waits to reach into a task; said more than once while nobody comes."""

    invite: Invite


Order = Perform | Settled | Collect | TakeInventory | Complaint | SetTests | Enter


class Link:
    def __init__(self, hello: Hello, *, random: Callable[[], float], now: datetime) -> None:
        """`random` draws from [0, 1)."""
        self._hello = hello
        self._connections = Connections(random, now)
        self._outbox = self.outbox(hello.boot_id)
        self._performing: dict[MailId, Job] = {}
        self._inventory_frames: list[str] = []
        self._inventories = 0
        self._inventory_due: datetime | None = None
        self.nodes = NodeNews(hello.boot_id)
        """What the Listener saw of the cluster's nodes; said on the present connection."""

    outbox = Outbox

    done = False
    """An operator is never done with its service."""

    # Connections -------------------------------------------------------------------------------

    @property
    def welcomed(self) -> bool:
        return self._connections.current is not None

    @property
    def unacknowledged(self) -> int:
        """Observations that wait to be said, or to be acknowledged."""
        return self._outbox.unacknowledged

    def dial(self, now: datetime) -> int | None:
        """The number of a connection to be opened now, if one is due. Tell `opened` or `closed`."""
        return self._connections.dial(now)

    def opened(self, number: int, now: datetime) -> None:
        self._connections.opened(number, now)

    def closed(self, number: int, now: datetime, *, retry_after: timedelta | None = None) -> None:
        """The socket is gone, or could not be opened. `retry_after`: what the server asked for."""
        self._connections.closed(number, now, retry_after=retry_after)
        if not self.welcomed:
            self._inventory_frames.clear()

    def finished(self, number: int, now: datetime) -> bool:
        """Whether this socket should be closed from our side."""
        return self._connections.finished(number, now)

    @property
    def wake_at(self) -> datetime | None:
        """When `dial`, `ticked`, `to_send` and `finished` have to be asked next."""
        moments = [self._connections.wake_at]
        if self.welcomed:
            moments += [self._outbox.due, self._inventory_due, self.nodes.due]
        return min(filter(None, moments), default=None)

    # In ----------------------------------------------------------------------------------------

    def received(self, number: int, text: str, now: datetime) -> list[Order]:
        connection = self._connections.get(number)
        if connection is None:
            return []
        connection.unanswered_since = None
        try:
            message = agent_message.validate_json(text)
        except ValidationError as error:
            return self._understand_in_part(text, error, now)
        match message:
            case Welcome(bundles=bundles, nodes=nodes):
                connection.bundles = bundles
                return self._welcomed(number, nodes, now)
            case Ack():
                return self._acknowledged(message)
            case Rejected():
                return self._rejected(message)
            case Refusal(code=code, message=reason):
                connection.bundles = False
                if not connection.welcomed:
                    connection.end_at = now
                return [Complaint(f"the service refused a frame ({code}): {reason}")]
            case Invite():
                return [Enter(message)]
            case Jobs(jobs=jobs, tests=tests):
                orders = self._jobs(jobs, now)
                return orders if tests is None else [*orders, SetTests(tests)]

    def ticked(self, now: datetime) -> list[Order]:
        if not self.welcomed or not _reached(self._inventory_due, now):
            return []
        return [self._take_inventory(now)]

    def _understand_in_part(self, text: str, error: ValidationError, now: datetime) -> list[Order]:
        """A newer service may push a kind of job that we do not know: the others still count."""
        complaint = Complaint(f"not understood: {error.error_count()} errors in {text[:200]!r}")
        try:
            known = _LooseJobs.model_validate_json(text)
        except ValidationError:
            return [complaint]
        jobs = [job for job in map(_job, known.jobs) if job is not None]
        return [complaint, *self._jobs(jobs, now)]

    def _welcomed(self, number: int, nodes: bool, now: datetime) -> list[Order]:
        if self._connections.welcomed(number, now):
            self._inventory_frames.clear()
            self._outbox.say_all_again(now)
        if number != self._connections.current:
            return []
        order = self._take_inventory(now)
        self.nodes.welcomed(nodes, now)
        return [order]

    def _acknowledged(self, ack: Ack) -> list[Order]:
        if ack.boot_id != self._hello.boot_id:
            return []
        return [Settled(uid) for uid in self._outbox.acknowledged(ack.ranges)]

    def _rejected(self, rejected: Rejected) -> list[Order]:
        if rejected.boot_id != self._hello.boot_id:
            return []
        uid = self._outbox.rejected(rejected.seq)
        if uid is None:
            return []
        complaint = Complaint(
            f"the service rejected news of pod {uid} ({rejected.code}): {rejected.message}"
        )
        return [complaint, Collect(uid)] if rejected.code == "unknown_entity" else [complaint]

    def _jobs(self, jobs: Iterable[Job], now: datetime) -> list[Order]:
        orders: list[Order] = []
        for job in jobs:
            if job.job_id not in self._performing:
                self._performing[job.job_id] = job
                orders.append(Perform(job, now))
        return orders

    def _take_inventory(self, now: datetime) -> TakeInventory:
        self._inventories += 1
        self._inventory_due = now + INVENTORY_EVERY
        self.nodes.say_all(now)
        return TakeInventory(self._inventories)

    # What the Listener and the Worker say --------------------------------------------------------

    def report(self, pod: PodObservation, now: datetime) -> None:
        """What is now seen of a pod. Says nothing new where it is what waits to be acknowledged."""
        self._outbox.report(pod, now)

    def is_said(self, uid: str) -> bool:
        """Whether nothing is left that was seen of this pod and never said."""
        return self._outbox.is_said(uid)

    def answer(self, result: JobResult, now: datetime) -> None:
        """The job is done with. The answer to `observe` is completed by what was seen to end and is
        not acknowledged, even if the pod has gone since.

        That something was made or deleted as it should be is no more urgent than a newcomer: what
        the pods do is news. Everything else has somebody who waits for it."""
        job = self._performing.pop(result.job_id, None)
        if job is not None and job.kind == "observe" and result.status == "done":
            found = self._outbox.completed(result.observations, lambda pod: _is_of(job, pod))
            result = result.model_copy(update={"observations": found})
        no_hurry = job is not None and job.kind != "observe" and result.status == "done"
        self._outbox.answer(result, now + NEWS_FLUSH if no_hurry else now)

    def put_down(self, job_id: MailId) -> None:
        """The job ends unanswered: when it is pushed again it is performed again."""
        self._performing.pop(job_id, None)

    def inventory(
        self, number: int, anchors: Sequence[Anchor], pods: Sequence[PodObservation]
    ) -> None:
        """The listing that `TakeInventory(number)` asked for; one begun before the last welcome is
        not said. Pods with unacknowledged terminal news are listed as present."""
        if not self.welcomed or number != self._inventories:
            return
        everything = self._outbox.completed(pods, lambda pod: True)
        self._inventory_frames = chunks(self._hello.boot_id, anchors, everything)

    # Out ---------------------------------------------------------------------------------------

    def to_send(self, number: int, now: datetime) -> list[str]:
        """Whole frames, to be sent on this connection in this order."""
        connection = self._connections.get(number)
        if connection is None:
            return []
        if not connection.welcomed:
            says_hello = self._connections.says_hello(number, now)
            return [self._hello.model_dump_json()] if says_hello else []
        if number != self._connections.current:
            return []
        texts, has_news = self._outbox.texts(now, bundles=connection.bundles)
        if has_news and connection.unanswered_since is None:
            connection.unanswered_since = now
        texts += self._inventory_frames
        self._inventory_frames = []
        texts += self.nodes.frames(now)
        if not texts and _reached(connection.spoke_at, now - HEARTBEAT):
            texts = [Heartbeat().model_dump_json()]
        if texts:
            connection.spoke_at = now
        return texts


class _LooseJobs(Message):
    type: Literal["jobs"]
    jobs: list[JsonValue]


def _job(raw: JsonValue) -> Job | None:
    try:
        return Job.model_validate(raw)
    except ValidationError:
        return None


def _reached(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and now >= moment


def _is_of(job: Job, pod: PodObservation) -> bool:
    group, incarnation, _ = mail_parts(job.job_id)
    return (pod.group, pod.incarnation) == (group, incarnation)
