"""A task's inputs and outputs: files over presigned URLs, eight at a time.

The Logger names the files and signs the URLs, a page at a time; the bytes go straight to and from
the store. What failed is tried again in rounds, each with fresh URLs (one may have expired in
between) and without what is already there: a download that is started again fetches only what is
missing, and a file that was cut goes on where it was. A file is complete when its size is what was
announced and its checksum what the store says; it appears under its name when it is.
"""

# pathlib takes 8 ms to import.
# ruff: noqa: PTH104, PTH106, PTH120, PTH123

import os
import time
from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread
from typing import Any, NamedTuple, TypeVar

from operators.shared.files import (
    PARTS,
    File,
    Say,
    TransferFailed,
    empty,
    files_below,
    human,
    is_there,
    make_folder,
    opened_within,
    remove,
    safe,
)
from operators.shared.patience import Stopped, backoff
from operators.task_runtime.api import Api
from operators.task_runtime.http1 import (
    PIECE,
    Address,
    Answer,
    Connection,
    ExchangeFailed,
    LocalFailed,
    split,
)

T = TypeVar("T")

THREADS = 8
ROUNDS = 8
FIRST_PAUSE = 3
"""With the back-off of the third try and seven pauses: some two minutes until a task fails."""

TIMEOUT_SECONDS = 60.0
PROGRESS_SECONDS = 10.0
PAGE_FILES = 200
"""`protocol/runtime.py` says the same; `tests/wire` compares them."""

MD5_DIGITS = 32
LARGEST_UPLOAD = 5 * 1024**3
"""Of one PUT to S3 (docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html)."""


class Incomplete(ExchangeFailed):
    """The beginning came, and is kept."""


class Transfer(NamedTuple):
    path: str
    size: int
    url: str


class Page(NamedTuple):
    """Where one begins, and of what: an input that is a dataset stays the version that it was."""

    cursor: str | None = None
    at: str | None = None


class Progress:
    """What was moved, said every ten seconds. Threads count in it."""

    def __init__(self, doing: str, say: Say) -> None:
        self.files = 0
        self.bytes = 0
        self.by_size_alone = 0
        self._doing = doing
        self._say = say
        self._lock = Lock()
        self._began = self._said = time.monotonic()

    def moved(self, size: int) -> None:
        with self._lock:
            self.files += 1
            self.bytes += size
            now = time.monotonic()
            if now - self._said >= PROGRESS_SECONDS:
                self._said = now
                self._say(f"{self._doing}: {self} so far")

    def has_no_checksum(self) -> None:
        """A file that the store knows none of."""
        with self._lock:
            self.by_size_alone += 1

    def finished(self) -> None:
        alone = self.by_size_alone
        rest = f"; {alone} compared by size alone, the store has no checksum" if alone else ""
        self._say(f"{self._doing}: {self} in {time.monotonic() - self._began:.1f} s{rest}")

    def __str__(self) -> str:
        return f"{self.files} file{'' if self.files == 1 else 's'}, {human(self.bytes)}"


def download(
    inputs: Sequence[dict[str, Any]], root: str, *, api: Api, say: Say, stop: Event
) -> None:
    """Each input into a folder of its number. Raises `TransferFailed`, `Stopped`."""
    for wanted in inputs:
        index = int(wanted["index"])
        folder, parts = f"{root}/{index}", f"{root}/{PARTS}"
        make_folder(folder)
        make_folder(parts)
        empty(parts)
        of = wanted.get("task") or wanted["dataset"]
        progress = Progress(f"Downloading input {index} from {of}", say)
        page = Page()
        while True:
            page = _download_page(index, page, folder, parts, api, progress, stop)
            if page.cursor is None:
                break
        progress.finished()
        os.rmdir(parts)


def upload(root: str, *, api: Api, say: Say, stop: Event) -> None:
    """All files below the folder. Raises `TransferFailed`, `Stopped`."""
    files = list(files_below(root, say, largest=LARGEST_UPLOAD))
    if not files:
        return
    progress = Progress("Uploading outputs", say)
    for start in range(0, len(files), PAGE_FILES):
        left = files[start : start + PAGE_FILES]

        def query(left: Sequence[File] = left) -> list[Transfer]:
            payload = {"files": [{"path": file.path, "size": file.size} for file in left]}
            page = api.insist("/runtime/outputs", payload)
            sizes = {file.path: file.size for file in left}
            return [
                Transfer(file["path"], sizes[file["path"]], file["url"]) for file in page["files"]
            ]

        def put(transfer: Transfer, connections: "Connections") -> None:
            _put(transfer, root, connections)
            progress.moved(transfer.size)

        _in_rounds(query, put, stop)
    progress.finished()


class Connections:
    """Of one thread: to each server one, kept."""

    def __init__(self) -> None:
        self._open: dict[Address, Connection] = {}

    def to(self, address: Address) -> Connection:
        return self._open.setdefault(address, Connection(address))

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()


def _download_page(
    index: int,
    this: Page,
    folder: str,
    parts: str,
    api: Api,
    progress: Progress,
    stop: Event,
) -> Page:
    """The next one."""
    following = [this]

    def query() -> list[Transfer]:
        at = following[0].at
        said = {"index": index, "cursor": this.cursor, **({"at": at} if at else {})}
        page = api.insist("/runtime/inputs", said)
        following[:] = [Page(page.get("cursor"), at or page.get("at"))]
        return [Transfer(file["path"], file["size"], file["url"]) for file in page["files"]]

    def get(transfer: Transfer, connections: Connections) -> None:
        _get(transfer, folder, parts, connections)
        progress.moved(transfer.size)

    _in_rounds(query, get, stop)
    return following[0]


def _in_rounds(
    query: Callable[[], list[Transfer]],
    work: Callable[[Transfer, Connections], None],
    stop: Event,
) -> None:
    done: set[str] = set()
    for number in range(ROUNDS):
        left = [transfer for transfer in query() if transfer.path not in done]
        failures = in_parallel(left, work, done, stop)
        if not failures:
            return
        if number < ROUNDS - 1 and stop.wait(backoff(number + FIRST_PAUSE)):
            raise Stopped
    raise TransferFailed(f"{failures[0]} ({ROUNDS} attempts)")


def in_parallel(
    transfers: Sequence[Transfer],
    work: Callable[[Transfer, Connections], None],
    done: set[str],
    stop: Event,
    *,
    threads: int = THREADS,
) -> list[str]:
    """What failed but may succeed later. Raises `TransferFailed` for what never will."""
    waiting = list(reversed(transfers))
    failures: list[str] = []
    hopeless: list[str] = []

    def run() -> None:
        connections = Connections()
        while waiting and not hopeless and not stop.is_set():
            try:
                transfer = waiting.pop()
            except IndexError:
                break
            try:
                work(transfer, connections)
                done.add(transfer.path)
            except ExchangeFailed as error:
                failures.append(f"{transfer.path}: {error}")
            except (OSError, LocalFailed, TransferFailed) as error:
                hopeless.append(f"{transfer.path}: {error}")
            except Exception as error:  # else its file would be missing, and nobody would know
                hopeless.append(f"{transfer.path}: {type(error).__name__}: {error}")
        connections.close()

    running = [Thread(target=run) for _ in range(min(threads, len(transfers)))]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if stop.is_set():
        raise Stopped
    if hopeless:
        raise TransferFailed(hopeless[0])
    return failures


def _get(transfer: Transfer, folder: str, parts: str, connections: Connections) -> None:
    target = f"{folder}/{safe(transfer.path)}"
    if is_there(target, transfer.size):
        return
    part = f"{parts}/{_part(transfer.path)}"
    try:
        _fetch(transfer, part, connections)
        make_folder(os.path.dirname(target))
        os.rename(part, target)
    except Incomplete:  # the next round goes on where this one was cut
        raise
    except BaseException:
        remove(part)
        raise


def _fetch(transfer: Transfer, part: str, connections: Connections) -> None:
    """What is there of an attempt's output never changes, so a part of it is gone on with. That all
    of it is whole is seen by the checksum."""
    address, path = split(transfer.url)
    with open(part, "a+b") as file:
        summed = Summed(file)
        begun = summed.skip_over()
        headers = {"Range": f"bytes={begun}-"} if begun else {}
        try:
            answer = connections.to(address).exchange(
                "GET",
                path,
                headers=headers,
                into=summed,
                timeout=TIMEOUT_SECONDS,
            )
        except ExchangeFailed as error:
            if begun < os.fstat(file.fileno()).st_size < transfer.size:
                raise Incomplete(str(error)) from error
            raise
    if answer.status != (206 if begun else 200):
        raise ExchangeFailed(f"the store answered {answer.status}")
    if begun + answer.size != transfer.size:
        raise ExchangeFailed(f"{begun + answer.size} bytes came instead of {transfer.size}")
    summed.compare(answer, "came")


def _put(transfer: Transfer, root: str, connections: Connections) -> None:
    address, path = split(transfer.url)
    with opened_within(f"{root}/{transfer.path}", os.path.realpath(root)) as file:
        summed = Summed(file)
        answer = connections.to(address).exchange(
            "PUT", path, headers={}, body=summed, length=transfer.size, timeout=TIMEOUT_SECONDS
        )
    if answer.status not in (200, 201, 204):
        raise ExchangeFailed(f"the store answered {answer.status}")
    summed.compare(answer, "arrived")


def _part(path: str) -> str:
    return str(_md5(path.encode()).hexdigest())


def _md5(begin: bytes = b"") -> Any:
    """Against damage on the way, not against an enemy: who signs the URLs owns the store."""
    from hashlib import md5  # noqa: PLC0415 - 10 ms, of which a task without files needs none

    return md5(begin, usedforsecurity=False)


class Summed:
    """A file whose bytes are summed up as they pass, and compared with what the store says of the
    object: an ETag is the MD5 of what one PUT brought, in a bucket that S3's own keys seal, as ours
    is (docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html)."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._sum = _md5()

    def skip_over(self) -> int:
        """What is there already: how many bytes."""
        self._file.seek(0)
        while piece := self._file.read(PIECE):
            self._sum.update(piece)
        return int(self._file.tell())

    def read(self, size: int) -> bytes:
        piece: bytes = self._file.read(size)
        self._sum.update(piece)
        return piece

    def write(self, piece: bytes) -> int:
        self._sum.update(piece)
        return int(self._file.write(piece))

    def seek(self, place: int) -> None:
        """To the beginning, where the whole is said again."""
        self._file.seek(place)
        self._sum = _md5()

    def compare(self, answer: Answer, moved: str) -> None:
        """Raises `ExchangeFailed`."""
        tag = answer.headers.get("etag", "").strip('"')
        if len(tag) == MD5_DIGITS and tag != self._sum.hexdigest():
            raise ExchangeFailed(f"it {moved} damaged: the store has another checksum")
