"""What people do with a dataset: begin a version, finish it, delete and recover it, tag and rename.

Finishing believes nothing that the client says: the listing is read where the client put it, each
content that it names must be one that this version holds and the store was seen to have, and the
sizes are counted here. Whoever finishes first wins; the same listing again changes nothing, so a
lost answer is asked for again; another listing is refused, and says so.

The listing that readers get is written after the commit. Should that be lost, the next who asks
writes it again from the one that was put, which is kept until then.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from xylem.domain import dataset as rules
from xylem.domain import manifest, nested
from xylem.domain.dataset import (
    Dataset,
    DatasetId,
    DatasetType,
    Reference,
    Version,
    VersionStatus,
)
from xylem.domain.dataset_config import (
    DatasetConfig,
    bucket_for,
    bucket_of,
    require_writable,
)
from xylem.domain.errors import Conflict, InvalidRequest
from xylem.domain.ids import UserName
from xylem.domain.manifest import FileEntry
from xylem.domain.values import dataclass, replace
from xylem.ports.catalog import Catalog, CatalogCommit, DatasetConfigs, DatasetStore
from xylem.ports.stored import Stored
from xylem.ports.world import Clock, Ids

T = TypeVar("T")

ATTEMPTS = 8
LONGEST_WAIT_SECONDS = 1.0
"""Full jitter between attempts grows to this: twenty who tag one dataset at once all get there."""

VERSIONS_AT_ONCE = 80
"""Of the 100 actions of a transaction."""

MD5 = re.compile("[0-9a-f]{32}")


class Engine(Protocol):
    """Properties, so that a function builds only the ports that it comes to use."""

    @property
    def catalog(self) -> Catalog: ...
    @property
    def dataset_configs(self) -> DatasetConfigs: ...
    @property
    def dataset_store(self) -> DatasetStore: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> Ids: ...
    @property
    def wait(self) -> Callable[[float], None]: ...
    @property
    def chance(self) -> Callable[[], float]: ...


@dataclass(frozen=True, slots=True)
class Finished:
    dataset: Dataset
    version: Version


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is to be changed. None: nothing of that kind. Of labels and metadata what is set, then
    what is deleted, by dotted path."""

    new_name: str | None = None
    set_tags: tuple[str, ...] = ()
    delete_tags: tuple[str, ...] = ()
    set_labels: Mapping[str, Any] | None = None
    delete_labels: tuple[str, ...] = ()
    set_metadata: Mapping[str, Any] | None = None
    delete_metadata: tuple[str, ...] = ()

    @property
    def tags(self) -> bool:
        return bool(self.set_tags or self.delete_tags)

    @property
    def labels(self) -> bool:
        return self.set_labels is not None or bool(self.delete_labels)

    @property
    def metadata(self) -> bool:
        return self.set_metadata is not None or bool(self.delete_metadata)


def start(
    bucket: str,
    name: str,
    *,
    by: UserName,
    description: str = "",
    metadata: Mapping[str, Any] | None = None,
    tag: str = "",
    engine: Engine,
) -> tuple[Dataset, Version]:
    """A new version, of a new dataset where there is none. Raises `InvalidRequest`, `Conflict`."""
    place = require_writable(bucket, engine.dataset_configs.datasets())
    rules.known_name(name)
    if tag:
        rules.tag_name(tag)

    def step() -> tuple[Dataset, Version]:
        stored = engine.catalog.dataset(bucket, name)
        if stored is None:
            id = _new_id(engine)
            now = engine.clock()
            location = f"{place.path.rstrip('/')}/{id}"
            made = Dataset(id, bucket, name, DatasetType.DATASET, by, now, location)
            engine.catalog.commit(CatalogCommit(datasets=((None, made),)))
        else:
            made = stored.value
        rules.require_dataset(made, "an upload")
        version = rules.start(
            made,
            engine.catalog.draw(made),
            by=by,
            description=description,
            metadata=metadata or {},
            now=engine.clock(),
        )
        engine.catalog.begin(made, version)
        return made, version

    return again(step, engine)


def resume(bucket: str, name: str, tag: str, *, engine: Engine) -> tuple[Dataset, Version]:
    """Go on with a version that is PENDING. Raises `InvalidRequest`, `Conflict`."""
    require_writable(bucket, engine.dataset_configs.datasets())
    if not tag.isdecimal():
        raise InvalidRequest(
            f"Say which version of {name} to resume, by its number: {name}:NUMBER.", code="USER"
        )

    def step() -> tuple[Dataset, Version]:
        dataset = require(bucket, name, engine=engine).value
        stored = require_version(dataset, tag, engine=engine)
        resumed = rules.resume(stored.value, name, engine.clock())
        engine.catalog.commit(CatalogCommit(versions=((stored, resumed),)))
        return dataset, resumed

    return again(step, engine)


def finish(
    bucket: str,
    name: str,
    number: int,
    *,
    listing: str,
    checksum: str = "",
    tag: str = "",
    labels: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    engine: Engine,
) -> Finished:
    """`listing`: the MD5 of the one that was put. Raises `InvalidRequest`, `TooLarge`, and
    `Conflict`."""
    require_writable(bucket, engine.dataset_configs.datasets())
    # A tag that names the version by number asks for nothing: OSMO's clients say where they began.
    tag = "" if tag.isdecimal() or tag == rules.LATEST else tag

    def step() -> Finished:
        stored = require(bucket, name, engine=engine)
        version = engine.catalog.version(stored.value.id, number)
        if version is None:
            raise InvalidRequest(
                f"Dataset version {number} does not exist in bucket {bucket}.", code="DATABASE"
            )
        if version.value.status is VersionStatus.READY and version.value.manifest == listing:
            return Finished(stored.value, version.value)
        entries = _put(version.value, listing, engine)
        found = manifest.totals(entries)
        if checksum and checksum != found.checksum:
            raise InvalidRequest(
                f"The listing of version {number} has the checksum {found.checksum}, not "
                f"{checksum[:60]}."
            )
        stored_bytes = 0
        if version.value.status is VersionStatus.PENDING:
            stored_bytes = _verified(version.value, entries, engine)
        decided = rules.finish(
            stored.value,
            version.value,
            found,
            manifest=listing,
            stored_bytes=stored_bytes,
            tag=tag,
            labels=labels or {},
            metadata=metadata or {},
            now=engine.clock(),
        )
        if decided is None:
            return Finished(stored.value, version.value)
        engine.catalog.commit(
            CatalogCommit(datasets=((stored, decided[0]),), versions=((version, decided[1]),))
        )
        return Finished(*decided)

    done = again(step, engine)
    ensure_manifest(done.version, engine=engine)
    return done


def _put(version: Version, listing: str, engine: Engine) -> tuple[FileEntry, ...]:
    body = None
    if MD5.fullmatch(listing):
        key = staged_key(version, listing, engine.dataset_store)
        body = engine.dataset_store.read(key, most=manifest.MANIFEST_BYTES)
    if body is None:
        raise InvalidRequest(
            f"No listing of version {version.number} was put under {listing[:40]!r}: ask for its "
            "place, put it there, and say its MD5 as manifest. `xylem dataset upload` does."
        )
    return manifest.read(body)


def _verified(version: Version, entries: Iterable[FileEntry], engine: Engine) -> int:
    """The bytes that the dataset keeps. Raises `InvalidRequest` for a content that is not there."""
    held = {one.etag: one for one in engine.catalog.held(version.dataset)}
    for one in entries:
        if one.content is None:
            continue
        found = held.get(one.etag)
        if found is None or version.number not in found.by or not found.there:
            raise InvalidRequest(
                f"{one.path}: its content {one.etag} was not uploaded to version "
                f"{version.number}. Resume the upload."
            )
        if found.size != one.size:
            raise InvalidRequest(
                f"{one.path}: its content {one.etag} has {found.size} bytes, not {one.size}."
            )
    return sum(one.size for one in held.values() if one.there and one.by)


def ensure_manifest(version: Version, *, engine: Engine) -> str:
    """The key of its listing, which is written where it is not there. Raises `InvalidRequest`."""
    store = engine.dataset_store
    key = manifest_key(version, store)
    if store.find(key) is None:
        store.write(
            key, manifest.written(_put(version, version.manifest, engine), version.location)
        )
        store.delete([staged_key(version, version.manifest, store)])
    return key


def delete(
    bucket: str, name: str, tag: str, *, every: bool, by: UserName, engine: Engine
) -> list[Version]:
    """Of a dataset the version that is meant, or all; a collection as a whole, at once. What they
    are after it. Raises `InvalidRequest`, `Conflict`."""
    config = engine.dataset_configs.datasets()
    first = require(bucket, name, engine=engine)
    if first.value.is_collection:
        engine.catalog.commit(CatalogCommit(datasets=((first, None),)))
        return []
    require_writable(bucket, config)

    def step(chosen: Sequence[int]) -> list[Version]:
        stored = require(bucket, name, engine=engine)
        versions = engine.catalog.versions(stored.value.id)
        dataset, gone = rules.delete(
            stored.value, _values(versions), chosen, by=by, now=engine.clock()
        )
        if gone:
            engine.catalog.commit(_changed(stored, dataset, versions, gone))
        return [*gone, *(one.value for one in versions if _was_deleted(one.value, chosen))]

    versions = engine.catalog.versions(first.value.id)
    if every:
        chosen = [one.value.number for one in versions if one.value.status != "DELETED"]
    else:
        chosen = [require_version(first.value, tag, engine=engine).value.number]
    found = []
    for part in _parts(chosen):
        found += again(lambda part=part: step(part), engine)  # type: ignore[misc]
    let_collections_go(first.value.id, bucket, set(chosen), engine=engine)
    return sorted(found, key=lambda one: one.number)


def _was_deleted(version: Version, chosen: Sequence[int]) -> bool:
    return version.number in chosen and version.status is VersionStatus.PENDING_DELETE


def let_collections_go(
    dataset: DatasetId, bucket: str, numbers: set[int], *, engine: Engine
) -> None:
    """Collections that hold these versions, which cannot be collected any more by now."""
    for stored in list(engine.catalog.datasets(bucket)):
        held = {one.version for one in stored.value.members if one.dataset == dataset}
        if held & numbers:

            def step(name: str = stored.value.name) -> None:
                found = engine.catalog.dataset(bucket, name)
                members = found.value.members if found else ()
                if found and any(m.dataset == dataset and m.version in numbers for m in members):
                    engine.catalog.commit(CatalogCommit(datasets=((found, None),)))

            again(step, engine)


def recover(
    bucket: str, name: str, tag: str, *, every: bool, engine: Engine
) -> tuple[Dataset, list[Version]]:
    """What was deleted and is not beyond it. Raises `InvalidRequest`, `Conflict`."""
    require_writable(bucket, engine.dataset_configs.datasets())
    first = require(bucket, name, engine=engine).value
    rules.require_dataset(first, "a recovery")
    if not every and not tag:
        raise InvalidRequest(
            f"Say which version of {name} to recover: {name}:NUMBER, or all of them.", code="USER"
        )

    def step(chosen: Sequence[int]) -> tuple[Dataset, tuple[Version, ...]]:
        stored = require(bucket, name, engine=engine)
        versions = engine.catalog.versions(stored.value.id)
        dataset, back = rules.recover(stored.value, _values(versions), chosen, now=engine.clock())
        if back:
            engine.catalog.commit(_changed(stored, dataset, versions, back))
        return dataset, back

    if every:
        versions = engine.catalog.versions(first.id)
        chosen = [one.value.number for one in versions if one.value.status == "PENDING_DELETE"]
    else:
        chosen = [require_version(first, tag, engine=engine).value.number]
    found: list[Version] = []
    dataset = first
    for part in _parts(chosen):
        dataset, back = again(lambda part=part: step(part), engine)  # type: ignore[misc]
        found += back
    return dataset, found


def drop(bucket: str, name: str, *, engine: Engine) -> tuple[list[Version], int]:
    """Put all deleted versions beyond recovery: they, and the bytes that nobody needs any more.
    Raises `InvalidRequest`, `Conflict`."""
    require_writable(bucket, engine.dataset_configs.datasets())
    first = require(bucket, name, engine=engine).value
    rules.require_dataset(first, "a clean-up")
    versions = engine.catalog.versions(first.id)
    chosen = [one.value.number for one in versions if one.value.status == "PENDING_DELETE"]
    gone: list[Version] = []
    for part in _parts(chosen):
        gone += again(lambda part=part: drop_some(first, part, engine=engine), engine)  # type: ignore[misc]
    ended = {one.number for one in gone}
    freed = [one for one in engine.catalog.held(first.id) if one.by and one.by <= ended]
    return gone, sum(one.size for one in freed if one.there)


def drop_some(dataset: Dataset, chosen: Sequence[int], *, engine: Engine) -> list[Version]:
    """Of those that still are as they were when they were chosen: deleted, or being uploaded."""
    last = engine.catalog.last_number(dataset.bucket, dataset.name)
    stored = engine.catalog.dataset(dataset.bucket, dataset.name)
    if stored is None or stored.value.id != dataset.id:
        return []
    versions = engine.catalog.versions(dataset.id)
    possible = [
        one.value.number
        for one in versions
        if one.value.number in chosen and one.value.status is not VersionStatus.READY
    ]
    after, gone = rules.drop(stored.value, _values(versions), possible, now=engine.clock())
    if gone:
        commit = _changed(stored, after, versions, gone)
        engine.catalog.commit(replace(commit, numbers=last) if after is None else commit)
    return list(gone)


def change(
    bucket: str, name: str, tag: str, wanted: Attributes, *, engine: Engine
) -> tuple[Dataset, Version | None]:
    """All of it or nothing. The version is the one whose tags or metadata were asked for. Raises
    `InvalidRequest`, `TooLarge`, `Conflict`."""
    bucket_of(bucket, engine.dataset_configs.datasets())

    def step() -> tuple[Dataset, Version | None]:
        stored = require(bucket, name, engine=engine)
        dataset, version = stored.value, None
        if wanted.new_name is not None and wanted.new_name != name:
            dataset = replace(dataset, name=rules.known_name(wanted.new_name))
            if engine.catalog.dataset(bucket, wanted.new_name) is not None:
                raise taken(wanted.new_name)
        if wanted.tags or wanted.metadata:
            rules.require_dataset(dataset, "a tag or metadata")
            version = require_version(stored.value, tag, engine=engine)
        if version is not None and wanted.tags:
            number = version.value.number
            dataset = rules.with_tags(dataset, number, wanted.set_tags, wanted.delete_tags)
        if wanted.labels:
            labels = nested.merged(
                dataset.labels, wanted.set_labels or {}, wanted.delete_labels, what="labels"
            )
            dataset = replace(dataset, labels=labels)
        after = version.value if version else None
        if after is not None and wanted.metadata:
            metadata = nested.merged(
                after.metadata, wanted.set_metadata or {}, wanted.delete_metadata, what="metadata"
            )
            after = replace(after, metadata=metadata)
        versions = ((version, after),) if version and after and after != version.value else ()
        if dataset != stored.value or versions:
            engine.catalog.commit(CatalogCommit(datasets=((stored, dataset),), versions=versions))
        if after is not None and wanted.tags:
            engine.catalog.use(dataset.id, after.number, engine.clock())
        return dataset, after

    return again(step, engine)


# What several need -------------------------------------------------------------------------------


def require(bucket: str, name: str, *, engine: Engine) -> Stored[Dataset]:
    """Raises `InvalidRequest`, as OSMO says it."""
    found = None
    if rules.NAME.fullmatch(name) and rules.NAME.fullmatch(bucket):
        found = engine.catalog.dataset(bucket[:256], name[:256])
    if found is None:
        raise InvalidRequest(
            f"Could not find dataset or collection {name[:100]} in bucket {bucket[:100]}",
            code="USER",
        )
    return found


def require_version(dataset: Dataset, tag: str, *, engine: Engine) -> Stored[Version]:
    """Raises `InvalidRequest`."""
    found = engine.catalog.version(dataset.id, rules.numbered(dataset, tag))
    if found is None or found.value.status is VersionStatus.DELETED:
        raise rules.unknown_version(dataset, tag or rules.LATEST)
    return found


def found_in(reference: Reference, config: DatasetConfig, *, engine: Engine) -> Stored[Dataset]:
    """Raises `InvalidRequest`."""
    return require(bucket_for(reference.bucket, config), reference.name, engine=engine)


def taken(name: str) -> InvalidRequest:
    return InvalidRequest(f"Name {name} is already being used.", code="USER")


def again(step: Callable[[], T], engine: Engine) -> T:
    """Once more with what there is now, while others were faster. Raises `Conflict`."""
    for attempt in range(1, ATTEMPTS):
        try:
            return step()
        except Conflict:
            engine.wait(engine.chance() * LONGEST_WAIT_SECONDS * 2 ** (attempt + 1 - ATTEMPTS))
    return step()


def key_of(uri: str, store: DatasetStore) -> str:
    return uri.removeprefix(f"{store.uri}/")


def manifest_key(version: Version, store: DatasetStore) -> str:
    return f"{key_of(version.location, store)}/manifests/{version.number}.json"


def staged_folder(version: Version, store: DatasetStore) -> str:
    return f"{key_of(version.location, store)}/uploads/{version.number}/"


def staged_key(version: Version, listing: str, store: DatasetStore) -> str:
    return f"{staged_folder(version, store)}{listing}.json"


def content_key(location: str, etag: str, store: DatasetStore) -> str:
    return f"{key_of(location, store)}/hashes/{etag}"


def _new_id(engine: Engine) -> DatasetId:
    """OSMO's form: 22 characters of url-safe base64."""
    return DatasetId(urlsafe_b64encode(bytes.fromhex(engine.ids())).decode().rstrip("="))


def new_collection(
    bucket: str, name: str, *, by: UserName, labels: Mapping[str, Any], engine: Engine
) -> Dataset:
    id, now = _new_id(engine), engine.clock()
    return Dataset(id, bucket, name, DatasetType.COLLECTION, by, now, labels=labels)


def _changed(
    before: Stored[Dataset],
    after: Dataset | None,
    versions: Sequence[Stored[Version]],
    changed: Iterable[Version],
) -> CatalogCommit:
    by_number = {one.value.number: one for one in versions}
    return CatalogCommit(
        datasets=((before, after),),
        versions=tuple((by_number[one.number], one) for one in changed),
    )


def _values(versions: Iterable[Stored[Version]]) -> list[Version]:
    return [one.value for one in versions]


def _parts(numbers: Sequence[int]) -> list[Sequence[int]]:
    step = VERSIONS_AT_ONCE
    return [numbers[start : start + step] for start in range(0, len(numbers), step)]
