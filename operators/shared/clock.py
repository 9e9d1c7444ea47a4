"""The operator's two clocks.

`now` is for what waits: timers of the link, the Lease, patience with a pod. It begins at the wall's
time, so that it reads like a time, and then only counts what has passed: somebody who sets the
machine's clock moves no heartbeat, and nothing waits for an hour to come a second time. Sleep of
the machine counts as passed, as it did for everybody else.

`wall` is for stamps that others read. The two are never compared.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def wall() -> datetime:
    return datetime.now(UTC)


def elapsed() -> float:
    """Seconds since some moment in the past; CLOCK_MONOTONIC stands still while Linux sleeps,
    https://man7.org/linux/man-pages/man2/clock_gettime.2.html."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class SteadyClock:
    def __init__(self, wall: Callable[[], datetime], elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._origin = wall() - timedelta(seconds=elapsed())

    def __call__(self) -> datetime:
        return self._origin + timedelta(seconds=self._elapsed())


now = SteadyClock(wall, elapsed)
