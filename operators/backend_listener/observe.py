"""What a pod's object says about the attempt of a task: pure, pod and moment in, observation out.

The status follows OSMO's table (phase first, then what containers, reasons and conditions know
better), because the same cluster failures must mean the same to the same workflows. Ours differs
where OSMO's is a slip, on purpose:

* CreateContainerConfigError has its exit code, 303 (OSMO misspells the reason: 999).
* InvalidImageName and ErrImageNeverPull are failures of an image, too: they never mend themselves.
* A pod whose node is lost failed by its backend, and a pod that has ended stays so although a
  container still waits for its configuration: otherwise its task would never end.
* A command that ran longer than its limit was ended by its wrapper, which says so; a pod that ran
  longer than `activeDeadlineSeconds` by its kubelet: both are FAILED_EXEC_TIMEOUT.
* DisruptionTarget does not overrule a pod that Succeeded: what is done is done.

A pod is `disrupted` when its node, the scheduler or somebody's drain ended it: such an attempt is
tried again. What it did to itself (out of memory, over its own limit of disk, a secret that is not
there) is not.

A container that may be waited for (`PATIENCE`) is waited for from when we first saw it, by our own
clock (`since`, the Listener keeps it): the stamps of a pod are its kubelet's, and the pod's Ready
is False from its first moment, however long its images took. A pod that comes without our own
`since` is judged by its stamps.

Exit codes are a container's own plus an offset that says whose it is; the highest wins.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from sys import intern

from operators.backend_listener.detail import detail_of
from operators.shared.anchor import was_bound
from operators.shared.resources import Json
from xylem.domain.ids import GroupId, TaskName, WorkflowId
from xylem.domain.status import ExitCode, TaskStatus
from xylem.manifests.names import GROUP, INCARNATION, RETRY, TASK, WORKFLOW
from xylem.protocol.agent import PodObservation
from xylem.protocol.limits import MESSAGE_CHARS

CTRL = "osmo-ctrl"
PREFLIGHT = "preflight-test"
INIT = "osmo-init"
OFFSET = {INIT: 255, PREFLIGHT: 1000, CTRL: 2000}
KILLED = 128
"""A container that a signal ended exits with this and the signal's number."""

MOST_EXIT_CODE = 2**31 - 10_000
"""Kubernetes' exit codes are int32; the offsets come on top."""

CALLED = {CTRL: "OSMO Control", PREFLIGHT: "OSMO Preflight Test"}

WAITING_CODE = {
    "ImagePullBackOff": 301,
    "ErrImagePull": 302,
    "CreateContainerConfigError": 303,
    "ContainerCreateConfigError": 303,  # OSMO's spelling, which no kubelet has
    "CrashLoopBackOff": 304,
    "ContainerStatusUnknown": 305,
}
OTHER_WAITING_CODE = 999
TROUBLE = ("Failed", "BackOff", "Error", "ErrImagePull", "ContainerStatusUnknown")
"""A container that waits for a reason with one of these in it waits in vain."""

IMAGE_TROUBLE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
PATIENCE = {
    "CreateContainerConfigError": timedelta(minutes=10),
    "ContainerStatusUnknown": timedelta(minutes=30),
}
"""How long such a container may wait: somebody may still create the secret, a node may come
back."""

PHASE = {
    "Pending": TaskStatus.SCHEDULING,
    "Running": TaskStatus.RUNNING,
    "Succeeded": TaskStatus.COMPLETED,
    "Failed": TaskStatus.FAILED,
    "StartError": TaskStatus.FAILED_START_ERROR,
    "Unknown": TaskStatus.FAILED_BACKEND_ERROR,
}
POD_REASON = {
    "Evicted": (TaskStatus.FAILED_EVICTED, ExitCode.EVICTED),
    "StartError": (TaskStatus.FAILED_START_ERROR, ExitCode.START_ERROR),
    "UnexpectedAdmissionError": (TaskStatus.FAILED_BACKEND_ERROR, ExitCode.BACKEND_ERROR),
    "DeadlineExceeded": (TaskStatus.FAILED_EXEC_TIMEOUT, None),
}

NODES_DOING = {"UnexpectedAdmissionError"}
"""The kubelet had no room, or no device, for what the scheduler gave it."""

NAME_CHARS = 253
"""Kubernetes' longest name. What calls itself longer was not made by us."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`look_again_at`: when the same pod will mean something else, though nothing happens to it."""

    status: TaskStatus
    exit_code: int | None = None
    message: str = ""
    look_again_at: datetime | None = None
    disrupted: bool = False


def observe(pod: Json, now: datetime, since: datetime | None = None) -> PodObservation | None:
    """None for a pod that does not say whose attempt it is: it is not one of ours. Names that
    thousands of pods share are kept once."""
    return observed(pod, verdict(pod, now, since))


def observed(pod: Json, said: Verdict) -> PodObservation | None:
    """As `observe`, of a pod that was judged already."""
    notes = pod["metadata"].get("annotations") or {}
    names = [intern(str(notes.get(key, ""))) for key in (WORKFLOW, GROUP, TASK)]
    numbers = [str(notes.get(key, "")) for key in (INCARNATION, RETRY)]
    if not all(0 < len(name) <= NAME_CHARS for name in names):
        return None
    if not all(number.isdecimal() and len(number) < 10 for number in numbers):
        return None
    status = pod.get("status") or {}
    node = (pod.get("spec") or {}).get("nodeName")
    return PodObservation(
        workflow=WorkflowId(names[0]),
        group=GroupId(names[1]),
        incarnation=int(numbers[0]),
        task=TaskName(names[2]),
        retry=int(numbers[1]),
        uid=pod["metadata"]["uid"],
        status=said.status,
        exit_code=said.exit_code,
        message=_clean(said.message),
        node=None if node is None else intern(str(node)),
        pod_ip=status.get("podIP"),
        bound=was_bound(pod),
        scheduled_at=_since(_condition(status, "PodScheduled", "True")),
        initializing_at=_moment(status.get("startTime")),
        started_at=_started_at(status),
        ended_at=_ended_at(status) if said.status.final else None,
        disrupted=said.disrupted,
        detail=detail_of(status, done=said.status is TaskStatus.COMPLETED),
    )


def patience(pod: Json) -> str | None:
    """Why this pod is waited for, though one of its containers is in trouble."""
    status = pod.get("status") or {}
    trouble = next(_trouble(status), None)
    return trouble[1] if trouble is not None and trouble[1] in PATIENCE else None


def verdict(pod: Json, now: datetime, since: datetime | None = None) -> Verdict:
    """`since`: when we first saw it wait for what `patience` says."""
    status = pod.get("status") or {}
    phase = status.get("phase") or "Pending"
    preempted = _preempted(status)
    if preempted is not None:
        at = preempted.get("lastTransitionTime")
        message = f"Pod was preempted at {at}. "
        return Verdict(TaskStatus.FAILED_PREEMPTED, ExitCode.PREEMPTED, message, disrupted=True)
    said = _by_phase(phase, pod, status)
    said = _by_waiting(said, phase, status, now, since)
    return _by_reason(said, phase, status)


def _preempted(status: Json) -> Json | None:
    done = status.get("phase") == "Succeeded"
    for condition in status.get("conditions") or ():
        if condition.get("status") == "True" and condition.get("reason") == "PreemptionByScheduler":
            if done and condition.get("type") == "DisruptionTarget":
                continue
            found: Json = condition
            return found
    return None


def _by_phase(phase: str, pod: Json, status: Json) -> Verdict:
    reached = PHASE.get(phase, TaskStatus.SCHEDULING)
    if reached in {TaskStatus.SCHEDULING, TaskStatus.RUNNING} and _initializing(status):
        return Verdict(TaskStatus.INITIALIZING)
    if reached is TaskStatus.COMPLETED:
        return Verdict(TaskStatus.COMPLETED, 0)
    failures = list(_failures(status))
    highest = max((code for code, _ in failures), default=None)
    message = _failure_message(pod, status, failures)
    if reached is TaskStatus.FAILED_BACKEND_ERROR:
        message = f"The pod's node is lost. {message}"
        return Verdict(reached, ExitCode.BACKEND_ERROR, message, disrupted=True)
    if reached is TaskStatus.RUNNING and highest is not None and _doomed(status):
        reached = TaskStatus.FAILED
    elif not reached.failed:
        return Verdict(reached)
    if _ran_too_long(status):
        return Verdict(TaskStatus.FAILED_EXEC_TIMEOUT)
    if _out_of_memory(status):
        return Verdict(TaskStatus.FAILED_EVICTED, ExitCode.EVICTED, message)
    code = ExitCode.UNKNOWN if highest is None else highest
    return Verdict(reached, code, message, disrupted=_runtime_was_killed(status))


def _by_waiting(
    said: Verdict, phase: str, status: Json, now: datetime, since: datetime | None
) -> Verdict:
    trouble = next(_trouble(status), None)
    if trouble is None:
        return said
    container, reason, detail = trouble
    code = OFFSET.get(container, 0) + WAITING_CODE.get(reason, OTHER_WAITING_CODE)
    message = (
        f"Failure reason: Exit code {code} due to {_called(container)} failed with "
        f"{reason}: {detail}."
    )
    if reason in IMAGE_TROUBLE:
        return Verdict(TaskStatus.FAILED_IMAGE_PULL, code, message)
    if reason not in PATIENCE or phase == "Failed":
        return Verdict(TaskStatus.FAILED, code, message)
    if said.status.final:
        return said
    since = since or _since(_condition(status, "Ready", "False"))
    if since is None:
        return Verdict(TaskStatus.SCHEDULING)
    until = since + PATIENCE[reason]
    if now <= until:
        return Verdict(TaskStatus.SCHEDULING, look_again_at=until + timedelta(seconds=1))
    lost = reason == "ContainerStatusUnknown"
    return Verdict(TaskStatus.FAILED_BACKEND_ERROR, ExitCode.BACKEND_ERROR, message, disrupted=lost)


def _by_reason(said: Verdict, phase: str, status: Json) -> Verdict:
    reason = status.get("reason")
    disrupted = _condition(status, "DisruptionTarget", "True")
    if reason in POD_REASON:
        reached, code = POD_REASON[reason]
        by_node = reason in NODES_DOING or (reason == "Evicted" and _node_was_low(status))
        return Verdict(reached, code, said.message, disrupted=by_node or disrupted is not None)
    if (disrupted is not None or reason == "NodeLost") and phase != "Succeeded":
        why = (disrupted or status).get("message") or reason or "its node was taken away"
        message = said.message or f"The pod was disrupted: {why}"
        code = ExitCode.BACKEND_ERROR
        return Verdict(TaskStatus.FAILED_BACKEND_ERROR, code, message, disrupted=True)
    return said


def _node_was_low(status: Json) -> bool:
    """The kubelet evicts for its node's sake ("The node was low on resource: memory."), or because
    a pod is over its own limit of disk ("Pod ephemeral local storage usage exceeds ...").
    https://github.com/kubernetes/kubernetes/blob/v1.31.0/pkg/kubelet/eviction/helpers.go"""
    return str(status.get("message") or "").startswith("The node ")


def _initializing(status: Json) -> bool:
    return any(
        _state(container, "waiting").get("reason") in {"ContainerCreating", "PodInitializing"}
        for container in status.get("initContainerStatuses") or ()
    )


def _doomed(status: Json) -> bool:
    """The pod still runs, but its control container ended or a container could not be started."""
    return any(
        "terminated" in (container.get("state") or {})
        and (
            container["name"] == CTRL
            or _state(container, "terminated").get("reason") == "StartError"
        )
        for container in status.get("containerStatuses") or ()
    )


def _runtime_was_killed(status: Json) -> bool:
    """What downloads, uploads and ships the log was ended from outside: nothing that the command
    did is to blame, and nothing that it made may be lost. It says a code when it fails itself."""
    return any(
        (ended := _state(container, "terminated"))
        and (ended.get("exitCode") or 0) > KILLED
        and "code" not in _said(ended.get("message"))
        for container in _containers(status)
        if container["name"] in {CTRL, INIT}
    )


def _ran_too_long(status: Json) -> bool:
    """The wrapper ended the command (`operators/native/xylem-exec.c`). Its last words are the
    task's own to write; whoever forges them shortens nobody's task but that."""
    return any(
        _said(_state(container, "terminated").get("message")).get("xylem") == "exec_timeout"
        for container in status.get("containerStatuses") or ()
        if container["name"] not in OFFSET
    )


def _out_of_memory(status: Json) -> bool:
    return any(
        _state(container, "terminated").get("reason") == "OOMKilled"
        for container in _containers(status)
    )


def _failures(status: Json) -> Iterator[tuple[int, str]]:
    """Exit code and container of each that ended badly."""
    for container in _containers(status):
        ended = _state(container, "terminated")
        if not ended or ended.get("reason") == "Completed":
            continue
        code = ended.get("exitCode") or 0
        if container["name"] == CTRL:
            code = _told_code(ended.get("message"), code)
        yield OFFSET.get(container["name"], 0) + code, container["name"]


def _told_code(message: str | None, code: int) -> int:
    """The control container writes its own code into its termination message. What is no exit code
    is somebody else's word, and would be refused as long as it is said."""
    told = _said(message).get("code")
    if isinstance(told, int) and not isinstance(told, bool) and 0 <= told <= MOST_EXIT_CODE:
        return told
    return code


def _said(message: str | None) -> Json:
    try:
        told = json.loads(message or "")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _failure_message(pod: Json, status: Json, failures: Iterable[tuple[int, str]]) -> str:
    lines = "".join(
        f"\n- Exit code {code} due to {_called(container)} failure. "
        for code, container in failures
    )
    reasons = f"Failure reason:{lines}" if lines else ""
    if not status.get("message"):
        return reasons
    return f"Pod {pod['metadata'].get('name')} error message: {status['message']}\n{reasons}"


def _called(container: str) -> str:
    return CALLED.get(container, f"Task {container}")


def _trouble(status: Json) -> Iterator[tuple[str, str, str]]:
    """Containers that wait in vain: name, reason and what more is said. Main containers first."""
    for container in _containers(status):
        waiting = _state(container, "waiting")
        reason = waiting.get("reason") or ""
        if reason in IMAGE_TROUBLE or any(part in reason for part in TROUBLE):
            yield container["name"], reason, waiting.get("message") or ""


def _containers(status: Json) -> Iterator[Json]:
    yield from status.get("containerStatuses") or ()
    yield from status.get("initContainerStatuses") or ()


def _state(container: Json, name: str) -> Json:
    found: Json = (container.get("state") or {}).get(name) or {}
    return found


def _condition(status: Json, type_: str, value: str) -> Json | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") == type_ and condition.get("status") == value:
            found: Json = condition
            return found
    return None


def _since(condition: Json | None) -> datetime | None:
    return None if condition is None else _moment(condition.get("lastTransitionTime"))


def _started_at(status: Json) -> datetime | None:
    """When the user's own container started; the control container's start means nothing."""
    started = [
        _moment(_state(container, state).get("startedAt"))
        for container in status.get("containerStatuses") or ()
        if container["name"] not in OFFSET
        for state in ("running", "terminated")
    ]
    return min(filter(None, started), default=None)


def _ended_at(status: Json) -> datetime | None:
    ended = [
        _moment(_state(container, "terminated").get("finishedAt"))
        for container in _containers(status)
    ]
    return max(filter(None, ended), default=None)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _clean(message: str) -> str:
    """Cut, and without halves of surrogate pairs, which no UTF-8 frame can carry."""
    return message[:MESSAGE_CHARS].encode(errors="replace").decode()
