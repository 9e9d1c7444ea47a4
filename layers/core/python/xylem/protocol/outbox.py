"""What the operator has to say, kept until it is acknowledged: news of pods, and answers to jobs.

Of each pod the latest observation is kept, under a number of its own, until that very number is
acknowledged. What was said is said again, after 60 s and on every new connection. What there is to
say of a workflow waits while news of it is on its way to a commit, until that is acknowledged or
for `NEWS_HOLD` (it doubles while acknowledgements are late), and then goes out together: Nagle's
algorithm, for each workflow. Answers are said once: a job that was not heard to be answered is
pushed again.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic_core import to_json

from xylem.domain.ids import MailId, WorkflowId
from xylem.domain.status import TaskStatus
from xylem.protocol.agent import BootId, JobResult, PodObservation
from xylem.protocol.frames import Piece, answer_texts, batches, event_text, size_of
from xylem.protocol.limits import (
    FRAME_BYTES,
    LONGEST_NEWS_HOLD,
    NEWS_EVENTS,
    NEWS_FLUSH,
    NEWS_GAP,
    NEWS_HOLD,
    SAY_AGAIN_AFTER,
)

PENDING_PODS = 20_000
"""Pods that are not at their end, with news that is not acknowledged. Beyond, the oldest news is
forgotten: the next inventory has the same pod. News of an end is never forgotten; its pods are held
in the cluster by their finalizer, so the cluster is its bound."""


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


class Outbox:
    def __init__(self, boot_id: BootId) -> None:
        boot = to_json(boot_id).decode()
        self._news_head = f'{{"to":"agent","type":"news","boot_id":{boot},"events":['
        self._bundle_head = f'{{"to":"agent","type":"bundle","boot_id":{boot},"events":['
        self._event_room = FRAME_BYTES - size_of(self._news_head) - len("]}")
        self._bundle_room = FRAME_BYTES - size_of(self._bundle_head) - len('],"results":[]}')
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

    # What is to be said --------------------------------------------------------------------------

    def report(self, pod: PodObservation, now: datetime) -> None:
        """What is now seen of a pod. Says nothing new where it is what waits to be acknowledged."""
        known = self._pending.get(pod.uid)
        if known is not None:
            if known.pod == pod:
                return
            self._forget(pod.uid)
        self._seq += 1
        text, size = event_text(self._seq, pod, self._event_room)
        news = self._pending[pod.uid] = _News(self._seq, pod, text, size)
        self._pod_of[self._seq] = pod.uid
        waiting = self._let_wait(news, now if _urgent(pod) else now + NEWS_FLUSH)
        if len(waiting.uids) >= NEWS_EVENTS or waiting.size >= FRAME_BYTES:
            waiting.due_at = now
        if not pod.status.final:
            self._droppable[pod.uid] = None
            if len(self._droppable) > PENDING_PODS:
                self._forget(next(iter(self._droppable)))

    @property
    def unacknowledged(self) -> int:
        """Pods of which something waits to be said, or to be acknowledged."""
        return len(self._pending)

    def is_said(self, uid: str) -> bool:
        """Whether nothing is left that was seen of this pod and never said."""
        news = self._pending.get(uid)
        return news is None or news.ever_said

    def answer(self, result: JobResult, due_at: datetime) -> None:
        """To be said with what else there is of its workflow, by then at the latest."""
        self._waits_by(result.workflow, due_at).results[result.job_id] = result

    def completed(
        self, pods: Sequence[PodObservation], wanted: Callable[[PodObservation], bool]
    ) -> list[PodObservation]:
        """These, and the ends that nobody has acknowledged: their pods may be gone."""
        listed = {pod.uid for pod in pods}
        ended = [
            news.pod
            for uid, news in self._pending.items()
            if uid not in listed and news.pod.status.final and wanted(news.pod)
        ]
        return [*pods, *ended]

    # What is heard of it -------------------------------------------------------------------------

    def acknowledged(self, ranges: Iterable[tuple[int, int]]) -> list[str]:
        """The uids of the pods whose end is durable now."""
        ended: list[str] = []
        for first, last in ranges:
            for seq in _numbers_between(first, last, self._workflow_of):
                self._arrived(seq)
            for seq in _numbers_between(first, last, self._pod_of):
                uid = self._pod_of[seq]
                news = self._pending[uid]
                if not news.ever_said:
                    continue
                self._forget(uid)
                if news.pod.status.final:
                    ended.append(uid)
        return ended

    def rejected(self, seq: int) -> str | None:
        """The uid of the pod that this was said of, if it was said."""
        self._arrived(seq)
        uid = self._pod_of.get(seq)
        if uid is None or not self._pending[uid].ever_said:
            return None
        self._forget(uid)
        return uid

    # Saying it -----------------------------------------------------------------------------------

    @property
    def due(self) -> datetime | None:
        """When `texts` has something to say."""
        moments = (self._flush_at(), self._again_at())
        return min(filter(None, moments), default=None)

    def say_all_again(self, now: datetime) -> None:
        """On a new connection."""
        self._said.clear()
        self._on_its_way.clear()
        self._workflow_of.clear()
        self._hold = NEWS_HOLD
        self._flushed_at = None
        for news in self._pending.values():
            self._let_wait(news, now)
        for waiting in self._waiting.values():
            waiting.due_at = now

    def texts(self, now: datetime, *, bundles: bool) -> tuple[list[str], bool]:
        """All that waits of each workflow whose time has come, in as few frames as it fits, and
        whether there is news in them: that is answered."""
        self._take_up_again(now)
        self._wait_no_longer(now)
        if not _reached(self._flush_at(), now):
            return [], False
        self._flushed_at = now
        pieces = [
            piece
            for workflow in list(self._waiting)
            if self._says_at(workflow) <= now
            for piece in self._say(workflow, now)
        ]
        events = [piece for piece in pieces if not piece.is_answer]
        if bundles:
            both = batches(pieces, self._bundle_room, NEWS_EVENTS)
            return [self._frame(batch) for batch in both], bool(events)
        answers = [piece.text for piece in pieces if piece.is_answer]
        news = batches(events, self._event_room, NEWS_EVENTS)
        return answers + [self._frame(batch) for batch in news], bool(events)

    def _say(self, workflow: WorkflowId, now: datetime) -> list[Piece]:
        """The answers first: the group of a pod that runs is one that was made."""
        waiting = self._waiting.pop(workflow)
        pieces = [
            Piece(text, size_of(text), is_answer=True)
            for result in waiting.results.values()
            for text in answer_texts(result)
        ]
        numbers = set()
        for uid in waiting.uids:
            news = self._pending[uid]
            news.said_at, news.ever_said = now, True
            self._said.append((now, uid, news.seq))
            self._workflow_of[news.seq] = workflow
            numbers.add(news.seq)
            pieces.append(Piece(news.text, news.size, is_answer=False))
        if numbers:
            self._on_its_way[workflow] = _OnItsWay(now + self._hold, numbers)
        return pieces

    def _frame(self, batch: Sequence[Piece]) -> str:
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


def _reached(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and now >= moment


def _numbers_between(first: int, last: int, known: Collection[int]) -> list[int]:
    """Never longer than what is known, however wide the range."""
    if last - first < len(known):
        return [seq for seq in range(first, last + 1) if seq in known]
    return [seq for seq in known if first <= seq <= last]


def _urgent(pod: PodObservation) -> bool:
    return pod.status.final or pod.status is TaskStatus.RUNNING
