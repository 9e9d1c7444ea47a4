"""A version of a dataset on this machine: each file verified while it comes, and there when it is
whole.

A resumed download looks at what is there, by size and then by hash, and fetches what is missing or
was altered. Nothing is written outside of the folder: no path of a listing leads out of it, and no
link inside of it is followed.
"""

import hashlib
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from clients.sdk.dataset_files import content_of
from clients.sdk.dataset_store import Moved, Progress, StoreHttp, TryAgain
from clients.sdk.datasets import Datasets, Place
from clients.sdk.errors import BadInput
from xylem.domain.manifest import PART_BYTES, FileEntry, joined

BATCH = 500
"""`usecases/dataset_transfers.py` says as much."""

PARTS = ".xylem-parts"


def download(
    at: Place,
    version: str,
    files: Sequence[FileEntry],
    folder: Path,
    *,
    datasets: Datasets,
    store: StoreHttp,
    progress: Progress,
) -> Moved:
    """These files of a version, into this folder; what is there and right stays. Raises
    `ClientError`."""
    _require_inside(folder, files)
    missing = []
    for one, there in zip(files, store.map(lambda f: _is_there(folder, f), files), strict=True):
        if there:
            progress.tell(one.size)
        else:
            missing.append(one)
    parts = folder / PARTS
    parts.mkdir(parents=True, exist_ok=True)
    try:
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            _fetch(at, version, batch, folder, parts, datasets, store, progress)
    finally:
        shutil.rmtree(parts, ignore_errors=True)
    size = sum(one.size for one in files)
    return Moved(len(files), size, sum(one.size for one in missing))


def _fetch(
    at: Place,
    version: str,
    batch: Sequence[FileEntry],
    folder: Path,
    parts: Path,
    datasets: Datasets,
    store: StoreHttp,
    progress: Progress,
) -> None:
    left = list(batch)

    def once() -> dict[int, str]:
        etags = sorted({one.etag for one in left if not one.link})
        urls = datasets.downloads(at, version, etags) if etags else {}

        def get(one: FileEntry) -> None:
            _get(one, one.link or urls[one.etag], folder, parts, store)
            progress.tell(one.size)

        failed = store.each(get, left)
        left[:] = [left[number] for number in failed]
        return failed

    store.rounds(once, at.path)


def _get(one: FileEntry, url: str, folder: Path, parts: Path, store: StoreHttp) -> None:
    if not url.startswith(("http://", "https://")):
        raise BadInput(
            f"{one.path} is linked, at {url}: fetch it with a client of that store, and leave it "
            "out with --regex"
        )
    target = folder / one.path
    hashing = Hashing()
    part = parts / uuid.uuid4().hex
    try:
        size = store.get(url, part, hashing.take)
        if size != one.size or (not one.link and hashing.etag() != one.etag):
            raise TryAgain(f"{one.path}: other bytes came than were listed")
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


class Hashing:
    """A content's hash of chunks of any size."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._open = hashlib.md5(usedforsecurity=False)
        self._filled = 0

    def take(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            if self._filled == PART_BYTES:
                self._parts.append(self._open.hexdigest())
                self._open, self._filled = hashlib.md5(usedforsecurity=False), 0
            piece = view[: PART_BYTES - self._filled]
            self._open.update(piece)
            self._filled += len(piece)
            view = view[len(piece) :]

    def etag(self) -> str:
        if not self._parts:
            return self._open.hexdigest()
        return joined([*self._parts, self._open.hexdigest()])


def _is_there(folder: Path, one: FileEntry) -> bool:
    file = folder / one.path
    if file.is_symlink() or not file.is_file() or file.stat().st_size != one.size:
        return False
    return bool(one.link) or content_of(file).etag == one.etag


def _require_inside(folder: Path, files: Sequence[FileEntry]) -> None:
    """Links that somebody put there would lead the files elsewhere. Raises `BadInput`."""
    known: set[Path] = set()
    for one in files:
        for parent in (folder / one.path).parents:
            if parent in known or parent == folder:
                break
            if parent.is_symlink():
                raise BadInput(f"{parent} is a link, which is not followed: take it away")
            if parent.exists() and not parent.is_dir():
                raise BadInput(f"{parent} is a file, and is to be a folder: take it away")
            known.add(parent)
        if (folder / one.path).is_dir():
            raise BadInput(f"{folder / one.path} is a folder, and is to be a file: take it away")
