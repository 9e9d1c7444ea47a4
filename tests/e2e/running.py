"""What end-to-end tests do with a workflow: submit it, wait for its end, look at it and at what AWS
keeps of it."""

import time
from pathlib import Path
from typing import Any

import boto3

from clients.sdk.client import Client, SubmitRequest
from clients.sdk.models import Task, Workflow
from tests.conftest import Stack

EXAMPLES = Path(__file__).parents[2] / "examples"
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 120


def submit(client: Client, spec: str) -> str:
    return client.submit(SubmitRequest(spec=spec, pool="default")).name


def finish(client: Client, name: str, *, patience: float = PATIENCE_SECONDS) -> Workflow:
    """The workflow when it has ended. Raises `TimeoutError` with what it was doing."""
    deadline = time.monotonic() + patience
    while not (workflow := client.query(name)).status.final:
        if time.monotonic() > deadline:
            groups = {group.name: str(group.status) for group in workflow.groups}
            raise TimeoutError(
                f"{name} is still {workflow.status} after {patience:.0f} s: {groups}"
            )
        time.sleep(POLL_SECONDS)
    return workflow


def run(client: Client, spec: str, *, patience: float = PATIENCE_SECONDS) -> Workflow:
    return finish(client, submit(client, spec), patience=patience)


def example(name: str) -> str:
    return (EXAMPLES / f"{name}.yaml").read_text()


def tasks(workflow: Workflow) -> dict[str, Task]:
    return {task.name: task for group in workflow.groups for task in group.tasks}


def lines(client: Client, name: str, task: str) -> list[str]:
    """What the task itself printed, in order; the runtime's own lines are left out."""
    prefix = f"[{task}] "
    found = client.logs(name, task=task).splitlines()
    return [line.split(prefix, 1)[1] for line in found if prefix in line and "][osmo]" not in line]


def lines_at_last(client: Client, name: str, task: str, wanted: list[str]) -> list[str]:
    """Of a task that was ended with its group, whose pod may still send what it printed."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := lines(client, name, task)) != wanted and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return found


def aws(stack: Stack, service: str) -> Any:
    """A client of what the stack runs on."""
    return boto3.client(  # type: ignore[call-overload]  # the service is named at run time
        service,
        endpoint_url=stack.settings.endpoint,
        region_name="us-east-1",
        aws_access_key_id="tests",
        aws_secret_access_key="tests",
    )
