"""Limits of time as users meet them, decided by the real Monitor, operator and wrapper."""

import pytest

from tests.conftest import Stack
from tests.e2e.running import lines, run, tasks
from xylem.domain.status import TaskStatus, WorkflowStatus

pytestmark = pytest.mark.e2e

TOO_LONG = """
workflow:
  name: too-long
  timeout: {exec_timeout: 3s}
  tasks:
  - {name: slow, image: alpine, command: [sh, -c, "echo begun; sleep 300; echo never"]}
  - {name: after, image: alpine, command: [echo, never], inputs: [{task: slow}]}
"""
NEVER_PLACED = """
workflow:
  name: never-placed
  timeout: {queue_timeout: 2s}
  resources: {default: {cpu: 5000}}
  tasks:
  - {name: huge, image: alpine, command: [echo, never]}
"""


def test_a_task_that_runs_longer_than_its_limit_is_ended_and_its_log_is_kept(stack: Stack) -> None:
    ended = run(stack.client, TOO_LONG)
    of = tasks(ended)

    assert ended.status is WorkflowStatus.FAILED_EXEC_TIMEOUT
    assert (of["slow"].status, of["slow"].exit_code) == (TaskStatus.FAILED_EXEC_TIMEOUT, None)
    assert of["slow"].failure_message == "Task ran longer than the set limit of 3 seconds."
    assert of["after"].status is TaskStatus.FAILED_UPSTREAM
    assert lines(stack.client, ended.name, "slow") == ["begun"]


def test_a_task_that_no_node_can_take_leaves_the_queue_at_its_limit(stack: Stack) -> None:
    ended = run(stack.client, NEVER_PLACED)

    assert ended.status is WorkflowStatus.FAILED_QUEUE_TIMEOUT
    message = "Task stayed in queue longer than the set limit of 2 seconds."
    assert tasks(ended)["huge"].failure_message == message
