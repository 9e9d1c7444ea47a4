"""What a user sees when a task fails."""

import pytest

from clients.sdk.configs import Note
from tests.conftest import Stack
from tests.e2e.running import lines, lines_at_last, run, tasks
from xylem.domain.config import ConfigKind
from xylem.domain.status import ExitCode, TaskStatus, WorkflowStatus

pytestmark = pytest.mark.e2e

FAILING = """
workflow:
  name: failing
  tasks:
  - name: works
    image: alpine
    command: [sh, -c, "echo fine"]
  - name: breaks
    image: alpine
    command: [sh, -c, "echo about to fail; echo the reason >&2; exit 7"]
    inputs: [{task: works}]
  - name: after
    image: alpine
    command: [sh, -c, "echo never"]
    inputs: [{task: breaks}]
  - name: long-after
    image: alpine
    command: [sh, -c, "echo never"]
    inputs: [{task: after}]
"""


def test_a_task_that_fails_fails_its_workflow_with_its_code_its_log_and_its_downstream(
    stack: Stack,
) -> None:
    failed = run(stack.client, FAILING)
    of = tasks(failed)

    assert failed.status is WorkflowStatus.FAILED
    assert (of["works"].status, of["works"].exit_code) == (TaskStatus.COMPLETED, 0)
    assert (of["breaks"].status, of["breaks"].exit_code) == (TaskStatus.FAILED, 7)
    assert "Exit code 7" in (of["breaks"].failure_message or "")
    for name in ("after", "long-after"):
        assert of[name].status is TaskStatus.FAILED_UPSTREAM
        assert of[name].exit_code == ExitCode.UPSTREAM
    assert lines(stack.client, failed.name, "breaks") == ["about to fail", "the reason"]


GANG = """
workflow:
  name: gang
  groups:
  - name: g
    tasks:
    - name: lead
      lead: true
      image: alpine
      exitActions: {RESCHEDULE: "7"}
      command: [sh, -c, "echo about to fail; sleep 1; exit 7"]
    - name: side
      image: alpine
      command: [sh, -c, "echo round $(ls /tmp); touch /tmp/mark; sleep 300"]
"""


def test_the_others_of_a_gang_begin_anew_in_their_pods_when_one_is_tried_again(
    stack: Stack,
) -> None:
    changes = {"max_retry_per_task": 1}
    stack.client.configs.patch(
        ConfigKind.WORKFLOW, None, changes, note=Note("exit actions may ask for one retry")
    )

    ended = run(stack.client, GANG)

    of = tasks(ended)
    assert ended.status is WorkflowStatus.FAILED
    assert (of["lead"].retry_id, of["lead"].exit_code, of["side"].retry_id) == (1, 7, 0)
    rounds = ["round", "round mark"]
    assert lines_at_last(stack.client, ended.name, "side", rounds) == rounds


def test_a_command_that_does_not_exist_says_so_in_the_log(stack: Stack) -> None:
    failed = run(
        stack.client,
        "workflow:\n  name: typo\n  tasks:\n"
        "  - {name: t, image: alpine, command: [no-such-command-here]}\n",
    )

    assert (failed.status, tasks(failed)["t"].exit_code) == (WorkflowStatus.FAILED, 127)
    assert "no-such-command-here" in stack.client.logs(failed.name)
