"""Buckets of datasets, as an admin sets them (OSMO's config DATASET).

A bucket is an alias with a mode for a place below the deployment's own object store: users reach it
through URLs that the service signs, so none of them, and no task, holds keys of a store.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from xylem.domain.dataset import known_name
from xylem.domain.errors import InvalidRequest
from xylem.domain.values import dataclass, field

PATH = re.compile(r"[a-zA-Z0-9._/-]*", re.ASCII)
PATH_CHARS = 256
MOST_BUCKETS = 200


class Mode(StrEnum):
    READ_WRITE = "read-write"
    READ_ONLY = "read-only"


@dataclass(frozen=True, slots=True)
class Bucket:
    """`path`: the URI below which its datasets lie."""

    path: str
    region: str = "us-east-1"
    mode: Mode = Mode.READ_WRITE
    description: str = ""


@dataclass(frozen=True, slots=True)
class DatasetConfig:
    buckets: Mapping[str, Bucket] = field(default_factory=dict)
    default_bucket: str = ""


def mode_of(text: str) -> Mode:
    """Raises `InvalidRequest`."""
    try:
        return Mode(text.lower())
    except ValueError:
        known = ", ".join(Mode)
        raise InvalidRequest(
            f"{text[:100]!r} is no mode of a bucket: say one of {known}.", code="USER"
        ) from None


def checked(config: DatasetConfig, *, store: str) -> DatasetConfig:
    """`store`: the URI of the store that the deployment keeps datasets in. Raises
    `InvalidRequest`."""
    if len(config.buckets) > MOST_BUCKETS:
        raise InvalidRequest(f"{len(config.buckets)} buckets; the most is {MOST_BUCKETS}.")
    for alias, bucket in config.buckets.items():
        known_name(alias, "bucket")
        path = bucket.path.removeprefix(store)
        parts = path.removeprefix("/").split("/")
        if (
            not bucket.path.startswith(store)
            or (path and not path.startswith("/"))
            or PATH.fullmatch(path) is None
            or len(path) > PATH_CHARS
            or (path not in ("", "/") and any(part in ("", ".", "..") for part in parts))
        ):
            raise InvalidRequest(
                f"buckets.{alias}.dataset_path: this deployment keeps datasets in {store}: write "
                f"{store} or a place below it, e.g. {store}/{alias}, of letters, digits, ., - "
                "and _.",
                code="USAGE",
            )
    if config.default_bucket and config.default_bucket not in config.buckets:
        raise InvalidRequest(
            f"default_bucket: there is no bucket {config.default_bucket[:100]}. Known are "
            f"{', '.join(sorted(config.buckets)) or 'none'}.",
            code="USER",
        )
    return config


def bucket_of(name: str, config: DatasetConfig) -> Bucket:
    """Raises `InvalidRequest`."""
    found = config.buckets.get(name)
    if found is None:
        raise InvalidRequest(f"Bucket {name[:100]} is not set in the configs", code="USER")
    return found


def require_writable(name: str, config: DatasetConfig) -> Bucket:
    """In OSMO's words. Raises `InvalidRequest`."""
    bucket = bucket_of(name, config)
    if bucket.mode is Mode.READ_ONLY:
        raise InvalidRequest(
            f"Bucket {name} mode is read-only. Cannot be accessed by BucketModeAccess.WRITE api.",
            code="USAGE",
        )
    return bucket


def bucket_for(named: str | None, config: DatasetConfig) -> str:
    """Of a reference: the one that it names, or the default. Raises `InvalidRequest`."""
    if named is None and not config.default_bucket:
        raise InvalidRequest(
            "There is no default bucket of datasets: write BUCKET/NAME, or ask an administrator "
            "to set one.",
            code="USER",
        )
    alias = named or config.default_bucket
    bucket_of(alias, config)
    return alias
