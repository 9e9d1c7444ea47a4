"""The table `backends`: clusters, when they were last heard, their nodes and their mailboxes."""

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.models import Model

from xylem.domain.ids import BackendName, MailId
from xylem.domain.node import Node
from xylem_aws.tables.attributes import Json

Key = tuple[str, str]
LIST = "BACKENDS"
REGISTERED = "REGISTERED"


class BackendsTable(Model):
    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


class BackendRow(BackendsTable):
    """Of the list: there are few, and every list of pools and every sweep reads all of them."""

    cluster_uid = UnicodeAttribute()
    boot_id = UnicodeAttribute()
    version = UnicodeAttribute()
    epoch = NumberAttribute()
    connection = UnicodeAttribute(null=True)
    previous = UnicodeAttribute(null=True)
    connected_at = UTCDateTimeAttribute()
    data_keys = BooleanAttribute(null=True)


class RegistrationRow(BackendsTable):
    """What admins decided, beside what the operator says, so that neither waits for the other."""

    state = UnicodeAttribute()
    digest = UnicodeAttribute(null=True)
    since = UTCDateTimeAttribute(null=True)
    by = UnicodeAttribute()
    version = NumberAttribute()


class SeenRow(BackendsTable):
    at = UTCDateTimeAttribute()


class NodeRow(BackendsTable):
    """`number`: of the frame of that boot which said so."""

    boot_id = UnicodeAttribute()
    number = NumberAttribute()
    facts = Json(Node)


class MailRow(BackendsTable):
    workflow = UnicodeAttribute()
    kind = UnicodeAttribute()
    ordinal = NumberAttribute()
    after = NumberAttribute()
    written_at = UTCDateTimeAttribute()
    payload = BinaryAttribute(null=True, legacy_encoding=False)
    payload_key = UnicodeAttribute(null=True)
    sealed_by = UnicodeAttribute(null=True)


def backend_key(name: BackendName) -> Key:
    return LIST, name


def registration_key(name: BackendName) -> Key:
    return REGISTERED, name


def seen_key(name: BackendName) -> Key:
    return f"B#{name}", "SEEN"


NODES = "NODE#"


def node_key(backend: BackendName, node: str) -> Key:
    return f"B#{backend}", f"{NODES}{node}"


def mail_key(backend: BackendName, mail: MailId) -> Key:
    return mailbox(backend), mail


def mailbox(backend: BackendName) -> str:
    return f"M#{backend}"
