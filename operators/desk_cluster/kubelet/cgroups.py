"""Limits of memory and CPU, where this machine lets us set them: cgroups v2, v1, or none.

A group is made per container and only where it has a limit, since each costs a tenth of a
millisecond. Whether groups can be made is found out by making one: distributions, containers and
CI runners differ too much for anything else. In the hybrid layout the controllers are v1's.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from operators.shared.quantities import parse_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOUNT = Path("/sys/fs/cgroup")
_PERIOD = 100_000  # microseconds: the kernel's default


@dataclass(frozen=True, slots=True)
class Cgroups:
    """`version` 0: no limit can be set here."""

    version: int = 0
    folders: tuple[Path, ...] = ()

    @staticmethod
    def detect(name: str, mount: Path = _MOUNT) -> Cgroups:
        """`name` is the group of this cluster, below which each container gets its own."""
        candidates = (
            Cgroups(1, (mount / "memory" / name, mount / "cpu" / name)),
            Cgroups(2, (mount / name,)),
        )
        return next((found for found in candidates if found._works()), Cgroups())

    def make(self, name: str, limits: Mapping[str, str]) -> tuple[Path, ...]:
        """The groups that a process has to join so that these limits hold."""
        memory, cpu = limits.get("memory"), limits.get("cpu")
        if not self.version or (memory is None and cpu is None):
            return ()
        groups = tuple(folder / name for folder in self.folders)
        for group in groups:
            group.mkdir(parents=True, exist_ok=True)
        if memory is not None:
            _set(groups[0] / self._memory_file, str(int(parse_quantity(memory))))
        if cpu is not None:
            quota = max(int(parse_quantity(cpu) * _PERIOD), 1000)
            text = str(quota) if self.version == 1 else f"{quota} {_PERIOD}"
            _set(groups[-1] / self._cpu_file, text)
        return groups

    def killed_for_memory(self, name: str) -> bool:
        if not self.version:
            return False
        events = self.folders[0] / name / self._events_file
        with contextlib.suppress(OSError):
            for line in events.read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1]) > 0
        return False

    def remove(self, name: str) -> None:
        for folder in self.folders:
            with contextlib.suppress(OSError):
                (folder / name).rmdir()

    def remove_all(self) -> None:
        for folder in self.folders:
            for path, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):
                    Path(path).rmdir()

    @property
    def _memory_file(self) -> str:
        return "memory.limit_in_bytes" if self.version == 1 else "memory.max"

    @property
    def _cpu_file(self) -> str:
        return "cpu.cfs_quota_us" if self.version == 1 else "cpu.max"

    @property
    def _events_file(self) -> str:
        return "memory.oom_control" if self.version == 1 else "memory.events"

    def _works(self) -> bool:
        if not all(folder.parent.is_dir() for folder in self.folders):
            return False
        if self.version == 2 and not (self.folders[0].parent / "cgroup.controllers").exists():
            return False
        try:
            for folder in self.folders:
                folder.mkdir(exist_ok=True)
                if self.version == 2:
                    _set(folder.parent / "cgroup.subtree_control", "+memory +cpu")
                    _set(folder / "cgroup.subtree_control", "+memory +cpu")
            self.make("probe", {"memory": "64Mi", "cpu": "1"})
        except OSError:
            return False
        finally:
            self.remove("probe")
        return True


def _set(file: Path, value: str) -> None:
    # Never creates the file: where the controller is absent that has to fail.
    with open(file, "r+") as opened:
        opened.write(value)
