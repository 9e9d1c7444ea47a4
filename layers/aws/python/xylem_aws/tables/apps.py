"""Apps, in the table `catalog`."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.models import Model

from xylem.domain.app import AppVersion
from xylem_aws.tables.attributes import Json
from xylem_aws.tables.keys import moment


class AppsTable(Model):
    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


class AppRow(AppsTable):
    """An app; the same once more in the list of all."""

    version = NumberAttribute()
    uuid = UnicodeAttribute()
    name = UnicodeAttribute()
    owner = UnicodeAttribute()
    description = UnicodeAttribute(null=True)
    created_at = UTCDateTimeAttribute()
    versions = Json(tuple[AppVersion, ...])


class AppNameRow(AppsTable):
    uuid = UnicodeAttribute()


class AppUseRow(AppsTable):
    """Somebody submitted from it."""


APP = "APP"
NAME = "NAME"
APPS = "APPS"


def app_key(uuid: str) -> tuple[str, str]:
    return f"A#{uuid}", APP


def name_key(name: str) -> tuple[str, str]:
    return f"AN#{name}", NAME


def use_key(user: str, uuid: str) -> tuple[str, str]:
    return f"AU#{user}", uuid


def listed_key(row: AppRow) -> tuple[str, str]:
    return APPS, f"{moment(row.created_at)}#{row.uuid}"
