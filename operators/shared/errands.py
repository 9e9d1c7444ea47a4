"""Small procedures for which nobody waits: a finalizer off a pod that has ended, an orphan away.

A gang that ends is a thousand of them at once. They are done a few at a time, so that jobs, for
which a user waits, always find hands that are free; and what waits its turn is an entry in a queue,
not a coroutine with a thread's worth of state.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from operators.shared.calls import Call, Procedure, drive
from operators.shared.release import until_reached

log = logging.getLogger("xylem.operator")

AT_ONCE = 6
"""Of the 16 requests that the operator has in flight (`operators.shared.calls.THREADS`)."""


class Errands:
    def __init__(self, perform: Callable[[Call], Awaitable[object]]) -> None:
        self._perform = perform
        self._queue: asyncio.Queue[tuple[Callable[[], Procedure[Any]], str, str]] = asyncio.Queue()

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    def start(self, group: asyncio.TaskGroup) -> None:
        for _ in range(AT_ONCE):
            group.create_task(self._work())

    def add(self, make: Callable[[], Procedure[Any]], what: str, name: str) -> None:
        """`make` begins the procedure, and begins it again when the API server did not answer."""
        self._queue.put_nowait((make, what, name))

    async def _work(self) -> None:
        while True:
            make, what, name = await self._queue.get()
            try:
                await drive(until_reached(make), self._perform)
                log.info(what, extra={"facts": {"object": name}})
            except Exception:  # one object that resists must not end the process
                log.exception(what, extra={"facts": {"object": name}})
