"""Seals that hide, so that a test may look for secrets, and keep nobody out."""

from collections.abc import Mapping

from xylem.domain.errors import Unavailable

KEY = "memory"


class MemorySeals:
    def __init__(self) -> None:
        self.opened = 0

    def seal(self, secret: bytes, context: Mapping[str, str]) -> tuple[bytes, str]:
        return _hidden(_label(context) + secret), KEY

    def open(self, sealed: bytes, key: str, context: Mapping[str, str]) -> bytes:
        if key != KEY:
            raise Unavailable(f"The key {key} is not among ours.")
        self.opened += 1
        found, label = _hidden(sealed), _label(context)
        if not found.startswith(label):
            raise ValueError("it was sealed for another place")
        return found[len(label) :]

    def lock(self, content: bytes) -> tuple[bytes, bytes]:
        return _hidden(content), bytes(32)


def _hidden(content: bytes) -> bytes:
    return content.translate(_OTHER)


def _label(context: Mapping[str, str]) -> bytes:
    return repr(sorted(context.items())).encode()


_OTHER = bytes(255 - byte for byte in range(256))
