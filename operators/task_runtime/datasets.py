"""Outputs that become datasets: what of the output, hashed, sent where it is not yet, and finished.

As with other outputs the Logger signs the URLs and the bytes go straight to the store. A content is
named by its hash (`xylem.domain.manifest` says which), so what the dataset has is not sent again,
nor is anything twice that is begun again. What is not there to be uploaded is said, and fails
nothing, as with OSMO; what cannot be read fails the task.
"""

# pathlib takes 8 ms to import.
# ruff: noqa: PTH113, PTH118, PTH119

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import md5
from threading import Event
from typing import Any, NamedTuple

from operators.shared.files import (
    Say,
    TransferFailed,
    files_below,
    matching,
    opened_within,
    regular,
)
from operators.shared.patience import Stopped, backoff
from operators.task_runtime.api import Api
from operators.task_runtime.data import (
    FIRST_PAUSE,
    ROUNDS,
    TIMEOUT_SECONDS,
    Connections,
    Progress,
    Transfer,
    in_parallel,
)
from operators.task_runtime.http1 import ExchangeFailed, split

PART_BYTES = 8 * 1024 * 1024
"""`xylem.domain.manifest` says the same; `tests/wire` compares them."""

PAGE_CONTENTS = 90
"""`protocol/runtime.py` says the same."""

ASKED = 200
"""How often for one page: ten thousand parts are fifty answers."""

THERE = (200, 201, 204, 412)
"""Of S3: it was put, or it was there."""


class Source(NamedTuple):
    """A file of the output, and its path in the dataset."""

    path: str
    file: str
    size: int


class Piece(NamedTuple):
    file: str
    offset: int
    size: int
    url: str
    headers: Mapping[str, str]


class Window:
    """A part of a file, as the body of a request."""

    def __init__(self, file: Any, offset: int, size: int) -> None:
        self._file = file
        self._offset = offset
        self._size = size
        self._left = 0
        self.seek(0)

    def seek(self, position: int) -> int:
        self._file.seek(self._offset + position)
        self._left = self._size - position
        return position

    def read(self, size: int) -> bytes:
        piece: bytes = self._file.read(min(size, self._left))
        self._left -= len(piece)
        return piece


def upload(
    datasets: Sequence[dict[str, Any]], output: str, *, api: Api, say: Say, stop: Event
) -> None:
    """Each becomes a version. Raises `TransferFailed`, `Stopped`, and what the Logger refuses."""
    for one in datasets:
        sources = list(_sources(one, output, say))
        if not sources:
            say(f"Dataset {one['dataset']}: there is nothing in the output to be uploaded.")
            continue
        _Upload(one, sources, output, api, say, stop).run()


class _Upload:
    def __init__(
        self,
        one: dict[str, Any],
        sources: Sequence[Source],
        output: str,
        api: Api,
        say: Say,
        stop: Event,
    ) -> None:
        self._one = one
        self._sources = sources
        self._output = output
        self._inside = os.path.realpath(output)
        self._api = api
        self._say = say
        self._stop = stop

    def run(self) -> None:
        metadata = self._texts("metadata")
        labels = self._texts("labels")
        started = self._ask("start")
        version = started["version"]
        entries = {one.path: self._entry(one) for one in self._sources}
        files = {entries[one.path]["etag"]: one for one in self._sources}
        if started.get("source"):
            for kept in json.loads(self._fetched(started["source"])):
                entries.setdefault(kept["relative_path"], _kept(kept))
        contents = {one["etag"]: one["size"] for one in entries.values() if not one.get("link")}
        progress = Progress(f"Uploading dataset {self._one['dataset']}", self._say)
        etags = list(contents)
        for start in range(0, len(etags), PAGE_CONTENTS):
            page = etags[start : start + PAGE_CONTENTS]
            self._send({etag: contents[etag] for etag in page}, files, version, progress)
        listing = json.dumps([entries[path] for path in sorted(entries)]).encode()
        digest = md5(listing, usedforsecurity=False).hexdigest()
        self._put_listing(version, digest, listing)
        done = self._ask(
            "finish", version=version, listing=digest, metadata=metadata, labels=labels
        )
        progress.finished()
        self._say(f"Dataset {done['dataset']} is READY: {len(entries)} files.")

    def _send(
        self,
        contents: Mapping[str, int],
        files: Mapping[str, Source],
        version: int,
        progress: Progress,
    ) -> None:
        left = dict(contents)
        failed = 0
        for _ in range(ASKED):
            given = [{"etag": etag, "size": size} for etag, size in left.items()]
            wanted = self._ask("contents", version=version, contents=given)["contents"]
            missing = [one for one in wanted if not one["there"]]
            if not missing:
                return
            left = {one["etag"]: contents[one["etag"]] for one in missing}
            pieces = {
                f"{one['etag']}#{number}": piece
                for one in missing
                for number, piece in enumerate(_pieces(one, files, contents))
            }
            transfers = [Transfer(key, piece.size, piece.url) for key, piece in pieces.items()]

            def put(
                transfer: Transfer,
                connections: Connections,
                pieces: Mapping[str, Piece] = pieces,
            ) -> None:
                self._put(pieces[transfer.path], connections)
                progress.moved(transfer.size)

            failures = in_parallel(transfers, put, set(), self._stop)
            failed = failed + 1 if len(failures) == len(transfers) else 0
            if failed == ROUNDS:
                raise TransferFailed(f"{failures[0]} ({ROUNDS} attempts)")
            if failed and self._stop.wait(backoff(failed + FIRST_PAUSE)):
                raise Stopped
        raise TransferFailed("what was sent to the store is still not there")

    def _put(self, piece: Piece, connections: Connections) -> None:
        address, path = split(piece.url)
        with opened_within(piece.file, self._inside) as file:
            answer = connections.to(address).exchange(
                "PUT",
                path,
                headers=dict(piece.headers),
                body=Window(file, piece.offset, piece.size),
                length=piece.size,
                timeout=TIMEOUT_SECONDS,
            )
        if answer.status == 400:
            raise TransferFailed("it was changed while it was uploaded.")
        if answer.status not in THERE:
            raise ExchangeFailed(f"the store answered {answer.status}")

    def _put_listing(self, version: int, digest: str, listing: bytes) -> None:
        def put() -> None:
            place = self._ask("listing", version=version, md5=digest, size=len(listing))
            connections = Connections()
            address, path = split(place["url"])
            try:
                answer = connections.to(address).exchange(
                    "PUT",
                    path,
                    headers=dict(place["headers"]),
                    body=listing,
                    length=len(listing),
                    timeout=TIMEOUT_SECONDS,
                )
            finally:
                connections.close()
            if answer.status not in THERE:
                raise ExchangeFailed(f"the store answered {answer.status}")

        self._insist(put)

    def _fetched(self, url: str) -> bytes:
        found = bytearray()

        def get() -> None:
            found.clear()
            connections = Connections()
            address, path = split(url)
            try:
                answer = connections.to(address).exchange(
                    "GET", path, headers={}, into=_Into(found), timeout=TIMEOUT_SECONDS
                )
            finally:
                connections.close()
            if answer.status != 200:
                raise ExchangeFailed(f"the store answered {answer.status}")

        self._insist(get)
        return bytes(found)

    def _insist(self, work: Callable[[], None]) -> None:
        for number in range(ROUNDS):
            try:
                return work()
            except ExchangeFailed as error:
                if number == ROUNDS - 1:
                    raise TransferFailed(f"{error} ({ROUNDS} attempts)") from None
            if self._stop.wait(backoff(number + FIRST_PAUSE)):
                raise Stopped
        raise AssertionError("the last round raises")

    def _ask(self, step: str, **more: Any) -> Any:
        payload = {"index": self._one["index"], **more}
        return self._api.insist(f"/runtime/dataset/{step}", payload)

    def _entry(self, one: Source) -> dict[str, Any]:
        with opened_within(one.file, self._inside) as file:
            parts, size = [], 0
            while chunk := file.read(PART_BYTES):
                parts.append(md5(chunk, usedforsecurity=False))
                size += len(chunk)
        if size != one.size:
            raise TransferFailed(f"{one.path} was changed while it was uploaded.")
        etag = parts[0].hexdigest() if parts else md5(b"", usedforsecurity=False).hexdigest()
        if len(parts) > 1:
            together = md5(b"".join(part.digest() for part in parts), usedforsecurity=False)
            etag = f"{together.hexdigest()}-{len(parts)}"
        return {"relative_path": one.path, "etag": etag, "size": size}

    def _texts(self, key: str) -> list[str]:
        texts = []
        for path in self._one[key]:
            file = f"{self._output}/{path}"
            if not os.path.isfile(file):
                self._say(f"Dataset {self._one['dataset']}: there is no file {path} of {key}.")
                continue
            with opened_within(file, self._inside) as opened:
                texts.append(opened.read().decode(errors="replace"))
        return texts


class _Into:
    def __init__(self, found: bytearray) -> None:
        self._found = found

    def write(self, piece: bytes) -> None:
        self._found += piece


def _sources(one: dict[str, Any], output: str, say: Say) -> Iterator[Source]:
    if one["updates"]:
        for text in one["paths"]:
            source, _, folder = text.partition(":")
            yield from _at(source, folder.strip("/"), output, say)
        return
    found = list(_at(one["path"], "", output, say))
    fits = matching(one["regex"], [each.path for each in found])
    yield from (each for each, fit in zip(found, fits, strict=True) if fit)


def _at(path: str, folder: str, output: str, say: Say) -> Iterator[Source]:
    """A folder with its name, as in an upload; the output itself without one."""
    path = path.strip("/")
    full = os.path.join(output, path) if path else output
    prefix = f"{folder}/" if folder else ""
    if os.path.isfile(full):
        for file in regular(os.path.basename(path), full, None):
            yield Source(prefix + file.path, full, file.size)
        return
    if path:
        prefix += f"{os.path.basename(path)}/"
    for file in files_below(full, say, largest=None):
        yield Source(prefix + file.path, f"{full}/{file.path}", file.size)


def _pieces(
    wanted: Mapping[str, Any], files: Mapping[str, Source], contents: Mapping[str, int]
) -> Iterator[Piece]:
    etag = wanted["etag"]
    if etag not in files:
        raise TransferFailed(f"the content {etag} of an earlier version is no longer there.")
    file, size = files[etag].file, contents[etag]
    if wanted["put"]:
        yield Piece(file, 0, size, wanted["put"]["url"], dict(wanted["put"]["headers"]))
    for part in wanted["parts"]:
        offset = (part["number"] - 1) * PART_BYTES
        yield Piece(file, offset, min(PART_BYTES, size - offset), part["url"], {})


def _kept(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entry[key] for key in ("relative_path", "etag", "size", "link") if key in entry}
