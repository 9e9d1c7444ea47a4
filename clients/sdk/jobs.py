"""Jobs of the service that failed or are overdue, for administrators."""

from clients.sdk.connection import Connection, parsed, segment
from clients.sdk.models import Answer, Moment


class Job(Answer):
    """Something that the service has yet to do for a workflow, and how often it tried."""

    id: str
    kind: str
    workflow: str
    groups: list[str] = []
    status: str
    """PARKED: it waits for an admin; WAITING: it will be tried."""
    attempts: int
    park_at: int | None = None
    last_error: str | None = None
    not_before: Moment
    next_ring_time: Moment


class DeadLetter(Answer):
    id: str
    sent_time: Moment
    received: int
    about: str


class DeadQueue(Answer):
    """Messages of one queue that nobody could answer; `letters` are some of them."""

    queue: str
    depth: int
    letters: list[DeadLetter] = []


class Jobs(Answer):
    """Those that are parked or overdue."""

    jobs: list[Job]
    dead_letters: list[DeadQueue] = []


class JobCalls(Connection):
    def jobs(self) -> Jobs:
        """Those of the service that are parked or overdue, and the dead letters beside them."""
        return parsed(Jobs, self.get("/api/job", {}))

    def job(self, job: str) -> Job:
        return parsed(Job, self.get(_path(job), {}))

    def retry_job(self, job: str, *, attempts: int | None = None) -> Job:
        """Have it tried again, up to `attempts` times: as often as a new one unless told."""
        answer = self.send("POST", _path(job, "retry"), parameters={"attempts": attempts})
        return parsed(Job, answer)

    def drop_job(self, job: str) -> None:
        """Give a parked job up: what waits for it fails."""
        self.send("DELETE", _path(job))


def _path(job: str, *rest: str) -> str:
    return "/".join(("/api/job", segment(job), *rest))
