"""Cancel as users meet it: of what runs, of what has not begun, twice, too late, and of others."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clients.sdk.client import Client
from clients.sdk.errors import Refused, Unauthorized
from clients.sdk.login import Login
from clients.sdk.models import Workflow
from tests.conftest import Stack
from tests.e2e.running import finish, run, submit, tasks
from xylem.domain.status import TaskStatus, WorkflowStatus

pytestmark = pytest.mark.e2e

RUN_WITHIN_SECONDS = 60
SLEEPING = """
workflow:
  name: sleeping
  tasks:
  - {name: first, image: alpine, command: [sh, -c, "echo here; sleep 600"]}
  - {name: after, image: alpine, command: [echo, never], inputs: [{task: first}]}
"""
QUICK = """
workflow:
  name: quick
  tasks:
  - {name: t, image: alpine, command: [echo, hi]}
"""


def running(stack: Stack, spec: str = SLEEPING) -> str:
    name = submit(stack.client, spec)
    wait_until_running(stack, name)
    return name


def wait_until_running(stack: Stack, name: str) -> None:
    deadline = time.monotonic() + RUN_WITHIN_SECONDS
    while stack.client.query(name).status is WorkflowStatus.PENDING:
        assert time.monotonic() < deadline, "it never ran"
        time.sleep(0.1)


def assert_cancelled(workflow: Workflow, *, says: str) -> None:
    assert workflow.status is WorkflowStatus.FAILED_CANCELED
    for task in tasks(workflow).values():
        assert task.status is TaskStatus.FAILED_CANCELED
        assert says in (task.failure_message or "")


@pytest.mark.parametrize("force", [False, True])
def test_a_running_workflow_ends_with_the_message_and_who_cancelled_it(
    stack: Stack, force: bool
) -> None:
    name = running(stack)

    stack.client.cancel(name, message="no longer wanted", force=force)

    ended = finish(stack.client, name)
    assert ended.cancelled_by is not None
    assert_cancelled(
        ended, says=f"Task was canceled by user: {ended.cancelled_by}. no longer wanted"
    )


def test_a_workflow_is_cancelled_in_the_moment_of_its_submission(stack: Stack) -> None:
    name = submit(stack.client, SLEEPING)

    stack.client.cancel(name)

    assert_cancelled(finish(stack.client, name), says="Task was canceled by user")


def test_cancelling_twice_is_as_good_as_once(stack: Stack) -> None:
    name = running(stack)

    stack.client.cancel(name, message="first")
    stack.client.cancel(name, message="later")

    assert_cancelled(finish(stack.client, name), says="first")


def test_a_finished_workflow_is_not_cancelled_and_the_next_one_is(stack: Stack) -> None:
    done, name = run(stack.client, QUICK).name, running(stack)

    said = stack.xylem("workflow", "cancel", done, name, "-m", "bye", "--format-type", "json")

    assert said.returncode == 1
    assert [told["cancelled"] for told in json.loads(said.stdout)] == [False, True]
    assert_cancelled(finish(stack.client, name), says="bye")
    with pytest.raises(Refused) as refused:
        stack.client.cancel(done)
    assert str(refused.value) == f"Workflow {done} is already finished."
    assert (refused.value.status, refused.value.code) == (400, "USER")


def test_a_workflow_of_somebody_else_is_left_alone(stack: Stack) -> None:
    minted = stack.xylem("token", "mint", "bob", "--environment", "local")
    name = running(stack)

    with (
        Client(Login(url=stack.client.url, token=minted.stdout.strip())) as bob,
        pytest.raises(Unauthorized, match="only root, an admin, and who has a role"),
    ):
        bob.cancel(name)

    assert stack.client.query(name).status is WorkflowStatus.RUNNING
    stack.client.cancel(name, force=True)
    finish(stack.client, name)


def test_who_follows_a_workflow_sees_that_it_was_cancelled(stack: Stack, tmp_path: Path) -> None:
    spec = tmp_path / "sleeping.yaml"
    spec.write_text(SLEEPING.replace("name: sleeping", "name: followed"))
    follower = subprocess.Popen(
        [sys.executable, "-m", "clients.cli", "workflow", "submit", str(spec), "--follow"],
        cwd=stack.settings.root,
        env=stack.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + RUN_WITHIN_SECONDS
    while not (found := stack.client.list_workflows(name="followed", limit=1).workflows):
        assert time.monotonic() < deadline, "it was never submitted"
        time.sleep(0.2)
    wait_until_running(stack, found[0].name)

    stack.client.cancel(found[0].name, message="enough")

    said, _ = follower.communicate(timeout=120)
    assert follower.returncode == 1, said
    assert "FAILED_CANCELED" in said
    assert "enough" in said
