"""What lists are asked for, in OSMO's words and their order, which its 422 repeats.

OSMO has two statuses more than Xylem: a workflow is never WAITING here, nor a task SUBMITTING. Who
asks for them finds nothing.
"""

from enum import StrEnum, auto
from typing import Any


class Upper(StrEnum):
    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[Any]) -> str:
        return name


class Order(Upper):
    ASC = auto()
    DESC = auto()


class WorkflowStatus(Upper):
    PENDING = auto()
    RUNNING = auto()
    WAITING = auto()
    COMPLETED = auto()
    FAILED = auto()
    FAILED_SUBMISSION = auto()
    FAILED_SERVER_ERROR = auto()
    FAILED_EXEC_TIMEOUT = auto()
    FAILED_QUEUE_TIMEOUT = auto()
    FAILED_CANCELED = auto()
    FAILED_BACKEND_ERROR = auto()
    FAILED_IMAGE_PULL = auto()
    FAILED_EVICTED = auto()
    FAILED_START_ERROR = auto()
    FAILED_START_TIMEOUT = auto()
    FAILED_PREEMPTED = auto()


class TaskGroupStatus(Upper):
    SUBMITTING = auto()
    WAITING = auto()
    PROCESSING = auto()
    SCHEDULING = auto()
    INITIALIZING = auto()
    RUNNING = auto()
    COMPLETED = auto()
    RESCHEDULED = auto()
    FAILED = auto()
    FAILED_CANCELED = auto()
    FAILED_SERVER_ERROR = auto()
    FAILED_BACKEND_ERROR = auto()
    FAILED_EXEC_TIMEOUT = auto()
    FAILED_QUEUE_TIMEOUT = auto()
    FAILED_IMAGE_PULL = auto()
    FAILED_UPSTREAM = auto()
    FAILED_EVICTED = auto()
    FAILED_START_ERROR = auto()
    FAILED_START_TIMEOUT = auto()
    FAILED_PREEMPTED = auto()


class ConfigHistoryType(Upper):
    DATASET = auto()
    SERVICE = auto()
    WORKFLOW = auto()
    BACKEND = auto()
    POOL = auto()
    POD_TEMPLATE = auto()
    GROUP_TEMPLATE = auto()
    RESOURCE_VALIDATION = auto()
    BACKEND_TEST = auto()
    ROLE = auto()
