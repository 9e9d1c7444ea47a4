"""Files below a folder, on their way to a store or from one: which there are, which names are safe.

Written for a sidecar, for whom each import counts, and for whoever moves files like it.
"""

# pathlib takes 8 ms to import.
# ruff: noqa: PTH103, PTH108, PTH115, PTH116, PTH119, PTH123, PTH208

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

Say = Callable[[str], None]

LONGEST_PATH = 1024
"""Of a key, in bytes (docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html)."""

PARTS = ".xylem-parts"
"""Files on their way, in a folder beside their places so that they are renamed, not copied."""


class TransferFailed(Exception):
    """What could not be downloaded or uploaded, and why."""


class File(NamedTuple):
    path: str
    size: int


def files_below(root: str, say: Say, *, largest: int | None) -> Iterator[File]:
    """Regular files, also through links, as long as these stay below the folder: a link that leaves
    it would hand out what the sidecar sees and the task does not. Raises `TransferFailed`."""
    inside = os.path.realpath(root) + "/"
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(os.scandir(f"{root}/{folder}"), key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        for entry in entries:
            path = folder + entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(f"{path}/")
                continue
            if entry.is_symlink() and not os.path.realpath(entry.path).startswith(inside):
                raise TransferFailed(
                    f"{path} is a link that leaves the output folder: copy the file instead."
                )
            if entry.is_dir():
                say(f"{path} is a link to a folder of the output: only the folder is uploaded.")
                continue
            yield from regular(path, entry.path, largest)


def regular(path: str, full: str, largest: int | None) -> Iterator[File]:
    try:
        found = os.stat(full)
        name = path.encode("utf-8")
    except OSError as error:
        raise TransferFailed(f"{path}: {error.strerror}.") from error
    except UnicodeEncodeError:
        raise TransferFailed(f"{path!r}: names of output files must be UTF-8.") from None
    if len(name) > LONGEST_PATH:
        raise TransferFailed(f"{path[:60]}...: the path is longer than {LONGEST_PATH} bytes.")
    if largest is not None and found.st_size > largest:
        raise TransferFailed(f"{path} is larger than 5 GiB: split it into smaller files.")
    if stat.S_ISREG(found.st_mode):
        yield File(path, found.st_size)


def opened_within(file: str, folder: str | None) -> BinaryIO:
    """Whoever writes the folder may put a link in the place of a file after it was looked at: what
    counts is where the file is that was opened. Raises `TransferFailed`, `OSError`."""
    opened = open(file, "rb")  # noqa: SIM115 - it is the caller's to close
    try:
        if folder is not None:
            is_at = os.readlink(f"/proc/self/fd/{opened.fileno()}")
            if not is_at.startswith(f"{folder}/"):
                raise TransferFailed(
                    f"{os.path.basename(file)} is a link that leaves {folder}: copy the file."
                )
    except BaseException:
        opened.close()
        raise
    return opened


def matching(regex: str, names: Sequence[str]) -> list[bool]:
    """For each name, whether the expression is found in it. Raises `TransferFailed`."""
    if not regex:
        return [True] * len(names)
    from xylem import matching as patterns  # noqa: PLC0415 - 20 ms, of which most tasks need none

    try:
        return patterns.matching(regex, names)
    except patterns.BadPattern as error:
        raise TransferFailed(str(error)) from None


def safe(path: str) -> str:
    """The Logger checks names when files are uploaded; we are who writes them."""
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise TransferFailed("it would be written outside of the input's folder.")
    return path


def require_room(folder: str, size: int) -> None:
    """Raises `TransferFailed`, before anything is half done. What else is written meanwhile, nobody
    knows."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if size > free:
        raise TransferFailed(
            f"{folder} has room for {human(free)}, and {human(size)} are to come: make room, or "
            "choose fewer by a regex."
        )


def is_there(path: str, size: int) -> bool:
    try:
        return os.stat(path, follow_symlinks=False).st_size == size
    except OSError:
        return False


def make_folder(path: str) -> None:
    os.makedirs(path, exist_ok=True)


def empty(folder: str) -> None:
    """Of what a sidecar left that was killed in the middle."""
    for name in os.listdir(folder):
        remove(f"{folder}/{name}")


def remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def human(size: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
