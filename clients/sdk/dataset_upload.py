"""A version of a dataset from this machine: hash everything, send what is not there, finish.

The order is what makes it resumable: the files are looked at before the version is begun, each
content is confirmed by asking again, and the listing is put and finished last. Whoever dies in
between resumes by the number, and sends what is missing; who is never resumed leaves a version that
nobody sees, which the service gives up after a week.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.sdk.dataset_files import LocalFile, content_of
from clients.sdk.dataset_models import Started, WantedContent
from clients.sdk.dataset_store import Changed, Moved, Progress, StoreHttp, TryAgain, host_of
from clients.sdk.datasets import Datasets, Place
from clients.sdk.errors import BadInput, Unreachable
from xylem.domain import manifest
from xylem.domain.errors import XylemError
from xylem.domain.manifest import PART_BYTES, Content, FileEntry

BATCH = 90
"""`ports/catalog.py` says as much."""

MOST_ASKED = 200
"""How often one batch is asked for: ten thousand parts are fifty answers."""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """`kept`: files that are in the dataset already, or linked. `resume`: the version to go on
    with."""

    files: Sequence[LocalFile]
    kept: Sequence[FileEntry] = ()
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, Any] = field(default_factory=dict)
    tag: str = ""
    resume: str = ""


@dataclass(frozen=True, slots=True)
class Uploaded:
    version: str
    checksum: str
    moved: Moved


def upload(
    at: Place,
    new: NewVersion,
    *,
    datasets: Datasets,
    store: StoreHttp,
    progress: Progress,
    started: Callable[[Started], None] = lambda begun: None,
) -> Uploaded:
    """`started` hears of the version before anything is sent. Raises `ClientError`."""
    contents = dict(zip(new.files, store.map(_hashed, new.files), strict=True))
    added = [_entry(one, content) for one, content in contents.items()]
    paths = {one.path for one in added}
    kept = [one for one in new.kept if one.path not in paths]
    try:
        listed = manifest.listing([*added, *kept])
    except XylemError as error:
        raise BadInput(str(error)) from None
    if new.resume:
        begun = datasets.resume(at, new.resume)
    else:
        begun = datasets.start(at, description=new.description, metadata=new.metadata, tag=new.tag)
    started(begun)
    sources: dict[Content, Path | None] = {
        one.content: None for one in kept if one.content is not None
    }
    for local, content in contents.items():
        assert isinstance(content, Content)
        sources[content] = local.file
    sender = _Sender(at, begun.version_id, sources, datasets, store, progress)
    sender.send()
    totals = manifest.totals(listed)
    listing = _put_listing(at, begun.version_id, listed, datasets, store)
    datasets.finish(
        at,
        begun.version_id,
        listing=listing,
        checksum=totals.checksum,
        tag=new.tag,
        labels=new.labels,
    )
    moved = Moved(totals.files, totals.size, sender.sent)
    return Uploaded(begun.version_id, totals.checksum, moved)


class _Sender:
    def __init__(
        self,
        at: Place,
        version: str,
        sources: Mapping[Content, Path | None],
        datasets: Datasets,
        store: StoreHttp,
        progress: Progress,
    ) -> None:
        self.sent = 0
        self._at = at
        self._version = version
        self._sources = {content.etag: (content, file) for content, file in sources.items()}
        self._datasets = datasets
        self._store = store
        self._progress = progress

    def send(self) -> None:
        contents = [content for content, _ in self._sources.values()]
        for start in range(0, len(contents), BATCH):
            left = contents[start : start + BATCH]
            failures = 0
            for _ in range(MOST_ASKED):
                wanted = self._datasets.uploads(self._at, self._version, left).contents
                missing = [one for one in wanted if not one.there]
                for one in wanted:
                    if one.there:
                        self._progress.tell(self._sources[one.etag][0].size)
                if not missing:
                    break
                failures = self._send_all(missing, failures)
                left = [self._sources[one.etag][0] for one in missing]
            else:
                raise Unreachable(self._at.path, "what was sent is still not there")

    def _send_all(self, missing: Sequence[WantedContent], failures: int) -> int:
        """How many rounds in a row sent nothing."""
        pieces = [piece for one in missing for piece in self._pieces(one)]
        failed = self._store.each(self._put, pieces)
        self.sent += sum(one.size for number, one in enumerate(pieces) if number not in failed)
        if len(failed) < len(pieces) or not pieces:
            return 0
        if failures == 7:
            raise Unreachable(host_of(pieces[0].url), next(iter(failed.values())))
        self._store.pause(failures)
        return failures + 1

    def _pieces(self, one: WantedContent) -> list["_Piece"]:
        content, file = self._sources[one.etag]
        if file is None:
            raise BadInput(
                f"the content {one.etag} of an earlier version is no longer there: upload its file"
            )
        if one.put is not None:
            return [_Piece(file, 0, content.size, content.size, one.put.url, one.put.headers)]
        return [
            _Piece(
                file,
                (part.number - 1) * PART_BYTES,
                min(PART_BYTES, content.size - (part.number - 1) * PART_BYTES),
                content.size,
                part.url,
                {},
            )
            for part in one.parts
        ]

    def _put(self, piece: "_Piece") -> None:
        try:
            with piece.file.open("rb") as opened:
                opened.seek(piece.offset)
                body = opened.read(piece.size)
                whole = opened.seek(0, 2)
        except OSError as error:
            raise BadInput(f"{piece.file} cannot be read: {error.strerror}") from None
        if len(body) != piece.size or whole != piece.of:
            raise Changed(f"{piece.file} was changed while it was uploaded: upload it again")
        try:
            self._store.put(piece.url, body, piece.headers)
        except Changed:
            raise Changed(
                f"{piece.file} was changed while it was uploaded: upload it again"
            ) from None


@dataclass(frozen=True, slots=True)
class _Piece:
    """`of`: the size of the whole file."""

    file: Path
    offset: int
    size: int
    of: int
    url: str
    headers: Mapping[str, str]


def _hashed(one: LocalFile) -> Content:
    return content_of(one.file)


def _entry(one: LocalFile, content: object) -> FileEntry:
    assert isinstance(content, Content)
    try:
        return manifest.entry(one.path, content.etag, content.size)
    except XylemError as error:
        raise BadInput(f"{one.file}: {error}") from None


def _put_listing(
    at: Place,
    version: str,
    listed: Sequence[FileEntry],
    datasets: Datasets,
    store: StoreHttp,
) -> str:
    """Its MD5."""
    body = json.dumps([_written(one) for one in listed], separators=(",", ":")).encode()
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()

    def put() -> dict[int, str]:
        place = datasets.put_listing(at, version, md5, len(body))
        try:
            store.put(place.url, body, place.headers)
        except TryAgain as error:
            return {0: str(error)}
        return {}

    store.rounds(put, at.path)
    return md5


def _written(one: FileEntry) -> dict[str, object]:
    said: dict[str, object] = {"relative_path": one.path, "etag": one.etag, "size": one.size}
    return {**said, "link": one.link} if one.link else said
