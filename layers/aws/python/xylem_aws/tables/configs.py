"""The table `configs`: each kind of config as it is, and its revisions."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.models import Model

CURRENT = "CURRENT"
POOLS = "C#POOL"
POD_TEMPLATES = "C#POD_TEMPLATE"
GROUP_TEMPLATES = "C#GROUP_TEMPLATE"
RESOURCE_VALIDATIONS = "C#RESOURCE_VALIDATION"
BACKENDS = "C#BACKEND"
BACKEND_TESTS = "C#BACKEND_TEST"
WORKFLOW = "C#WORKFLOW"


class ConfigRow(Model):
    """`data`: the whole kind as JSON."""

    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    revision = NumberAttribute()
    author = UnicodeAttribute()
    at = UTCDateTimeAttribute()
    data = UnicodeAttribute()


def revision_key(revision: int) -> str:
    return f"R#{revision:010d}"
