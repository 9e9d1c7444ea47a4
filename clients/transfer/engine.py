"""Many files at once, and what was begun gone on with.

    upload     a file that the store has in the same size and with the same SHA-256 is passed over
    download   comes into `.xylem-parts` beside its place, and to its name when it is whole; with
               `resume` what is there and the same is passed over, and a part is gone on with

The first failure ends the transfer: what was moved until then is whole, nothing else has its name,
and the same command moves the rest.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Event, Lock

from clients.transfer.work import (
    Inside,
    Moved,
    Unwatched,
    Watch,
    prepare,
    side_by_side,
)
from operators.shared.files import (
    PARTS,
    TransferFailed,
    files_below,
    matching,
    regular,
    require_room,
    safe,
)
from operators.shared.object_stores import PIECE, Found, Remote, Verified

THREADS = 20
"""As OSMO's client has; each holds one connection, and up to a few pieces in memory."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """`path`: what it is called below the URL."""

    file: Path
    path: str
    size: int


def files_of(
    paths: Iterable[Path], regex: str = "", *, say: Callable[[str], None]
) -> list[LocalFile]:
    """Those below folders, which keep the folder's name, as with OSMO. Raises `TransferFailed`."""
    found: dict[str, LocalFile] = {}
    for path in paths:
        for file in _below(path, say):
            if file.path in found:
                raise TransferFailed(f"{file.path} is given twice: by {found[file.path].file} too.")
            found[file.path] = file
    files = list(found.values())
    fits = matching(regex, [file.path for file in files])
    return [file for file, fit in zip(files, fits, strict=True) if fit]


def _below(path: Path, say: Callable[[str], None]) -> Iterator[LocalFile]:
    whole = path.absolute()
    if not whole.exists():
        raise TransferFailed(f"{path} is not there.")
    if not whole.is_dir():
        for one in regular(whole.name, str(whole), None):
            yield LocalFile(whole, one.path, one.size)
        return
    name = whole.resolve().name
    for one in files_below(str(whole), say, largest=None):
        yield LocalFile(whole / one.path, f"{name}/{one.path}", one.size)


def upload(
    remote: Remote,
    files: Sequence[LocalFile],
    *,
    threads: int = THREADS,
    watch: Watch | None = None,
    stop: Event | None = None,
) -> Moved:
    """Raises `TransferFailed`, `OSError`."""
    watch = watch or Unwatched()
    moved, lock = Moved(), Lock()
    there = _sizes(remote, files)
    watch.begins(len(files), sum(file.size for file in files))

    def send(file: LocalFile) -> None:
        same = there.get(file.path) == file.size and _same(remote, file)
        if not same:
            remote.put(str(file.file), file.path)
        with lock:
            _count(moved, file.size, same)
        watch.moved(file.size)

    side_by_side(files, send, threads=threads, stop=stop or Event())
    return moved


def _sizes(remote: Remote, files: Sequence[LocalFile]) -> dict[str, int | None]:
    """Of what is there under the names of these. Only their folders are listed: a bucket may hold
    millions of others."""
    folders = {file.path.split("/")[0] for file in files if "/" in file.path}
    sizes: dict[str, int | None] = {
        one.path: one.size for folder in folders for one in remote.listed(below=folder)
    }
    for file in files:
        if "/" not in file.path:
            sizes[file.path] = remote.size_of(remote.key_of(file.path))
    return sizes


def _same(remote: Remote, file: LocalFile) -> bool:
    known = remote.checksum(remote.key_of(file.path))
    return known is not None and known == _checksum(file.file)


def download(
    remote: Remote,
    found: Sequence[Found],
    folder: Path,
    *,
    resume: bool = False,
    threads: int = THREADS,
    watch: Watch | None = None,
    stop: Event | None = None,
) -> Moved:
    """Raises `TransferFailed`, `OSError`."""
    watch = watch or Unwatched()
    stop = stop or Event()
    moved, lock = Moved(), Lock()
    places = {one: _place(folder, one, remote) for one in found}
    folder.mkdir(parents=True, exist_ok=True)
    require_room(str(folder), sum(one.size for one in found))
    parts = folder / PARTS
    prepare(parts, {one.part for one in found} if resume else set())
    inside = Inside(folder)
    watch.begins(len(found), sum(one.size for one in found))

    def get(one: Found) -> None:
        target = places[one]
        passed_over = resume and _is_there(remote, one, target)
        verified = Verified.CHECKSUM
        if not passed_over:
            part = parts / one.part
            verified = remote.fetch(one, str(part), stop)
            inside.make(target.parent)
            part.replace(target)
        with lock:
            _count(moved, one.size, passed_over)
            moved.unverified += verified is Verified.SIZE
        watch.moved(one.size)

    side_by_side(found, get, threads=threads, stop=stop)
    parts.rmdir()
    return moved


def _place(folder: Path, one: Found, remote: Remote) -> Path:
    try:
        return folder / safe(one.path)
    except TransferFailed as error:
        raise TransferFailed(f"{remote.place.url}: {one.path!r}: {error}") from None


def _is_there(remote: Remote, one: Found, target: Path) -> bool:
    """In the same size, and with the same checksum where the store has one."""
    try:
        if target.is_symlink() or target.stat().st_size != one.size:
            return False
    except OSError:
        return False
    known = remote.checksum(one.key)
    return known is None or known == _checksum(target)


def _count(moved: Moved, size: int, passed_over: bool) -> None:
    if passed_over:
        moved.passed_over += 1
    else:
        moved.files += 1
        moved.bytes += size


def _checksum(file: Path) -> str:
    whole = sha256()
    with file.open("rb") as body:
        while piece := body.read(PIECE):
            whole.update(piece)
    return whole.hexdigest()
