"""Datagrams in a stream of bytes, as a channel carries them to a UDP port of a task and back.

flow (4 bytes), length (2), the datagram
"""

from struct import Struct

FLOWS = 256
"""At a time. Of more the one that was silent longest gives way."""

DATAGRAM_BYTES = 65_535

_HEAD = Struct(">IH")


def framed(flow: int, datagram: bytes) -> bytes:
    return _HEAD.pack(flow, len(datagram)) + datagram


def datagrams(buffer: bytearray) -> list[tuple[int, bytes]]:
    """Those that are whole, taken out of it."""
    found = []
    at = 0
    while len(buffer) >= at + _HEAD.size:
        flow, length = _HEAD.unpack_from(buffer, at)
        end = at + _HEAD.size + length
        if len(buffer) < end:
            break
        found.append((flow, bytes(buffer[at + _HEAD.size : end])))
        at = end
    del buffer[:at]
    return found
