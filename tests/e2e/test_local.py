"""The local stack itself: quick when it is up, back after a kill, gone when it is told to go."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clients.local.parts import PartName
from clients.local.processes import find_ours
from tests.conftest import Stack
from tests.e2e.running import example, run
from xylem.domain.status import WorkflowStatus

pytestmark = pytest.mark.e2e

PATIENCE_SECONDS = 60


def pids(stack: Stack) -> dict[str, int | None]:
    told = json.loads(stack.xylem("local", "status", "--format-type", "json").stdout)
    return {part["name"]: part["pid"] if part["up"] else None for part in told}


def test_a_second_up_changes_nothing_and_has_nothing_to_do(stack: Stack) -> None:
    before = pids(stack)

    again = stack.xylem("local", "up")

    assert again.returncode == 0, again.stderr
    assert "✓" not in again.stderr
    assert pids(stack) == before


@pytest.mark.parametrize("part", list(PartName))
def test_a_part_that_is_killed_comes_back_and_work_goes_on(stack: Stack, part: PartName) -> None:
    killed = pids(stack)[part]
    assert killed is not None

    os.kill(killed, signal.SIGKILL)

    deadline = time.monotonic() + PATIENCE_SECONDS
    while pids(stack)[part] in {None, killed}:
        assert time.monotonic() < deadline, f"{part} stays away"
    assert run(stack.client, example("hello")).status is WorkflowStatus.COMPLETED


def test_a_token_that_the_deployer_signs_opens_the_service_to_its_person(stack: Stack) -> None:
    minted = stack.xylem("token", "mint", "bob", "--environment", "local")
    person = {"XYLEM_URL": stack.client.url, "XYLEM_TOKEN": minted.stdout.strip()}

    listed = xylem(stack, person, "workflow", "list", "--all-users")

    assert listed.returncode == 0, listed.stderr


def test_a_backends_token_is_printed_with_the_address_to_dial(stack: Stack) -> None:
    signed = stack.xylem("backend", "token", "other", "--environment", "local")

    assert signed.stdout.count(".") == 2
    assert stack.settings.websocket_url in signed.stderr


def test_down_leaves_nothing_of_a_start_that_was_killed_half_way(
    stack: Stack, tmp_path: Path
) -> None:
    home = tmp_path / "half"
    ports = {f"XYLEM_PORT_{name}": str(a_free_port()) for name in ("AWS", "CLUSTER")}
    other = {"XYLEM_HOME": str(home), "XYLEM_CONFIG_DIR": str(tmp_path / "config"), **ports}
    start = subprocess.Popen(
        [sys.executable, "-m", "clients.cli", "local", "up"],
        cwd=stack.settings.root,
        env=stack.environ | other,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (home / "logs" / "synth.log").exists():
        assert time.monotonic() < deadline, "it did not get so far"
        assert start.poll() is None
        time.sleep(0.05)
    start.kill()
    start.wait()
    assert find_ours(home)

    ended = xylem(stack, other, "local", "down")

    assert ended.returncode == 0, ended.stderr
    assert find_ours(home) == []
    for port in ports.values():
        with socket.create_server(("127.0.0.1", int(port))):
            pass


def xylem(
    stack: Stack, environ: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """The command line in another environment than the stack's own."""
    return subprocess.run(
        [sys.executable, "-m", "clients.cli", *arguments],
        cwd=stack.settings.root,
        env=stack.environ | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
