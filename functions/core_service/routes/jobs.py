"""Jobs, for admins: what failed too often or is overdue, and the messages that nobody could answer.

Ours alone: OSMO's jobs lie in its queues, where nobody sees them.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from functions.core_service import views
from functions.core_service.identity import User
from functions.core_service.services import Has
from functions.core_service.views import View
from xylem.domain.errors import UnknownJob
from xylem.domain.ids import JobId
from xylem.ports.jobs import PARK_AFTER
from xylem.usecases import dead_letters, jobs

ID_CHARS = 128
"""A job's id has 32; DynamoDB refuses a key of more than 2 KB."""

MOST_ATTEMPTS = 100


def _job(id: str) -> JobId:
    """Raises `UnknownJob`."""
    if len(id) > ID_CHARS:
        raise UnknownJob(f"There is no job {id[:ID_CHARS]}...: no id is that long.")
    return JobId(id)


Id = Annotated[JobId, Depends(_job)]

router = APIRouter(prefix="/api/job")


@router.get("")
def list_jobs(who: User, has: Has) -> View:
    found = jobs.listed(jobs=has.jobs, now=has.engine.clock())
    dead = dead_letters.shown(has.dead_letters)
    return {
        "jobs": [views.job(one) for one in found],
        "dead_letters": [views.dead_queue(one) for one in dead],
    }


@router.get("/{id}")
def get_job(id: Id, who: User, has: Has) -> View:
    return views.job(jobs.find(id, jobs=has.jobs))


@router.post("/{id}/retry")
def retry_job(
    id: Id,
    who: User,
    has: Has,
    attempts: Annotated[int, Query(ge=1, le=MOST_ATTEMPTS)] = PARK_AFTER,
) -> View:
    return views.job(jobs.retry(id, attempts=attempts, engine=has.engine, jobs=has.jobs))


@router.delete("/{id}")
def drop_job(id: Id, who: User, has: Has) -> View:
    jobs.drop(id, by=who.subject, engine=has.engine, jobs=has.jobs)
    return {"id": id}
