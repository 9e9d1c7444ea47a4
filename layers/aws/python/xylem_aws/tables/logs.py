"""The table `logs`: chunks of attempts' spools, their ends, what is to be masked in them, and who
is at which barrier."""

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    NumberAttribute,
    UnicodeAttribute,
)
from pynamodb.models import Model

from xylem.domain.ids import GroupId
from xylem.ports.task_tokens import Attempt

END = "END"


class LogsTable(Model):
    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


class ChunkRow(LogsTable):
    length = NumberAttribute()
    body = BinaryAttribute(null=True, legacy_encoding=False)
    key = UnicodeAttribute(null=True)


class EndRow(LogsTable):
    length = NumberAttribute()
    complete = BooleanAttribute()


class ArrivalRow(LogsTable):
    """`expires_at`: seconds since 1970; a barrier is of no use after its group's tokens."""

    expires_at = NumberAttribute()


class SecretsRow(LogsTable):
    """`sealed_by`: under which of our keys. `expires_at`: seconds since 1970."""

    sealed = BinaryAttribute(legacy_encoding=False)
    sealed_by = UnicodeAttribute()
    expires_at = NumberAttribute()


def log_key(attempt: Attempt) -> str:
    return f"C#{attempt.workflow}#{attempt.task}#{attempt.retry}#{attempt.incarnation}"


def chunk_key(offset: int) -> str:
    return f"{offset:020d}"


def barrier_key(group: GroupId, incarnation: int, restarts: int) -> str:
    return f"B#{group}#{incarnation}#{restarts}"


def secrets_key(group: GroupId, incarnation: int) -> str:
    return f"M#{group}#{incarnation}"


def secrets_part(ordinal: int, number: int) -> str:
    return f"{ordinal:010d}#{number:03d}"
