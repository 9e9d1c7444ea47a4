"""Values with good defaults: a test names what it is about, and nothing else.

Keywords are the fields of the value that is built.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from xylem.domain.detail import Condition, Detail, TaskDetail
from xylem.domain.group import Group
from xylem.domain.ids import (
    BackendName,
    GroupId,
    JobId,
    PoolName,
    TaskName,
    UserName,
    WorkflowId,
    WorkflowUuid,
    mail_id,
)
from xylem.domain.plan import GroupPlan, TaskPlan, WorkflowPlan
from xylem.domain.pool import Platform, Pool
from xylem.domain.status import TaskStatus
from xylem.domain.task import Task
from xylem.domain.workflow import Counts, Workflow
from xylem.ports.backends import Mail
from xylem.ports.jobs import Job, StartGroups
from xylem.ports.stored import Change, Stored
from xylem.ports.task_tokens import Attempt
from xylem.ports.workflows import Commit, Creation

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BACKEND = BackendName("cluster-1")
GROUP = GroupId("0" + "a" * 31)
HELLO = WorkflowId("hello-1")
UNSCHEDULABLE = Condition(
    "PodScheduled",
    "False",
    "Unschedulable",
    "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
    NOON,
)


def a_task(name: str = "lead", status: TaskStatus = TaskStatus.WAITING, **fields: Any) -> Task:
    return Task(**{"name": TaskName(name), "status": status, **fields})


def a_group(**fields: Any) -> Group:
    """One task, which leads; it waits for nothing."""
    known: dict[str, Any] = {
        "id": GROUP,
        "workflow": HELLO,
        "name": "hello-group",
        "backend": BACKEND,
        "tasks": (a_task(lead=True),),
    }
    return Group(**{**known, **fields})


def a_workflow(**fields: Any) -> Workflow:
    """One live group, submitted at noon."""
    known: dict[str, Any] = {
        "id": HELLO,
        "uuid": WorkflowUuid("e" * 32),
        "name": "hello",
        "user": UserName("alice"),
        "pool": PoolName("default"),
        "backend": BACKEND,
        "submitted_at": NOON,
        "counts": Counts(1),
    }
    return Workflow(**{**known, **fields})


def a_task_detail(task: str = "lead", retry: int = 0, **fields: Any) -> TaskDetail:
    """Told at noon of a pod that waits for a node."""
    known: dict[str, Any] = {
        "group": GROUP,
        "task": TaskName(task),
        "retry": retry,
        "status": TaskStatus.SCHEDULING,
        "told_at": NOON,
        "detail": Detail(conditions=(UNSCHEDULABLE,)),
    }
    return TaskDetail(**{**known, **fields})


def a_job(id: str = "job-1", *groups: GroupId, **fields: Any) -> Job:
    """To be done at once; the Monitor rings for it 15 s later."""
    known: dict[str, Any] = {
        "id": JobId(id),
        "work": StartGroups(HELLO, groups or (GROUP,)),
        "next_ring_at": NOON + timedelta(seconds=15),
        "not_before": NOON,
    }
    return Job(**{**known, **fields})


def a_mail(ordinal: int = 1, *, group: GroupId = GROUP, **fields: Any) -> Mail:
    known: dict[str, Any] = {
        "id": mail_id(group, 0, ordinal),
        "backend": BACKEND,
        "workflow": HELLO,
        "kind": "create",
        "ordinal": ordinal,
        "after": 0,
        "written_at": NOON,
        "payload": b"\x1f\x8b",
    }
    return Mail(**{**known, **fields})


def a_creation(*groups: Group, number: int = 1, **fields: Any) -> Creation:
    """Of `<name>-<number>`, with one group and no job."""
    given = groups or (a_group(),)
    workflow = fields.pop("workflow", None) or a_workflow(counts=Counts(len(given)))
    known: dict[str, Any] = {"workflow": workflow, "number": number, "groups": given, "jobs": ()}
    return Creation(**{**known, **fields})


def a_commit(**fields: Any) -> Commit:
    known: dict[str, Any] = {"workflow": HELLO, "cause": "a test", "at": NOON}
    return Commit(**{**known, **fields})


def a_change(stored: Stored[Group], after: Group) -> Change[Group]:
    return Change(stored.version, stored.value, after)


def an_attempt(task: str = "lead", **fields: Any) -> Attempt:
    known: dict[str, Any] = {
        "workflow": HELLO,
        "group": GROUP,
        "incarnation": 0,
        "task": TaskName(task),
        "retry": 0,
    }
    return Attempt(**{**known, **fields})


def a_pool(name: str = "default", **fields: Any) -> Pool:
    known: dict[str, Any] = {
        "name": PoolName(name),
        "backend": BACKEND,
        "default_platform": "default",
        "platforms": {"default": Platform()},
    }
    return Pool(**{**known, **fields})


def a_group_plan(name: str, *upstream: str, tasks: int = 1) -> GroupPlan:
    """Named as the spec names the group of one task; the first of several tasks leads."""
    names = [name] if tasks == 1 else [f"{name}{number}" for number in range(tasks)]
    return GroupPlan(
        name=f"{name}-group",
        tasks=tuple(
            TaskPlan(TaskName(task), "alpine", ("true",), lead=task == names[0]) for task in names
        ),
        upstream=tuple(f"{one}-group" for one in upstream),
    )


def a_plan(*groups: GroupPlan, name: str = "hello") -> WorkflowPlan:
    return WorkflowPlan(name, groups or (a_group_plan("hello"),))
