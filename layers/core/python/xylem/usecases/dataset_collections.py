"""Collections: several datasets under one name, each pinned to the version that it had then."""

from collections.abc import Mapping, Sequence

from xylem.domain import dataset as rules
from xylem.domain.dataset import Dataset, DatasetId, Member, Version, VersionStatus
from xylem.domain.dataset_config import bucket_of
from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import UserName
from xylem.domain.values import dataclass, replace
from xylem.ports.catalog import CatalogCommit
from xylem.usecases.dataset_transfers import not_ready
from xylem.usecases.datasets import (
    Engine,
    again,
    new_collection,
    require,
    require_version,
    taken,
)

Named = tuple[str, str]
"""A dataset of the collection's own bucket, and a tag; without one the latest."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A member with what it is now; no version where that is gone."""

    dataset: Dataset
    version: Version


def collect(
    bucket: str, name: str, given: Sequence[Named], *, by: UserName, engine: Engine
) -> Dataset:
    """A collection among the datasets is what it holds. Raises `InvalidRequest`, `Conflict`."""
    bucket_of(bucket, engine.dataset_configs.datasets())
    rules.known_name(name, "collection")

    def step() -> Dataset:
        if engine.catalog.dataset(bucket, name) is not None:
            raise taken(name)
        found, names = _members(bucket, given, engine)
        if not found:
            raise InvalidRequest(f"Collection {name} would hold nothing.", code="USER")
        made = new_collection(bucket, name, by=by, labels={}, engine=engine)
        made = replace(made, members=rules.members(found, names, name))
        engine.catalog.commit(CatalogCommit(datasets=((None, made),), pinned=made.members))
        return made

    return again(step, engine)


def recollect(
    bucket: str, name: str, *, add: Sequence[Named], remove: Sequence[Named], engine: Engine
) -> tuple[Member, ...]:
    """Removes first; a collection that holds nothing any more is gone. Raises `InvalidRequest`,
    `Conflict`."""
    bucket_of(bucket, engine.dataset_configs.datasets())

    def step() -> tuple[Member, ...]:
        stored = require(bucket, name, engine=engine)
        if not stored.value.is_collection:
            raise InvalidRequest(f"{name} is a dataset, no collection.", code="USER")
        names: dict[DatasetId, str] = {}
        removed: list[tuple[DatasetId, int | None]] = []
        for each, tag in remove:
            dataset = require(bucket, each, engine=engine).value
            names[dataset.id] = each
            if dataset.is_collection:
                removed += [(one.dataset, one.version) for one in dataset.members]
            else:
                removed.append((dataset.id, rules.numbered(dataset, tag) if tag else None))
        added, more = _members(bucket, add, engine)
        held = {one.dataset.id: one.dataset.name for one in pinned(stored.value, engine=engine)}
        after = rules.recollected(
            stored.value, {**held, **names, **more}, removed=removed, added=added
        )
        changed = replace(stored.value, members=after) if after else None
        new = tuple(one for one in after if one not in stored.value.members)
        engine.catalog.commit(CatalogCommit(datasets=((stored, changed),), pinned=new))
        return after

    return again(step, engine)


def pinned(collection: Dataset, *, engine: Engine) -> list[Pinned]:
    """Its members as they are now, without what is gone."""
    found = []
    for member in collection.members:
        place = engine.catalog.place(member.dataset)
        dataset = engine.catalog.dataset(*place) if place else None
        version = engine.catalog.version(member.dataset, member.version)
        if dataset is not None and version is not None:
            found.append(Pinned(dataset.value, version.value))
    return found


def holding(dataset: Dataset, *, engine: Engine) -> dict[int, list[str]]:
    """By version: the collections that hold it."""
    found: dict[int, list[str]] = {}
    for stored in engine.catalog.datasets(dataset.bucket):
        for member in stored.value.members:
            if member.dataset == dataset.id:
                found.setdefault(member.version, []).append(stored.value.name)
    return found


def _members(
    bucket: str, given: Sequence[Named], engine: Engine
) -> tuple[list[Member], Mapping[DatasetId, str]]:
    found: list[Member] = []
    names: dict[DatasetId, str] = {}
    if len(given) > rules.MOST_MEMBERS:
        raise InvalidRequest(
            f"A collection holds {rules.MOST_MEMBERS} datasets at the most, not {len(given)}.",
            code="USER",
        )
    for name, tag in given:
        dataset = require(bucket, name, engine=engine).value
        if dataset.is_collection:
            for one in pinned(dataset, engine=engine):
                found.append(Member(one.dataset.id, one.version.number))
                names[one.dataset.id] = one.dataset.name
            continue
        version = require_version(dataset, tag, engine=engine).value
        if version.status is not VersionStatus.READY:
            raise not_ready(dataset, tag)
        found.append(Member(dataset.id, version.number))
        names[dataset.id] = name
    return found, names
