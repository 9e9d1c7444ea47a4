"""Interactive sessions, in the table `connections`: each by itself, and by whose it is while it is
open."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

SESSION = "SESSION"


class SessionRow(Model):
    """`data`: the session as JSON, but for its version. `expires_at`: seconds since 1970."""

    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    version = NumberAttribute()
    data = UnicodeAttribute()
    expires_at = NumberAttribute()


class OpenSessionRow(Model):
    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    expires_at = NumberAttribute()


def session_key(session: str) -> tuple[str, str]:
    return f"S#{session}", SESSION


def open_session_key(user: str, session: str) -> tuple[str, str]:
    return f"US#{user}", session
