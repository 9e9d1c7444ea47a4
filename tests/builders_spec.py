"""Specs and group facts with good defaults; a test writes only what it is about."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import yaml

from xylem import spec
from xylem.domain.errors import InvalidSpec
from xylem.domain.ids import GroupId, PoolName, TaskName, UserName, WorkflowId, WorkflowUuid
from xylem.domain.plan import GroupPlan, WorkflowPlan
from xylem.domain.plan import TaskPlan as Task
from xylem.manifests import GroupFacts

GROUP = GroupId("0123456789abcdef0123456789abcdef")
UUID = WorkflowUuid("fedcba9876543210fedcba9876543210")


def a_task(name: str = "a", **more: Any) -> dict[str, Any]:
    """As YAML says it."""
    return {"name": name, "image": "ubuntu:22.04", "command": ["true"], **more}


def a_file(path: str = "/tmp/run.sh", contents: str = "true\n", **more: Any) -> dict[str, Any]:
    return {"path": path, "contents": contents, **more}


def yaml_of(*tasks: Mapping[str, Any], name: str = "w", **more: Any) -> str:
    """A spec of single tasks; `groups=[...]` for one of groups."""
    workflow: dict[str, Any] = {"name": name, **more}
    if "groups" not in more:
        workflow["tasks"] = list(tasks) or [a_task()]
    return yaml.safe_dump({"workflow": workflow}, sort_keys=False)


def plan_of(*tasks: Mapping[str, Any], **more: Any) -> WorkflowPlan:
    return spec.parse(yaml_of(*tasks, **more))


def refusal_of(text: str, **parameters: Sequence[str]) -> InvalidSpec:
    """Why this spec cannot be."""
    with pytest.raises(InvalidSpec) as refused:
        spec.parse(text, **parameters)
    return refused.value


def a_plan(*tasks: Task, **more: Any) -> GroupPlan:
    return GroupPlan(name="g", tasks=tasks or (a_planned_task(),), **more)


def a_planned_task(name: str = "a", **more: Any) -> Task:
    return Task(name=TaskName(name), image="ubuntu:22.04", command=("true",), **more)


def facts_of(plan: GroupPlan, **more: Any) -> GroupFacts:
    """All tasks of the group, in their first attempt."""
    given: dict[str, Any] = {
        "workflow": WorkflowId("w-1"),
        "workflow_uuid": UUID,
        "group": GROUP,
        "incarnation": 1,
        "restarts": 0,
        "user": UserName("alice"),
        "pool": PoolName("default"),
        "priority": "NORMAL",
        "labels": {},
        "retries": {task.name: 0 for task in plan.tasks},
        "tokens": {task.name: f"token-of-{task.name}" for task in plan.tasks},
        "api_url": "https://api.example.com",
        "runtime_image": "example.com/xylem-runtime:1",
        "image_pull_policy": "IfNotPresent",
    }
    return GroupFacts(**{**given, **more})
