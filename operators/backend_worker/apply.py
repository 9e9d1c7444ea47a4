"""What a job does to the cluster, so that no attempt runs twice and nothing starts after its
cleanup.

    create     anchor ─ tenure ─ objects, gated pods ─ swap (names the pods' uids) ─ gates ─ answer
    cleanup    anchor closing ─ pods away ─ other objects away ─ anchor closed ─ answer
    observe    quorum list ─ answer

Every line is a procedure that may stop anywhere and be begun again from its start, by this process
or by another one; that is also what is done when the API server does not answer. What they agree on
is the anchor: whoever swaps it first is right, the other reads it again. Why each step stands where
it stands:

* The tenure is read after the anchor was made or found, and before any pod: a process that was
  paused for so long that the group was closed and its anchor removed makes a new anchor, but then
  finds that the lease is another's.
* The swap names the uids, and only these pods are let go: a pod of the same name that an old
  request makes later is none of them.
* A create that loses the swap knows nothing yet: the winner may die before it lifts the gates.
* A cleanup without an anchor makes one, closing: the create that it interrupts may be about to.
* An attempt that replaces another one first deletes that one's pod, if it may still run.
* A pod that was never bound is released when it is seen deleted and still unbound: the API server
  binds no pod that is being deleted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from operators.backend_worker import templated
from operators.backend_worker.payloads import (
    BadPayload,
    Plan,
    how_to_clean,
    name_of,
    notes_of,
    payload_of,
    plan_of,
    uid_of,
)
from operators.backend_worker.queues import set_right
from operators.shared.anchor import Anchor, anchor_of, was_bound
from operators.shared.anchor import anchor_name as name_of_anchor
from operators.shared.calls import (
    Create,
    Delete,
    Pause,
    Procedure,
    Say,
    create,
    listing,
    read,
    replace,
    together,
)
from operators.shared.lease import Tenure
from operators.shared.release import lift, release
from operators.shared.resources import (
    CONFIG_MAP,
    KINDS,
    POD,
    Conflict,
    Json,
    KubeError,
    NotFound,
    Refused,
    Unreachable,
)
from xylem.domain.ids import GroupId, mail_parts
from xylem.manifests.names import (
    GROUP_LABEL,
    INCARNATION,
    RETRY,
    TASK,
)
from xylem.protocol.agent import CleanupPayload, Job, PodObservation

ENDED = {"Succeeded", "Failed"}

FIRST_LOOK_SECONDS = 0.2
LAST_LOOK_SECONDS = 5.0
"""Between two looks whether the pods have gone; the Listener's watch interrupts the wait."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: Literal["done", "failed", "superseded"]
    message: str = ""
    observations: tuple[PodObservation, ...] = ()


@dataclass(frozen=True, slots=True)
class Postponed:
    """The ordinal in the job's `after` is not done yet."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Nothing may be said: the job is pushed again, to whoever is in office then."""

    why: str


Outcome = Answer | Postponed | Unanswered


# Create ----------------------------------------------------------------------------------------


def perform_create(job: Job, tenure: Tenure) -> Procedure[Outcome]:
    try:
        plan = plan_of(job, (yield from payload_of(job)))
    except BadPayload as bad:
        return Answer("failed", str(bad))
    anchor = yield from _made_or_found(job, plan)
    while anchor is not None:
        outcome = yield from _advance(job, plan, anchor, tenure)
        if outcome is not None:
            return outcome
        anchor = yield from _anchor(job)
    return Postponed() if job.after else Unanswered("the anchor went away while it was in use")


def _made_or_found(job: Job, plan: Plan) -> Procedure[Anchor | None]:
    if job.after:  # the ordinal before has made it
        return (yield from _anchor(job))
    try:
        made = yield from create(CONFIG_MAP, _new_anchor(job, "creating", plan).body)
    except Conflict:
        return (yield from _anchor(job))
    return anchor_of(made)


def _advance(job: Job, plan: Plan, anchor: Anchor, tenure: Tenure) -> Procedure[Outcome | None]:
    """None: somebody else swapped the anchor; it has to be read again before anything is said."""
    if anchor.deleting:
        return Answer("failed", f"somebody deletes the group's ConfigMap {anchor.name}")
    if not anchor.open:
        return Answer("superseded", f"the group is {anchor.state}")
    if job.ordinal in anchor.done:
        yield from _lift_what_is_left(anchor, job.ordinal)
        return Answer("done")
    if job.after and job.after not in anchor.done:
        return Postponed()
    named = anchor.with_objects(plan.names, plan.templated_names)
    if named != anchor:
        swapped = yield from _swap(named)
        if swapped is None:
            return None
        anchor = swapped
    if not (yield from tenure.is_held()):
        return Unanswered("the lease is another process's")
    try:
        yield from _end_replaced(plan, anchor)
        yield from set_right(plan)
        yield from templated.make(plan.templated, anchor)
        yield from _make_others(plan, anchor)
        pods = yield from _make_pods(plan, anchor)
    except Refused as refused:
        return Answer("failed", f"Kubernetes refused an object ({refused.status}): {refused}")
    if (yield from _swap(anchor.with_done(job.ordinal, [uid_of(pod) for pod in pods]))) is None:
        return None
    yield from lift(pods)
    return Answer("done")


def _end_replaced(plan: Plan, anchor: Anchor) -> Procedure[None]:
    """An attempt that was replaced may not have ended in its cluster: its node only fell silent, or
    its image comes after all. It is deleted before the next one is made, so that it neither goes on
    beside that one nor begins after it. Nobody waits until it is gone: its node may never answer.
    What has ended stays: its end may be unsaid."""
    newest = {notes_of(pod)[TASK]: int(notes_of(pod)[RETRY]) for pod in plan.pods}
    if not any(newest.values()):
        return
    older = [
        Delete(POD, name_of(pod), uid=uid_of(pod))
        for pod in (yield from _pods(anchor.group, anchor.incarnation))
        if _retry_of(pod) < newest.get(notes_of(pod).get(TASK, ""), 0)
        and "deletionTimestamp" not in pod["metadata"]
        and (pod.get("status") or {}).get("phase") not in ENDED
    ]
    for result in (yield from together(older)):
        if isinstance(result, KubeError) and not isinstance(result, NotFound | Conflict):
            raise result


def _retry_of(pod: Json) -> int:
    text = str(notes_of(pod).get(RETRY, ""))
    return int(text) if text.isdecimal() else 0


def _make_others(plan: Plan, anchor: Anchor) -> Procedure[None]:
    """What exists already was made by an earlier try: its name contains the incarnation."""
    owned = [Create(kind, _owned(body, anchor)) for kind, body in plan.others]
    for result in (yield from together(owned)):
        if isinstance(result, KubeError) and not isinstance(result, Conflict):
            raise result


def _make_pods(plan: Plan, anchor: Anchor) -> Procedure[list[Json]]:
    owned = [_owned(pod, anchor) for pod in plan.pods]
    results = yield from together([Create(POD, pod) for pod in owned])
    pods: list[Json] = []
    for pod, result in zip(owned, results, strict=True):
        if isinstance(result, Conflict):
            pods.append((yield from _found(pod, anchor)))
        elif isinstance(result, KubeError):
            raise result
        elif result is not None:
            pods.append(result)
    return pods


def _found(pod: Json, anchor: Anchor) -> Procedure[Json]:
    try:
        found = yield from read(POD, name_of(pod))
    except NotFound as gone:
        raise Unreachable(f"pod {name_of(pod)} went away while it was being made") from gone
    owners = found["metadata"].get("ownerReferences") or ()
    if not any(owner.get("uid") == anchor.uid for owner in owners):
        raise Refused(409, f"pod {name_of(pod)} exists and is not of this group")
    return found


def _lift_what_is_left(anchor: Anchor, ordinal: int) -> Procedure[None]:
    named = set(anchor.done[ordinal])
    pods = yield from _pods(anchor.group, anchor.incarnation)
    yield from lift([pod for pod in pods if uid_of(pod) in named])


# Cleanup and observe ---------------------------------------------------------------------------


def perform_cleanup(job: Job) -> Procedure[Outcome]:
    try:
        how = how_to_clean((yield from payload_of(job)))
    except BadPayload as bad:
        return Answer("failed", str(bad))
    anchor = yield from _closing_anchor(job)
    if anchor.state == "closed":
        return Answer("done")
    yield from _clear_pods(anchor, how)
    yield from _clear_others(anchor)
    yield from templated.clear(anchor)
    while (yield from _swap(anchor.in_state("closed"))) is None:
        anchor = yield from _closing_anchor(job)
    return Answer("done")


def perform_observe(
    job: Job, observe: Callable[[Json], PodObservation | None]
) -> Procedure[Outcome]:
    group, incarnation, _ = mail_parts(job.job_id)
    pods = yield from _pods(group, incarnation)
    seen = (observe(pod) for pod in pods)
    return Answer("done", observations=tuple(one for one in seen if one is not None))


def _closing_anchor(job: Job) -> Procedure[Anchor]:
    """The anchor, no longer open, whatever it takes: made, swapped, or read again."""
    while True:
        anchor = yield from _anchor(job)
        if anchor is None:
            try:
                made = yield from create(CONFIG_MAP, _new_anchor(job, "closing").body)
            except Conflict:
                continue
            anchor = anchor_of(made)
        if anchor is not None and not anchor.open:
            return anchor
        closing = None if anchor is None else (yield from _swap(anchor.in_state("closing")))
        if closing is not None:
            return closing


def _clear_pods(anchor: Anchor, how: CleanupPayload) -> Procedure[None]:
    pause = FIRST_LOOK_SECONDS
    grace = 0 if how.force else how.grace_seconds
    asked: set[str] = set()
    while pods := (yield from _pods(anchor.group, anchor.incarnation)):
        new = [pod for pod in pods if uid_of(pod) not in asked]
        asked |= {uid_of(pod) for pod in new}
        deletions = [Delete(POD, name_of(pod), uid=uid_of(pod), grace_seconds=grace) for pod in new]
        for result in (yield from together(deletions)):
            if isinstance(result, KubeError) and not isinstance(result, NotFound | Conflict):
                raise result
        for pod in pods:
            yield from _let_go(pod, how)
        if not new:
            yield Pause(pause, group=anchor.group)
            pause = min(pause * 2, LAST_LOOK_SECONDS)


def _let_go(pod: Json, how: CleanupPayload) -> Procedure[None]:
    """`pod` as it was listed. One that is bound keeps its finalizer until the Listener's news of
    its end was acknowledged, unless it is removed by force."""
    if "deletionTimestamp" not in pod["metadata"]:
        return
    if not was_bound(pod) or (how.force and (yield Say(pod))):
        yield from release(name_of(pod), uid_of(pod))


def _clear_others(anchor: Anchor) -> Procedure[None]:
    """By the names that the anchor holds; what a create still makes is left to the anchor's
    removal."""
    known = [
        Delete(KINDS[api_version, kind], name)
        for api_version, kind, name in anchor.objects
        if (api_version, kind) in KINDS
    ]
    for result in (yield from together(known)):
        if isinstance(result, KubeError) and not isinstance(result, NotFound):
            raise result


# What they share -------------------------------------------------------------------------------


def _anchor(job: Job) -> Procedure[Anchor | None]:
    group, incarnation, _ = mail_parts(job.job_id)
    name = name_of_anchor(group, incarnation)
    try:
        found = yield from read(CONFIG_MAP, name)
    except NotFound:
        return None
    anchor = anchor_of(found)
    if anchor is None:
        raise Refused(409, f"the ConfigMap {name} is not what we wrote")
    return anchor


def _swap(anchor: Anchor) -> Procedure[Anchor | None]:
    """The anchor as it is now stored; None when it is no longer the version that was read."""
    try:
        return anchor_of((yield from replace(CONFIG_MAP, anchor.body)))
    except (Conflict, NotFound):
        return None


def _pods(group: GroupId, incarnation: int) -> Procedure[list[Json]]:
    pods = yield from listing(POD, f"{GROUP_LABEL}={group}")
    return [pod for pod in pods if notes_of(pod).get(INCARNATION) == str(incarnation)]


def _new_anchor(
    job: Job, state: Literal["creating", "closing"], plan: Plan | None = None
) -> Anchor:
    group, incarnation, _ = mail_parts(job.job_id)
    anchor = Anchor(job.workflow, group, incarnation, state, done={})
    return anchor if plan is None else anchor.with_objects(plan.names, plan.templated_names)


def _owned(body: Json, anchor: Anchor) -> Json:
    owner = {**anchor.as_owner, "controller": True}
    return {**body, "metadata": {**body["metadata"], "ownerReferences": [owner]}}
