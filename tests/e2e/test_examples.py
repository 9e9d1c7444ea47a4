"""The examples, as they stand, on the deployed stack: real functions, sockets and processes."""

import pytest

from examples.python.pipeline import pipeline
from tests.conftest import Stack
from tests.e2e.running import EXAMPLES, example, lines, run, tasks
from xylem.domain.status import TaskStatus, WorkflowStatus

pytestmark = pytest.mark.e2e

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def test_there_are_the_five_examples_that_the_readme_promises() -> None:
    assert {"hello", "serial", "diamond", "group", "fanout"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_completes_and_each_of_its_tasks_leaves_a_log(stack: Stack, name: str) -> None:
    done = run(stack.client, example(name))

    assert done.status is WorkflowStatus.COMPLETED, stack.client.logs(done.name)
    assert {task.status for task in tasks(done).values()} == {TaskStatus.COMPLETED}
    for task in tasks(done):
        assert lines(stack.client, done.name, task), f"{task} printed nothing"


def test_a_workflow_written_in_python_completes(stack: Stack) -> None:
    done = run(stack.client, pipeline().to_yaml())

    assert done.status is WorkflowStatus.COMPLETED, stack.client.logs(done.name)
    assert "     3\tcherry" in lines(stack.client, done.name, "combine")
