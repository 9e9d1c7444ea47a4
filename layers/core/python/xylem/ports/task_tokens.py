"""What a pod holds of us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from xylem.domain.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from xylem.domain.ids import GroupId, TaskName, WorkflowId


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a task's token names, and what the rows of its log are keyed by."""

    workflow: WorkflowId
    group: GroupId
    incarnation: int
    task: TaskName
    retry: int


class TaskTokens(Protocol):
    def sign(self, attempt: Attempt, *, expires: datetime) -> str: ...

    def verify(self, token: str, now: datetime, *, expired_ok: bool = False) -> Attempt:
        """Raises `Unauthenticated`, saying whether it is expired or not ours."""
        ...


# Logs -------------------------------------------------------------------------------------------
