"""Followers in a dictionary, by workflow and connection."""

from datetime import datetime

from xylem.domain.ids import ConnectionId, WorkflowId
from xylem.ports.followers import Follower


class MemoryFollowers:
    def __init__(self) -> None:
        self._kept: dict[WorkflowId, dict[ConnectionId, Follower]] = {}

    def put(self, workflow: WorkflowId, follower: Follower, *, now: datetime) -> None:
        self._kept.setdefault(workflow, {})[follower.connection] = follower

    def of(self, workflow: WorkflowId) -> list[Follower]:
        kept = self._kept.get(workflow, {})
        return [kept[connection] for connection in sorted(kept)]

    def delete(self, workflow: WorkflowId, connection: ConnectionId) -> None:
        self._kept.get(workflow, {}).pop(connection, None)
