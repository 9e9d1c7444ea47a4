"""Datasets, their versions, and collections of them: what may become of each.

A dataset is a named series of versions, and a version is a listing of files that never changes:

    PENDING         is being uploaded: its number is taken, it may be resumed, nobody reads it
    READY           was finished: each file that it lists is there, and stays
    PENDING_DELETE  was deleted, and may be recovered
    DELETED         is beyond recovery: its contents are let go of when no URL opens them any more

Everything that is said of a dataset as a whole (its labels, which tag is on which version, what a
collection holds) is one value, changed by whoever read it last. Numbers alone are counted outside
of it, so that many may start versions at once: one that was drawn and not used is skipped, and
none is ever used twice. `latest` is a tag that only the service moves: to the version that was
finished last, and where that is deleted to the newest that is left.

A tag never is a number, so `DS:1` is one version and always the same one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NewType

from xylem.domain import nested
from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import UserName
from xylem.domain.manifest import Totals
from xylem.domain.values import dataclass, field, replace

DatasetId = NewType("DatasetId", str)
"""22 characters: what a dataset's objects are named by, so a rename moves nothing."""

LATEST = "latest"
NAME = re.compile(r"[a-zA-Z0-9_-]+", re.ASCII)
NAME_CHARS = 128
MOST_TAGS = 1_000
"""Of a dataset: they are in its row."""

MOST_MEMBERS = 80
"""Of a collection: each is checked in the transaction that pins it, which takes 100 actions."""

RECOVERABLE = timedelta(days=7)
"""How long what was deleted may be recovered."""

ABANDONED = timedelta(days=7)
"""After which an upload that nobody goes on with is given up."""

URL_LIFE = timedelta(hours=1)
GRACE = URL_LIFE + timedelta(minutes=5)
"""From when nothing new is signed for a version until its contents are let go of: every URL has
expired by then, on clocks that differ by minutes."""


class VersionStatus(StrEnum):
    PENDING = "PENDING"
    READY = "READY"
    PENDING_DELETE = "PENDING_DELETE"
    DELETED = "DELETED"


class DatasetType(StrEnum):
    DATASET = "DATASET"
    COLLECTION = "COLLECTION"


@dataclass(frozen=True, slots=True)
class Version:
    """`since`: when it came to its status, or its upload was last gone on with. `metadata` always
    has a `description`. `location` is its dataset's, which may be gone before it. `manifest`: the
    hash of the listing that it was finished with."""

    dataset: DatasetId
    location: str
    number: int
    status: VersionStatus
    created_by: UserName
    created_at: datetime
    since: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)
    files: int = 0
    size: int = 0
    checksum: str = ""
    manifest: str = ""
    deleted_by: UserName | None = None

    @property
    def active(self) -> bool:
        return self.status in (VersionStatus.PENDING, VersionStatus.READY)


def due_at(version: Version) -> datetime | None:
    """When somebody has to look at it, unless something happens before; None: never."""
    match version.status:
        case VersionStatus.PENDING:
            return version.since + ABANDONED
        case VersionStatus.READY:
            return None
        case VersionStatus.PENDING_DELETE:
            return version.since + RECOVERABLE
        case VersionStatus.DELETED:
            return version.since + GRACE


@dataclass(frozen=True, slots=True)
class Member:
    """Of a collection: one version of a dataset."""

    dataset: DatasetId
    version: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """`location`: the URI below which its objects lie. `stored_bytes`: what they come to.
    `writers`: who made a version of it that was finished; `last_created`: when the newest of those
    was. A collection has `members`, and none of the rest."""

    id: DatasetId
    bucket: str
    name: str
    kind: DatasetType
    created_by: UserName
    created_at: datetime
    location: str = ""
    labels: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    stored_bytes: int = 0
    writers: tuple[UserName, ...] = ()
    last_created: datetime | None = None
    members: tuple[Member, ...] = ()

    @property
    def is_collection(self) -> bool:
        return self.kind is DatasetType.COLLECTION

    def tags_of(self, version: int) -> list[str]:
        return sorted(tag for tag, number in self.tags.items() if number == version)


@dataclass(frozen=True, slots=True)
class Reference:
    """`[bucket/]name[:tag-or-version]`."""

    bucket: str | None
    name: str
    tag: str = ""

    def __str__(self) -> str:
        bucket = f"{self.bucket}/" if self.bucket else ""
        return f"{bucket}{self.name}{':' if self.tag else ''}{self.tag}"


def reference(text: str) -> Reference:
    """Raises `InvalidRequest`."""
    front, colon, tag = text.partition(":")
    bucket, slash, name = front.rpartition("/")
    for part in (name, *([bucket] if slash else ()), *([tag] if colon else ())):
        if NAME.fullmatch(part) is None or len(part) > NAME_CHARS:
            raise _user(
                f"{text[:200]!r} names no dataset: write [BUCKET/]NAME[:TAG or VERSION], of "
                f"letters, digits, - and _, each {NAME_CHARS} at the most."
            )
    return Reference(bucket or None, name, tag)


def known_name(text: str, what: str = "dataset") -> str:
    """Raises `InvalidRequest`."""
    if NAME.fullmatch(text) is None or len(text) > NAME_CHARS:
        raise _user(
            f"{text[:100]!r} is no name of a {what}: use letters, digits, - and _, {NAME_CHARS} "
            "at the most."
        )
    return text


def tag_name(text: str) -> str:
    """A tag that a user may set. Raises `InvalidRequest`."""
    if text == LATEST:
        raise _user('Cannot add or delete "latest" tag')
    if text.isdecimal():
        raise _user(f"Cannot set a number as a tag {text[:100]}.")
    return known_name(text, "tag")


# Uploads -----------------------------------------------------------------------------------------


def require_dataset(dataset: Dataset, doing: str) -> None:
    """Raises `InvalidRequest` for a collection."""
    if dataset.is_collection:
        raise _user(f"{dataset.name} is a collection: {doing} is possible with a dataset alone.")


def start(
    dataset: Dataset,
    number: int,
    *,
    by: UserName,
    description: str,
    metadata: Mapping[str, Any],
    now: datetime,
) -> Version:
    """Raises `InvalidRequest`, `TooLarge`."""
    given = nested.merged({"description": description}, metadata, what="metadata")
    pending = VersionStatus.PENDING
    return Version(dataset.id, dataset.location, number, pending, by, now, now, given)


def resume(version: Version, name: str, now: datetime) -> Version:
    """Raises `InvalidRequest`."""
    if version.status is not VersionStatus.PENDING:
        raise _user(
            f"Version {version.number} of dataset {name} is {version.status}: only one that is "
            "PENDING can be resumed."
        )
    return replace(version, since=now)


def finish(
    dataset: Dataset,
    version: Version,
    found: Totals,
    *,
    manifest: str,
    stored_bytes: int,
    tag: str,
    labels: Mapping[str, Any],
    metadata: Mapping[str, Any],
    now: datetime,
) -> tuple[Dataset, Version] | None:
    """None: it was finished with the same files before, and nothing changes. Raises
    `InvalidRequest` where somebody else finished it with others, or it was deleted."""
    if version.status is VersionStatus.READY and version.checksum == found.checksum:
        return None
    if version.status is not VersionStatus.PENDING:
        was = (
            "was finished by another upload, with other files"
            if version.status is VersionStatus.READY
            else f"is {version.status}"
        )
        raise _user(
            f"Version {version.number} of dataset {dataset.name} {was}: nothing was changed. "
            "Upload yours as a new version."
        )
    done = replace(
        version,
        status=VersionStatus.READY,
        since=now,
        files=found.files,
        size=found.size,
        checksum=found.checksum,
        manifest=manifest,
        metadata=nested.merged(version.metadata, metadata, what="metadata"),
    )
    tags = {**dataset.tags, LATEST: version.number}
    if tag:
        tags[tag_name(tag)] = version.number
    newest = max(dataset.last_created or version.created_at, version.created_at)
    changed = replace(
        dataset,
        tags=_bounded(tags),
        labels=nested.merged(dataset.labels, labels, what="labels"),
        stored_bytes=stored_bytes,
        writers=tuple(sorted({*dataset.writers, version.created_by})),
        last_created=newest,
    )
    return changed, done


# Tags --------------------------------------------------------------------------------------------


def numbered(dataset: Dataset, tag: str) -> int:
    """The version that a tag or number means; without one the latest. Raises `InvalidRequest`.
    Whether there is a version of that number is for whoever has it."""
    if tag.isdecimal():
        return int(tag[:18])
    found = dataset.tags.get(tag or LATEST)
    if found is None:
        raise unknown_version(dataset, tag or LATEST)
    return found


def unknown_version(dataset: Dataset, tag: str) -> InvalidRequest:
    return _user(
        f"Dataset {dataset.name} tag {tag[:NAME_CHARS]} does not exist in bucket {dataset.bucket}"
    )


def with_tags(
    dataset: Dataset, number: int, given: Iterable[str], deleted: Iterable[str]
) -> Dataset:
    """Deleting one that is not there is no error. Raises `InvalidRequest`."""
    tags = {**dataset.tags, **{tag_name(tag): number for tag in given}}
    for tag in map(tag_name, deleted):
        tags.pop(tag, None)
    return replace(dataset, tags=_bounded(tags))


def _bounded(tags: Mapping[str, int]) -> Mapping[str, int]:
    if len(tags) > MOST_TAGS:
        raise _user(f"A dataset has {MOST_TAGS} tags at the most: delete some first.")
    return tags


# Deletion ----------------------------------------------------------------------------------------


def delete(
    dataset: Dataset,
    versions: Sequence[Version],
    chosen: Iterable[int],
    *,
    by: UserName,
    now: datetime,
) -> tuple[Dataset, tuple[Version, ...]]:
    """The dataset, and those that changed; `versions` are all that it has."""
    numbers = set(chosen)
    gone = tuple(
        replace(one, status=VersionStatus.PENDING_DELETE, since=now, deleted_by=by)
        for one in versions
        if one.number in numbers and one.active
    )
    left = [one for one in versions if one.number not in {each.number for each in gone}]
    return _latest_of(dataset, left), gone


def recover(
    dataset: Dataset, versions: Sequence[Version], chosen: Iterable[int], *, now: datetime
) -> tuple[Dataset, tuple[Version, ...]]:
    """What was finished is READY again, what was not is PENDING. Raises `InvalidRequest` for what
    is beyond recovery."""
    numbers = set(chosen)
    back = []
    for one in versions:
        if one.number not in numbers or one.active:
            continue
        if one.status is VersionStatus.DELETED:
            raise _user(
                f"Version {one.number} of dataset {dataset.name} is beyond recovery: it was "
                f"deleted by {one.deleted_by or 'nobody, but never finished'}."
            )
        status = VersionStatus.READY if one.checksum else VersionStatus.PENDING
        back.append(replace(one, status=status, since=now, deleted_by=None))
    changed = {one.number: one for one in back}
    after = [changed.get(one.number, one) for one in versions]
    return _newest_is_latest(dataset, after, changed), tuple(back)


def drop(
    dataset: Dataset, versions: Sequence[Version], chosen: Iterable[int], *, now: datetime
) -> tuple[Dataset | None, tuple[Version, ...]]:
    """Put those that were deleted, or given up, beyond recovery. None: no version is left, and the
    name is free."""
    numbers = set(chosen)
    gone = tuple(
        replace(one, status=VersionStatus.DELETED, since=now)
        for one in versions
        if one.number in numbers and one.status is not VersionStatus.DELETED
    )
    ended = {one.number for one in gone}
    left = [one for one in versions if one.number not in ended]
    if all(one.status is VersionStatus.DELETED for one in left):
        return None, gone
    tags = {tag: number for tag, number in dataset.tags.items() if number not in ended}
    return _latest_of(replace(dataset, tags=tags), left), gone


def _latest_of(dataset: Dataset, versions: Sequence[Version]) -> Dataset:
    """Where the latest is not READY any more, the newest that is."""
    ready = [one for one in versions if one.status is VersionStatus.READY]
    tags = dict(dataset.tags)
    if tags.get(LATEST) not in {one.number for one in ready}:
        tags.pop(LATEST, None)
        if ready:
            tags[LATEST] = _newest(ready).number
    newest = max((one.created_at for one in ready), default=None)
    return replace(dataset, tags=tags, last_created=newest)


def _newest_is_latest(
    dataset: Dataset, versions: Sequence[Version], recovered: Mapping[int, Version]
) -> Dataset:
    ready = [one for one in versions if one.status is VersionStatus.READY]
    changed = _latest_of(dataset, versions)
    if ready and _newest(ready).number in recovered:
        return replace(changed, tags={**changed.tags, LATEST: _newest(ready).number})
    return changed


def _newest(ready: Sequence[Version]) -> Version:
    return max(ready, key=lambda one: (one.created_at, one.number))


# Collections -------------------------------------------------------------------------------------


def members(
    given: Iterable[Member], names: Mapping[DatasetId, str], collection: str
) -> tuple[Member, ...]:
    """One version of each dataset. Raises `InvalidRequest`."""
    found: dict[DatasetId, Member] = {}
    for one in given:
        before = found.setdefault(one.dataset, one)
        if before != one:
            raise _user(
                f"Collection {collection} would hold versions {before.version} and {one.version} "
                f"of dataset {names.get(one.dataset, one.dataset)}: it holds one of each."
            )
    if len(found) > MOST_MEMBERS:
        raise _user(f"A collection holds {MOST_MEMBERS} datasets at the most, not {len(found)}.")
    return tuple(sorted(found.values(), key=lambda one: names.get(one.dataset, one.dataset)))


def recollected(
    collection: Dataset,
    names: Mapping[DatasetId, str],
    *,
    removed: Iterable[tuple[DatasetId, int | None]],
    added: Iterable[Member],
) -> tuple[Member, ...]:
    """Removes first. None: whichever version it holds. Raises `InvalidRequest`."""
    left = {one.dataset: one for one in collection.members}
    for dataset, version in removed:
        held = left.pop(dataset, None)
        name = names.get(dataset, dataset)
        if held is None:
            raise _user(f"Collection {collection.name} does not hold dataset {name}.")
        if version is not None and held.version != version:
            raise _user(
                f"Collection {collection.name} holds version {held.version} of dataset {name}, "
                f"not {version}."
            )
    return members([*left.values(), *added], names, collection.name)


def _user(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="USER")
