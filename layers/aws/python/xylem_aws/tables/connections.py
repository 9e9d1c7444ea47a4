"""The table `connections`: open sockets, by themselves and by whose they are; who follows; and who
asked how often."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.models import Model

SOCKET = "SOCKET"


class SocketRow(Model):
    """`expires_at`: seconds since 1970, the longest life of a socket and a bit."""

    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    connection = UnicodeAttribute()
    kind = UnicodeAttribute()
    subject = UnicodeAttribute()
    backend = UnicodeAttribute(null=True)
    connected_at = UTCDateTimeAttribute()
    expires_at = NumberAttribute()


class FollowerRow(Model):
    """`sk`: its connection. `expires_at`: as of a socket."""

    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    task = UnicodeAttribute(null=True)
    retry = NumberAttribute(null=True)
    expires_at = NumberAttribute()


class RateRow(Model):
    """`used`: how many requests were drawn for in this window. `expires_at`: a window later."""

    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    used = NumberAttribute()
    expires_at = NumberAttribute()


def socket_key(connection: str) -> str:
    return f"C#{connection}"


def principal_key(kind: str, subject: str) -> str:
    return f"P#{kind}:{subject}"


def followers_key(workflow: str) -> str:
    return f"F#{workflow}"


def rate_key(of: str, window: int) -> tuple[str, str]:
    return f"Q#{of}", f"{window:010d}"
