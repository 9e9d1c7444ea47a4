"""A task's data at URLs of object stores: inputs, outputs, checkpoints (`shared/object_stores`).

A file that is there in its size is not fetched again; a part of one that a killed sidecar left is
gone on with, as long as the object is the same. What is downloaded or uploaded is compared by its
checksum.
"""

# pathlib takes 8 ms to import.
# ruff: noqa: PTH104, PTH106, PTH113, PTH116, PTH120, PTH208

import os
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any

from operators.shared.files import (
    PARTS,
    Say,
    TransferFailed,
    files_below,
    is_there,
    make_folder,
    matching,
    regular,
    remove,
    require_room,
    safe,
)
from operators.shared.object_stores import Keys, Remote, Verified, chosen
from operators.task_runtime.data import Connections, Progress, Transfer, in_parallel

DOWNLOADS = 20
"""Files at once. Each holds `CHUNK` bytes, and small ones wait for the store, not for us."""

UPLOADS = 8
"""Each may hold a file of `WHOLE` bytes."""

State = tuple[int, int]
"""Size and time of a file."""


def download(
    wanted: Mapping[str, Any], root: str, stores: Mapping[str, Keys], *, say: Say, stop: Event
) -> None:
    """One input into the folder of its number. Raises `TransferFailed`, `Stopped`."""
    index, url = int(wanted["index"]), str(wanted["url"])
    folder, parts = f"{root}/{index}", f"{root}/{PARTS}"
    make_folder(folder)
    make_folder(parts)
    remote = Remote(url, stores)
    progress = Progress(f"Downloading input {index} from {url}", say)
    listed = list(remote.listed())
    found = {one.path: one for one in chosen(str(wanted.get("regex", "")), listed)}
    require_room(folder, sum(one.size for one in found.values()))
    for left in set(os.listdir(parts)) - {one.part for one in found.values()}:
        remove(f"{parts}/{left}")

    def get(transfer: Transfer, connections: Connections) -> None:
        target = f"{folder}/{safe(transfer.path)}"
        if not is_there(target, transfer.size):
            one = found[transfer.path]
            part = f"{parts}/{one.part}"
            if remote.fetch(one, part, stop) is Verified.SIZE:
                progress.has_no_checksum()
            make_folder(os.path.dirname(target))
            os.rename(part, target)
        progress.moved(transfer.size)

    coming = [Transfer(one.path, one.size, "") for one in found.values()]
    _all(coming, get, stop, threads=DOWNLOADS)
    progress.finished()
    os.rmdir(parts)


def upload(
    url: str,
    regex: str,
    root: str,
    stores: Mapping[str, Keys],
    *,
    what: str,
    say: Say,
    stop: Event,
    always: Sequence[str] = (),
    sent: dict[str, State] | None = None,
) -> None:
    """Files below the folder that match, or are `always` sent; or `root` itself, where that is a
    file. `sent` remembers them: what is as it was is not sent again. Raises `TransferFailed`,
    `Stopped`."""
    remembered = {} if sent is None else sent
    if os.path.isfile(root):
        root, name = os.path.split(root)
        files = list(regular(name, f"{root}/{name}", None))
    else:
        files = list(files_below(root, say, largest=None))
    paths = [file.path for file in files]
    wanted = {
        *always,
        *(path for path, fits in zip(paths, matching(regex, paths), strict=True) if fits),
    }
    states = {file.path: _state(f"{root}/{file.path}") for file in files if file.path in wanted}
    fresh = [
        Transfer(file.path, file.size, "")
        for file in files
        if file.path in wanted and remembered.get(file.path) != states[file.path]
    ]
    if not fresh:
        return
    remote = Remote(url, stores)
    within = os.path.realpath(root)
    progress = Progress(f"Uploading {what} to {url}", say)

    def put(transfer: Transfer, connections: Connections) -> None:
        remote.put(f"{root}/{transfer.path}", transfer.path, within=within)
        remembered[transfer.path] = states[transfer.path]
        progress.moved(transfer.size)

    _all(fresh, put, stop, threads=UPLOADS)
    progress.finished()


def _state(file: str) -> State:
    found = os.stat(file)
    return found.st_size, found.st_mtime_ns


def _all(
    transfers: Sequence[Transfer],
    work: Callable[[Transfer, Connections], None],
    stop: Event,
    *,
    threads: int,
) -> None:
    """The library has tried each as often as makes sense."""
    if failures := in_parallel(transfers, work, set(), stop, threads=threads):
        raise TransferFailed(failures[0])
