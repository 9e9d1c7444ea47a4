"""Buckets of datasets, as an administrator sets them: OSMO's config DATASET."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from functions.core_service import dataset_views as views
from functions.core_service.config_notes import Change, noted
from functions.core_service.identity import User
from functions.core_service.services import Has
from functions.core_service.text import Text
from functions.core_service.views import View
from xylem.domain.config import ConfigKind, Note
from xylem.domain.dataset_config import Bucket, DatasetConfig, bucket_of, checked, mode_of
from xylem.domain.errors import InvalidRequest
from xylem.domain.values import replace

router = APIRouter(prefix="/api/configs/dataset")

MOST_CHARS = 4096


class BucketBody(BaseModel):
    """`dataset_path`: a URI of the deployment's store, or a path in it. `check_key` and
    `default_credential` ask for nothing with their defaults: nobody needs keys of a store here."""

    model_config = ConfigDict(extra="forbid")

    dataset_path: Text
    region: Annotated[Text, Field(min_length=1, max_length=64)] = "us-east-1"
    check_key: bool = False
    description: Annotated[Text, Field(max_length=MOST_CHARS)] = ""
    mode: Text = "read-write"
    default_credential: dict[str, Any] | None = None


class BucketChanges(BucketBody):
    dataset_path: Text = ""


class ConfigBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    buckets: dict[str, BucketBody] = {}
    default_bucket: Text = ""


class ConfigChanges(BaseModel):
    model_config = ConfigDict(extra="forbid")

    buckets: dict[str, BucketChanges] = {}
    default_bucket: Text | None = None


class PutConfig(Change):
    configs: ConfigBody


class PatchConfig(Change):
    configs_dict: ConfigChanges


class PatchBucket(Change):
    configs_dict: BucketChanges


@router.get("")
def get_dataset_configs(who: User, has: Has) -> View:
    return views.config(has.datasets.dataset_configs.datasets())


@router.get("/{alias}")
def get_bucket(alias: str, who: User, has: Has) -> View:
    return views.bucket_config(bucket_of(alias, has.datasets.dataset_configs.datasets()))


@router.put("")
def put_config(body: PutConfig, who: User, has: Has) -> None:
    buckets = {alias: _bucket(alias, one, None, has) for alias, one in body.configs.buckets.items()}
    note = noted(body, ConfigKind.DATASET, "", "Set the buckets of datasets")
    _change(lambda _: DatasetConfig(buckets, body.configs.default_bucket), who, has, note)


@router.patch("")
def patch_config(body: PatchConfig, who: User, has: Has) -> View:
    """What is not named stays as it is."""
    changes = body.configs_dict

    def into(config: DatasetConfig) -> DatasetConfig:
        for alias, one in changes.buckets.items():
            config = _with(alias, one, config, has)
        default = changes.default_bucket
        return config if default is None else replace(config, default_bucket=default)

    note = noted(body, ConfigKind.DATASET, "", "Patched the buckets of datasets")
    return views.config(_change(into, who, has, note))


@router.patch("/{alias}")
def patch_bucket(alias: str, body: PatchBucket, who: User, has: Has) -> View:
    note = noted(body, ConfigKind.DATASET, alias, f"Patched bucket {alias}")
    after = _change(lambda config: _with(alias, body.configs_dict, config, has), who, has, note)
    return views.bucket_config(after.buckets[alias])


@router.delete("/{alias}")
def delete_bucket(alias: str, who: User, has: Has, body: Change | None = None) -> None:
    """Its datasets stay where they are, out of reach until it is there again."""

    def into(config: DatasetConfig) -> DatasetConfig:
        bucket_of(alias, config)
        left = {name: one for name, one in config.buckets.items() if name != alias}
        default = "" if config.default_bucket == alias else config.default_bucket
        return DatasetConfig(left, default)

    _change(into, who, has, noted(body, ConfigKind.DATASET, alias, f"Delete bucket {alias}"))


def _with(alias: str, given: BucketChanges, config: DatasetConfig, has: Has) -> DatasetConfig:
    bucket = _bucket(alias, given, config.buckets.get(alias), has)
    return replace(config, buckets={**config.buckets, alias: bucket})


def _bucket(alias: str, given: BucketBody, before: Bucket | None, has: Has) -> Bucket:
    if given.check_key or given.default_credential is not None:
        raise InvalidRequest(
            f"buckets.{alias}: check_key and default_credential have no use here: who reads or "
            "writes datasets needs no keys of a store. Take them out.",
            code="USAGE",
        )
    path = given.dataset_path.rstrip("/")
    if "://" not in path:
        path = f"{has.datasets.dataset_store.uri}/{path}".rstrip("/")
    if before is None:
        if not given.dataset_path:
            raise InvalidRequest(f"buckets.{alias}: a new bucket needs a dataset_path.")
        return Bucket(path, given.region, mode_of(given.mode), given.description)
    said = given.model_fields_set
    return Bucket(
        path if "dataset_path" in said else before.path,
        given.region if "region" in said else before.region,
        mode_of(given.mode) if "mode" in said else before.mode,
        given.description if "description" in said else before.description,
    )


def _change(into: Any, who: User, has: Has, note: Note) -> DatasetConfig:
    engine = has.datasets
    return engine.dataset_configs.change_datasets(
        lambda config: checked(into(config), store=engine.dataset_store.uri),
        author=who.subject,
        now=engine.clock(),
        note=note,
    )
