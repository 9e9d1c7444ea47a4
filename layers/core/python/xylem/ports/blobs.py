"""The object store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from xylem.domain.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Blob:
    key: str
    size: int
    written_at: datetime


@dataclass(frozen=True, slots=True)
class BlobPage:
    blobs: tuple[Blob, ...]
    cursor: str | None


class Blobs(Protocol):
    """One bucket."""

    def put(self, key: str, body: bytes) -> None: ...

    def get(self, key: str) -> bytes | None: ...

    def has(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """Whether or not it is there."""
        ...

    def list(self, prefix: str, *, cursor: str | None = None, limit: int = 1000) -> BlobPage: ...

    def get_url(self, key: str, *, expires: timedelta) -> str: ...

    def put_url(self, key: str, *, expires: timedelta) -> str: ...
