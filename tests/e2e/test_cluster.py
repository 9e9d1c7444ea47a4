"""What a platform engineer sees of it in the cluster: pods while they run, nothing afterwards."""

import base64
import json
import shutil
import subprocess
import time
from typing import Any

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
LOGIN = "a-login-for-the-registry"


def kubectl(stack: Stack, *arguments: str) -> str:
    command = ["kubectl", "--kubeconfig", str(stack.kubeconfig), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def ours(stack: Stack, uuid: str) -> list[str]:
    """The names of a workflow's objects."""
    return [item["metadata"]["name"] for item in objects(stack, uuid)]


def objects(stack: Stack, uuid: str) -> list[Any]:
    """Of a workflow; anchors are left out: they stay 15 minutes after a cleanup."""
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
    return list(json.loads(found)["items"])


def until_it_runs(stack: Stack, name: str) -> None:
    deadline = time.monotonic() + CLEAN_WITHIN_SECONDS
    while stack.client.query(name).status is WorkflowStatus.PENDING:
        assert time.monotonic() < deadline, "it never ran"
        time.sleep(0.1)


def until_nothing_is_left(stack: Stack, uuid: str) -> None:
    deadline = time.monotonic() + CLEAN_WITHIN_SECONDS
    while left := ours(stack, uuid):
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.2)


def test_a_workflow_is_in_the_cluster_while_it_runs_and_leaves_nothing_behind(stack: Stack) -> None:
    name = submit(stack.client, SLOW)
    uuid = stack.client.query(name).uuid
    until_it_runs(stack, name)
    assert ours(stack, uuid)

    assert finish(stack.client, name).status is WorkflowStatus.COMPLETED
    until_nothing_is_left(stack, uuid)


def test_a_pod_pulls_with_its_users_login_which_goes_with_it(stack: Stack) -> None:
    payload = {"registry": "nvcr.io", "username": "alice", "auth": LOGIN}
    stack.client.set_credential("e2e-registry", "REGISTRY", payload)

    name = submit(stack.client, SLOW.replace("alpine", "nvcr.io/team/alpine"))
    uuid = stack.client.query(name).uuid
    until_it_runs(stack, name)
    there = objects(stack, uuid)
    assert finish(stack.client, name).status is WorkflowStatus.COMPLETED
    stack.client.delete_credential("e2e-registry")

    [pod] = [item for item in there if item["kind"] == "Pod"]
    [login] = [item for item in there if item.get("type") == "kubernetes.io/dockerconfigjson"]
    config = json.loads(base64.b64decode(login["data"][".dockerconfigjson"]))
    assert pod["spec"]["imagePullSecrets"] == [{"name": login["metadata"]["name"]}]
    assert config["auths"]["nvcr.io"]["password"] == LOGIN
    until_nothing_is_left(stack, uuid)
    assert LOGIN not in stack.xylem("workflow", "spec", name).stdout
