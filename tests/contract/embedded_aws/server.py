"""Starts the embedded AWS for a test as `xylem local` does, with its own interpreter."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from clients.local.embedded_aws import install

REPOSITORY = Path(install.__file__).parents[3]
START_SECONDS = 20.0


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class EmbeddedAws:
    """One server. `start` again after `kill` or `stop` to see what was kept."""

    state: Path
    port: int = field(default_factory=a_free_port)
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [
            *(str(install.PYTHON), "-m", "clients.local.embedded_aws", "serve"),
            *("--port", str(self.port), "--state", str(self.state)),
            *("--lambda-python", sys.executable),
            *self.arguments,
        ]

    def start(self) -> None:
        log = (self.state.parent / f"{self.state.name}.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                self.command(),
                cwd="/",
                env={**os.environ, "PYTHONPATH": str(REPOSITORY), **self.environment},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            assert self.process.poll() is None, Path(log.name).read_text()
            assert time.monotonic() < deadline, "the server did not become ready"
            time.sleep(0.02)

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def kill(self) -> None:
        """kill -9: no clean-up of its own."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> float:
        """SIGTERM; returns how many seconds it took."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        return time.monotonic() - begun

    def client(self, service: str, **options: Any) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # the service is named at run time
            service,
            endpoint_url=options.pop("endpoint_url", self.endpoint),
            region_name="us-east-1",
            aws_access_key_id="caller",
            aws_secret_access_key="secret",
            config=Config(retries={"max_attempts": 0}, max_pool_connections=50),
            **options,
        )


@contextmanager
def running(server: EmbeddedAws) -> Iterator[EmbeddedAws]:
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()
