"""A group starts its commands together: each of its tasks arrives and waits for the others.

The barrier is open when every task of the group that has not ended has arrived, with its newest
attempt. Who asks is held for a while, looking again and again: a push to each pod would need a
socket in each.
"""

from collections.abc import Callable, Iterator

from xylem.ports import Attempt, Logs, Workflows
from xylem.protocol.runtime import BARRIER_HOLD_SECONDS
from xylem.usecases.attempts import current_group

FIRST_LOOK_SECONDS = 0.1
LONGEST_LOOK_SECONDS = 1.0
"""Pods of a group start within a second of each other, or minutes apart while images are
pulled."""


def arrive(
    attempt: Attempt, *, workflows: Workflows, logs: Logs, wait: Callable[[float], None]
) -> bool:
    """Whether the barrier is open. Raises `Gone` when the attempt has ended, `Forbidden`."""
    group = current_group(attempt, workflows=workflows)
    logs.arrive(attempt)
    for pause in (*_pauses(), 0.0):
        there = logs.arrived(attempt.group, attempt.incarnation)
        live = [task for task in group.tasks if not task.status.final]
        if all((task.name, task.retry) in there for task in live):
            return True
        if pause:
            wait(pause)
            group = current_group(attempt, workflows=workflows)
    return False


def _pauses() -> Iterator[float]:
    pause, spent = FIRST_LOOK_SECONDS, 0.0
    while spent + pause <= BARRIER_HOLD_SECONDS:
        yield pause
        spent += pause
        pause = min(LONGEST_LOOK_SECONDS, pause * 1.5)
