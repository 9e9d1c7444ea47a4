"""Which isolation this machine gives: found out by running a container that does nothing."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from operators.desk_cluster.kubelet.lifecycle import Ended
from operators.desk_cluster.kubelet.root import Mount, ThisHost, plan
from operators.desk_cluster.kubelet.shim import Folder, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

AS_ROOT = "mount, process and host name namespaces"
AS_USER = f"{AS_ROOT}, in a user namespace"


class NoIsolation(Exception):
    """Containers cannot be kept apart on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Isolation:
    description: str
    as_root: bool


def detect(shim: Path, state: Path, programs: Sequence[str]) -> Isolation:
    """Raises NoIsolation."""
    reasons: list[str] = []
    for as_root in (True, False) if os.geteuid() == 0 else (False,):
        trouble = _try(shim, state, programs, as_root=as_root)
        if not trouble:
            return Isolation(AS_ROOT if as_root else AS_USER, as_root)
        reasons.append(trouble)
    raise NoIsolation(
        "Containers cannot be isolated on this machine, so the desk cluster does not start "
        f"({reasons[-1]}); run it as root or allow user namespaces (sysctl "
        "kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)."
    )


def _try(shim: Path, state: Path, programs: Sequence[str], *, as_root: bool) -> str:
    """Why a container could not be run; empty if it was."""
    folder = Folder(state / "probe")
    shutil.rmtree(folder.path, ignore_errors=True)
    mounts = [Mount(str(folder.path / "tmp"), "/tmp")]
    operations: list[Operation] = [("root", str(state / "root"))]
    operations += plan(ThisHost(), programs=programs, image=None, mounts=mounts)
    operations += [("hostname", "probe"), ("enter", "")]
    if not as_root:
        operations.append(("user-namespace", ""))
    operations += [("environment", "PATH=/usr/bin:/bin"), ("argument", "true")]
    folder.path.mkdir()
    (state / "root").mkdir(exist_ok=True)
    folder.prepare(operations)
    errors = os.open(os.devnull, os.O_WRONLY)
    try:
        os.waitpid(folder.start(shim, errors), 0)
        ended = folder.state()
    finally:
        os.close(errors)
        shutil.rmtree(folder.path, ignore_errors=True)
    if isinstance(ended, Ended) and ended.code == 0:
        return ""
    return ended.message if isinstance(ended, Ended) else "the shim left no word"
