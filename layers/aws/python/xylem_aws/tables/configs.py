"""The table `configs`: each kind of config as it is, and its revisions."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.models import Model

from xylem_aws.tables.attributes import Json

CURRENT = "CURRENT"
REVISION = "R#"


class ConfigRow(Model):
    """`data`: the whole kind as JSON. `name` and what follows say why it was changed; a revision
    that was taken out of the history has `deleted_by`."""

    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    revision = NumberAttribute()
    author = UnicodeAttribute()
    at = UTCDateTimeAttribute()
    data = UnicodeAttribute()
    name = UnicodeAttribute(null=True)
    description = UnicodeAttribute(null=True)
    tags = Json(tuple[str, ...], null=True)
    deleted_by = UnicodeAttribute(null=True)


def kind_key(kind: str) -> str:
    return f"C#{kind}"


def revision_key(revision: int) -> str:
    return f"{REVISION}{revision:010d}"
