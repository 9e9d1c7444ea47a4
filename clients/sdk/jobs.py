"""The service's answers about its jobs, as far as clients read them."""

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
