"""The table `logs`: chunks of attempts' spools, their ends, what is to be masked in them, and who
is at which barrier."""

import struct
from collections.abc import Sequence

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    NumberAttribute,
    UnicodeAttribute,
)
from pynamodb.models import Model

from xylem.domain.ids import GroupId
from xylem.ports.logs import Member
from xylem.ports.task_tokens import Attempt

END = "END"
MEMBER = struct.Struct(">II")


class LogsTable(Model):
    class Meta:
        table_name = "unbound"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


class ChunkRow(LogsTable):
    """`expires_at`, here and below: seconds since 1970, where logs are not kept for ever. Each row
    has it from its first write: when its attempt will have ended is bounded by then."""

    expires_at = NumberAttribute(null=True)
    length = NumberAttribute()
    body = BinaryAttribute(null=True, legacy_encoding=False)
    key = UnicodeAttribute(null=True)


class MergedRow(LogsTable):
    """Bodies of consecutive chunks in the object `key`; `members` says where in it each lies."""

    expires_at = NumberAttribute(null=True)
    key = UnicodeAttribute()
    members = BinaryAttribute(legacy_encoding=False)


class EndRow(LogsTable):
    expires_at = NumberAttribute(null=True)
    length = NumberAttribute()
    complete = BooleanAttribute()


class ArrivalRow(LogsTable):
    """A barrier is of no use after its group's tokens."""

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


def merged_key(offset: int) -> str:
    return f"S3#{offset:020d}"


def packed(members: Sequence[Member]) -> bytes:
    """Eight bytes each: a row of 500 members costs four units."""
    return b"".join(MEMBER.pack(*member) for member in members)


def unpacked(members: bytes) -> tuple[Member, ...]:
    return tuple(Member(*parts) for parts in MEMBER.iter_unpack(members))


def barrier_key(group: GroupId, incarnation: int, restarts: int) -> str:
    return f"B#{group}#{incarnation}#{restarts}"


def secrets_key(group: GroupId, incarnation: int) -> str:
    return f"M#{group}#{incarnation}"


def secrets_part(ordinal: int, number: int) -> str:
    return f"{ordinal:010d}#{number:03d}"
