"""Who follows which log, and how to tell them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from xylem.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from xylem.domain.ids import ConnectionId, WorkflowId


@dataclass(frozen=True, slots=True)
class Follower:
    """`task`, `retry`: of this one alone."""

    connection: ConnectionId
    task: str | None = None
    retry: int | None = None


class Followers(Protocol):
    """A row for each, which goes by itself when its socket must have ended."""

    def put(self, workflow: WorkflowId, follower: Follower, *, now: datetime) -> None:
        """In the place of what that connection followed of the workflow before."""
        ...

    def of(self, workflow: WorkflowId) -> list[Follower]:
        """Consistently read: who was told that it follows is among them."""
        ...

    def delete(self, workflow: WorkflowId, connection: ConnectionId) -> None:
        """Deleting what is not there is no error."""
        ...


class Broadcast(Protocol):
    def push_all(self, connections: Sequence[ConnectionId], text: str) -> list[ConnectionId]:
        """Who is gone of them. Who could not be told for another reason is passed over."""
        ...
