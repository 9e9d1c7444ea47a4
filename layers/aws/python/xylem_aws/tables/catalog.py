"""The table `catalog`: datasets, their versions, and the contents that these need."""

from datetime import datetime

from pynamodb.attributes import (
    BooleanAttribute,
    NumberAttribute,
    NumberSetAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.models import Model

from xylem.domain.dataset import Dataset, DatasetId, Version
from xylem_aws.tables.attributes import Json
from xylem_aws.tables.keys import moment

Key = tuple[str, str]


class CatalogTable(Model):
    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


class DatasetRow(CatalogTable):
    """`id`: of the dataset, so that one that took the name of another is not taken for it.
    `last_number`: that was drawn for a version; it is counted without a change of `version`."""

    id = UnicodeAttribute()
    version = NumberAttribute()
    last_number = NumberAttribute(null=True)
    value = Json(Dataset)


class PlaceRow(CatalogTable):
    bucket = UnicodeAttribute()
    name = UnicodeAttribute()


class VersionRow(CatalogTable):
    """`last_used` is written by itself, whoever changes the version meanwhile."""

    version = NumberAttribute()
    status = UnicodeAttribute()
    value = Json(Version)
    last_used = UTCDateTimeAttribute(null=True)


class ContentRow(CatalogTable):
    """`held_by`: versions. `removing`: nobody can hold it until its row is gone."""

    size = NumberAttribute()
    held_by = NumberSetAttribute(null=True)
    there = BooleanAttribute(null=True)
    upload = UnicodeAttribute(null=True)
    removing = BooleanAttribute(null=True)


class DueVersionRow(CatalogTable):
    """All of it is in its key."""


VERSION = "V#"
DUE = "DUE"
"""One partition: a version passes through it three times in its life."""

CONTENT_SHARDS = "0123456789abcdef"
"""By the first digit of the hash: a large upload would be one hot partition."""


def bucket_key(bucket: str) -> str:
    return f"B#{bucket}"


def dataset_key(bucket: str, name: str) -> Key:
    return bucket_key(bucket), name


def of_dataset(id: DatasetId) -> str:
    return f"D#{id}"


def place_key(id: DatasetId) -> Key:
    return of_dataset(id), "PLACE"


def version_key(id: DatasetId, number: int) -> Key:
    return of_dataset(id), f"{VERSION}{number:012d}"


def content_partition(id: DatasetId, digit: str) -> str:
    return f"O#{id}#{digit}"


def content_key(id: DatasetId, etag: str) -> Key:
    return content_partition(id, etag[0]), etag


def due_key(id: DatasetId, number: int, at: datetime) -> Key:
    return DUE, f"{moment(at)}#{id}#{number}"
