"""`down` and `reset`: nothing of ours runs afterwards, however it was started and wherever a start
broke off."""

import shutil
import subprocess
import time
from contextlib import suppress

from clients.local.errors import LocalError
from clients.local.processes import end, find_ours
from clients.local.settings import Settings
from clients.local.supervisor import Supervisor, scrubbed_environment

_SECONDS = 30
_POLL = 0.05


def down(settings: Settings) -> int:
    """End the parts, then the tasks, then what is left. Returns how many processes that was."""
    if not settings.home.is_dir():
        return 0
    count = len(find_ours(settings.home))
    supervisor = Supervisor(settings)
    if supervisor.running() is not None:
        supervisor.shut_down()
        deadline = time.monotonic() + _SECONDS
        while supervisor.running() is not None and time.monotonic() < deadline:
            time.sleep(_POLL)
    if settings.cluster_state.is_dir():
        _stop_tasks(settings)
    end(find_ours(settings.home))
    with suppress(OSError):  # of a folder that may only be read: it is in nobody's way
        settings.supervisor_socket.unlink()
    return count


def reset(settings: Settings) -> bool:
    """Forget everything: workflows, logs, data, keys. Returns whether there was something."""
    down(settings)
    try:
        shutil.rmtree(settings.home)
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise LocalError(
            f"{error.filename} cannot be deleted: {error.strerror}.",
            f"Delete {settings.home} yourself.",
        ) from error


def _stop_tasks(settings: Settings) -> None:
    """Tasks outlive the desk cluster's own process, so it is the cluster that ends them."""
    subprocess.run(
        [
            *(str(settings.python), "-m", "operators.desk_cluster", "stop"),
            *("--state", str(settings.cluster_state)),
        ],
        cwd=settings.root,
        env={**scrubbed_environment(settings), "PYTHONPATH": str(settings.root)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_SECONDS,
        check=False,  # what it could not end is ended by its mark
    )
