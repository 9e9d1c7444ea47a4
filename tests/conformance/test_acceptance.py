"""The acceptance cases: specs and events with the outcomes that OSMO's own engine gave.

`XYLEM_ACCEPTANCE_CASES` names the file (default: `../shared/reference/acceptance-cases.yaml`
beside the repository); its head explains the events. A case that needs what this release refuses
is skipped with what it needs.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stories.world import USER, World
from xylem.domain.deadlines import deadline
from xylem.domain.errors import InvalidSpec
from xylem.domain.group import Group
from xylem.domain.ids import TaskName, WorkflowId
from xylem.domain.status import TaskStatus
from xylem.protocol import agent
from xylem.usecases import timers
from xylem.usecases.cancel import cancel

ROOT = Path(__file__).parents[2]
FILE = Path(
    os.environ.get("XYLEM_ACCEPTANCE_CASES")
    or ROOT.parent / "shared" / "reference" / "acceptance-cases.yaml"
)
NOT_YET = {"node_lost", "restart", "resubmit"}


def _cases() -> list[Any]:
    if not FILE.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"there is no {FILE.name} here"))]
    return [pytest.param(case, id=case["id"]) for case in yaml.safe_load(FILE.read_text())]


@pytest.mark.parametrize("case", _cases())
def test_acceptance(case: dict[str, Any]) -> None:
    needed = NOT_YET & {name for event in case["events"] for name in event}
    if needed or "config" in case:
        pytest.skip(f"this release has no {', '.join(sorted(needed)) or 'retries'} yet")
    world = World()
    try:
        workflow = world.submit(case["spec"], set_variables=case.get("sets", ()))
    except InvalidSpec as error:
        if "not supported yet" in str(error):
            pytest.skip(str(error).splitlines()[0])
        raise
    world.settle()
    for event in case["events"]:
        for name, what in event.items():
            _happen(world, workflow, name, what)
        world.settle()
    _check(world, workflow, case["expect"])


def _happen(world: World, workflow: WorkflowId, name: str, what: Any) -> None:
    match name:
        case "up":
            world.up(workflow, *what)
        case "exit":
            for task, code in what.items():
                world.exit(workflow, task, code)
        case "pod":
            for task, (status, code, message) in what.items():
                world.pod(workflow, task, status, code, message=message)
        case "cancel":
            cancel(
                workflow,
                by=USER,
                message=what.get("message", ""),
                force=what.get("force", False),
                engine=world,
            )
        case "exec_timeout" | "queue_timeout":
            _time_passes(world, workflow, world.group(workflow, what))
        case "start_timeout":
            group = next(g for g in world.look(workflow).groups if g.task(TaskName(what)))
            _time_passes(world, workflow, group)
        case "check":
            world.settle()
            _check(world, workflow, what)
        case _:
            pytest.fail(f"an event that this test does not know: {name}")


def _time_passes(world: World, workflow: WorkflowId, group: Group) -> None:
    """Until the group's deadline; the cluster, when it is asked, shows every pod as it was."""
    due = deadline(group)
    assert due is not None, f"{group.name} has no deadline"
    world.clock.advance(due - world.clock())
    timers.look(workflow, group.id, engine=world)
    world.settle()
    [question] = [job for job in world.cluster.jobs if job.kind == "observe"]
    world.cluster.jobs.remove(question)
    pods = [
        {
            "workflow": workflow,
            "group": group.id,
            "incarnation": group.incarnation,
            "task": task.name,
            "retry": task.retry,
            "uid": task.uid or "",
            "status": task.status,
            "bound": True,
        }
        for task in group.tasks
        if task.status.rank >= TaskStatus.SCHEDULING.rank
    ]
    answer = {"workflow": workflow, "job_id": question.job_id, "status": "done"}
    world.say(agent.JobResult.model_validate({**answer, "observations": pods}))


def _check(world: World, workflow: WorkflowId, expected: dict[str, Any]) -> None:
    found = world.look(workflow)
    if "wf" in expected:
        assert found.workflow.status == expected["wf"]
    if "cancelled_by" in expected:
        assert found.workflow.cancel is not None
        assert found.workflow.cancel.by == expected["cancelled_by"]
    groups = {group.name: str(group.status) for group in found.groups}
    for name, status in expected.get("groups", {}).items():
        assert (name, groups[name]) == (name, status)
    for name, status in expected.get("tasks", {}).items():
        task = world.task(workflow, name.split("#")[0])
        code = "" if task.exit_code is None else f"({task.exit_code})"
        given = f"{task.status}{code}" if "(" in status else str(task.status)
        assert (name, given) == (name, status)
