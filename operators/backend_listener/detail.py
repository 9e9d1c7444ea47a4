"""What explains an observation: containers, conditions and warnings of a pod, where something is
wrong or waits. A pod with which all is well has no detail, so a healthy gang costs no frame more.

Detail is told with an observation and with each inventory. Of a pod's status the first detail is
news, so that who asks at once why a pod waits is told; a change of it is none. A scheduler tells of
each pod that waits, every few minutes and in other words; each word would be a frame and its bill,
for a status that did not change.

Everything in it is somebody's text, so everything is bounded: together it fits a frame.
"""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime

from operators.shared.resources import Json
from xylem.protocol.agent import ContainerDetail, PodCondition, PodDetail, PodWarning
from xylem.protocol.limits import (
    DETAIL_CHARS,
    DETAIL_CONDITIONS,
    DETAIL_CONTAINERS,
    DETAIL_NAME_CHARS,
    DETAIL_WARNINGS,
)

ON_ITS_WAY = {"ContainerCreating", "PodInitializing"}
"""What every container waits for at first."""

AS_IT_SHOULD = {
    "PodScheduled": "True",
    "Initialized": "True",
    "ContainersReady": "True",
    "Ready": "True",
    "DisruptionTarget": "False",
    "PodResizePending": "False",
    "PodResizeInProgress": "False",
}
"""Kubernetes' own conditions and what they say of a pod that runs,
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions. One that we do not
know is told as it is."""

COMING = {"ContainersNotReady", "ContainersNotInitialized", "PodCompleted", "PodFailed"}
"""Reasons that say no more than the containers themselves do."""

GATED = "SchedulingGated"
"""Every pod of ours is, until all of its group are made."""

SANDBOX = "PodReadyToStartContainers"
"""False before the sandbox is there and after it is gone, of every pod, and without a reason; where
it cannot be made a warning says why."""

PODS_WITH_WARNINGS = 2_000
"""Of whom warnings are kept; the oldest are forgotten. A cluster in which more is wrong is told of
by the statuses of its pods."""


def detail_of(status: Json, *, done: bool) -> PodDetail | None:
    """`done`: it completed; what its containers say then is known."""
    containers = [] if done else list(_containers(status))[:DETAIL_CONTAINERS]
    conditions = [] if done else list(_conditions(status))[:DETAIL_CONDITIONS]
    if not containers and not conditions:
        return None
    return PodDetail(containers=containers, conditions=conditions)


class Warnings:
    """The cluster's events of the type Warning, of pods, by the pod's uid: the newest of each
    reason. They come by a watch of their own, before or after what they are about."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, dict[str, PodWarning]] = OrderedDict()

    def heard(self, event: Json) -> None:
        involved = event.get("involvedObject") or {}
        uid, reason = involved.get("uid"), _name(event.get("reason"))
        if event.get("type") != "Warning" or involved.get("kind") != "Pod" or not uid or not reason:
            return
        series = event.get("series") or {}
        at = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
        warning = PodWarning(
            reason=reason,
            message=_text(event.get("message")),
            count=max(int(series.get("count") or event.get("count") or 1), 1),
            at=moment(at),
        )
        found = self._of.setdefault(str(uid), {})
        found.pop(reason, None)
        found[reason] = warning
        if len(found) > DETAIL_WARNINGS:
            del found[next(iter(found))]
        self._of.move_to_end(str(uid))
        if len(self._of) > PODS_WITH_WARNINGS:
            self._of.popitem(last=False)

    def forget(self, uid: str) -> None:
        self._of.pop(uid, None)

    def joined(self, uid: str, detail: PodDetail | None) -> PodDetail | None:
        """The detail with the pod's warnings, the newest last."""
        found = self._of.get(uid)
        if not found:
            return detail
        return (detail or PodDetail()).model_copy(update={"warnings": list(found.values())})


def _containers(status: Json) -> Iterator[ContainerDetail]:
    """Those that wait for what is not coming by itself, that were restarted, or that ended badly.
    Main containers first."""
    every = (
        *(status.get("containerStatuses") or ()),
        *(status.get("initContainerStatuses") or ()),
    )
    for container in every:
        restarts = int(container.get("restartCount") or 0)
        state = container.get("state") or {}
        if waiting := state.get("waiting"):
            if waiting.get("reason") in ON_ITS_WAY and not restarts:
                continue
            yield ContainerDetail(
                name=_name(container.get("name")),
                state="waiting",
                reason=_name(waiting.get("reason")),
                message=_text(waiting.get("message")),
                restarts=restarts,
            )
        elif ended := state.get("terminated"):
            code = int(ended.get("exitCode") or 0)
            if code == 0 and ended.get("reason") in {None, "Completed"} and not restarts:
                continue
            yield ContainerDetail(
                name=_name(container.get("name")),
                state="terminated",
                reason=_name(ended.get("reason")),
                message=_text(ended.get("message")),
                exit_code=code,
                restarts=restarts,
                started_at=moment(ended.get("startedAt")),
                ended_at=moment(ended.get("finishedAt")),
            )
        elif restarts:
            running = state.get("running") or {}
            yield ContainerDetail(
                name=_name(container.get("name")),
                state="running",
                restarts=restarts,
                started_at=moment(running.get("startedAt")),
            )


def _conditions(status: Json) -> Iterator[PodCondition]:
    for condition in status.get("conditions") or ():
        type_, value = condition.get("type"), condition.get("status")
        if AS_IT_SHOULD.get(type_, "") == value or type_ == SANDBOX:
            continue
        if condition.get("reason") in {*COMING, GATED}:
            continue
        yield PodCondition(
            type=_name(type_),
            status=_name(value),
            reason=_name(condition.get("reason")),
            message=_text(condition.get("message")),
            since=moment(condition.get("lastTransitionTime")),
        )


def moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _name(text: object) -> str:
    return _text(text)[:DETAIL_NAME_CHARS]


def _text(text: object) -> str:
    """Without control characters, which JSON writes as six, and halves of surrogate pairs."""
    kept = "" if text is None else str(text)[:DETAIL_CHARS]
    if kept.isprintable():
        return kept
    return "".join(each if each.isprintable() else " " for each in kept)
