"""Ends everything that a desk cluster has running, whether its API process lives or not."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from typing import TYPE_CHECKING

from operators.desk_cluster.kubelet.cgroups import Cgroups
from operators.desk_cluster.kubelet.shim import Folder
from operators.desk_cluster.kubelet.volumes import memory_of
from operators.desk_cluster.server import cgroup_name

if TYPE_CHECKING:
    from pathlib import Path

# SIGTERM lets the API process end its watches and close its database; that takes a moment.
_SERVER_SECONDS = 10.0
# A killed process is gone within milliseconds, unless the kernel waits for a disk.
_CONTAINER_SECONDS = 10.0
_STEP_SECONDS = 0.02


def stop(state: Path) -> int:
    """How many containers were ended. Raises TimeoutError if one would not go."""
    if not state.is_dir():
        return 0
    _stop_server(state / "server.lock")
    folders = _folders(state)
    for folder in folders:
        # The server may have left a shim behind that has not begun yet; now it will not.
        if folder.prepared:
            folder.forbid()
    living = [folder for folder in folders if folder.keeper() or folder.process()]
    ended = sum(_kill(folder) for folder in living)
    deadline = time.monotonic() + _CONTAINER_SECONDS
    while any(_lives(folder) for folder in living):
        if time.monotonic() > deadline:
            raise TimeoutError("a container does not end; look at it with ps")
        time.sleep(_STEP_SECONDS)
        for folder in living:
            _kill(folder)
    Cgroups.detect(cgroup_name(state)).remove_all()
    with contextlib.suppress(OSError):
        # Unless pods that are still there keep something in it.
        memory_of(state / "pods").rmdir()
    return ended


def _folders(state: Path) -> list[Folder]:
    return [Folder(path) for path in state.glob("pods/*/containers/*/*") if path.is_dir()]


def _kill(folder: Folder) -> bool:
    """The container first: its shim then writes down how it ended and leaves by itself."""
    process = folder.process()
    if process is not None:
        return process.send(signal.SIGKILL)
    keeper = folder.keeper()
    if keeper is not None:
        os.kill(keeper, signal.SIGKILL)
    return keeper is not None


def _lives(folder: Folder) -> bool:
    if folder.keeper() is not None:
        return True
    process = folder.process()
    handle = process.open() if process is not None else None
    if handle is not None:
        os.close(handle)
    return handle is not None


def _stop_server(lock: Path) -> None:
    deadline = time.monotonic() + _SERVER_SECONDS
    number = signal.SIGTERM
    while (pid := _holder(lock)) is not None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if time.monotonic() > deadline:
            number = signal.SIGKILL
        time.sleep(5 * _STEP_SECONDS)


def _holder(lock: Path) -> int | None:
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(handle, 32, 0).decode()
        return int(text) if text.isdecimal() else None
    finally:
        os.close(handle)
    return None
