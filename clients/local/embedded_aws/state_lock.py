"""One server for each state folder.

Two servers on one folder would overwrite each other's definitions and serve different items. The
lock is the kernel's (`flock`), so it goes when its holder does, also by kill -9; a file that merely
exists would have to be told apart from one that was left behind. The file says who holds it, for
the message to whoever comes second, and for `xylem local status`.
"""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO


class StateInUse(Exception):
    """Another server works on the same state folder."""


@dataclass(frozen=True, slots=True)
class StateLock:
    file: IO[str]

    def describe(self, *, port: int, version: str) -> None:
        """Write down who holds the folder."""
        self.file.seek(0)
        self.file.truncate()
        json.dump({"pid": os.getpid(), "port": port, "ministack": version}, self.file)
        self.file.flush()


def lock_state(folder: Path) -> StateLock:
    """Hold the folder until this process ends."""
    path = folder / "server.lock"
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read()
        file.close()
        raise StateInUse(
            f"another server ({holder or 'just starting'}) works on {folder}: stop it, or give "
            "this one another folder with --state"
        ) from None
    return StateLock(file)
