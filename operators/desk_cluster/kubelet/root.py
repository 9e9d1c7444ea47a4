"""What a container sees: a plan of mounts, made of the host's programs and the container's own
files.

The root is a folder in memory that only this container has. The host's programs are mounted into
it, read-only, as whole folders (/usr, /etc ...); /tmp, /root and what else a program writes to are
its own. A mount point that the host has is mounted over. One that it has not (/opt/xylem,
/etc/app/config) cannot be made inside a read-only folder: such a folder is *opened*: made anew in
memory, with each of its children mounted by itself.

Rejected: a read-only remount of the whole host (mount points could not be made, and everybody's
home would be seen), overlayfs (in a user namespace only since Linux 5.11, and not on every file
system).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from operators.desk_cluster.kubelet.shim import Operation

# Where Linux distributions keep programs and their settings.
PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt")

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_ACCELERATORS = ("nvidia", "dri", "kfd", "infiniband", "fuse")
_MEMORY = "mode=1777,size=64m"  # Docker's and containerd's default of /dev/shm


@dataclass(frozen=True, slots=True)
class Mount:
    source: str
    target: str
    read_only: bool = False


class Host(Protocol):
    """The file system of this machine, as far as a plan asks for it."""

    def kind(self, path: str) -> str:
        """`folder`, `file`, `link`, or empty where there is nothing that can be mounted."""
        ...

    def children(self, path: str) -> Sequence[str]:
        """The names in a folder."""
        ...

    def link(self, path: str) -> str:
        """What a link says."""
        ...


class ThisHost:
    def kind(self, path: str) -> str:
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            return ""
        if stat.S_ISLNK(mode):
            return "link"
        if stat.S_ISDIR(mode):
            return "folder"
        return "file" if stat.S_ISREG(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode) else ""

    def children(self, path: str) -> Sequence[str]:
        return sorted(os.listdir(path))

    def link(self, path: str) -> str:
        return os.readlink(path)


def plan(
    host: Host, *, programs: Sequence[str], image: str | None, mounts: Iterable[Mount]
) -> list[Operation]:
    """The operations that make the view below a new root.

    `programs` are the host's folders to show, `image` is a folder whose content is laid over them,
    `mounts` are the container's own, laid over both.
    """
    shown = _Shown(host, programs)
    laid = [*(_of_image(host, shown, image) if image else ()), *mounts]
    own = [Mount(m.source, shown.resolve(m.target), m.read_only) for m in laid]
    for mount in own:
        shown.make_room(mount.target, host.kind(mount.source))
    operations = [*_private_folders(), *shown.operations({mount.target for mount in own})]
    operations += _devices(host)
    # A mount inside another comes after it; an image comes before the container's own.
    for mount in sorted(own, key=lambda m: len(PurePosixPath(m.target).parts)):
        word = "bind-read-only" if mount.read_only else "bind"
        operations.append((word, mount.source, mount.target))
    return operations


def resolver(host: Host, programs: Sequence[str]) -> list[Mount]:
    """The file behind /etc/resolv.conf, where that is a link to what a container does not see."""
    configured = "/etc/resolv.conf"
    if host.kind(configured) != "link":
        return []
    real = os.path.realpath(configured)
    if host.kind(real) != "file" or any(_is_below(real, folder) for folder in programs):
        return []
    return [Mount(real, real, read_only=True)]


def _private_folders() -> list[Operation]:
    named = ("/mnt", "/media", "/srv", "/home", "/run", "/var/lib", "/var/log", "/var/cache")
    return [*(("folder", name) for name in named), ("link", "../run", "/var/run")]


def _devices(host: Host) -> Iterator[Operation]:
    yield ("proc", "")
    if host.kind("/sys") == "folder":
        yield ("bind-read-only", "/sys", "/sys")
    yield ("tmpfs", "/dev", "mode=755")
    for name in _DEVICES:
        yield ("bind", f"/dev/{name}", f"/dev/{name}")
    for name in host.children("/dev"):
        if name.startswith(_ACCELERATORS):
            yield ("bind", f"/dev/{name}", f"/dev/{name}")
    yield ("terminals", "")
    yield ("tmpfs", "/dev/shm", _MEMORY)
    yield ("link", "/proc/self/fd", "/dev/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        yield ("link", f"/proc/self/fd/{number}", f"/dev/{name}")


class _Shown:
    """The host's folders that are shown, and which of them have to be opened."""

    def __init__(self, host: Host, programs: Sequence[str]) -> None:
        self._host = host
        self._programs = [path for path in programs if host.kind(path)]
        self._opened: set[str] = set()

    def resolve(self, path: str) -> str:
        """The path without links of the host on the way, as the container will see them."""
        path = os.path.normpath(path)
        for folder in self._programs:
            if self._host.kind(folder) == "link" and _is_below(path, folder):
                end = os.path.join(os.path.dirname(folder), self._host.link(folder))
                return self.resolve(os.path.normpath(end) + path[len(folder) :])
        return path

    def has(self, path: str) -> str:
        """The kind of what is shown at this path, reached without any link; else empty."""
        if not self._program_of(path):
            return ""
        parents = [str(parent) for parent in PurePosixPath(path).parents]
        plain = all(self._host.kind(parent) == "folder" for parent in parents)
        return self._host.kind(path) if plain else ""

    def make_room(self, target: str, kind: str) -> None:
        program = self._program_of(target)
        if program is None or target == program or self.has(target) == kind:
            return
        for parent in PurePosixPath(target).parents:
            if _is_below(str(parent), program):
                self._opened.add(str(parent))

    def operations(self, covered: set[str]) -> Iterator[Operation]:
        for folder in self._programs:
            if folder not in covered:
                yield from self._show(folder, covered)

    def _show(self, path: str, covered: set[str]) -> Iterator[Operation]:
        kind = self._host.kind(path)
        if path in self._opened:
            yield ("folder", path)
            for name in self._host.children(path) if kind == "folder" else ():
                child = f"{path}/{name}"
                if child not in covered:
                    yield from self._show(child, covered)
        elif kind == "link":
            yield ("link", self._host.link(path), path)
        elif kind:
            yield ("bind-read-only", path, path)

    def _program_of(self, path: str) -> str | None:
        return next((folder for folder in self._programs if _is_below(path, folder)), None)


def _of_image(host: Host, shown: _Shown, folder: str, target: str = "") -> Iterator[Mount]:
    """Each part of the image that the host has not is a mount; what both have is gone into."""
    for name in host.children(folder):
        source, place = f"{folder}/{name}", f"{target}/{name}"
        resolved = shown.resolve(place)
        both = host.kind(source) == "folder" and shown.has(resolved) == "folder"
        if both:
            yield from _of_image(host, shown, source, resolved)
        elif host.kind(source) != "link":
            yield Mount(source, resolved, read_only=True)
        else:
            yield Mount(str(Path(source).resolve()), resolved, read_only=True)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
