"""What a cluster says of a pod with which something is wrong, or that waits: containers, conditions
and warnings, in the cluster's own words. It explains an attempt and decides nothing.

Of all that is said one thing answers a person's question, and which that is depends on whether the
pod waits or has ended (`words`): of a pod that waits, what its container or the scheduler waits
for; of one that ended, what the cluster did to it. What a command said or did by itself is never
the cluster's word: who failed with exit code 1 did not fail by a warning of an hour ago.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from xylem.domain.ids import GroupId, TaskName
from xylem.domain.status import TaskStatus
from xylem.domain.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class Container:
    """`state`: waiting, running or terminated. `exit_code` is the container's own."""

    name: str
    state: str
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    restarts: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    type: str
    status: str
    reason: str = ""
    message: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class PodWarning:
    """The newest of its reason; `count`: how often it came."""

    reason: str
    message: str = ""
    count: int = 1
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """Main containers come first, the newest warning last."""

    containers: tuple[Container, ...] = ()
    conditions: tuple[Condition, ...] = ()
    warnings: tuple[PodWarning, ...] = ()


NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Of a detail without a moment: nothing in a cluster is older."""


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """The detail of one attempt, told with `status`; `told_at` by the service's clock."""

    group: GroupId
    task: TaskName
    retry: int
    status: TaskStatus
    told_at: datetime
    detail: Detail

    @property
    def place(self) -> str:
        """What is told later sorts behind: it is of a later status, or of a later moment. By the
        cluster's own clocks, so what is told within a second may share its place."""
        newest = max(_moments(self.detail), default=NEVER)
        return f"{self.status.rank}#{newest.astimezone(UTC).isoformat(timespec='microseconds')}"


def is_news(told: TaskDetail, kept: TaskDetail | None) -> bool:
    """Whether it is to be kept in the place of what is. A warning that came again is not: a
    scheduler warns of each pod that waits, every few minutes, and each time would be a write."""
    if kept is None:
        return True
    return kept.place <= told.place and _lasting(told) != _lasting(kept)


def _lasting(told: TaskDetail) -> tuple[TaskStatus, Detail]:
    warnings = (replace(warning, count=1, at=None) for warning in told.detail.warnings)
    return told.status, replace(told.detail, warnings=tuple(warnings))


def _moments(detail: Detail) -> Iterator[datetime]:
    for container in detail.containers:
        yield from filter(None, (container.started_at, container.ended_at))
    yield from (condition.since for condition in detail.conditions if condition.since)
    yield from (warning.at for warning in detail.warnings if warning.at)


# In one sentence ---------------------------------------------------------------------------------

NOT_SCHEDULED = "FailedScheduling"
"""Stays among a pod's warnings long after it was scheduled."""

BY_ITSELF = frozenset({"", "Error", "Completed"})
"""Why a container ended, where nobody but its command ended it: the kubelet's words,
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-state-terminated.
The message beside them is the command's own, from its termination log."""


def words(detail: Detail, status: TaskStatus) -> str:
    """The cluster's own, of why a pod with this status waits or ended: `reason: message`, or
    nothing."""
    if status is TaskStatus.COMPLETED or status is TaskStatus.RUNNING:
        return ""
    said = _why_ended(detail) if status.final else _why_waiting(detail, status)
    return next(said, "")


def _why_waiting(detail: Detail, status: TaskStatus) -> Iterator[str]:
    for container in detail.containers:
        if container.state == "waiting" and container.reason:
            yield _said(container.reason, container.message)
    for condition in detail.conditions:
        if condition.type == "PodScheduled" and condition.reason:
            yield _said(condition.reason, condition.message)
    for warning in reversed(detail.warnings):
        if warning.reason != NOT_SCHEDULED or status is TaskStatus.SCHEDULING:
            yield _said(warning.reason, warning.message)


def _why_ended(detail: Detail) -> Iterator[str]:
    for condition in detail.conditions:
        if condition.type == "DisruptionTarget" and condition.reason:
            yield _said(condition.reason, condition.message)
    for container in detail.containers:
        if container.state != "running" and container.reason not in BY_ITSELF:
            yield _said(container.reason, container.message)
    if any(container.state == "terminated" for container in detail.containers):
        return
    for warning in reversed(detail.warnings):
        if warning.reason != NOT_SCHEDULED:
            yield _said(warning.reason, warning.message)


def _said(reason: str, message: str) -> str:
    return f"{reason}: {message}" if message else reason


def saying(message: str, said: str) -> str:
    """A message with the cluster's words, where it does not have them already."""
    if not said or (said.partition(": ")[2] or said) in message:
        return message
    return f"{message.rstrip()} The cluster says: {said}".lstrip()
