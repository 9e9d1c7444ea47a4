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

Two connections may be open at once: API Gateway ends each after two hours, so a successor is
dialled between 100 and 110 minutes, and the old one is only closed once it has been welcomed. All
is said on the newest welcomed connection; jobs and acknowledgements are heard on both.

Rejected: a queue of events instead of the latest per pod (it grows without bound while the service
is away, and nobody needs the pod's past: its own times are in the newest observation); WebSocket
pings to notice a dead peer (heartbeats are unanswered by design, and whether pings are answered is
not in API Gateway's contract): unanswered news for `OFFLINE_AFTER` is the sign, besides TCP's own.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Literal, NamedTuple

from pydantic import JsonValue, ValidationError
from pydantic_core import to_json

from xylem.domain.ids import GroupId, MailId, WorkflowId, mail_parts
from xylem.domain.status import TaskStatus
from xylem.protocol.agent import (
    Ack,
    Anchor,
    BackendTests,
    Event,
    Heartbeat,
    Hello,
    Inventory,
    Job,
    JobResult,
    Jobs,
    PodObservation,
    Refusal,
    Rejected,
    Welcome,
    agent_message,
)
from xylem.protocol.limits import (
    FRAME_BYTES,
    HEARTBEAT,
    LONGEST_NEWS_HOLD,
    NEWS_EVENTS,
    NEWS_FLUSH,
    NEWS_GAP,
    NEWS_HOLD,
    OFFLINE_AFTER,
    SAY_AGAIN_AFTER,
)
from xylem.protocol.message import Message
from xylem.protocol.nodes import NodeNews

HELLO_AGAIN = timedelta(seconds=10)
HELLO_TRIES = 3
INVENTORY_EVERY = timedelta(minutes=10)
RETIRE_AFTER = timedelta(seconds=45)
"""Below the 60 s after which the service drops the frames of a connection with a successor."""

ROTATE_AFTER = timedelta(minutes=100)
ROTATE_SPREAD = timedelta(minutes=10)
"""API Gateway ends a connection after 2 h; the spread keeps operators from rotating together."""

FIRST_TRY_WITHIN = timedelta(seconds=10)
"""500 operators that are cut at once come back as 50 connections a second; AWS allows 500."""

TRY_WITHIN = timedelta(seconds=60)
LONGEST_HINT = timedelta(minutes=10)
PENDING_PODS = 20_000
"""Pods that are not at their end, with news that is not acknowledged. Beyond, the oldest news is
forgotten: the next inventory has the same pod. News of an end is never forgotten; its pods are held
in the cluster by their finalizer, so the cluster is its bound."""

_LOWEST, _HIGHEST = "", "~"
"""Below and above every id of a group and every name of a task."""

_ABOVE = "!"
"""`<id>!` sorts after a group's id and before the next one: ids are hex and have one length."""

_ENVELOPE_BYTES = 2048
"""Of an answer or a chunk, beside its pods, its anchors and its message: some keys and names."""

_ANSWER_MESSAGE_CHARS = 1000
"""Of an answer that has pods to carry, too."""


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


Order = Perform | Settled | Collect | TakeInventory | Complaint | SetTests


@dataclass(slots=True)
class _News:
    seq: int
    pod: PodObservation
    text: str
    size: int
    said_at: datetime | None = None
    """When it was last said on the present connection."""
    ever_said: bool = False


@dataclass(slots=True)
class _Waiting:
    """Of one workflow: what is to be said, at `due_at` where nothing of it is on its way."""

    due_at: datetime
    uids: dict[str, None] = field(default_factory=dict)
    size: int = 0
    """Of the news of these pods."""
    results: dict[MailId, JobResult] = field(default_factory=dict)


@dataclass(slots=True)
class _OnItsWay:
    """Of one workflow: numbers that were said and not answered, and how long that counts."""

    until: datetime
    numbers: set[int]


@dataclass(slots=True)
class _Connection:
    hello_due: datetime | None = None
    hellos: int = 0
    welcomed: bool = False
    bundles: bool = False
    """Whether its service takes news and answers in one frame."""
    spoke_at: datetime | None = None
    unanswered_since: datetime | None = None
    rotate_at: datetime | None = None
    end_at: datetime | None = None
    """When the socket is to be closed from our side."""


class Link:
    def __init__(self, hello: Hello, *, random: Callable[[], float], now: datetime) -> None:
        """`random` draws from [0, 1)."""
        self._hello = hello
        self._random = random
        boot_id = to_json(hello.boot_id).decode()
        self._news_head = f'{{"to":"agent","type":"news","boot_id":{boot_id},"events":['
        self._bundle_head = f'{{"to":"agent","type":"bundle","boot_id":{boot_id},"events":['
        self._event_room = FRAME_BYTES - _size(self._news_head) - len("]}")
        self._bundle_room = FRAME_BYTES - _size(self._bundle_head) - len('],"results":[]}')
        self._connections: dict[int, _Connection] = {}
        self._dialled = 0
        self._dialling: int | None = None
        self._current: int | None = None
        self._dial_at: datetime | None = now
        self._failures = 0
        self._seq = 0
        self._pending: dict[str, _News] = {}
        self._pod_of: dict[int, str] = {}
        self._droppable: dict[str, None] = {}
        self._waiting: dict[WorkflowId, _Waiting] = {}
        self._on_its_way: dict[WorkflowId, _OnItsWay] = {}
        self._workflow_of: dict[int, WorkflowId] = {}
        self._hold = NEWS_HOLD
        self._flushed_at: datetime | None = None
        self._said: deque[tuple[datetime, str, int]] = deque()
        self._performing: dict[MailId, Job] = {}
        self._inventory_frames: list[str] = []
        self._inventories = 0
        self._inventory_due: datetime | None = None
        self.nodes = NodeNews(hello.boot_id)
        """What the Listener saw of the cluster's nodes; said on the present connection."""

    # Connections -------------------------------------------------------------------------------

    @property
    def welcomed(self) -> bool:
        return self._current is not None

    @property
    def unacknowledged(self) -> int:
        """Observations that wait to be said, or to be acknowledged."""
        return len(self._pending)

    def dial(self, now: datetime) -> int | None:
        """The number of a connection to be opened now, if one is due. Tell `opened` or `closed`."""
        if self._dialling is not None or not self._wants_connection(now):
            return None
        self._dialled += 1
        self._dialling = self._dialled
        self._dial_at = None
        return self._dialled

    def opened(self, number: int, now: datetime) -> None:
        self._connections[number] = _Connection(hello_due=now)

    def closed(self, number: int, now: datetime, *, retry_after: timedelta | None = None) -> None:
        """The socket is gone, or could not be opened. `retry_after`: what the server asked for."""
        connection = self._connections.pop(number, None)
        if number == self._dialling:
            self._dialling = None
            self._failures += 1
        elif number == self._current:
            self._current = None
            self._inventory_frames.clear()
        replaced = connection is not None and connection.welcomed and self._current is not None
        if not replaced and self._dialling is None and self._dial_at is None:
            self._dial_at = now + self._delay(retry_after)

    def finished(self, number: int, now: datetime) -> bool:
        """Whether this socket should be closed from our side."""
        connection = self._connections.get(number)
        if connection is None:
            return True
        if _reached(connection.end_at, now):
            return True
        since = connection.unanswered_since
        return since is not None and now >= since + OFFLINE_AFTER

    @property
    def wake_at(self) -> datetime | None:
        """When `dial`, `ticked`, `to_send` and `finished` have to be asked next."""
        moments = [self._dial_at]
        for number, connection in self._connections.items():
            moments += [connection.hello_due, connection.end_at]
            if connection.unanswered_since is not None:
                moments.append(connection.unanswered_since + OFFLINE_AFTER)
            if number == self._current:
                if self._dialling is None and self._dial_at is None:
                    moments.append(connection.rotate_at)
                if connection.spoke_at is not None:
                    moments.append(connection.spoke_at + HEARTBEAT)
        if self._current is not None:
            moments += [self._flush_at(), self._inventory_due, self._again_at(), self.nodes.due]
        return min(filter(None, moments), default=None)

    def _wants_connection(self, now: datetime) -> bool:
        if self._dial_at is not None:
            return now >= self._dial_at
        return self._current is not None and _reached(
            self._connections[self._current].rotate_at, now
        )

    def _delay(self, retry_after: timedelta | None) -> timedelta:
        """Full jitter: the first try uniform over 10 s, then up to 60 s. A hint moves the
        window."""
        doublings: int = 2 ** min(self._failures, 8)
        window = min(FIRST_TRY_WITHIN * doublings, TRY_WITHIN)
        if retry_after is None:
            return window * self._random()
        hint = min(max(retry_after, timedelta(0)), LONGEST_HINT)
        return hint + max(hint, window) * self._random()

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
                orders = self._welcomed(number, connection, now)
                if number == self._current:
                    self.nodes.welcomed(nodes, now)
                return orders
            case Ack():
                return self._acknowledged(message)
            case Rejected():
                return self._rejected(message)
            case Refusal(code=code, message=reason):
                connection.bundles = False
                if not connection.welcomed:
                    connection.end_at = now
                return [Complaint(f"the service refused a frame ({code}): {reason}")]
            case Jobs(jobs=jobs, tests=tests):
                orders = self._jobs(jobs, now)
                return orders if tests is None else [*orders, SetTests(tests)]

    def ticked(self, now: datetime) -> list[Order]:
        if self._current is None or not _reached(self._inventory_due, now):
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

    def _welcomed(self, number: int, connection: _Connection, now: datetime) -> list[Order]:
        if number == self._dialling:
            self._dialling = None
            self._failures = 0
            self._retire(self._current, now)
            self._current = number
            self._inventory_frames.clear()
            connection.welcomed = True
            connection.spoke_at = now
            connection.hello_due = None
            connection.rotate_at = now + ROTATE_AFTER + ROTATE_SPREAD * self._random()
            self._say_all_again(now)
        return [self._take_inventory(now)] if number == self._current else []

    def _retire(self, number: int | None, now: datetime) -> None:
        if number is not None:
            self._connections[number].end_at = now + RETIRE_AFTER

    def _acknowledged(self, ack: Ack) -> list[Order]:
        if ack.boot_id != self._hello.boot_id:
            return []
        settled: list[Order] = []
        for first, last in ack.ranges:
            for seq in _numbers_between(first, last, self._workflow_of):
                self._arrived(seq)
            for seq in _numbers_between(first, last, self._pod_of):
                uid = self._pod_of[seq]
                news = self._pending[uid]
                if not news.ever_said:
                    continue
                self._forget(uid)
                if news.pod.status.final:
                    settled.append(Settled(uid))
        return settled

    def _rejected(self, rejected: Rejected) -> list[Order]:
        if rejected.boot_id != self._hello.boot_id:
            return []
        self._arrived(rejected.seq)
        uid = self._pod_of.get(rejected.seq)
        if uid is None:
            return []
        news = self._pending[uid]
        if not news.ever_said:
            return []
        self._forget(uid)
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
        known = self._pending.get(pod.uid)
        if known is not None:
            if known.pod == pod:
                return
            self._forget(pod.uid)
        self._seq += 1
        text, size = _event_text(self._seq, pod, self._event_room)
        news = self._pending[pod.uid] = _News(self._seq, pod, text, size)
        self._pod_of[self._seq] = pod.uid
        waiting = self._let_wait(news, now if _urgent(pod) else now + NEWS_FLUSH)
        if len(waiting.uids) >= NEWS_EVENTS or waiting.size >= FRAME_BYTES:
            waiting.due_at = now
        if not pod.status.final:
            self._droppable[pod.uid] = None
            if len(self._droppable) > PENDING_PODS:
                self._forget(next(iter(self._droppable)))

    def is_said(self, uid: str) -> bool:
        """Whether nothing is left that was seen of this pod and never said."""
        news = self._pending.get(uid)
        return news is None or news.ever_said

    def answer(self, result: JobResult, now: datetime) -> None:
        """The job is done with. The answer to `observe` is completed by what was seen to end and is
        not acknowledged, even if the pod has gone since.

        That something was made or deleted as it should be is no more urgent than a newcomer: what
        the pods do is news. Everything else has somebody who waits for it."""
        job = self._performing.pop(result.job_id, None)
        if job is not None and job.kind == "observe" and result.status == "done":
            found = self._completed(result.observations, lambda pod: _is_of(job, pod))
            result = result.model_copy(update={"observations": found})
        no_hurry = job is not None and job.kind != "observe" and result.status == "done"
        waiting = self._waits_by(result.workflow, now + NEWS_FLUSH if no_hurry else now)
        waiting.results[result.job_id] = result

    def put_down(self, job_id: MailId) -> None:
        """The job ends unanswered: when it is pushed again it is performed again."""
        self._performing.pop(job_id, None)

    def inventory(
        self, number: int, anchors: Sequence[Anchor], pods: Sequence[PodObservation]
    ) -> None:
        """The listing that `TakeInventory(number)` asked for; one begun before the last welcome is
        not said. Pods with unacknowledged terminal news are listed as present."""
        if self._current is None or number != self._inventories:
            return
        everything = self._completed(pods, lambda pod: True)
        self._inventory_frames = _chunks(self._hello.boot_id, anchors, everything)

    def _completed(
        self, pods: Sequence[PodObservation], wanted: Callable[[PodObservation], bool]
    ) -> list[PodObservation]:
        listed = {pod.uid for pod in pods}
        ended = [
            news.pod
            for uid, news in self._pending.items()
            if uid not in listed and news.pod.status.final and wanted(news.pod)
        ]
        return [*pods, *ended]

    # Out ---------------------------------------------------------------------------------------

    def to_send(self, number: int, now: datetime) -> list[str]:
        """Whole frames, to be sent on this connection in this order."""
        connection = self._connections.get(number)
        if connection is None:
            return []
        if not connection.welcomed:
            return self._hello_texts(connection, now)
        if number != self._current:
            return []
        texts = self._due_texts(connection, now)
        texts += self._inventory_frames
        self._inventory_frames = []
        texts += self.nodes.frames(now)
        if not texts and _reached(connection.spoke_at, now - HEARTBEAT):
            texts = [Heartbeat().model_dump_json()]
        if texts:
            connection.spoke_at = now
        return texts

    def _hello_texts(self, connection: _Connection, now: datetime) -> list[str]:
        if not _reached(connection.hello_due, now):
            return []
        if connection.hellos == HELLO_TRIES:
            connection.hello_due, connection.end_at = None, now
            return []
        connection.hellos += 1
        connection.hello_due = now + HELLO_AGAIN
        return [self._hello.model_dump_json()]

    def _due_texts(self, connection: _Connection, now: datetime) -> list[str]:
        """All that waits of each workflow whose time has come, in as few frames as it fits."""
        self._take_up_again(now)
        self._wait_no_longer(now)
        if not _reached(self._flush_at(), now):
            return []
        self._flushed_at = now
        pieces = [
            piece
            for workflow in list(self._waiting)
            if self._says_at(workflow) <= now
            for piece in self._say(workflow, now)
        ]
        if connection.unanswered_since is None and not all(piece.is_answer for piece in pieces):
            connection.unanswered_since = now
        if connection.bundles:
            batches = _batches(pieces, self._bundle_room, NEWS_EVENTS)
            return [self._frame(batch) for batch in batches]
        events = [piece for piece in pieces if not piece.is_answer]
        batches = _batches(events, self._event_room, NEWS_EVENTS)
        answers = [piece.text for piece in pieces if piece.is_answer]
        return answers + [self._frame(batch) for batch in batches]

    def _say(self, workflow: WorkflowId, now: datetime) -> list["_Piece"]:
        """The answers first: the group of a pod that runs is one that was made."""
        waiting = self._waiting.pop(workflow)
        pieces = [
            _Piece(text, _size(text), is_answer=True)
            for result in waiting.results.values()
            for text in _answer_texts(result)
        ]
        numbers = set()
        for uid in waiting.uids:
            news = self._pending[uid]
            news.said_at, news.ever_said = now, True
            self._said.append((now, uid, news.seq))
            self._workflow_of[news.seq] = workflow
            numbers.add(news.seq)
            pieces.append(_Piece(news.text, news.size, is_answer=False))
        if numbers:
            self._on_its_way[workflow] = _OnItsWay(now + self._hold, numbers)
        return pieces

    def _frame(self, batch: Sequence["_Piece"]) -> str:
        """What was sayable before there were bundles is said as it was."""
        events = ",".join(piece.text for piece in batch if not piece.is_answer)
        answers = [piece.text for piece in batch if piece.is_answer]
        if not answers:
            return f"{self._news_head}{events}]}}"
        if len(batch) == 1:
            return answers[0]
        return f'{self._bundle_head}{events}],"results":[{",".join(answers)}]}}'

    def _take_up_again(self, now: datetime) -> None:
        while (due := self._again_at()) is not None and now >= due:
            _, uid, _ = self._said.popleft()
            self._let_wait(self._pending[uid], now)

    def _say_all_again(self, now: datetime) -> None:
        self._said.clear()
        self._on_its_way.clear()
        self._workflow_of.clear()
        self._hold = NEWS_HOLD
        self._flushed_at = None
        for news in self._pending.values():
            self._let_wait(news, now)
        for waiting in self._waiting.values():
            waiting.due_at = now

    def _again_at(self) -> datetime | None:
        """When the oldest news that was said and not acknowledged is due to be said again."""
        while self._said:
            said_at, uid, seq = self._said[0]
            news = self._pending.get(uid)
            if news is not None and news.seq == seq and news.said_at == said_at:
                return said_at + SAY_AGAIN_AFTER
            self._said.popleft()
        return None

    # What waits, and for what --------------------------------------------------------------------

    def _let_wait(self, news: _News, due_at: datetime) -> _Waiting:
        waiting = self._waits_by(news.pod.workflow, due_at)
        if news.pod.uid not in waiting.uids:
            waiting.uids[news.pod.uid] = None
            waiting.size += news.size
        news.said_at = None
        return waiting

    def _waits_by(self, workflow: WorkflowId, due_at: datetime) -> _Waiting:
        waiting = self._waiting.setdefault(workflow, _Waiting(due_at))
        waiting.due_at = min(waiting.due_at, due_at)
        return waiting

    def _says_at(self, workflow: WorkflowId) -> datetime:
        due_at = self._waiting[workflow].due_at
        before = self._on_its_way.get(workflow)
        return due_at if before is None else max(due_at, before.until)

    def _flush_at(self) -> datetime | None:
        """When something is to be said next. Not a moment after something else was: what becomes
        due together, of one gang or of many workflows, is one frame then and not many."""
        if not self._waiting:
            return None
        first = min(map(self._says_at, self._waiting))
        return first if self._flushed_at is None else max(first, self._flushed_at + NEWS_GAP)

    def _arrived(self, seq: int) -> None:
        """Answered, one way or the other. With its last number a workflow may speak again."""
        workflow = self._workflow_of.pop(seq, None)
        if workflow is None:
            return
        before = self._on_its_way[workflow]
        before.numbers.discard(seq)
        if not before.numbers:
            del self._on_its_way[workflow]
            self._hold = max(NEWS_HOLD, self._hold / 2)

    def _wait_no_longer(self, now: datetime) -> None:
        """For acknowledgements that are late or lost. The hold grows once for all of them: they
        have one reason."""
        late = [workflow for workflow, before in self._on_its_way.items() if before.until <= now]
        for workflow in late:
            for seq in self._on_its_way.pop(workflow).numbers:
                del self._workflow_of[seq]
        if late:
            self._hold = min(LONGEST_NEWS_HOLD, self._hold * 2)

    def _forget(self, uid: str) -> None:
        news = self._pending.pop(uid)
        del self._pod_of[news.seq]
        self._droppable.pop(uid, None)
        waiting = self._waiting.get(news.pod.workflow)
        if waiting is not None and uid in waiting.uids:
            del waiting.uids[uid]
            waiting.size -= news.size
            if not waiting.uids and not waiting.results:
                del self._waiting[news.pod.workflow]


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


def _numbers_between(first: int, last: int, known: Collection[int]) -> list[int]:
    """Never longer than what is known, however wide the range."""
    if last - first < len(known):
        return [seq for seq in range(first, last + 1) if seq in known]
    return [seq for seq in known if first <= seq <= last]


def _urgent(pod: PodObservation) -> bool:
    return pod.status.final or pod.status is TaskStatus.RUNNING


def _is_of(job: Job, pod: PodObservation) -> bool:
    group, incarnation, _ = mail_parts(job.job_id)
    return (pod.group, pod.incarnation) == (group, incarnation)


# Frames ----------------------------------------------------------------------------------------


class _Piece(NamedTuple):
    """An event, or an answer or part of one: what a frame has room for or not."""

    text: str
    size: int
    is_answer: bool


def _size(text: str) -> int:
    return len(text.encode())


def _json(message: Message) -> str:
    """Without fields that are None: None is what an absent field means, everywhere."""
    return message.model_dump_json(exclude_none=True)


def _event_text(seq: int, pod: PodObservation, room: int) -> tuple[str, int]:
    text = _json(Event(seq=seq, pod=pod))
    if _size(text) > room:
        text = _json(Event(seq=seq, pod=_cut(pod, room - _EVENT_BYTES)))
    return text, _size(text)


_EVENT_BYTES = len('{"seq":,"pod":}') + 20


def _cut(pod: PodObservation, room: int) -> PodObservation:
    """The pod with as much of its message as fits, and without what only explains it. Raises
    `ValueError` where even none of it does: the names in an observation are bounded by whoever made
    it."""
    if pod.detail is not None and _size(_json(pod)) > room:
        pod = pod.model_copy(update={"detail": None})
    while _size(_json(pod)) > room:
        if not pod.message:
            raise ValueError(f"the observation of pod {pod.uid} is too large for a frame")
        pod = pod.model_copy(update={"message": pod.message[: len(pod.message) // 2]})
    return pod


def _batches(pieces: Iterable[_Piece], room: int, most: int) -> Iterator[list[_Piece]]:
    """A piece that is larger than the room has a frame of its own kind for itself, and fits it."""
    batch: list[_Piece] = []
    size = 0
    for piece in pieces:
        if batch and (len(batch) == most or size + piece.size + 1 > room):
            yield batch
            batch, size = [], 0
        batch.append(piece)
        size += piece.size + 1
    if batch:
        yield batch


def _answer_texts(result: JobResult) -> list[str]:
    whole = _json(result)
    if _size(whole) <= FRAME_BYTES:
        return [whole]
    brief = result.model_copy(update={"message": result.message[:_ANSWER_MESSAGE_CHARS]})
    empty = brief.model_copy(update={"observations": []})
    room = FRAME_BYTES - _ENVELOPE_BYTES - _size(_json(empty))
    parts = _by_task(result.observations, room, room)
    texts = []
    for number, (tasks, pods) in enumerate(parts, start=1):
        part = {"observations": pods, "tasks": tasks, "more": number < len(parts)}
        texts.append(_json(brief.model_copy(update=part)))
    return texts


def _by_task(
    pods: Sequence[PodObservation], first_room: int, room: int
) -> list[tuple[tuple[str, str], list[PodObservation]]]:
    """The pods in parts that fit, with the range of tasks for which each part is whole."""
    parts: list[list[PodObservation]] = [[]]
    starts = [_LOWEST]
    left = first_room
    for task, same in groupby(sorted(pods, key=_task_of), key=_task_of):
        attempts = list(same)
        fitting = [_cut(pod, room // len(attempts) - 1) for pod in attempts]
        size = sum(_size(_json(pod)) + 1 for pod in fitting)
        if size > left and (parts[-1] or len(parts) == 1):
            parts.append([])
            starts.append(task)
            left = room
        parts[-1] += fitting
        left -= size
    ends = [*map(_below, starts[1:]), _HIGHEST]
    return list(zip(zip(starts, ends, strict=True), parts, strict=True))


def _chunks(boot_id: str, anchors: Sequence[Anchor], pods: Sequence[PodObservation]) -> list[str]:
    """The inventory in frames. Their ranges leave no gap: a group that is gone altogether is missed
    in the range in which it would lie."""
    room = FRAME_BYTES - _ENVELOPE_BYTES
    texts: list[str] = []
    batch = _Holding()
    start = _LOWEST

    def say(first: str, last: str, held: _Holding, tasks: tuple[str, str] | None = None) -> None:
        chunk = Inventory(boot_id=boot_id, first=first, last=last)
        contents = {"anchors": held.anchors, "pods": held.pods, "tasks": tasks}
        texts.append(_json(chunk.model_copy(update=contents)))

    for group, held in sorted(_by_group(anchors, pods).items()):
        if held.size > room:
            say(start, _below(group), batch)
            batch, start = _Holding(), group + _ABOVE
            first_room = room - sum(_size(_json(anchor)) + 1 for anchor in held.anchors)
            parts = _by_task(held.pods, first_room, room)
            for number, (tasks, some) in enumerate(parts):
                part = _Holding(held.anchors if number == 0 else [], some)
                say(group, group, part, tasks)
            continue
        if batch.size + held.size > room:
            say(start, _below(group), batch)
            batch, start = _Holding(), group
        batch.add(held)
    say(start, _HIGHEST, batch)
    return texts


@dataclass(slots=True)
class _Holding:
    anchors: list[Anchor] = field(default_factory=list)
    pods: list[PodObservation] = field(default_factory=list)
    size: int = 0

    def add(self, other: "_Holding") -> None:
        self.anchors += other.anchors
        self.pods += other.pods
        self.size += other.size


def _by_group(anchors: Iterable[Anchor], pods: Iterable[PodObservation]) -> dict[GroupId, _Holding]:
    groups: dict[GroupId, _Holding] = {}
    for anchor in anchors:
        held = groups.setdefault(anchor.group, _Holding())
        held.anchors.append(anchor)
        held.size += _size(_json(anchor)) + 1
    for pod in pods:
        held = groups.setdefault(pod.group, _Holding())
        held.pods.append(pod)
        held.size += _size(_json(pod)) + 1
    return groups


def _below(key: str) -> str:
    """The highest string below a group's id or a task's name that none of them exceeds."""
    return f"{key[:-1]}{chr(ord(key[-1]) - 1)}{_HIGHEST}"


_task_of = attrgetter("task")
