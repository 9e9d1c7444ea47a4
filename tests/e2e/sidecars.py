"""The sidecar of a task on the desk cluster, for tests that kill it."""

import time

import psutil

from tests.e2e.running import PATIENCE_SECONDS, POLL_SECONDS
from tests.proofs.sidecars import config_of


def sidecar_of(workflow: str, task: str) -> psutil.Process:
    """Which process it is. Raises `TimeoutError`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for process in psutil.process_iter():
            config = config_of(process)
            if config and (config["workflow"], config["task"]) == (workflow, task):
                return process
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"{workflow} has no sidecar of {task}")
