"""inotify(7) for asyncio: who waits for a file is called when it changes, and costs nothing till
then.

Polling was rejected: to see a container start within a millisecond it would have to never sleep.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODIFIED = 0x2
MOVED_TO = 0x80

_HEADER = struct.Struct("iIII")
_BUFFER = 65536
_OVERFLOW = -1

_libc = ctypes.CDLL(None, use_errno=True)


class Inotify:
    """Belongs to the event loop in which it was made."""

    def __init__(self) -> None:
        self._handle = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._callbacks: dict[int, dict[int, Callable[[], None]]] = {}
        self._next = 0
        asyncio.get_running_loop().add_reader(self._handle, self._ready)

    def watch(self, path: Path, mask: int, callback: Callable[[], None]) -> Callable[[], None]:
        """What comes back ends the watch; so does the end of the file."""
        watched = _checked(_libc.inotify_add_watch(self._handle, os.fsencode(path), mask))
        self._next += 1
        number = self._next
        self._callbacks.setdefault(watched, {})[number] = callback
        return lambda: self._forget(watched, number)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)

    def _forget(self, watched: int, number: int) -> None:
        callbacks = self._callbacks.get(watched, {})
        callbacks.pop(number, None)
        if not callbacks and self._callbacks.pop(watched, None) is not None:
            _libc.inotify_rm_watch(self._handle, watched)

    def _ready(self) -> None:
        try:
            data = os.read(self._handle, _BUFFER)
        except BlockingIOError:
            return
        seen: set[int] = set()
        at = 0
        while at < len(data):
            watched, _, _, length = _HEADER.unpack_from(data, at)
            at += _HEADER.size + length
            seen.add(watched)
        # The kernel's queue was full and it dropped what came then: any file may have changed.
        told = tuple(self._callbacks) if _OVERFLOW in seen else tuple(seen)
        for watched in told:
            for callback in tuple(self._callbacks.get(watched, {}).values()):
                callback()


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"inotify: {os.strerror(number)}")
    return result
