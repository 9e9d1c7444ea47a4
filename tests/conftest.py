"""The stack of the end-to-end tests: brought up as a person would, once for all of them.

It lives in a folder of its own (`XYLEM_E2E_HOME` keeps it from one run to the next) and on ports of
its own, so a developer's stack is not touched. All tests that want it run in one worker of xdist.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clients.local.settings import Settings, find_settings
from clients.sdk.client import Client
from clients.sdk.login import load

# The same at each run where they are free: the synthesised app holds its endpoint, and is kept.
PORTS = {"XYLEM_PORT_AWS": 24566, "XYLEM_PORT_CLUSTER": 26440}


@dataclass(frozen=True, slots=True)
class Stack:
    settings: Settings
    client: Client
    environ: dict[str, str]

    @property
    def operator_token(self) -> str:
        return self.settings.operator_token.read_text().strip()

    @property
    def assembly(self) -> Path:
        return self.settings.assembly

    @property
    def calls(self) -> Path:
        return self.settings.aws_state / "calls.jsonl"

    @property
    def kubeconfig(self) -> Path:
        return self.settings.kubeconfig

    def xylem(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line, logged in to this stack."""
        return subprocess.run(
            [sys.executable, "-m", "clients.cli", *arguments],
            cwd=self.settings.root,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    kept = os.environ.get("XYLEM_E2E_HOME")
    home = Path(kept) if kept else tmp_path_factory.mktemp("stack")
    environ = {
        **os.environ,
        **{name: str(_free_port(wanted)) for name, wanted in PORTS.items()},
        "XYLEM_HOME": str(home),
        "XYLEM_CONFIG_DIR": str(home / "config"),
    }
    settings = find_settings(environ)
    try:
        _local(settings, environ, "up")
        login = load(settings.login_folder)
        assert login is not None
        with Client(login) as client:
            yield Stack(settings, client, environ)
    finally:
        _local(settings, environ, "down")


def _local(settings: Settings, environ: dict[str, str], command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clients.cli", "local", command],
        cwd=settings.root,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"xylem local {command} failed:\n{done.stdout}{done.stderr}", pytrace=False)


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            with socket.socket() as other:
                other.bind(("127.0.0.1", 0))
                return int(other.getsockname()[1])
    return wanted
