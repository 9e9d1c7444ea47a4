"""What keeps secrets shut where they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Seals(Protocol):
    def seal(self, secret: bytes, context: Mapping[str, str]) -> tuple[bytes, str]:
        """Under a key of ours, and its id. Opens in this context alone: whose it is, what it is
        called."""
        ...

    def open(self, sealed: bytes, key: str, context: Mapping[str, str]) -> bytes:
        """Raises `Unavailable` where that key is gone, `ValueError` for what was not sealed by us,
        or in another context."""
        ...

    def lock(self, content: bytes) -> tuple[bytes, bytes]:
        """Under a data key of its own, which comes with it: for who is handed both, each on its
        own way."""
        ...
