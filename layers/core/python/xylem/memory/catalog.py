"""The catalog in dictionaries, and an object store that computes ETags as S3 does.

The store's URLs carry what was signed; `MemoryDatasetStore.answer` is the store's side of them, for
the tests of clients.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import md5
from urllib.parse import parse_qs, quote, unquote, urlsplit

from xylem.domain.config import NO_NOTE, Note
from xylem.domain.dataset import Dataset, DatasetId, Version, VersionStatus, due_at
from xylem.domain.dataset_config import DatasetConfig
from xylem.domain.errors import Conflict, TooLarge
from xylem.domain.ids import UserName
from xylem.domain.manifest import Content, joined, other_size
from xylem.domain.values import replace
from xylem.ports.catalog import CatalogCommit, Due, Held, SignedPut
from xylem.ports.stored import Stored
from xylem.ports.world import Clock

Place = tuple[str, str]
Key = tuple[DatasetId, int]


class MemoryCatalog:
    def __init__(self) -> None:
        self._datasets: dict[Place, Stored[Dataset]] = {}
        self._last: dict[DatasetId, int] = {}
        self._versions: dict[Key, Stored[Version]] = {}
        self._used: dict[Key, datetime] = {}
        self._held: dict[DatasetId, dict[str, Held]] = {}
        self._removing: set[tuple[DatasetId, str]] = set()
        self._due: dict[Key, datetime] = {}

    def dataset(self, bucket: str, name: str) -> Stored[Dataset] | None:
        return self._datasets.get((bucket, name))

    def datasets(self, bucket: str) -> Iterator[Stored[Dataset]]:
        yield from [self._datasets[key] for key in sorted(self._datasets) if key[0] == bucket]

    def place(self, dataset: DatasetId) -> Place | None:
        found = (key for key, one in self._datasets.items() if one.value.id == dataset)
        return next(found, None)

    def last_number(self, bucket: str, name: str) -> int:
        found = self._datasets.get((bucket, name))
        return self._last.get(found.value.id, 0) if found else 0

    def draw(self, dataset: Dataset) -> int:
        self._require(dataset)
        self._last[dataset.id] = self._last.get(dataset.id, 0) + 1
        return self._last[dataset.id]

    def begin(self, dataset: Dataset, version: Version) -> None:
        self._require(dataset)
        key = (dataset.id, version.number)
        if key in self._versions:
            raise Conflict(f"version {version.number} of {dataset.name} is there already")
        self._put(Stored(version, 1))

    def version(self, dataset: DatasetId, number: int) -> Stored[Version] | None:
        return self._versions.get((dataset, number))

    def versions(self, dataset: DatasetId) -> list[Stored[Version]]:
        return [self._versions[key] for key in sorted(self._versions) if key[0] == dataset]

    def commit(self, commit: CatalogCommit) -> None:
        self._check(commit)
        for before, after in commit.datasets:
            if before is not None and (after is None or _place(after) != _place(before.value)):
                del self._datasets[_place(before.value)]
            if after is not None:
                version = before.version + 1 if before else 1
                self._datasets[_place(after)] = Stored(after, version)
        for was, version_after in commit.versions:
            key = (was.value.dataset, was.value.number)
            if version_after is None:
                del self._versions[key]
                self._due.pop(key, None)
            else:
                self._put(Stored(version_after, was.version + 1))

    def use(self, dataset: DatasetId, number: int, now: datetime) -> None:
        if (dataset, number) in self._versions:
            self._used[dataset, number] = now

    def last_used(self, dataset: DatasetId) -> Mapping[int, datetime]:
        return {number: at for (of, number), at in self._used.items() if of == dataset}

    def hold(self, dataset: DatasetId, number: int, contents: Sequence[Content]) -> dict[str, Held]:
        version = self._versions.get((dataset, number))
        if version is None or version.value.status is not VersionStatus.PENDING:
            raise Conflict(f"version {number} is not PENDING")
        known = self._held.setdefault(dataset, {})
        for one in contents:
            held = known.get(one.etag)
            if held and held.there and held.size != one.size:
                raise other_size(one, held.size)
            if (dataset, one.etag) in self._removing:
                raise Conflict(f"{one.etag} is being removed")
        for one in contents:
            held = known.get(one.etag) or Held(one.etag, one.size, frozenset())
            known[one.etag] = replace(held, size=one.size, by=held.by | {number})
        return {one.etag: known[one.etag] for one in contents}

    def sending(self, dataset: DatasetId, etag: str, upload: str, *, instead_of: str | None) -> str:
        held = self._held[dataset][etag]
        if held.upload == instead_of:
            held = self._held[dataset][etag] = replace(held, upload=upload)
        return held.upload or upload

    def seen(self, dataset: DatasetId, contents: Iterable[Content]) -> None:
        for one in contents:
            held = self._held[dataset][one.etag]
            self._held[dataset][one.etag] = replace(held, size=one.size, there=True, upload=None)

    def held(self, dataset: DatasetId) -> Iterator[Held]:
        yield from list(self._held.get(dataset, {}).values())

    def release(self, dataset: DatasetId, number: int, etags: Sequence[str]) -> list[str]:
        known = self._held.get(dataset, {})
        free = []
        for etag in etags:
            if etag not in known:
                continue
            known[etag] = replace(known[etag], by=known[etag].by - {number})
            if not known[etag].by:
                self._removing.add((dataset, etag))
                free.append(etag)
        return free

    def forget(self, dataset: DatasetId, etags: Sequence[str]) -> None:
        for etag in etags:
            if (dataset, etag) in self._removing:
                self._removing.discard((dataset, etag))
                self._held.get(dataset, {}).pop(etag, None)

    def due(self, now: datetime, *, limit: int) -> list[Due]:
        found = [Due(*key, at) for key, at in self._due.items() if at <= now]
        return sorted(found, key=lambda one: (one.at, one.dataset, one.version))[:limit]

    def put_off(self, due: Due, until: datetime | None) -> None:
        key = (due.dataset, due.version)
        if self._due.get(key) != due.at:
            return
        del self._due[key]
        if until is not None:
            self._due[key] = until

    def _put(self, stored: Stored[Version]) -> None:
        key = (stored.value.dataset, stored.value.number)
        self._versions[key] = stored
        self._due.pop(key, None)
        at = due_at(stored.value)
        if at is not None:
            self._due[key] = at

    def _require(self, dataset: Dataset) -> None:
        found = self._datasets.get(_place(dataset))
        if found is None or found.value.id != dataset.id:
            raise Conflict(f"dataset {dataset.name} is no longer there")

    def _check(self, commit: CatalogCommit) -> None:
        for before, after in commit.datasets:
            moved = before is None or (after is not None and _place(after) != _place(before.value))
            if before is not None and self._datasets.get(_place(before.value)) != before:
                raise Conflict(f"dataset {before.value.name}: somebody else was faster")
            if after is not None and moved and _place(after) in self._datasets:
                raise Conflict(f"dataset {after.name}: the name is taken")
        for was, _ in commit.versions:
            if self._versions.get((was.value.dataset, was.value.number)) != was:
                raise Conflict(f"version {was.value.number}: somebody else was faster")
        for member in commit.pinned:
            pinned = self._versions.get((member.dataset, member.version))
            if pinned is None or pinned.value.status is not VersionStatus.READY:
                raise Conflict(f"version {member.version} is not READY any more")
        if commit.numbers is not None:
            before = commit.datasets[0][0]
            if before is not None and self._last.get(before.value.id, 0) != commit.numbers:
                raise Conflict(f"dataset {before.value.name}: a version was begun")


def _place(dataset: Dataset) -> Place:
    return dataset.bucket, dataset.name


class MemoryDatasetConfigs:
    def __init__(self, config: DatasetConfig | None = None) -> None:
        self._config = config or DatasetConfig()

    def datasets(self) -> DatasetConfig:
        return self._config

    def change_datasets(
        self,
        into: Callable[[DatasetConfig], DatasetConfig],
        *,
        author: UserName,
        now: datetime,
        note: Note = NO_NOTE,
    ) -> DatasetConfig:
        self._config = into(self._config)
        return self._config


class MemoryDatasetStore:
    """`url`: where it is; what is signed there ends when `clock` says so."""

    def __init__(
        self, clock: Clock, *, url: str = "https://store.test", bucket: str = "sets"
    ) -> None:
        self._clock = clock
        self.url = url
        self._bucket = bucket
        self._objects: dict[str, tuple[bytes, str]] = {}
        self._uploads: dict[str, tuple[str, dict[int, bytes]]] = {}
        self._begun = 0

    @property
    def uri(self) -> str:
        return f"s3://{self._bucket}"

    def all_keys(self) -> list[str]:
        return sorted(self._objects)

    def find(self, key: str) -> Content | None:
        found = self._objects.get(key)
        return Content(found[1], len(found[0])) if found else None

    def read(self, key: str, *, most: int) -> bytes | None:
        found = self._objects.get(key)
        if found is not None and len(found[0]) > most:
            raise TooLarge(f"{key} has {len(found[0])} bytes; the most is {most}.")
        return found[0] if found else None

    def write(self, key: str, body: bytes) -> None:
        self._objects[key] = body, _md5(body)

    def get_url(self, key: str, *, expires: timedelta) -> str:
        return self._url(key, expires)

    def put_url(self, key: str, content: Content, *, expires: timedelta) -> SignedPut:
        headers = {
            "Content-MD5": b64encode(bytes.fromhex(content.etag)).decode(),
            "If-None-Match": "*",
        }
        return SignedPut(self._url(key, expires, put=content.etag), headers)

    def begin_parts(self, key: str) -> str:
        self._begun += 1
        self._uploads[f"u{self._begun}"] = key, {}
        return f"u{self._begun}"

    def parts(self, key: str, upload: str) -> dict[int, Content] | None:
        found = self._uploads.get(upload)
        if found is None:
            return None
        return {number: Content(_md5(body), len(body)) for number, body in found[1].items()}

    def part_url(self, key: str, upload: str, number: int, *, expires: timedelta) -> str:
        return self._url(key, expires, upload=upload, part=str(number))

    def join(self, key: str, upload: str, parts: Mapping[int, Content]) -> None:
        if upload not in self._uploads:
            return
        _, sent = self._uploads.pop(upload)
        body = b"".join(sent[number] for number in sorted(parts))
        self._objects[key] = body, joined([_md5(sent[number]) for number in sorted(parts)])

    def give_up(self, key: str, upload: str) -> None:
        self._uploads.pop(upload, None)

    def keys(self, prefix: str, *, limit: int = 1000) -> list[str]:
        return [key for key in sorted(self._objects) if key.startswith(prefix)][:limit]

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._objects.pop(key, None)

    def answer(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Status and body, as S3 gives them for a URL that was signed here."""
        parts = urlsplit(url)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        key = unquote(parts.path).removeprefix(f"/{self._bucket}/")
        if datetime.fromisoformat(asked["until"]) <= self._clock():
            return 403, b"Request has expired"
        match method:
            case "GET":
                found = self._objects.get(key)
                return (200, found[0]) if found else (404, b"NoSuchKey")
            case "PUT" if "part" in asked:
                upload = self._uploads.get(asked["upload"])
                if upload is None:
                    return 404, b"NoSuchUpload"
                upload[1][int(asked["part"])] = body
                return 200, b""
            case "PUT" if "put" in asked:
                if headers.get("if-none-match") != "*" or "content-md5" not in headers:
                    return 403, b"SignatureDoesNotMatch"
                if key in self._objects:
                    return 412, b"PreconditionFailed"
                if _md5(body) != asked["put"]:
                    return 400, b"BadDigest"
                self.write(key, body)
                return 200, b""
            case _:
                return 403, b"SignatureDoesNotMatch"

    def _url(self, key: str, expires: timedelta, **signed: str) -> str:
        until = (self._clock() + expires).isoformat()
        query = "&".join(f"{name}={quote(one)}" for name, one in {"until": until, **signed}.items())
        return f"{self.url}/{self._bucket}/{quote(key)}?{query}"


def _md5(body: bytes) -> str:
    return md5(body, usedforsecurity=False).hexdigest()
