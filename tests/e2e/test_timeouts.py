"""Limits of time as users meet them, decided by the real Monitor, operator and wrapper."""

import time

import pytest

from clients.sdk.client import Client
from tests.conftest import Stack
from tests.e2e.running import (
    PATIENCE_SECONDS,
    POLL_SECONDS,
    finish,
    lines,
    run,
    submit,
    tasks,
)
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
MOST_OF_THE_NODE = 40
"""Processors, of the 64 that the local stack's node has: there is room for one such task."""


def most_of_the_node(name: str, command: str, timeout: str) -> str:
    return f"""
workflow:
  name: {name}
  timeout: {{queue_timeout: {timeout}}}
  resources: {{default: {{cpu: {MOST_OF_THE_NODE}}}}}
  tasks:
  - {{name: huge, image: alpine, command: [sh, -c, "{command}"]}}
"""


def test_a_task_that_runs_longer_than_its_limit_is_ended_and_its_log_is_kept(stack: Stack) -> None:
    ended = run(stack.client, TOO_LONG)
    of = tasks(ended)

    assert ended.status is WorkflowStatus.FAILED_EXEC_TIMEOUT
    assert (of["slow"].status, of["slow"].exit_code) == (TaskStatus.FAILED_EXEC_TIMEOUT, None)
    assert of["slow"].failure_message == "Task ran longer than the set limit of 3 seconds."
    assert of["after"].status is TaskStatus.FAILED_UPSTREAM
    assert lines(stack.client, ended.name, "slow") == ["begun"]


def test_a_task_for_which_there_is_no_room_leaves_the_queue_at_its_limit(stack: Stack) -> None:
    client = stack.client
    holder = submit(client, most_of_the_node("holder", "sleep 300", "5m"))
    until_running(client, holder)

    ended = run(client, most_of_the_node("never-placed", "echo never", "2s"))
    client.cancel(holder, force=True)

    assert ended.status is WorkflowStatus.FAILED_QUEUE_TIMEOUT
    assert tasks(ended)["huge"].failure_message == (
        "Task stayed in queue longer than the set limit of 2 seconds. The cluster says: "
        "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."
    )
    assert finish(client, holder).status is WorkflowStatus.FAILED_CANCELED


def until_running(client: Client, name: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while client.query(name).status is not WorkflowStatus.RUNNING:
        assert time.monotonic() < deadline, f"{name} does not run"
        time.sleep(POLL_SECONDS)
