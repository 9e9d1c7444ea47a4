"""A second cluster joins the running stack with the credential that `add` shows, is tested, drained
and removed; nothing of it is left, and its operator is not let in again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clients.local.parts import TASK_RUNTIME_IMAGE
from tests.conftest import Stack

pytestmark = pytest.mark.e2e

NAME = "second"
POOL = "second-pool"
SECONDS = 90
SPEC = """
workflow:
  name: late
  tasks:
  - {name: t, image: alpine, command: [echo, hello]}
"""


def asked(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = stack.xylem("backend", *arguments)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done


def until(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


@contextmanager
def a_desk_cluster(stack: Stack, state: Path) -> Iterator[Path]:
    module = [sys.executable, "-m", "operators.desk_cluster"]
    image = f"{TASK_RUNTIME_IMAGE}={stack.settings.root / 'build/task-runtime'}"
    more = ["--image", image, "--host-folder", sys.base_prefix, "--cpu", "8"]
    command = [*module, "--port", "0", "--state", str(state), *more]
    with subprocess.Popen(
        command, cwd=stack.settings.root, stdout=subprocess.PIPE, text=True
    ) as desk:
        try:
            assert desk.stdout is not None
            assert json.loads(desk.stdout.readline())["ready"]
            yield state / "kubeconfig"
        finally:
            desk.send_signal(signal.SIGTERM)
            stop = [*module, "stop", "--state", str(state)]
            subprocess.run(stop, cwd=stack.settings.root, check=True, capture_output=True)


@contextmanager
def an_operator(stack: Stack, kubeconfig: Path, arguments: list[str]) -> Iterator[None]:
    """Told what the chart would tell it: the values in the printed command."""
    values = dict(
        arguments[at + 1].split("=", 1)
        for at, word in enumerate(arguments)
        if word == "--set-string"
    )
    told = {
        "XYLEM_URL": values["url"],
        "XYLEM_BACKEND": values["backend"],
        "XYLEM_TOKEN": values["credential.token"],
        "XYLEM_NAMESPACE": "default",
        "KUBECONFIG": str(kubeconfig),
        "POD_NAME": "second-operator",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "operators"],
        cwd=stack.settings.root,
        env={**os.environ, **told},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_a_cluster_joins_runs_work_is_drained_and_leaves(stack: Stack, tmp_path: Path) -> None:
    added = json.loads(asked(stack, "add", NAME, "--pool", POOL, "--format-type", "json").stdout)
    assert stack.xylem("backend", "add", NAME).returncode == 2, "the credential is shown once"
    assert stack.xylem("backend", "test", NAME).returncode == 2, "nobody dialled in yet"

    with (
        a_desk_cluster(stack, tmp_path / "desk") as kubeconfig,
        an_operator(stack, kubeconfig, added["arguments"]),
    ):
        until(lambda: stack.client.backend(NAME).online, "it never dialled in")
        tested = json.loads(asked(stack, "test", NAME, "--format-type", "json").stdout)
        assert (tested["status"], tested["pool"]) == ("COMPLETED", POOL)
        assert NAME in asked(stack, "list").stdout
        assert POOL in asked(stack, "show", NAME).stdout

        asked(stack, "drain", NAME)
        spec = tmp_path / "late.yaml"
        spec.write_text(SPEC)
        refused = stack.xylem("workflow", "submit", str(spec), "--pool", POOL)
        assert (refused.returncode, "is drained" in refused.stderr) == (1, True)
        asked(stack, "drain", NAME, "--undo")

        # The cleanup of the test is answered in a moment, and is work until then.
        until(
            lambda: stack.xylem("backend", "remove", NAME, "--yes").returncode == 0,
            "its work never ended",
        )
        time.sleep(5)  # it dials again within seconds, with what was revoked
        names = [one.name for one in stack.client.backends().backends]
        assert NAME not in names
