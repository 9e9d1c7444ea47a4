"""The Agent applies what operators said: fold, commit, acknowledge.

All messages of one workflow in a batch become one commit; only after it are their events
acknowledged, by their exact numbers, to the boot that said them. An event that changes nothing (it
repeats, it is late) was read against the group's row consistently, so it is acknowledged, too. One
that can never be applied is rejected with a code, which tells the operator whether to let the pod
go.

Only who said hello for this backend last is heard, or the boot's connection before that: what is
said over an older one, or by a cluster whose hello was refused, is dropped unanswered. An operator
that is in office says it again where it is heard.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from xylem.domain.errors import Gone, TooLarge
from xylem.domain.group import (
    AbsenceSeen,
    AnchorSeen,
    CleanupAnswered,
    CreateAnswered,
    GroupEvent,
    ObserveAnswered,
    within,
)
from xylem.domain.ids import ConnectionId, GroupId, WorkflowId, mail_id, mail_parts
from xylem.domain.status import TaskStatus
from xylem.domain.task import PodSeen
from xylem.ports.workflows import Commit
from xylem.protocol.agent import Ack, Anchor, Job, PodObservation, Rejected
from xylem.protocol.limits import REASON_CHARS
from xylem.protocol.queues import BundleOf, EventsOf, ResultOf, StockOf
from xylem.usecases import details, intents
from xylem.usecases.apply import Engine, tell
from xylem.usecases.draft import Draft
from xylem.usecases.mailbox import frames_of

Part = EventsOf | ResultOf | StockOf
OfWorkflow = Part | BundleOf


@dataclass(slots=True)
class Answers:
    """What is to be said to one boot over one connection, once its news is durable."""

    acknowledged: set[int] = field(default_factory=set)
    rejected: list[Rejected] = field(default_factory=list)
    orphans: list[Anchor] = field(default_factory=list)
    """Anchors of groups that are not there: to be cleaned up, which no mailbox row asks for."""


GROUPS_AT_ONCE = 22
"""A group that ends writes itself, an attempt, the order to clean up, and drops the one to create;
beside 22 of them are workflow, counters, three entries and audit row, and a few jobs downstream."""

FIRST_AGAIN = timedelta(seconds=1)
LONGEST_AGAIN = timedelta(seconds=60)
"""News that lost five conflicts is sent anew 1 to 5 s later, and later each time it loses again."""


@dataclass(slots=True)
class Said:
    """What came of the news: the answers to who said it, and what was refused of everything, by
    why. An answer to a job, or an inventory, of what is another's is refused without an answer."""

    answers: dict[tuple[ConnectionId, str], Answers] = field(
        default_factory=lambda: defaultdict(Answers)
    )
    refused: Counter[str] = field(default_factory=Counter)


def apply(workflow: WorkflowId, messages: Sequence[OfWorkflow], *, engine: Engine) -> Counter[str]:
    """What of them was refused, by its code, and how many messages were `dropped`.

    One commit for all of them, then the answers; several commits where one transaction cannot
    hold what a busy batch amounts to, and intents where it cannot hold what a single piece of news
    does. Raises `Conflict` after five attempts: then nothing of the part that lost happened, and
    nothing of it is acknowledged."""
    now = engine.clock()
    heard = [
        message
        for message in messages
        if engine.backends.speaks(message.backend, message.connection, now)
    ]
    refused = Counter(dropped=len(messages) - len(heard))
    for handful in _handfuls([part for message in heard for part in parts(message)]):
        refused += _apply(workflow, handful, engine)
    return +refused


def _handfuls(messages: Sequence[Part]) -> Iterator[list[Part]]:
    """What one transaction should hold, with all that was said of a group together: to find out
    that it is too much, all of its groups are read, and read again for each half."""
    of: dict[GroupId, list[Part]] = {}
    stock: list[Part] = []
    for message in messages:
        match message:
            case EventsOf(events=events):
                for event in events:
                    alone = len(events) == 1
                    one = message if alone else message.model_copy(update={"events": [event]})
                    of.setdefault(event.pod.group, []).append(one)
            case ResultOf(result=result):
                of.setdefault(mail_parts(result.job_id)[0], []).append(message)
            case StockOf():
                stock.append(message)
    groups = list(of.values())
    for start in range(0, len(groups), GROUPS_AT_ONCE):
        some = groups[start : start + GROUPS_AT_ONCE]
        yield [message for said in some for message in said]
    if stock:
        yield stock


def _apply(workflow: WorkflowId, messages: Sequence[Part], engine: Engine) -> Counter[str]:
    try:
        said, commit = _commit(workflow, messages, engine)
    except TooLarge:
        halves = _halves(messages, engine)
        if halves is not None:
            first, second = halves
            return _apply(workflow, first, engine) + _apply(workflow, second, engine)
        said, commit = _commit(workflow, messages, engine, defer=True)
    for (connection, boot), answers in said.answers.items():
        answer(connection, boot, answers, engine)
    connections = {message.backend: message.connection for message in messages}
    one = next(iter(connections.values())) if len(connections) == 1 else None
    tell(commit, engine=engine, connection=one)
    return said.refused


def parts(message: OfWorkflow) -> Iterator[Part]:
    """The answers first: the group of a pod that runs is one that was made."""
    if not isinstance(message, BundleOf):
        yield message
        return
    backend, connection, workflow = message.backend, message.connection, message.workflow
    for result in message.results:
        yield ResultOf(backend=backend, connection=connection, workflow=workflow, result=result)
    if message.events:
        yield EventsOf(
            backend=backend,
            connection=connection,
            workflow=workflow,
            boot_id=message.boot_id,
            events=message.events,
        )


def _commit(
    workflow: WorkflowId,
    messages: Sequence[Part],
    engine: Engine,
    *,
    defer: bool = False,
) -> tuple[Said, Commit | None]:
    done = intents.change(
        workflow,
        f"news of {messages[0].backend}",
        lambda draft: _fold(draft, messages),
        engine=engine,
        defer=defer,
    )
    details.keep(workflow, messages, workflows=engine.workflows, now=engine.clock())
    return done


def _halves(
    messages: Sequence[Part], engine: Engine
) -> tuple[Sequence[Part], Sequence[Part]] | None:
    """None: a single piece of news, which is not to be divided."""
    middle = len(messages) // 2
    if middle:
        return messages[:middle], messages[middle:]
    [message] = messages
    if isinstance(message, ResultOf):
        return _halves_of_result(message, engine)
    if isinstance(message, StockOf):
        return _halves_of_stock(message)
    if len(message.events) < 2:
        return None
    middle = len(message.events) // 2
    first, second = message.events[:middle], message.events[middle:]
    return [message.model_copy(update={"events": first})], [
        message.model_copy(update={"events": second})
    ]


def _halves_of_result(
    message: ResultOf, engine: Engine
) -> tuple[Sequence[Part], Sequence[Part]] | None:
    """An answer to observe, for the first half of the tasks that it covers and for the second."""
    result = message.result
    id, _, ordinal = mail_parts(result.job_id)
    stored = engine.workflows.group(message.workflow, id)
    if stored is None or stored.value.awaits(ordinal, "observe") is None:
        return None
    names = sorted(task.name for task in stored.value.tasks if within(task, result.tasks))
    if len(names) < 2:
        return None
    last, first = names[len(names) // 2 - 1], names[len(names) // 2]
    low, high = result.tasks or ("", "~")
    parts = []
    for bounds in ((low, last), (first, high)):
        pods = [pod for pod in result.observations if bounds[0] <= pod.task <= bounds[1]]
        part = result.model_copy(update={"observations": pods, "tasks": bounds})
        parts.append([message.model_copy(update={"result": part})])
    return parts[0], parts[1]


def _halves_of_stock(
    message: StockOf,
) -> tuple[Sequence[Part], Sequence[Part]] | None:
    """Group by group: an anchor stays with the pods of its group."""
    middle = len(message.anchors) // 2
    if not middle:
        return None
    parts = []
    for anchors in (message.anchors[:middle], message.anchors[middle:]):
        groups = {anchor.group for anchor in anchors}
        pods = [pod for pod in message.pods if pod.group in groups]
        parts.append([message.model_copy(update={"anchors": anchors, "pods": pods})])
    return parts[0], parts[1]


def answer(connection: ConnectionId, boot_id: str, answers: Answers, engine: Engine) -> None:
    """Lost answers are no loss: the operator says again what nobody acknowledged."""
    texts = [rejected.model_dump_json() for rejected in answers.rejected]
    if answers.acknowledged:
        ack = Ack(boot_id=boot_id, ranges=ranges(answers.acknowledged))
        texts.insert(0, ack.model_dump_json())
    if answers.orphans:
        texts += frames_of(map(orphans_cleanup, answers.orphans))
    try:
        for text in texts:
            engine.links.push(connection, text)
    except Gone:
        return


def again_after(tries: int, chance: float) -> timedelta:
    wait: timedelta = FIRST_AGAIN * (1 + 4 * chance) * 2 ** min(tries, 6)
    return min(wait, LONGEST_AGAIN)


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Exactly these numbers, as pairs of first and last."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _fold(draft: Draft, messages: Sequence[Part]) -> Said:
    said = Said()
    for message in messages:
        match message:
            case EventsOf():
                _events(draft, message, said)
            case ResultOf():
                _result(draft, message, said)
            case StockOf():
                _stock(draft, message, said)
    return said


def _events(draft: Draft, message: EventsOf, said: Said) -> None:
    answers = said.answers[(message.connection, message.boot_id)]
    for event in message.events:
        code = None
        why = ""
        group = draft.group(event.pod.group)
        if group is None:
            code, why = "unknown_entity", "no such workflow or group"
        elif group.backend != message.backend:
            code, why = "not_yours", f"group {group.id} is not placed on {message.backend}"
        else:
            refused = draft.decide(group.id, seen(event.pod))
            if refused:
                code, why = "invalid", refused.reason
        if code is None:
            answers.acknowledged.add(event.seq)
        else:
            said.refused[code] += 1
            of = {"boot_id": message.boot_id, "seq": event.seq, "code": code}
            rejected = Rejected.model_validate(of | {"message": why[:REASON_CHARS]})
            answers.rejected.append(rejected)


def _result(draft: Draft, message: ResultOf, said: Said) -> None:
    """An answer that was applied before, or that answers nothing of ours, changes nothing. A
    cleanup that failed stays in the mailbox: it is pushed until it succeeds."""
    result = message.result
    id, _, ordinal = mail_parts(result.job_id)
    group = draft.group(id)
    if group is not None and group.backend != message.backend:
        said.refused["not_yours"] += 1
        return
    asked = group.awaits(ordinal) if group else None
    if group is None or asked is None:
        return
    event: GroupEvent
    match asked.kind:
        case "create":
            event = CreateAnswered(ordinal, result.status, result.message)
        case "cleanup" | "observe" if result.status == "failed":
            return
        case "cleanup":
            event = CleanupAnswered(ordinal)
        case "observe":
            pods = tuple(seen(pod) for pod in result.observations)
            event = ObserveAnswered(ordinal, pods, result.tasks)
    draft.decide(id, event)
    now = draft.group(id)
    if now is not None and now.awaits(ordinal) is None:
        draft.answered(group.backend, result.job_id)


def _stock(draft: Draft, message: StockOf, said: Said) -> None:
    """Anchors that outlived their cleanup, those of groups that, by a consistent read, are not
    there, and tasks that should have a pod and were not shown."""
    orphans = said.answers[(message.connection, "")].orphans
    shown = {(pod.group, pod.incarnation, pod.task, pod.retry) for pod in message.pods}
    for anchor in message.anchors:
        group = draft.group(anchor.group)
        if group is None:
            if anchor.state != "closed":
                orphans.append(anchor)
            continue
        if group.backend != message.backend:
            said.refused["not_yours"] += 1
            continue
        if anchor.state != "closed":
            draft.decide(group.id, AnchorSeen(anchor.incarnation))
        missing = any(
            task.ordinal
            and not task.status.final
            and within(task, message.tasks)
            and (group.id, group.incarnation, task.name, task.retry) not in shown
            for task in group.tasks
        )
        if missing:
            draft.decide(group.id, AbsenceSeen())


def orphans_cleanup(anchor: Anchor) -> Job:
    """Away with all that the cluster holds of it. There is no mailbox row, so the answer changes
    nothing; an operator that did not hear it shows the anchor again with its next inventory."""
    return Job(
        workflow=anchor.workflow,
        job_id=mail_id(anchor.group, anchor.incarnation, anchor.done + 1),
        ordinal=anchor.done + 1,
        after=0,
        kind="cleanup",
    )


def seen(pod: PodObservation) -> PodSeen:
    return PodSeen(
        incarnation=pod.incarnation,
        task=pod.task,
        retry=pod.retry,
        status=pod.status,
        uid=pod.uid,
        exit_code=pod.exit_code,
        message=pod.message,
        node=pod.node,
        pod_ip=pod.pod_ip,
        scheduled_at=pod.scheduled_at,
        initializing_at=pod.initializing_at,
        started_at=pod.started_at,
        ended_at=pod.ended_at,
        disrupted=pod.disrupted or pod.status is TaskStatus.FAILED_PREEMPTED,
        said=details.words(pod),
    )
