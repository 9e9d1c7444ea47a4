"""A bucket in a dictionary. Its URLs open nothing; they say what they would be good for."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from xylem.ports.blobs import Blob, BlobPage
from xylem.ports.world import Clock

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class MemoryBlobs:
    def __init__(self, clock: Clock = lambda: LONG_AGO) -> None:
        self._clock = clock
        self._bodies: dict[str, bytes] = {}
        self._written: dict[str, datetime] = {}

    def keys(self) -> list[str]:
        return sorted(self._bodies)

    def put(self, key: str, body: bytes) -> None:
        self._bodies[key] = body
        self._written[key] = self._clock()

    def get(self, key: str) -> bytes | None:
        return self._bodies.get(key)

    def has(self, key: str) -> bool:
        return key in self._bodies

    def delete(self, key: str) -> None:
        self._bodies.pop(key, None)

    def list(self, prefix: str, *, cursor: str | None = None, limit: int = 1000) -> BlobPage:
        keys = [key for key in self.keys() if key.startswith(prefix) and key > (cursor or "")]
        page = tuple(Blob(key, len(self._bodies[key]), self._written[key]) for key in keys[:limit])
        return BlobPage(page, page[-1].key if len(keys) > limit else None)

    def get_url(self, key: str, *, expires: timedelta) -> str:
        return _url("get", key, expires)

    def put_url(self, key: str, *, expires: timedelta) -> str:
        return _url("put", key, expires)


def _url(verb: str, key: str, expires: timedelta) -> str:
    return f"memory://{verb}/{quote(key)}?expires={int(expires.total_seconds())}"
