"""A workflow of more rows than a transaction holds: laid in parts, spread over shards, run and
ended by intents, and its user sees nothing of that."""

import pytest

from tests.conftest import Stack
from tests.e2e.running import run, tasks
from xylem.domain.status import TaskStatus, WorkflowStatus

pytestmark = pytest.mark.e2e

WIDTH = 60
"""Groups below the first, and as many tasks: two rows each."""


def wide(name: str, first: str) -> str:
    below = "".join(
        f"  - {{name: t{number}, image: alpine, command: ['true'], inputs: [{{task: first}}]}}\n"
        for number in range(WIDTH)
    )
    head = f"  - {{name: first, image: alpine, command: [sh, -c, '{first}']}}\n"
    return f"workflow:\n  name: {name}\n  tasks:\n{head}{below}"


def test_a_fan_out_wider_than_a_transaction_completes(stack: Stack) -> None:
    done = run(stack.client, wide("wide", "echo 1 > {{output}}/one"), patience=300)

    assert done.status is WorkflowStatus.COMPLETED
    assert {task.status for task in tasks(done).values()} == {TaskStatus.COMPLETED}
    assert len(tasks(done)) == WIDTH + 1


def test_a_fan_out_wider_than_a_transaction_fails_with_its_root(stack: Stack) -> None:
    failed = run(stack.client, wide("wide-failing", "exit 4"))
    of = tasks(failed)

    assert failed.status is WorkflowStatus.FAILED
    assert of.pop("first").exit_code == 4
    assert {task.status for task in of.values()} == {TaskStatus.FAILED_UPSTREAM}
