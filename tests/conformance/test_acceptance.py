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

from tests.stories.world import World
from xylem.domain.errors import InvalidSpec
from xylem.domain.ids import WorkflowId

ROOT = Path(__file__).parents[2]
FILE = Path(
    os.environ.get("XYLEM_ACCEPTANCE_CASES")
    or ROOT.parent / "shared" / "reference" / "acceptance-cases.yaml"
)
NOT_YET = {"cancel", "exec_timeout", "queue_timeout", "start_timeout", "node_lost", "restart"}
NOT_YET |= {"resubmit"}


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
        case "check":
            world.settle()
            _check(world, workflow, what)
        case _:
            pytest.fail(f"an event that this test does not know: {name}")


def _check(world: World, workflow: WorkflowId, expected: dict[str, Any]) -> None:
    found = world.look(workflow)
    if "wf" in expected:
        assert found.workflow.status == expected["wf"]
    groups = {group.name: str(group.status) for group in found.groups}
    for name, status in expected.get("groups", {}).items():
        assert (name, groups[name]) == (name, status)
    for name, status in expected.get("tasks", {}).items():
        task = world.task(workflow, name.split("#")[0])
        code = "" if task.exit_code is None else f"({task.exit_code})"
        given = f"{task.status}{code}" if "(" in status else str(task.status)
        assert (name, given) == (name, status)
