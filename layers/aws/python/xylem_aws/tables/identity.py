"""The table `identity`: what belongs to people."""

from pynamodb.attributes import BinaryAttribute, UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.models import Model

from xylem_aws.tables.attributes import Json


class CredentialRow(Model):
    """`keys`: of the payload, in the open. `sealed`: the payload; `sealed_by`: under which of our
    keys, so that one sees who still needs a key that is to go."""

    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()
    profile = UnicodeAttribute(null=True)
    keys = Json(tuple[str, ...])
    sealed = BinaryAttribute(legacy_encoding=False)
    sealed_by = UnicodeAttribute()
    set_at = UTCDateTimeAttribute()


CREDENTIAL = "CRED#"


def user_key(user: str) -> str:
    return f"U#{user}"


def credential_key(name: str) -> str:
    return f"{CREDENTIAL}{name}"
