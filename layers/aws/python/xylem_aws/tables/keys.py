"""The parts of keys that more than one table has."""

import zlib
from datetime import UTC, datetime

SHARDS = 16
"""A constant key would be one partition, which takes 1,000 write units a second."""


def moment(at: datetime) -> str:
    """As wide for every time, so that texts sort as times do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def shard(of: str) -> int:
    """Where a row goes that is not to be in one partition with all the others."""
    return zlib.crc32(of.encode()) % SHARDS
