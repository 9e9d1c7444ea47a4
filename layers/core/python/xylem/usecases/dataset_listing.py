"""Which datasets there are, what one has, and which ones fit a question."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from xylem.domain.dataset import Dataset, DatasetType, Version, VersionStatus
from xylem.domain.dataset_config import bucket_of
from xylem.domain.dataset_query import Question, about_versions, fits
from xylem.domain.errors import InvalidRequest
from xylem.domain.values import dataclass
from xylem.usecases.dataset_collections import Pinned, holding, pinned
from xylem.usecases.datasets import Engine, require, require_version

Order = Literal["ASC", "DESC"]

MOST_LISTED = 1_000
MOST_FOUND = 1_000
"""Of a question: an answer has 6 MB at the most."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A dataset with versions in order, when each was last used, and the collections that hold it;
    a collection with its members."""

    dataset: Dataset
    versions: tuple[Version, ...] = ()
    last_used: Mapping[int, datetime] | None = None
    collections: Mapping[int, Sequence[str]] | None = None
    members: tuple[Pinned, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """`users`: who made versions of it, or the collection. None: whoever."""

    name: str = ""
    users: tuple[str, ...] | None = None
    buckets: tuple[str, ...] = ()
    kind: DatasetType | None = None
    before: datetime | None = None
    after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """`versions`: whether the answer is of versions, which then each is in a dataset of its own."""

    versions: bool
    shown: tuple[Shown, ...]


def describe(
    bucket: str, name: str, tag: str, *, every: bool, count: int, order: Order, engine: Engine
) -> Shown:
    """Without a tag what is READY; with one, or where all are asked for, whatever may be recovered,
    too. The newest `count` of them; 0: all. Raises `InvalidRequest`."""
    bucket_of(bucket, engine.dataset_configs.datasets())
    dataset = require(bucket, name, engine=engine).value
    if dataset.is_collection:
        return Shown(dataset, members=tuple(pinned(dataset, engine=engine)))
    if tag:
        found = [require_version(dataset, tag, engine=engine).value]
    else:
        all_ = [one.value for one in engine.catalog.versions(dataset.id)]
        found = [
            one
            for one in all_
            if one.status is VersionStatus.READY
            or (every and one.status is not VersionStatus.DELETED)
        ]
    if not found:
        raise InvalidRequest(
            f"Dataset/Collection {name} does not have any entry fitting the parameters in bucket "
            f"{bucket}.",
            code="DATABASE",
        )
    found.sort(key=_age, reverse=True)
    newest = found[:count] if count else found
    return Shown(
        dataset,
        tuple(newest if order == "DESC" else reversed(newest)),
        engine.catalog.last_used(dataset.id),
        holding(dataset, engine=engine),
    )


def listed(wanted: Filter, *, count: int, order: Order, engine: Engine) -> list[Dataset]:
    """Those that have a version to read, and collections: the newest `count`. Raises
    `InvalidRequest`."""
    config = engine.dataset_configs.datasets()
    buckets = wanted.buckets or tuple(sorted(config.buckets))
    for bucket in buckets:
        bucket_of(bucket, config)
    found = [one for bucket in buckets for one in _of(bucket, engine) if _wanted(one, wanted)]
    found.sort(key=lambda one: (_last(one), one.name), reverse=True)
    newest = found[: min(count, MOST_LISTED)]
    return newest if order == "DESC" else newest[::-1]


def query(bucket: str, question: Question, *, engine: Engine) -> Found:
    """Raises `InvalidRequest` where nothing fits, as OSMO does."""
    bucket_of(bucket, engine.dataset_configs.datasets())
    versions = about_versions(question)
    found: list[Shown] = []
    for dataset in _of(bucket, engine):
        if versions:
            if not dataset.is_collection:
                found += [
                    Shown(dataset, (one.value,))
                    for one in engine.catalog.versions(dataset.id)
                    if one.value.status is not VersionStatus.DELETED
                    and fits(question, dataset, one.value)
                ]
        elif fits(question, dataset):
            found.append(Shown(dataset))
        if len(found) > MOST_FOUND:
            raise InvalidRequest(
                f"More than {MOST_FOUND} datasets or versions fit: ask more narrowly.", code="USER"
            )
    if not found:
        raise InvalidRequest(f"No Datasets Fit the Query in bucket {bucket}", code="USER")
    return Found(versions, tuple(found))


def _of(bucket: str, engine: Engine) -> Iterator[Dataset]:
    return (stored.value for stored in engine.catalog.datasets(bucket))


def _wanted(one: Dataset, wanted: Filter) -> bool:
    if not one.is_collection and one.last_created is None:
        return False
    makers = {one.created_by} if one.is_collection else set(one.writers)
    return (
        wanted.name in one.name
        and (wanted.users is None or bool(makers & set(wanted.users)))
        and (wanted.kind is None or one.kind is wanted.kind)
        and (wanted.before is None or _last(one) < wanted.before)
        and (wanted.after is None or _last(one) >= wanted.after)
    )


def _last(one: Dataset) -> datetime:
    return one.last_created or one.created_at


def _age(version: Version) -> tuple[datetime, int]:
    return version.created_at, version.number
