"""Tasks across workflows: which there are, and what they ask for together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from clients.sdk.connection import Connection, Order, Parameter, moment
from clients.sdk.models import Answer, Moment
from xylem.domain.status import TaskStatus


class Wants(Answer):
    """Memory and storage in GiB."""

    storage: float = 0
    cpu: int = 0
    memory: float = 0
    gpu: int = 0


class ListedTask(Wants):
    user: str
    workflow_id: str
    task_name: str
    retry_id: int = 0
    pool: str | None = None
    node: str | None = None
    start_time: Moment | None = None
    end_time: Moment | None = None
    duration: float | None = None
    status: TaskStatus
    priority: str = "NORMAL"


class Tasks(Answer):
    tasks: list[ListedTask]


class TaskSum(Wants):
    """`workflow_id`: where sums are of workflows."""

    user: str
    pool: str | None = None
    priority: str = "NORMAL"
    workflow_id: str | None = None


class TaskSums(Answer):
    summaries: list[TaskSum]


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Empty: everything; without users your own."""

    workflow: str | None = None
    statuses: Sequence[str] = ()
    users: Sequence[str] = ()
    all_users: bool = False
    pools: Sequence[str] = ()
    nodes: Sequence[str] = ()
    priorities: Sequence[str] = ()
    after: datetime | None = None
    """Started at this moment or later."""
    before: datetime | None = None

    def parameters(self) -> dict[str, Parameter]:
        return {
            "workflow_id": self.workflow,
            "statuses": self.statuses,
            "users": self.users,
            "all_users": self.all_users or None,
            "pools": self.pools,
            "all_pools": None if self.pools else True,
            "nodes": self.nodes,
            "priority": self.priorities,
            "started_after": moment(self.after),
            "started_before": moment(self.before),
        }


class TaskCalls(Connection):
    def tasks(
        self, wanted: TaskFilter, *, limit: int = 20, offset: int = 0, order: Order = "DESC"
    ) -> Tasks:
        """Attempts of tasks: the newest that match, in either order."""
        return self.ask(
            Tasks, "GET", "/api/task", parameters=_asked(wanted, limit, offset, {"order": order})
        )

    def task_sums(
        self,
        wanted: TaskFilter,
        *,
        by_workflow: bool = False,
        limit: int = 20,
        offset: int = 0,
        order: Order = "DESC",
    ) -> TaskSums:
        """What they ask for together, by user, pool and priority, and by workflow if asked."""
        more: dict[str, Parameter] = {
            "summary": not by_workflow,
            "aggregate_by_workflow": by_workflow,
            "order": order,
        }
        return self.ask(
            TaskSums, "GET", "/api/task", parameters=_asked(wanted, limit, offset, more)
        )


def _asked(
    wanted: TaskFilter, limit: int, offset: int, more: Mapping[str, Parameter]
) -> dict[str, Parameter]:
    return {**wanted.parameters(), "limit": limit, "offset": offset, **more}
