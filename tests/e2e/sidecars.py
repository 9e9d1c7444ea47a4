"""The sidecar of a task on the desk cluster, for tests that kill it."""

import json
import time
from pathlib import Path

import psutil

from tests.e2e.running import PATIENCE_SECONDS, POLL_SECONDS


def sidecar_of(workflow: str, task: str) -> psutil.Process:
    """Which process it is, by what is mounted into its container. Raises `TimeoutError`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for process in psutil.process_iter():
            if _is_of(process, workflow, task):
                return process
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"{workflow} has no sidecar of {task}")


def _is_of(process: psutil.Process, workflow: str, task: str) -> bool:
    try:
        if not any(word.endswith("/xylem-ctrl") for word in process.cmdline()):
            return False
        config = json.loads(Path(f"/proc/{process.pid}/root/osmo/config/task.json").read_text())
    except (psutil.Error, OSError, ValueError):
        return False  # gone meanwhile, or not begun
    return (config["workflow"], config["task"]) == (workflow, task)
