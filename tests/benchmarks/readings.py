"""Readings of the embedded stack's counters, and how one waits without being counted oneself.

A benchmark that asks the service whether its workflows are done pays for its own questions. So it
waits for the counters to stand still, which only a finished system's do: a heartbeat and a sweep
come once a minute, anything else means that somebody still works.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping

import httpx

from clients.local.embedded_aws.usage import PATH, Key, Meter, parsed
from clients.local.settings import Settings, find_settings

Counted = Mapping[Key, float]

QUIET_SECONDS = 4.0
LOOK_SECONDS = 0.25

# What happens of itself, once a minute, in a stack that nobody uses; priced with the idle month.
OF_ITSELF = frozenset({"delayed-job-monitor", "scheduler"})


def settings() -> Settings:
    return find_settings(os.environ)


def read(stack: Settings) -> Counted:
    answer = httpx.get(f"{stack.endpoint}{PATH}", trust_env=False)
    answer.raise_for_status()
    return {
        key._replace(who=short(key.who)): amount for key, amount in parsed(answer.content).items()
    }


def short(function: str) -> str:
    """`agent` of `xylem-local-agent`."""
    return function.removeprefix("xylem-local-")


def since(before: Counted, after: Counted) -> dict[Key, float]:
    """What was counted between two readings."""
    grown = {key: amount - before.get(key, 0) for key, amount in after.items()}
    return {key: amount for key, amount in grown.items() if amount}


def without(counted: Counted, who: Iterable[str]) -> dict[Key, float]:
    left_out = frozenset(who)
    return {key: amount for key, amount in counted.items() if key.who not in left_out}


def only(counted: Counted, who: Iterable[str]) -> dict[Key, float]:
    kept = frozenset(who)
    return {key: amount for key, amount in counted.items() if key.who in kept}


def total(counted: Counted, meter: Meter, who: str | None = None) -> float:
    return sum(
        amount
        for key, amount in counted.items()
        if key.meter is meter and (who is None or key.who == who)
    )


def activity(counted: Counted) -> float:
    """A figure that grows with everything that a workflow makes happen: its queues' requests."""
    return total(counted, Meter.SQS_REQUESTS) - total(
        counted, Meter.SQS_REQUESTS, "delayed-job-monitor"
    )


def wait_until_quiet(
    look: Callable[[], Counted],
    *,
    longest: float,
    quiet: float = QUIET_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether the queues stood still for `quiet` seconds within `longest`."""
    end = clock() + longest
    seen, still_since = activity(look()), clock()
    while clock() < end:
        sleep(LOOK_SECONDS)
        now = activity(look())
        if now != seen:
            seen, still_since = now, clock()
        elif clock() - still_since >= quiet:
            return True
    return False
