"""What explains a pod, as operators tell it, kept beside the attempt that it is of.

An operator tells it with news, with answers to `observe` and with each inventory, and only where
something is wrong with a pod or it waits. Kept is the newest of each attempt, in a row of its own:
a commit reads all attempts of a group, and twenty KB of explanations of each would be a price for
everybody else. It is written after the commit and before the acknowledgement, so what was
acknowledged is there; and only where it says something new of an attempt that its backend really
has. What a pod in good health costs is nothing, what one that waits costs is a read.

Like facts about nodes these are hints. They are no part of the audit, and nothing is decided by
them.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from xylem.domain import detail as explanations
from xylem.domain.detail import Condition, Container, Detail, PodWarning, TaskDetail, is_news
from xylem.domain.group import Group
from xylem.domain.ids import BackendName, GroupId, WorkflowId
from xylem.ports.workflows import Workflows
from xylem.protocol.agent import PodDetail, PodObservation
from xylem.protocol.queues import EventsOf, ResultOf, StockOf

Told = tuple[BackendName, PodObservation]


def keep(
    workflow: WorkflowId,
    messages: Iterable[EventsOf | ResultOf | StockOf],
    *,
    workflows: Workflows,
    now: datetime,
) -> int:
    """How many were written. Nothing is even read where nothing was explained."""
    by_group: dict[GroupId, list[Told]] = {}
    for message in messages:
        for pod in _pods(message):
            if pod.detail is not None:
                by_group.setdefault(pod.group, []).append((message.backend, pod))
    return sum(_keep(workflow, told, workflows, now) for told in by_group.values())


def _keep(workflow: WorkflowId, told: list[Told], workflows: Workflows, now: datetime) -> int:
    id = told[0][1].group
    names = [pod.task for _, pod in told]
    found = workflows.group_details(workflow, id, min(names), max(names))
    kept = {(one.task, one.retry): one for one in found}
    changed: dict[tuple[str, int], tuple[Told, TaskDetail]] = {}
    for backend, pod in told:
        key = pod.task, pod.retry
        one = TaskDetail(id, pod.task, pod.retry, pod.status, now, detail_of(pod.detail))
        before = changed[key][1] if key in changed else kept.get(key)
        if is_news(one, before):
            changed[key] = (backend, pod), one
    if not changed:
        return 0
    stored = workflows.group(workflow, id)
    if stored is None:
        return 0
    mine = [one for said, one in changed.values() if _is_of(stored.value, *said)]
    return workflows.keep_details(workflow, mine)


def _is_of(group: Group, backend: BackendName, pod: PodObservation) -> bool:
    """An attempt that was given to this backend."""
    task = group.task(pod.task)
    return (
        group.backend == backend
        and group.incarnation == pod.incarnation
        and task is not None
        and (0 <= pod.retry < task.retry or (pod.retry == task.retry and task.ordinal > 0))
    )


def _pods(message: EventsOf | ResultOf | StockOf) -> Iterator[PodObservation]:
    match message:
        case EventsOf():
            yield from (event.pod for event in message.events)
        case ResultOf():
            yield from message.result.observations
        case StockOf():
            yield from message.pods


def words(pod: PodObservation) -> str:
    """Why it waits or ended, in the cluster's own words."""
    return "" if pod.detail is None else explanations.words(detail_of(pod.detail), pod.status)


def detail_of(told: PodDetail | None) -> Detail:
    if told is None:
        return Detail()
    return Detail(
        containers=tuple(
            Container(
                name=_line(one.name),
                state=_line(one.state),
                reason=_line(one.reason),
                message=_line(one.message),
                exit_code=one.exit_code,
                restarts=one.restarts,
                started_at=_moment(one.started_at),
                ended_at=_moment(one.ended_at),
            )
            for one in told.containers
        ),
        conditions=tuple(
            Condition(
                type=_line(one.type),
                status=_line(one.status),
                reason=_line(one.reason),
                message=_line(one.message),
                since=_moment(one.since),
            )
            for one in told.conditions
        ),
        warnings=tuple(
            PodWarning(_line(one.reason), _line(one.message), one.count, _moment(one.at))
            for one in told.warnings
        ),
    )


def _line(text: str) -> str:
    """Fit for one line of a terminal, whoever said it."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _moment(at: datetime | None) -> datetime | None:
    """None for one that no calendar of ours can compare with others."""
    if at is None or not 1970 <= at.year < 9999:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
