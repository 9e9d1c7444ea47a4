"""The statuses of tasks, groups and workflows: OSMO's words, with what we ask of them.

A task or group only ever moves up in `rank`; that, the attempt's fences and the row's version are
what makes late and repeated news harmless.

    WAITING -> PROCESSING -> SCHEDULING -> INITIALIZING -> RUNNING -> an end
       0           1             2              3             4          5
"""

from enum import StrEnum


class TaskStatus(StrEnum):
    """Of a task's attempt, and of a group (which is never RESCHEDULED)."""

    WAITING = "WAITING"
    PROCESSING = "PROCESSING"
    SCHEDULING = "SCHEDULING"
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    RESCHEDULED = "RESCHEDULED"
    FAILED = "FAILED"
    FAILED_CANCELED = "FAILED_CANCELED"
    FAILED_SERVER_ERROR = "FAILED_SERVER_ERROR"
    FAILED_BACKEND_ERROR = "FAILED_BACKEND_ERROR"
    FAILED_EXEC_TIMEOUT = "FAILED_EXEC_TIMEOUT"
    FAILED_QUEUE_TIMEOUT = "FAILED_QUEUE_TIMEOUT"
    FAILED_IMAGE_PULL = "FAILED_IMAGE_PULL"
    FAILED_UPSTREAM = "FAILED_UPSTREAM"
    FAILED_EVICTED = "FAILED_EVICTED"
    FAILED_START_ERROR = "FAILED_START_ERROR"
    FAILED_START_TIMEOUT = "FAILED_START_TIMEOUT"
    FAILED_PREEMPTED = "FAILED_PREEMPTED"

    @property
    def rank(self) -> int:
        return _RANK.get(self, _LAST)

    @property
    def final(self) -> bool:
        return self not in _RANK

    @property
    def failed(self) -> bool:
        return self.startswith("FAILED")

    @property
    def handed_over(self) -> bool:
        """A cluster may hold objects of it: seen there, or on its way there."""
        return self.rank >= _RANK[TaskStatus.PROCESSING]


_RANK = {
    TaskStatus.WAITING: 0,
    TaskStatus.PROCESSING: 1,
    TaskStatus.SCHEDULING: 2,
    TaskStatus.INITIALIZING: 3,
    TaskStatus.RUNNING: 4,
}
_LAST = 5


class WorkflowStatus(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    FAILED_SUBMISSION = "FAILED_SUBMISSION"
    FAILED_CANCELED = "FAILED_CANCELED"
    FAILED_SERVER_ERROR = "FAILED_SERVER_ERROR"
    FAILED_BACKEND_ERROR = "FAILED_BACKEND_ERROR"
    FAILED_EXEC_TIMEOUT = "FAILED_EXEC_TIMEOUT"
    FAILED_QUEUE_TIMEOUT = "FAILED_QUEUE_TIMEOUT"
    FAILED_IMAGE_PULL = "FAILED_IMAGE_PULL"
    FAILED_EVICTED = "FAILED_EVICTED"
    FAILED_START_ERROR = "FAILED_START_ERROR"
    FAILED_START_TIMEOUT = "FAILED_START_TIMEOUT"
    FAILED_PREEMPTED = "FAILED_PREEMPTED"

    @property
    def final(self) -> bool:
        return self not in {WorkflowStatus.PENDING, WorkflowStatus.RUNNING}

    @property
    def failed(self) -> bool:
        return self.startswith("FAILED")


class ExitCode:
    """Codes that are not the user's own (1 to 255): `reference/osmo-workflow-model.md` 3.5."""

    UPSTREAM = 3000
    BACKEND_ERROR = 3001
    SERVER_ERROR = 3002
    START_ERROR = 3003
    EVICTED = 3004
    START_TIMEOUT = 3005
    PREEMPTED = 3006
    UNKNOWN = 4000
