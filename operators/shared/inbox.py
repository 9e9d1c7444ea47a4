"""From threads into the event loop: in order, in batches, and no faster than the loop takes it.

A watch of a busy cluster sees a thousand changes a second. To wake the loop for each and wait for
its answer costs more than all that is concluded from the change; so the loop is woken once for
whatever has come meanwhile, and who delivers waits only when `ROOM` objects lie there untaken.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

ROOM = 200
"""Objects that lie untaken before the next is let in: a page of a list, or a burst of a watch."""

AT_ONCE = 50
"""Deliveries taken in one turn of the loop, so that frames are sent and answered in between."""


class Inbox(Generic[T]):
    def __init__(
        self, loop: asyncio.AbstractEventLoop, take: Callable[[T], None], room: int = ROOM
    ) -> None:
        self._loop = loop
        self._take = take
        self._room = room
        self._changed = threading.Condition()
        self._waiting: deque[tuple[T, int]] = deque()
        self._load = 0
        self._woken = False

    def put(self, item: T, weight: int = 1) -> None:
        """In any thread but the loop's. What is heavier than the room waits until it is empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._load < self._room)
            self._waiting.append((item, weight))
            self._load += weight
            if self._woken:
                return
            self._woken = True
        self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        for _ in range(AT_ONCE):
            with self._changed:
                if not self._waiting:
                    self._woken = False
                    return
                item, weight = self._waiting.popleft()
            try:
                self._take(item)
            except Exception:  # what was not understood must not hide what comes after it
                log.exception("a delivery failed")
            with self._changed:
                self._load -= weight
                self._changed.notify_all()
        self._loop.call_soon(self._drain)
