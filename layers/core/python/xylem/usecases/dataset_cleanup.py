"""Nothing is kept for nobody, and nothing goes that somebody needs.

Once a minute a few versions are looked at whose time has come:

    an upload that nobody went on with for a week is given up
    what was deleted a week ago is put beyond recovery
    of what is beyond recovery the contents are let go of, an hour later, when no URL opens them

A content counts the versions that need it, and one that is being written counts from before it was
told that the content is there. Who lets the last of them go marks the row in the same write, and
from then on nobody can hold that content until it is gone from the store and its row is gone, too:
so a removal never meets an upload half way. A clean-up that dies in between is done again, and
finds less to do.
"""

from datetime import datetime

from xylem.domain import dataset as rules
from xylem.domain.dataset import Dataset, Version, VersionStatus
from xylem.domain.errors import Conflict
from xylem.domain.values import dataclass
from xylem.ports.catalog import CatalogCommit, Due, Held
from xylem.ports.stored import Stored
from xylem.usecases.datasets import (
    Engine,
    content_key,
    drop_some,
    let_collections_go,
    manifest_key,
    staged_folder,
)

VERSIONS = 20
CONTENTS = 1_000
"""In one go: the Monitor has 90 s, and comes again in a minute."""

STORE_KEYS = 1_000
"""In one request to S3 (docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html)."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    versions: int = 0
    contents: int = 0
    bytes: int = 0


def clean_up(*, engine: Engine) -> Cleaned:
    """What was let go of. A version that somebody changes meanwhile waits for the next time."""
    versions = contents = size = 0
    for due in engine.catalog.due(engine.clock(), limit=VERSIONS):
        try:
            done = _look_at(due, CONTENTS - contents, engine)
        except Conflict:
            continue
        versions += done.versions
        contents += done.contents
        size += done.bytes
        if contents >= CONTENTS:
            break
    return Cleaned(versions, contents, size)


def _look_at(due: Due, most: int, engine: Engine) -> Cleaned:
    stored = engine.catalog.version(due.dataset, due.version)
    if stored is None:
        engine.catalog.put_off(due, None)
        return Cleaned()
    now, version = engine.clock(), stored.value
    at = rules.due_at(version)
    if at is None or at > now:
        engine.catalog.put_off(due, at)
        return Cleaned()
    if version.status is VersionStatus.DELETED:
        return _let_go(stored, most, engine)
    _put_beyond_recovery(stored, now, engine)
    return Cleaned()


def _put_beyond_recovery(stored: Stored[Version], now: datetime, engine: Engine) -> None:
    version = stored.value
    dataset = _dataset_of(version, engine)
    if dataset is None:
        _, [gone] = rules.drop(_nameless(version), [version], [version.number], now=now)
        engine.catalog.commit(CatalogCommit(versions=((stored, gone),)))
        return
    let_collections_go(dataset.id, dataset.bucket, {version.number}, engine=engine)
    drop_some(dataset, [version.number], engine=engine)


def _let_go(stored: Stored[Version], most: int, engine: Engine) -> Cleaned:
    version, store = stored.value, engine.dataset_store
    mine: list[Held] = []
    free: dict[str, Held] = {}
    left = 0
    for one in engine.catalog.held(version.dataset):
        if not one.by:
            free[one.etag] = one
        elif version.number in one.by and len(mine) < most:
            mine.append(one)
        elif version.number in one.by:
            left += 1
    released = engine.catalog.release(version.dataset, version.number, [one.etag for one in mine])
    free |= {one.etag: one for one in mine if one.etag in set(released)}
    for one in free.values():
        if one.upload is not None:
            store.give_up(content_key(version.location, one.etag, store), one.upload)
    etags = list(free)
    for start in range(0, len(etags), STORE_KEYS):
        part = etags[start : start + STORE_KEYS]
        store.delete([content_key(version.location, etag, store) for etag in part])
        engine.catalog.forget(version.dataset, part)
    freed = sum(one.size for one in free.values() if one.there)
    if left:
        return Cleaned(0, len(free), freed)
    store.delete([manifest_key(version, store)])
    while keys := store.keys(staged_folder(version, store), limit=STORE_KEYS):
        store.delete(keys)
    engine.catalog.commit(CatalogCommit(versions=((stored, None),)))
    return Cleaned(1, len(free), freed)


def _dataset_of(version: Version, engine: Engine) -> Dataset | None:
    place = engine.catalog.place(version.dataset)
    found = engine.catalog.dataset(*place) if place else None
    return found.value if found else None


def _nameless(version: Version) -> Dataset:
    """What stands for the dataset of a version that outlived it."""
    kind = rules.DatasetType.DATASET
    return Dataset(version.dataset, "", "", kind, version.created_by, version.created_at)
