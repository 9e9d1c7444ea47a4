"""What a platform engineer sees of it in the cluster: pods while they run, nothing afterwards."""

import json
import shutil
import subprocess
import time

import pytest

from tests.conftest import Stack
from tests.e2e.running import finish, submit
from xylem.domain.status import WorkflowStatus

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed"),
]

SLOW = """
workflow:
  name: slow
  tasks:
  - {name: t, image: alpine, command: [sh, -c, "echo here; sleep 3"]}
"""
CLEAN_WITHIN_SECONDS = 30


def kubectl(stack: Stack, *arguments: str) -> str:
    command = ["kubectl", "--kubeconfig", str(stack.kubeconfig), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def ours(stack: Stack, uuid: str) -> list[str]:
    """The names of a workflow's objects, anchors left out: they stay 15 minutes after a cleanup."""
    found = kubectl(
        stack,
        "get",
        "pods,secrets,services",
        "-A",
        "-l",
        f"osmo.workflow_uuid={uuid}",
        "-o",
        "json",
    )
    return [item["metadata"]["name"] for item in json.loads(found)["items"]]


def test_a_workflow_is_in_the_cluster_while_it_runs_and_leaves_nothing_behind(stack: Stack) -> None:
    name = submit(stack.client, SLOW)
    uuid = stack.client.query(name).uuid
    deadline = time.monotonic() + CLEAN_WITHIN_SECONDS
    while stack.client.query(name).status is WorkflowStatus.PENDING:
        assert time.monotonic() < deadline, "it never ran"
        time.sleep(0.1)
    assert ours(stack, uuid)

    assert finish(stack.client, name).status is WorkflowStatus.COMPLETED
    while left := ours(stack, uuid):
        assert time.monotonic() < deadline + CLEAN_WITHIN_SECONDS, f"left behind: {left}"
        time.sleep(0.2)
