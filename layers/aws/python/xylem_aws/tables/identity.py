"""The table `identity`: users, their roles and tokens, and what belongs to people."""

from datetime import date

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.models import Model

from xylem.domain.identity import UserRole
from xylem_aws.tables.attributes import Json


class IdentityTable(Model):
    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


class UserRow(IdentityTable):
    version = NumberAttribute()
    created_at = UTCDateTimeAttribute()
    created_by = UnicodeAttribute()
    roles = Json(tuple[UserRole, ...])


class UserEntryRow(IdentityTable):
    """A user in the list of all."""

    created_at = UTCDateTimeAttribute()
    created_by = UnicodeAttribute()


class HolderRow(IdentityTable):
    """A user in the list of those who have a role."""

    assigned_by = UnicodeAttribute()
    assigned_at = UTCDateTimeAttribute()


class TokenRow(IdentityTable):
    """`digest`: SHA-256 of the token."""

    digest = UnicodeAttribute()
    expires_on = Json(date)
    roles = Json(tuple[UserRole, ...])
    description = UnicodeAttribute(null=True)


class DigestRow(IdentityTable):
    """Whose token has this hash, and which of them it is."""

    user = UnicodeAttribute()
    name = UnicodeAttribute()


class ProfileRow(IdentityTable):
    email_notification = BooleanAttribute()
    slack_notification = BooleanAttribute()
    pool = UnicodeAttribute(null=True)


class SignedOutRow(IdentityTable):
    """What was signed for this user until then opens nothing. Of users who are gone, too."""

    at = UTCDateTimeAttribute()


class CredentialRow(IdentityTable):
    """`keys`: of the payload, in the open. `sealed`: the payload; `sealed_by`: under which of our
    keys, so that one sees who still needs a key that is to go."""

    kind = UnicodeAttribute()
    profile = UnicodeAttribute(null=True)
    keys = Json(tuple[str, ...])
    sealed = BinaryAttribute(legacy_encoding=False)
    sealed_by = UnicodeAttribute()
    set_at = UTCDateTimeAttribute()


CREDENTIAL = "CRED#"
TOKEN = "TOKEN#"
USER = "USER"
PROFILE = "PROFILE"
SIGNED_OUT = "OUT"
USERS = "USERS"
DIGEST = "TOKEN"


def user_key(user: str) -> str:
    return f"U#{user}"


def credential_key(name: str) -> str:
    return f"{CREDENTIAL}{name}"


def token_key(name: str) -> str:
    return f"{TOKEN}{name}"


def role_key(role: str) -> str:
    return f"R#{role}"


def digest_key(digest: str) -> tuple[str, str]:
    return f"K#{digest}", DIGEST
