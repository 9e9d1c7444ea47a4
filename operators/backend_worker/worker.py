"""The Backend Worker: which jobs are begun, which wait, and what is answered. It does nothing
itself.

A job comes in as `Perform`; `begin` gives the procedure to be driven
(`operators.backend_worker.apply`) and `ended` turns its outcome into the answer, if there is one.
Jobs of all groups run at once; the threads of `Hands` bound what is asked of the API server, so a
cleanup that waits for a pod's grace period stalls nobody.

A create whose ordinal before is not done waits here, unanswered; it is tried again when that one is
done, and otherwise when it is pushed again. It counts as put down, so that every push renews its
receipt: a create is begun only within five minutes of it, because a process that was paused for
longer must not act on what it heard before.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from operators.backend_worker.apply import (
    Answer,
    Outcome,
    Postponed,
    Unanswered,
    perform_cleanup,
    perform_create,
    perform_observe,
)
from operators.shared.calls import Pause, Procedure
from operators.shared.lease import Tenure
from operators.shared.resources import Json, Refused, Unreachable
from xylem.domain.ids import GroupId, MailId, mail_parts
from xylem.protocol.agent import Job, JobResult, PodObservation
from xylem.protocol.limits import MESSAGE_CHARS
from xylem.protocol.link import Perform

BEGIN_WITHIN = timedelta(minutes=5)

PAUSES = (0.2, 1.0, 3.0)
"""Seconds before a job is begun anew while the API server does not answer; then it is put down and
comes again with the next push, a minute later."""


class Worker:
    def __init__(self, tenure: Tenure, observe: Callable[[Json], PodObservation | None]) -> None:
        self._tenure = tenure
        self._observe = observe
        self._waiting: dict[tuple[GroupId, int], dict[MailId, Perform]] = {}

    def begin(self, order: Perform, now: datetime) -> Procedure[Outcome]:
        job = order.job
        self._forget(job)
        if job.kind == "create" and now - order.received_at > BEGIN_WITHIN:
            return _nothing(Unanswered("it was received more than five minutes ago"))
        return _persistently(job.kind, lambda: self._procedure(job))

    def ended(self, order: Perform, outcome: Outcome) -> tuple[JobResult | None, list[Perform]]:
        """The answer, or None when the job is put down; and the jobs that waited for this one."""
        job = order.job
        group = _group_of(job)
        match outcome:
            case Answer(status, message, observations):
                result = JobResult(
                    workflow=job.workflow,
                    job_id=job.job_id,
                    status=status,
                    message=message[:MESSAGE_CHARS],
                    observations=list(observations),
                )
                followers = self._waiting.pop(group, {}) if job.kind == "create" else {}
                return result, list(followers.values())
            case Postponed():
                self._waiting.setdefault(group, {})[job.job_id] = order
                return None, []
            case Unanswered():
                return None, []

    def _procedure(self, job: Job) -> Procedure[Outcome]:
        match job.kind:
            case "create":
                return perform_create(job, self._tenure)
            case "cleanup":
                self._waiting.pop(_group_of(job), None)
                return perform_cleanup(job)
            case "observe":
                return perform_observe(job, self._observe)

    def _forget(self, job: Job) -> None:
        group = _group_of(job)
        waiting = self._waiting.get(group, {})
        waiting.pop(job.job_id, None)
        if not waiting:
            self._waiting.pop(group, None)


def _group_of(job: Job) -> tuple[GroupId, int]:
    group, incarnation, _ = mail_parts(job.job_id)
    return group, incarnation


def _nothing(outcome: Outcome) -> Procedure[Outcome]:
    return outcome
    yield


def _persistently(kind: str, make: Callable[[], Procedure[Outcome]]) -> Procedure[Outcome]:
    """From the start again while nobody answers: every procedure may be begun twice. What
    Kubernetes refuses it will refuse again, so a create fails; a cleanup and an observe must not be
    given up."""
    silence = ""
    for pause in (*PAUSES, None):
        try:
            return (yield from make())
        except Unreachable as unreachable:
            silence = str(unreachable)
            if pause is not None:
                yield Pause(pause)
        except Refused as refused:
            why = f"Kubernetes refused ({refused.status}): {refused}"
            return Answer("failed", why) if kind == "create" else Unanswered(why)
    return Unanswered(silence)
