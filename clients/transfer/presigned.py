"""Files behind presigned URLs: whoever has the URL may read, for an hour.

The service signs them a page at a time. A page whose URLs end in the middle of it is asked for
again; what came of it is kept. A file is whole when its size is what was announced and its bytes
sum up to the object's ETag, where that is an MD5.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from threading import Event, Lock

import httpx

from clients.transfer.work import (
    Inside,
    Moved,
    Unwatched,
    Watch,
    prepare,
    side_by_side,
)
from operators.shared.files import PARTS, TransferFailed, require_room, safe
from operators.shared.patience import Stopped, backoff

THREADS = 16
TRIES = 6
PIECE = 1024 * 1024
TIMEOUT = httpx.Timeout(60, connect=10)
MD5 = re.compile(r'"?([0-9a-f]{32})"?')


@dataclass(frozen=True, slots=True)
class Signed:
    path: str
    size: int
    url: str

    @property
    def part(self) -> str:
        named = f"{self.path}\0{self.size}".encode("utf-8", "surrogateescape")
        return md5(named, usedforsecurity=False).hexdigest()


Ask = Callable[[], Sequence[Signed]]
"""One page, with fresh URLs each time."""


class _Expired(Exception):
    """The store takes a URL no more."""


class _Damaged(Exception):
    """What came is not what is there."""


class Signatures:
    """Downloads pages into one folder. Use it as a context manager."""

    def __init__(
        self,
        folder: Path,
        *,
        resume: bool,
        threads: int = THREADS,
        watch: Watch | None = None,
        transport: httpx.BaseTransport | None = None,
        stop: Event | None = None,
    ) -> None:
        self.moved = Moved()
        self._folder = folder
        self._resume = resume
        self._threads = threads
        self._watch = watch or Unwatched()
        self._stop = stop or Event()
        self._lock = Lock()
        limits = httpx.Limits(max_connections=threads, max_keepalive_connections=threads)
        self._http = httpx.Client(timeout=TIMEOUT, limits=limits, transport=transport)
        self._inside: Inside | None = None
        self._files = self._bytes = 0

    def __enter__(self) -> "Signatures":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def take(self, page: Sequence[Signed], again: Ask) -> None:
        """All of a page. Raises `TransferFailed`, `OSError`, and what `again` raises."""
        places = {one.path: self._folder / _safe(one.path) for one in page}
        self._begin(page)
        done: set[str] = set()

        def get(one: Signed) -> None:
            self._get(one, places[one.path])
            done.add(one.path)

        for _ in range(TRIES):
            try:
                side_by_side(page, get, threads=self._threads, stop=Event())
                return
            except _Expired:
                page = [one for one in again() if one.path in places and one.path not in done]
        raise TransferFailed("the store refuses what the service signed: are their clocks right?")

    def finish(self) -> None:
        parts = self._folder / PARTS
        if parts.exists():
            parts.rmdir()

    def _begin(self, page: Sequence[Signed]) -> None:
        size = sum(one.size for one in page)
        self._folder.mkdir(parents=True, exist_ok=True)
        require_room(str(self._folder), size)
        self._files += len(page)
        self._bytes += size
        self._watch.begins(self._files, self._bytes)
        if self._inside is None:
            prepare(self._folder / PARTS, kept=None if self._resume else set())
            self._inside = Inside(self._folder)

    def _get(self, one: Signed, target: Path) -> None:
        assert self._inside is not None
        part = self._folder / PARTS / one.part
        known = _sum(target) if self._resume and _has(target, one.size) else None
        for tries in range(TRIES):
            try:
                came = self._fetch(one, part, known)
                break
            except (httpx.TransportError, _Damaged) as error:
                if tries == TRIES - 1:
                    raise TransferFailed(f"{one.path}: {error or type(error).__name__}.") from None
                if self._stop.wait(backoff(tries)):
                    raise Stopped from None
        if came:
            self._inside.make(target.parent)
            part.replace(target)
        with self._lock:
            self.moved.files += came
            self.moved.bytes += one.size if came else 0
            self.moved.passed_over += not came
        self._watch.moved(one.size)

    def _fetch(self, one: Signed, part: Path, known: str | None) -> bool:
        """False: what is known is what is there."""
        with part.open("a+b") as file:
            file.seek(0)
            summed = md5(usedforsecurity=False)
            for piece in _pieces(file.read):
                summed.update(piece)
            begun = file.tell()
            if begun >= one.size:
                file.truncate(0)
                begun, summed = 0, md5(usedforsecurity=False)
            headers = {"Accept-Encoding": "identity"}
            if begun:
                headers["Range"] = f"bytes={begun}-"
            if known:
                headers["If-None-Match"] = f'"{known}"'
            with self._http.stream("GET", one.url, headers=headers) as answer:
                if answer.status_code == httpx.codes.NOT_MODIFIED and known:
                    part.unlink()
                    return False
                self._check(one, answer, begun)
                for piece in answer.iter_bytes(PIECE):
                    file.write(piece)
                    summed.update(piece)
            size = file.tell()
        tag = MD5.fullmatch(answer.headers.get("etag", ""))
        if size != one.size or (tag and tag[1] != summed.hexdigest()):
            part.unlink()
            raise _Damaged("it came damaged: the store has another size or checksum")
        return True

    def _check(self, one: Signed, answer: httpx.Response, begun: int) -> None:
        if answer.status_code == httpx.codes.FORBIDDEN:
            raise _Expired
        if answer.status_code >= 500:
            raise httpx.ReadError(f"the store answers {answer.status_code}")
        if answer.status_code != (httpx.codes.PARTIAL_CONTENT if begun else httpx.codes.OK):
            raise TransferFailed(f"{one.path}: the store answers {answer.status_code}.")


def _safe(path: str) -> str:
    try:
        return safe(path)
    except TransferFailed as error:
        raise TransferFailed(f"{path!r}: {error}") from None


def _has(target: Path, size: int) -> bool:
    try:
        return not target.is_symlink() and target.stat().st_size == size
    except OSError:
        return False


def _sum(file: Path) -> str:
    summed = md5(usedforsecurity=False)
    with file.open("rb") as body:
        for piece in _pieces(body.read):
            summed.update(piece)
    return summed.hexdigest()


def _pieces(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while piece := read(PIECE):
        yield piece
