"""What a one-task workflow costs in write units: the line in docs/rows.md is true."""

import re
from pathlib import Path

import pytest

from tests.builders import a_creation, a_group, a_task, an_attempt
from tests.contract.bill import Bill, billed
from tests.contract.conftest import REGION, Stores
from tests.stories.world import BACKEND, BOOT, World
from xylem.domain.status import TaskStatus
from xylem.protocol import agent
from xylem.usecases.long_logs import LOOK_AGAIN, merge_later
from xylem_aws.tables.binding import bind
from xylem_aws.tables.workflows import WorkflowsTable

HELLO = "workflow:\n  name: hello\n  tasks:\n  - {name: hello, image: alpine, command: [echo]}\n"
ROWS = Path(__file__).parents[2] / "docs" / "rows.md"


@pytest.mark.parametrize("stores", ["dynamodb"], indirect=True)
def test_each_step_of_a_workflow_costs_what_is_written(stores: Stores) -> None:
    world = World()
    world.workflows, world.jobs, world.backends = stores.workflows, stores.jobs, stores.backends  # type: ignore[assignment]
    world.say(agent.Hello(backend=BACKEND, cluster_uid="uid", boot_id=BOOT, version="1"))
    world.settle()
    client = bind(WorkflowsTable, table="workflows", region=REGION).client
    bills: dict[str, Bill] = {}

    with billed(client) as bills["submit"]:
        hello = world.submit(HELLO)
    with billed(client) as bills["start"]:
        world.settle()
    with billed(client) as bills["created and running"]:
        world.made_and_seen(hello, "hello", "RUNNING", node="node-1", pod_ip="10.0.0.1")
        world.settle()
    with billed(client) as bills["completed"]:
        world.exit(hello, "hello", 0)
        world.settle()
    with billed(client) as bills["cleaned up"]:
        world.answer(kind="cleanup")
        world.settle()

    assert world.look(hello).workflow.status == "COMPLETED"
    assert {step: _counted(bill) for step, bill in bills.items()} == _written()


def _counted(bill: Bill) -> tuple[int, int, int]:
    return len(bill.actions), bill.table, bill.index


def _written() -> dict[str, tuple[int, int, int]]:
    section = ROWS.read_text().partition("| step | actions | table | index |")[2]
    lines = re.findall(r"^\| ([a-z ]+) \| (\d+) \| (\d+) \| (\d+) \|$", section, re.MULTILINE)
    return {step: (int(actions), int(table), int(index)) for step, actions, table, index in lines}


@pytest.mark.parametrize("stores", ["dynamodb"], indirect=True)
def test_the_job_of_a_long_log_costs_what_is_written(stores: Stores) -> None:
    """Where it finds nothing to merge: what it merges is written in units of its size."""
    world = World()
    world.workflows, world.jobs, world.backends = stores.workflows, stores.jobs, stores.backends  # type: ignore[assignment]
    world.workflows.create(
        a_creation(a_group(tasks=(a_task(status=TaskStatus.RUNNING, ordinal=1, lead=True),)))
    )
    client = bind(WorkflowsTable, table="workflows", region=REGION).client
    bills: dict[str, Bill] = {}

    with billed(client) as bills["Asked for"]:
        merge_later(an_attempt(), jobs=world.jobs, ids=world.ids, clock=world.clock)
    world.later(LOOK_AGAIN)
    with billed(client) as bills["Rung for, and held"]:
        assert world.sweep()[0] == 1
        [job] = world.doorbell.take()
        assert world.perform(job).kind == "held"
    with billed(client) as bills["Done"]:
        world.jobs.finish(job)

    written = re.findall(
        r"^\| ([A-Z][a-z ,]+) \| (\d+) \| (\d+) \|$", ROWS.read_text(), re.MULTILINE
    )
    assert [(step, str(bill.table), str(bill.index)) for step, bill in bills.items()] == written
