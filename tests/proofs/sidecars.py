"""Sidecars of tasks on the desk cluster, for who kills them: known by what is mounted into their
containers."""

import json
from pathlib import Path

import psutil


def sidecars(api_url: str, workflow: str) -> dict[str, psutil.Process]:
    """Those of a workflow that run, by their tasks. `api_url`: of their service; other stacks of
    this machine have workflows of that name, too."""
    found = {}
    for process in psutil.process_iter():
        config = config_of(process)
        if config is not None and config["api_url"] == api_url and config["workflow"] == workflow:
            found[config["task"]] = process
    return found


def config_of(process: psutil.Process) -> dict[str, str] | None:
    """None: it is no sidecar, is gone meanwhile, or has not begun."""
    try:
        if not any(word.endswith("/xylem-ctrl") for word in process.cmdline()):
            return None
        text = Path(f"/proc/{process.pid}/root/osmo/config/task.json").read_text()
        config: dict[str, str] = json.loads(text)
    except (psutil.Error, OSError, ValueError):
        return None
    return config
