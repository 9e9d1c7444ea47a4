"""The life of a bound pod, as a pure function of the pod, what its containers do, and the time.

    init containers, one after the other; a sidecar (restartPolicy Always) only has to be running
        -> containers, all at once
        -> sidecars are stopped when the last container has ended for good
        -> Succeeded, or Failed where a container's last exit code is not 0

A container that ends is started again as its restart policy says: at once the first time, then
after 10 s, 20 s, 40 s ... 300 s. Deletion and `activeDeadlineSeconds` stop everything: SIGTERM,
and SIGKILL when the grace period is over; containers first, then the sidecars, the last one first.

`decide` is called whenever anything happened and says all there is to do now, so it does not
matter whether a call was missed. Each attempt to run a container has a number; the shim's folder
of that number exists at most once, which is why no answer of this function, however stale, runs a
container twice.

Left out: probes and hooks (a container is ready while it runs), image pulls, ephemeral containers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from operators.desk_cluster.objects import (
    Json,
    is_finished,
    is_terminating,
    meta,
    moment_of,
    name_of,
    namespace_of,
    phase_of,
    spec_of,
    status_of,
    timestamp,
    uid_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# pkg/kubelet: MaxContainerBackOff and its base; a container that ran for twice the maximum starts
# anew.
BACKOFF_BASE = timedelta(seconds=10)
BACKOFF_LIMIT = timedelta(seconds=300)
BACKOFF_FORGOTTEN = 2 * BACKOFF_LIMIT


# ---- facts


@dataclass(frozen=True, slots=True)
class Starting:
    """A shim has the attempt; the command was not executed yet."""


@dataclass(frozen=True, slots=True)
class Running:
    since: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    at: datetime
    code: int
    reason: str
    since: datetime | None = None
    signal: int = 0
    message: str = ""


State: TypeAlias = Starting | Running | Ended


@dataclass(frozen=True, slots=True)
class Attempt:
    number: int
    state: State

    @property
    def lives(self) -> bool:
        return not isinstance(self.state, Ended)


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a container, or the whole pod, cannot be started now; news may change that."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a pod's containers: the attempts of each, the newest last."""

    attempts: Mapping[str, tuple[Attempt, ...]] = field(default_factory=dict)
    blocked: Mapping[str, Blocked] = field(default_factory=dict)
    terminated: frozenset[str] = frozenset()
    """Containers whose running attempt was sent SIGTERM."""
    ready: bool = True
    """The volumes are there."""

    def last(self, container: str) -> Attempt | None:
        attempts = self.attempts.get(container, ())
        return attempts[-1] if attempts else None

    def lives(self, container: str) -> bool:
        last = self.last(container)
        return last is not None and last.lives

    def runs(self, container: str) -> bool:
        """Before it does nobody is there to hear a signal."""
        last = self.last(container)
        return last is not None and isinstance(last.state, Running)


# ---- what to do


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make the pod's volumes."""


@dataclass(frozen=True, slots=True)
class Start:
    container: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Terminate:
    """SIGTERM, once."""

    container: str


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL."""

    container: str


@dataclass(frozen=True, slots=True)
class Release:
    """Nothing of the pod runs any more: its deletion need not wait longer."""


Step: TypeAlias = Prepare | Start | Terminate | Kill | Release


@dataclass(frozen=True, slots=True)
class Verdict:
    status: Json
    steps: tuple[Step, ...] = ()
    wake: datetime | None = None
    """When time alone will change the verdict."""


@dataclass(frozen=True, slots=True)
class _Stop:
    kill_at: datetime
    reason: str = ""
    message: str = ""


def decide(pod: Json, facts: Facts, now: datetime, *, ip: str) -> Verdict:
    if is_finished(pod):
        return _tidy_up(pod, facts)
    started = status_of(pod).get("startTime") or timestamp(now)
    stop = _stop(pod, moment_of(started), now)
    if stop is not None:
        steps, wake = _stopping(pod, facts, stop, now)
    else:
        steps, wake = _going_on(pod, facts, now)
        deadline = _deadline(pod, moment_of(started))
        wake = min(filter(None, (wake, deadline)), default=None)
    over = _phase_when_over(pod, facts, now, stop)
    status = {**status_of(pod), "startTime": started, "hostIP": ip, "hostIPs": [{"ip": ip}]}
    status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
    status |= _container_statuses(pod, facts, now)
    status["phase"] = over or _phase(pod, facts, now)
    if over and stop is not None and stop.reason:
        status |= {"reason": stop.reason, "message": stop.message}
    status["conditions"] = _conditions(pod, facts, status, now)
    if over and is_terminating(pod):
        steps = (*steps, Release())
    return Verdict(status, steps, wake)


def _tidy_up(pod: Json, facts: Facts) -> Verdict:
    kills = tuple(Kill(name) for name in _names(pod) if facts.lives(name))
    if is_terminating(pod) and not kills:
        return Verdict(status_of(pod), (Release(),))
    return Verdict(status_of(pod), kills)


# ---- stopping


def _deadline(pod: Json, started: datetime) -> datetime | None:
    seconds = spec_of(pod).get("activeDeadlineSeconds")
    return None if seconds is None else started + timedelta(seconds=seconds)


def _stop(pod: Json, started: datetime, now: datetime) -> _Stop | None:
    if is_terminating(pod):
        # The timestamp has whole seconds; who was given a grace of 1 s gets no less.
        cut_off = timedelta(seconds=1 if meta(pod).get("deletionGracePeriodSeconds") else 0)
        return _Stop(moment_of(meta(pod)["deletionTimestamp"]) + cut_off)
    deadline = _deadline(pod, started)
    if deadline is None or now < deadline:
        return None
    grace = timedelta(seconds=int(spec_of(pod).get("terminationGracePeriodSeconds", 30)))
    message = "Pod was active on the node longer than the specified deadline"
    return _Stop(deadline + grace, "DeadlineExceeded", message)


def _stopping(
    pod: Json, facts: Facts, stop: _Stop, now: datetime
) -> tuple[tuple[Step, ...], datetime | None]:
    living = [name for name in _names(pod) if facts.lives(name)]
    sidecars = _sidecars(pod)
    # Sidecars serve the others, and those before them, to their end.
    first = [name for name in living if name not in sidecars] or living[:1]
    steps: list[Step] = []
    for name in first if now < stop.kill_at else living:
        if now >= stop.kill_at:
            steps.append(Kill(name))
        elif name not in facts.terminated and facts.runs(name):
            steps.append(Terminate(name))
    return tuple(steps), stop.kill_at if living and now < stop.kill_at else None


def _phase_when_over(pod: Json, facts: Facts, now: datetime, stop: _Stop | None) -> str:
    """Succeeded or Failed once nothing runs and nothing will; else empty."""
    if any(facts.lives(name) for name in _names(pod)):
        return ""
    if stop is not None:
        return "Failed" if stop.reason or not _all_succeeded(pod, facts) else "Succeeded"
    if _failed_init(pod, facts):
        return "Failed"
    if not all(_is_over(pod, each, facts) for each in _containers(pod)):
        return ""
    return "Succeeded" if _all_succeeded(pod, facts) else "Failed"


def _all_succeeded(pod: Json, facts: Facts) -> bool:
    ends = [facts.last(each["name"]) for each in _containers(pod)]
    return all(end is not None and _code(end) == 0 for end in ends)


# ---- going on


def _going_on(pod: Json, facts: Facts, now: datetime) -> tuple[tuple[Step, ...], datetime | None]:
    if not facts.ready:
        return (Prepare(),), None
    if _failed_init(pod, facts) or all(_is_over(pod, c, facts) for c in _containers(pod)):
        return _stop_sidecars(pod, facts, now)
    steps: list[Step] = []
    wakes: list[datetime] = []

    def run(container: Json) -> None:
        due = _due(pod, container, facts, now)
        if due is not None and due <= now:
            last = facts.last(container["name"])
            steps.append(Start(container["name"], 0 if last is None else last.number + 1))
        elif due is not None:
            wakes.append(due)

    for container in _inits(pod):
        run(container)
        if not _lets_pass(pod, container, facts):
            break
    else:
        for container in _containers(pod):
            run(container)
    return tuple(steps), min(wakes, default=None)


def _stop_sidecars(
    pod: Json, facts: Facts, now: datetime
) -> tuple[tuple[Step, ...], datetime | None]:
    ordinary = [each for each in (*_inits(pod), *_containers(pod)) if not _is_sidecar(each)]
    ends = [facts.last(each["name"]) for each in ordinary]
    over = max((e.state.at for e in ends if e and isinstance(e.state, Ended)), default=now)
    grace = timedelta(seconds=int(spec_of(pod).get("terminationGracePeriodSeconds", 30)))
    return _stopping(pod, facts, _Stop(over + grace), now)


def _lets_pass(pod: Json, container: Json, facts: Facts) -> bool:
    """Whether what comes behind this init container may start."""
    attempts = facts.attempts.get(container["name"], ())
    if _is_sidecar(container):
        began = any(_has_begun(attempt) for attempt in attempts)
        return began or any(facts.last(each["name"]) for each in _containers(pod))
    return bool(attempts) and _code(attempts[-1]) == 0


def _has_begun(attempt: Attempt) -> bool:
    match attempt.state:
        case Ended(since=since):
            return since is not None
        case state:
            return isinstance(state, Running)


def _due(pod: Json, container: Json, facts: Facts, now: datetime) -> datetime | None:
    """When the container's next attempt may start; None while it runs and when it is over."""
    last = facts.last(container["name"])
    if last is None:
        return now
    if not isinstance(last.state, Ended) or _is_over(pod, container, facts):
        return None
    return last.state.at + backoff(last)


def backoff(ended: Attempt) -> timedelta:
    """How long to wait after this attempt before the next."""
    assert isinstance(ended.state, Ended), "only what ended is started again"
    ran = ended.state.at - (ended.state.since or ended.state.at)
    if ended.number == 0 or ran >= BACKOFF_FORGOTTEN:
        return timedelta(0)
    return min(BACKOFF_BASE * (1 << min(ended.number - 1, 8)), BACKOFF_LIMIT)


def _is_over(pod: Json, container: Json, facts: Facts) -> bool:
    """Whether the container has ended and will not be started again."""
    last = facts.last(container["name"])
    if last is None or not isinstance(last.state, Ended):
        return False
    match _policy(pod, container):
        case "Never":
            return True
        case "OnFailure":
            return last.state.code == 0
    return False


def _policy(pod: Json, container: Json) -> str:
    if _is_sidecar(container):
        return "Always"
    policy = str(spec_of(pod)["restartPolicy"])
    # An init container that completed is done, whatever the pod's policy.
    return "OnFailure" if policy == "Always" and container in _inits(pod) else policy


def _failed_init(pod: Json, facts: Facts) -> bool:
    if spec_of(pod)["restartPolicy"] != "Never":
        return False
    ends = [facts.last(each["name"]) for each in _inits(pod) if not _is_sidecar(each)]
    return any(end is not None and not end.lives and _code(end) != 0 for end in ends)


def _is_initialized(pod: Json, facts: Facts) -> bool:
    return all(_lets_pass(pod, container, facts) for container in _inits(pod))


# ---- what the status says


def _phase(pod: Json, facts: Facts, now: datetime) -> str:
    if not _is_initialized(pod, facts):
        return "Pending"
    known = [facts.last(each["name"]) for each in _containers(pod)]
    if any(attempt is None or isinstance(attempt.state, Starting) for attempt in known):
        restarted = any(attempt is not None and attempt.number > 0 for attempt in known)
        return phase_of(pod) if restarted else "Pending"
    return "Running"


def _container_statuses(pod: Json, facts: Facts, now: datetime) -> Json:
    statuses: Json = {}
    initialized = _is_initialized(pod, facts)
    if _inits(pod):
        statuses["initContainerStatuses"] = [
            _container_status(pod, each, facts, now, "PodInitializing") for each in _inits(pod)
        ]
    creating = "ContainerCreating" if initialized else "PodInitializing"
    statuses["containerStatuses"] = [
        _container_status(pod, each, facts, now, creating) for each in _containers(pod)
    ]
    return statuses


def _container_status(
    pod: Json, container: Json, facts: Facts, now: datetime, creating: str
) -> Json:
    name = container["name"]
    attempts = facts.attempts.get(name, ())
    last = attempts[-1] if attempts else None
    previous = attempts[-2] if len(attempts) > 1 else None
    running = last is not None and isinstance(last.state, Running)
    status: Json = {
        "name": name,
        "image": container.get("image", ""),
        "imageID": "",
        "ready": running,
        "restartCount": last.number if last else 0,
        "started": running,
        "state": {"waiting": {"reason": creating}},
        "lastState": {},
    }
    if last is not None:
        status["imageID"] = f"desk://{container.get('image', '')}"
        status["containerID"] = f"desk://{uid_of(pod)}/{name}/{last.number}"
        if not _is_sidecar(container) and container in _inits(pod):
            status["ready"] = _code(last) == 0
    if last is not None and isinstance(last.state, Running):
        status["state"] = {"running": {"startedAt": timestamp(last.state.since)}}
    elif last is not None and isinstance(last.state, Ended):
        ended = _terminated(pod, name, last)
        if _waits_for_restart(pod, container, facts):
            status["state"] = {"waiting": _crash_loop(pod, name, last)}
            previous = last
        else:
            status["state"] = {"terminated": ended}
    if name in facts.blocked and not (last is not None and last.lives):
        blocked = facts.blocked[name]
        status["state"] = {"waiting": {"reason": blocked.reason, "message": blocked.message}}
    if previous is not None:
        status["lastState"] = {"terminated": _terminated(pod, name, previous)}
    return status


def _waits_for_restart(pod: Json, container: Json, facts: Facts) -> bool:
    over = _is_over(pod, container, facts) or is_terminating(pod)
    return not over and not _failed_init(pod, facts) and not _mains_are_over(pod, facts)


def _mains_are_over(pod: Json, facts: Facts) -> bool:
    return all(_is_over(pod, each, facts) for each in _containers(pod))


def _crash_loop(pod: Json, name: str, last: Attempt) -> Json:
    seconds = int(backoff(last).total_seconds())
    where = f"{name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"
    message = f"back-off {seconds}s restarting failed container={name} pod={where}"
    return {"reason": "CrashLoopBackOff", "message": message}


def _terminated(pod: Json, name: str, attempt: Attempt) -> Json:
    ended = attempt.state
    assert isinstance(ended, Ended), "only what ended is shown as terminated"
    terminated: Json = {
        "exitCode": ended.code,
        "reason": ended.reason,
        "startedAt": timestamp(ended.since or ended.at),
        "finishedAt": timestamp(ended.at),
        "containerID": f"desk://{uid_of(pod)}/{name}/{attempt.number}",
    }
    if ended.message:
        terminated["message"] = ended.message
    return terminated


def _conditions(pod: Json, facts: Facts, status: Json, now: datetime) -> list[Json]:
    waiting_inits = [each["name"] for each in _inits(pod) if not _lets_pass(pod, each, facts)]
    sidecars = _sidecars(pod)
    serving = [each for each in status.get("initContainerStatuses", ()) if each["name"] in sidecars]
    serving += status["containerStatuses"]
    unready = [each["name"] for each in serving if not each["ready"]]
    phase = status["phase"]
    initialized = _condition("Initialized", not waiting_inits)
    if waiting_inits:
        initialized["reason"] = "ContainersNotInitialized"
        listed = " ".join(waiting_inits)
        initialized["message"] = f"containers with incomplete status: [{listed}]"
    ready = _condition("Ready", phase == "Running" and not unready)
    if phase in ("Succeeded", "Failed"):
        ready["reason"] = "PodCompleted" if phase == "Succeeded" else "PodFailed"
        if phase == "Succeeded":
            initialized["reason"] = "PodCompleted"
    elif unready:
        ready["reason"] = "ContainersNotReady"
        ready["message"] = f"containers with unready status: [{' '.join(unready)}]"
    sandbox = facts.ready and phase not in ("Succeeded", "Failed")
    ours = [
        _condition("PodReadyToStartContainers", sandbox),
        initialized,
        ready,
        {**ready, "type": "ContainersReady"},
    ]
    return merge_conditions(status_of(pod).get("conditions") or [], ours, now)


def _condition(name: str, holds: bool) -> Json:
    return {"type": name, "status": "True" if holds else "False"}


def merge_conditions(old: list[Json], new: list[Json], now: datetime) -> list[Json]:
    """The old conditions with the new ones in their places; a transition takes the time."""
    known = {condition["type"]: condition for condition in old}
    for condition in new:
        before = known.get(condition["type"], {})
        since = before.get("lastTransitionTime")
        if before.get("status") != condition["status"] or not since:
            since = timestamp(now)
        stamps = {"lastProbeTime": None, "lastTransitionTime": since}
        known[condition["type"]] = {**condition, **stamps}
    return list(known.values())


# ---- the pod's containers


def _inits(pod: Json) -> list[Json]:
    return list(spec_of(pod).get("initContainers") or ())


def _containers(pod: Json) -> list[Json]:
    return list(spec_of(pod).get("containers") or ())


def _names(pod: Json) -> Iterator[str]:
    """Containers first, then init containers from the last: the order in which they are stopped."""
    yield from (each["name"] for each in _containers(pod))
    yield from (each["name"] for each in reversed(_inits(pod)))


def _is_sidecar(container: Json) -> bool:
    return container.get("restartPolicy") == "Always"


def _sidecars(pod: Json) -> set[str]:
    return {each["name"] for each in _inits(pod) if _is_sidecar(each)}


def _code(attempt: Attempt) -> int | None:
    return attempt.state.code if isinstance(attempt.state, Ended) else None
