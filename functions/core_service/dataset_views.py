"""Datasets as OSMO 6.0 shows them: field for field. Times are naive UTC without microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xylem.domain import manifest
from xylem.domain.dataset import Dataset, DatasetType, Version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from xylem.domain.dataset_config import Bucket, DatasetConfig
    from xylem.usecases.dataset_listing import Found, Shown
    from xylem.usecases.dataset_transfers import Wanted

View = dict[str, Any]

RETENTION_SECONDS = 7_776_000.0
"""OSMO's `retention_policy`: three months, which it never enforced either."""


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}"


def buckets(config: DatasetConfig, *, default_only: bool) -> View:
    shown = {} if default_only else config.buckets
    return {
        "default": config.default_bucket,
        "buckets": {
            alias: {
                "path": one.path,
                "description": one.description,
                "mode": one.mode.value,
                "default_cred": False,
            }
            for alias, one in shown.items()
        },
    }


def config(found: DatasetConfig) -> View:
    return {
        "buckets": {alias: bucket_config(one) for alias, one in found.buckets.items()},
        "default_bucket": found.default_bucket,
    }


def bucket_config(one: Bucket) -> View:
    return {
        "dataset_path": one.path,
        "region": one.region,
        "check_key": False,
        "description": one.description,
        "mode": one.mode.value,
        "default_credential": None,
    }


def started(dataset: Dataset, version: Version, region: str) -> View:
    return {
        "version_id": str(version.number),
        "region": region,
        "storage_path": hash_location(dataset),
        "manifest_path": manifest_uri(dataset.location, version.number),
    }


def finished(version: Version) -> View:
    return {
        "version_id": str(version.number),
        "region": "",
        "storage_path": "",
        "manifest_path": "",
    }


def wanted(found: Iterable[Wanted]) -> View:
    return {
        "contents": [
            {
                "etag": one.etag,
                "there": one.there,
                "put": {"url": one.put.url, "headers": dict(one.put.headers)} if one.put else None,
                "parts": [{"number": number, "url": url} for number, url in one.parts.items()],
            }
            for one in found
        ]
    }


def download_info(found: Shown, version: Version | None) -> View:
    several = [(found.dataset, version)] if version else _members(found)
    return {
        "dataset_names": [dataset.name for dataset, _ in several],
        "dataset_versions": [str(one.number) for _, one in several],
        "locations": [manifest_uri(one.location, one.number) for _, one in several],
        "new_locations": ["" for _ in several],
        "is_collection": found.dataset.is_collection,
    }


def _members(found: Shown) -> list[tuple[Dataset, Version]]:
    return [(one.dataset, one.version) for one in found.members]


def info(found: Shown, region: str) -> View:
    dataset = found.dataset
    collection = dataset.is_collection
    return {
        "name": dataset.name,
        "id": dataset.id,
        "bucket": dataset.bucket,
        "created_by": dataset.created_by,
        "created_date": moment(dataset.created_at),
        "hash_location": None if collection else hash_location(dataset),
        "hash_location_size": None if collection else dataset.stored_bytes,
        "labels": dict(dataset.labels),
        "type": dataset.kind.value,
        "versions": [
            *(_version(found, one, region) for one in found.versions),
            *(_member(one, version, region) for one, version in _members(found)),
        ],
    }


def _version(found: Shown, one: Version, region: str) -> View:
    uri = manifest_uri(one.location, one.number)
    used = (found.last_used or {}).get(one.number, one.created_at)
    return {
        "name": found.dataset.name,
        "version": str(one.number),
        "status": one.status.value,
        "created_by": one.created_by,
        "created_date": moment(one.created_at),
        "last_used": moment(used),
        "retention_policy": RETENTION_SECONDS,
        "size": one.size,
        "checksum": one.checksum or "0",
        "location": manifest.https(uri, region),
        "uri": uri,
        "metadata": dict(one.metadata),
        "tags": found.dataset.tags_of(one.number),
        "collections": sorted((found.collections or {}).get(one.number, ())),
    }


def _member(dataset: Dataset, version: Version, region: str) -> View:
    uri = manifest_uri(version.location, version.number)
    return {
        "name": dataset.name,
        "version": str(version.number),
        "location": manifest.https(uri, region),
        "uri": uri,
        "hash_location": hash_location(dataset),
        "size": version.size,
    }


def entry(dataset: Dataset) -> View:
    collection = dataset.is_collection
    latest = dataset.tags.get("latest")
    return {
        "name": dataset.name,
        "id": dataset.id,
        "bucket": dataset.bucket,
        "create_time": moment(dataset.created_at),
        "last_created": moment(dataset.last_created) if dataset.last_created else None,
        "hash_location": None if collection else hash_location(dataset),
        "hash_location_size": None if collection else dataset.stored_bytes,
        "version_id": str(latest) if latest else None,
        "type": dataset.kind.value,
    }


def answer(found: Found, region: str) -> View:
    """Of a question. Tags and collections of versions are left out, as with OSMO."""
    shown = [info(one, region) for one in found.shown]
    for one in shown:
        for version in one["versions"]:
            version["tags"] = version["collections"] = []
    return {"type": "VERSION" if found.versions else DatasetType.DATASET.value, "datasets": shown}


def deleted(
    versions: Iterable[Version], *, cleaned_bytes: int = 0, locations: Iterable[str] = ()
) -> View:
    return {
        "versions": [str(one.number) for one in versions],
        "delete_locations": list(locations),
        "cleaned_size": cleaned_bytes,
    }


def hash_location(dataset: Dataset) -> str:
    return f"{dataset.location}/hashes"


def manifest_uri(location: str, number: int) -> str:
    return f"{location}/manifests/{number}.json"
