"""A folder and what is below it, reached without ever following a symbolic link.

Whoever owns the files may be against us: a task may put a link to the sidecar's token where a file
was a moment ago. So a path is not checked and then opened; each of its parts is opened below the
one before, and a part that is a link is refused by the kernel (`O_NOFOLLOW`). No path has `..`.

A link is carried as what it is, where it leads to something below the same root: it may climb from
where it is first, as long as that stays inside, and only descends then. Each link that it passes
obeys the same, so neither leaves.

What arrives is written beside (`.xylem-partial`, one who writes at a time) and moved into place
when it is whole: who reads the folder sees the old file or the new one, and what was cut short is
gone on with.

The sidecar works with it as well: the standard library alone, and of that what imports quickly.
"""

# pathlib takes 8 ms to import, and knows no descriptors of folders.
# ruff: noqa: PTH102, PTH208 - see above

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal, NamedTuple

PARTIALS = ".xylem-partial"
PATH_BYTES = 4_096
NAME_BYTES = 255
DEEPEST = 200
ALONE_SECONDS = 15.0
ALONE_LOOK_SECONDS = 0.1

FOLDER_MODE, FILE_MODE = 0o777, 0o666
"""Before the umask of who writes: the sidecar's is 0, since the task may be another user."""

_READABLE, _RUNNABLE = 0o444, 0o111

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""Without waiting for the writer of a pipe, which is no file to be read."""


class PathRefused(Exception):
    """Nothing is read or written there; the message says why."""


class Entry(NamedTuple):
    """`target`: of a link. `modified` is in nanoseconds."""

    path: str
    kind: Literal["file", "folder", "link"]
    size: int = 0
    modified: int = 0
    executable: bool = False
    target: str = ""


def parts_of(path: str) -> list[str]:
    """Of a path below a root, `""` the root itself. Raises `PathRefused`."""
    if not path:
        return []
    parts = path.split("/")
    too_long = len(os.fsencode(path)) > PATH_BYTES or len(parts) > DEEPEST
    if too_long or any(len(os.fsencode(part)) > NAME_BYTES for part in parts):
        raise PathRefused(f"{shown(path)}: the path is too long")
    if any(part in {"", ".", ".."} or "\0" in part for part in parts):
        raise PathRefused(f"{shown(path)}: a path has no empty part, no `.` and no `..`")
    if parts[0] == PARTIALS:
        raise PathRefused(f"{shown(path)}: that is where unfinished files are kept")
    return parts


def stays_inside(path: str, target: str) -> bool:
    """Whether a link at this path leads to something below the root that it is below."""
    if not target or target.startswith("/") or "\0" in target:
        return False
    depth = path.count("/")
    descends = False
    for part in target.split("/"):
        if part == "..":
            depth -= 1
            if descends or depth < 0:
                return False
        elif part not in {"", "."}:
            descends = True
    return True


def shown(path: str) -> str:
    """For a message: of a name that is no text what can be shown."""
    return path.encode(errors="replace").decode()[:300]


class Tree:
    """`root` itself is no link either. Close it."""

    def __init__(self, root: str, *, create: bool = False) -> None:
        """Raises `OSError`."""
        if create:
            with suppress(FileExistsError):
                os.mkdir(root, FOLDER_MODE)
        self._root = os.open(root, _FOLDER)
        self._held: tuple[str, int] | None = None

    def close(self) -> None:
        self._release()
        os.close(self._root)

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def below(self, path: str, *, create: bool = False) -> "Tree":
        """A tree of a folder of this one. Raises `PathRefused`."""
        made = Tree.__new__(Tree)
        made._root = self._opened(path, create=create)
        made._held = None
        return made

    # What is there -------------------------------------------------------------------------------

    def look(self, path: str) -> Entry | None:
        """None: there is nothing, or what is carried nowhere. Raises `PathRefused`."""
        folder, name = self._place(path)
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return _entry(path, found, name, folder)

    def walk(self, start: str = "") -> Iterator[Entry]:
        """What is at `start` and below, each folder before what is in it. What is neither file,
        folder nor link is left out. Raises `PathRefused` where `start` leads nowhere."""
        if start:
            first = self.look(start)
            if first is None:
                raise PathRefused(f"{shown(start)}: there is no such file or folder")
            yield first
            if first.kind != "folder":
                return
        folder = self._opened(start)
        try:
            yield from _walked(folder, start)
        finally:
            os.close(folder)

    def read(self, path: str) -> int:
        """A descriptor of a file. Raises `PathRefused`, `OSError`."""
        folder, name = self._place(path)
        file = os.open(name, _READ, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise PathRefused(f"{shown(path)} is no file any more")
        return file

    # What is laid --------------------------------------------------------------------------------

    def lay_folder(self, path: str) -> None:
        """Raises `PathRefused`."""
        os.close(self._opened(path, create=True))

    def lay_link(self, path: str, target: str) -> None:
        """Raises `PathRefused`, `OSError`."""
        if not stays_inside(path, target):
            raise PathRefused(f"{shown(path)} is a link that leaves the folder: {shown(target)}")
        folder, name = self._place(path, create=True)
        fresh = f"{PARTIALS}-link-{os.getpid()}"
        os.symlink(target, fresh, dir_fd=folder)
        try:
            os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.unlink(fresh, dir_fd=folder)
            raise

    def touch(self, entry: Entry) -> None:
        """A file that is as it should be gets its time, and may be run or not; where it is somebody
        else's it stays as it is."""
        file = self.read(entry.path)
        try:
            _dress(file, entry)
        except PermissionError:
            return
        finally:
            os.close(file)

    def partials(self) -> "Partials":
        """Raises `PathRefused` when somebody else writes here."""
        return Partials(self)

    def _opened(self, path: str, *, create: bool = False) -> int:
        """A descriptor of a folder, which is the caller's."""
        here = os.dup(self._root)
        for part in parts_of(path):
            try:
                deeper = _folder_in(here, part, create=create)
            except OSError as error:
                raise PathRefused(f"{shown(path)}: {_why(error, part)}") from None
            finally:
                os.close(here)
            here = deeper
        return here

    def _place(self, path: str, *, create: bool = False) -> tuple[int, str]:
        """The folder that holds it, which stays ours, and its name there. Of the last one the
        descriptor is kept: files come folder by folder."""
        *above, name = parts_of(path) or [""]
        if not name:
            raise PathRefused("a folder is no file")
        parent = "/".join(above)
        if self._held is None or self._held[0] != parent:
            opened = self._opened(parent, create=create)
            self._release()
            self._held = (parent, opened)
        return self._held[1], name

    def _release(self) -> None:
        if self._held is not None:
            os.close(self._held[1])
            self._held = None


class Partials:
    """Files that are not whole yet, each under a name that says of which version it is."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._folder = _alone_in(tree._root)

    def size(self, key: str) -> int:
        try:
            return os.stat(key, dir_fd=self._folder, follow_symlinks=False).st_size
        except FileNotFoundError:
            return 0

    def open(self, key: str) -> int:
        """A descriptor to read and write. Raises `OSError`."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(key, flags, FILE_MODE, dir_fd=self._folder)

    def drop(self, key: str) -> None:
        os.unlink(key, dir_fd=self._folder)

    def settle(self, key: str, file: int, entry: Entry) -> None:
        """Into its place, whole. Raises `PathRefused`, `OSError`."""
        folder, name = self._tree._place(entry.path, create=True)
        _dress(file, entry)
        os.rename(key, name, src_dir_fd=self._folder, dst_dir_fd=folder)

    def close(self, *, finished: bool) -> None:
        """Finished: what is left of earlier versions is of no use any more."""
        if finished:
            for name in os.listdir(self._folder):
                os.unlink(name, dir_fd=self._folder)
            os.rmdir(PARTIALS, dir_fd=self._tree._root)
        os.close(self._folder)


def _alone_in(root: int) -> int:
    """One that was cut off is given time to notice. Raises `PathRefused`."""
    deadline = time.monotonic() + ALONE_SECONDS
    while True:
        folder = _folder_in(root, PARTIALS, create=True)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(folder), os.stat(PARTIALS, dir_fd=root)):
                return folder
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(folder)
                raise PathRefused("another transfer writes to this folder: wait for it") from None
            time.sleep(ALONE_LOOK_SECONDS)  # a lock of a folder tells nobody that it is free
        except FileNotFoundError:
            pass  # who was here before us has finished, and cleared it away
        os.close(folder)


def _folder_in(folder: int, name: str, *, create: bool) -> int:
    if create:
        with suppress(FileExistsError):
            os.mkdir(name, FOLDER_MODE, dir_fd=folder)
    return os.open(name, _FOLDER, dir_fd=folder)


def _walked(folder: int, path: str) -> Iterator[Entry]:
    for name in sorted(os.listdir(folder)):
        if name.startswith(PARTIALS):
            continue
        below = f"{path}/{name}" if path else name
        parts_of(below)
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            entry = _entry(below, found, name, folder)
        except FileNotFoundError:
            continue  # gone since its folder was read
        if entry is None:
            continue
        yield entry
        if entry.kind == "folder":
            try:
                deeper = os.open(name, _FOLDER, dir_fd=folder)
            except OSError:
                continue  # another thing since
            try:
                yield from _walked(deeper, below)
            finally:
                os.close(deeper)


def _entry(path: str, found: os.stat_result, name: str, folder: int) -> Entry | None:
    if stat.S_ISDIR(found.st_mode):
        return Entry(path, "folder")
    if stat.S_ISLNK(found.st_mode):
        return Entry(path, "link", target=os.readlink(name, dir_fd=folder))
    if stat.S_ISREG(found.st_mode):
        executable = bool(found.st_mode & stat.S_IXUSR)
        return Entry(path, "file", found.st_size, found.st_mtime_ns, executable)
    return None


def _dress(file: int, entry: Entry) -> None:
    """Whoever may read a program may run it."""
    mode = stat.S_IMODE(os.fstat(file).st_mode)
    wanted = mode | (mode & _READABLE) >> 2 if entry.executable else mode & ~_RUNNABLE
    if wanted != mode:
        os.fchmod(file, wanted)
    os.utime(file, ns=(entry.modified, entry.modified))


def _why(error: OSError, part: str) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no folder {shown(part)}"
    if isinstance(error, NotADirectoryError):
        # What Linux says of a link, too, where a folder was asked for.
        return f"{shown(part)} is no folder; links are not followed"
    return f"{shown(part)}: {os.strerror(error.errno or 0)}"
