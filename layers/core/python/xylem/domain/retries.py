"""What the end of an attempt comes to: the task's end, or another attempt.

The first exit rule that names the code has the word; without one, an end by the node, the scheduler
or the cluster is tried again, and any other is what the pod said: `TABLE`.

Each cause has a budget of its own, so that a command that fails by itself is not tried again
because a node was lost before, and a spot node that goes three times does not use up what the user
asked for. Without budget the attempt's end stands, and says why.

`retry` counts attempts over all causes; what each of them used so far travels with the attempt.
"""

from collections.abc import Callable
from datetime import datetime

from xylem.domain.exits import ExitAction, action_for
from xylem.domain.plan import Retries
from xylem.domain.status import TaskStatus
from xylem.domain.task import Task
from xylem.domain.values import dataclass, replace


def judged(ended: Task, *, disrupted: bool, retries: Retries) -> Task:
    """The attempt that just ended, with the status that it ends in. RESCHEDULED: another attempt
    follows."""
    says = action_for(ended.exit_code, ended.exit_rules)
    limit, used = _budget(ended, disrupted, retries)
    left = used < limit
    row = next(row for row in TABLE if row.says == says and row.when(ended, disrupted, left))
    if row.why:
        why = row.why.format(limit=limit)
        ended = replace(ended, message=f"{ended.message} {why}".lstrip())
    return ended if row.to is None else replace(ended, status=row.to)


def _budget(task: Task, disrupted: bool, retries: Retries) -> tuple[int, int]:
    """How often, and how often already."""
    if disrupted:
        return retries.disrupted, task.disruptions
    return retries.asked, task.asked_again


def next_attempt(ended: Task, *, disrupted: bool, now: datetime) -> Task:
    """What was never handed to a cluster."""
    return Task(
        name=ended.name,
        lead=ended.lead,
        retry=ended.retry + 1,
        status=TaskStatus.PROCESSING,
        exit_rules=ended.exit_rules,
        disruptions=ended.disruptions + disrupted,
        asked_again=ended.asked_again + (not disrupted),
        processing_at=now,
        wants=ended.wants,
    )


# The table ---------------------------------------------------------------------------------------


Condition = Callable[[Task, bool, bool], bool]
"""Of the attempt, whether it was disrupted, and whether the budget of its cause is not used up."""


def _always(ended: Task, disrupted: bool, left: bool) -> bool:
    return True


def _it_failed(ended: Task, disrupted: bool, left: bool) -> bool:
    return ended.status.failed


def _budget_is_left(ended: Task, disrupted: bool, left: bool) -> bool:
    return left


def _disrupted_and_budget_is_left(ended: Task, disrupted: bool, left: bool) -> bool:
    return disrupted and left


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a rule says `says` of the exit code (None: none names it) and `when` holds, the attempt
    ends as `to` (None: as its pod said). `why` is added to its message."""

    says: ExitAction | None
    to: TaskStatus | None
    when: Condition = _always
    why: str = ""


TABLE: tuple[Verdict, ...] = (
    Verdict("complete", TaskStatus.COMPLETED),
    Verdict("fail", None, when=_it_failed),
    Verdict("fail", TaskStatus.FAILED),
    Verdict("reschedule", TaskStatus.RESCHEDULED, when=_budget_is_left),
    Verdict("reschedule", None, why="No exit action applied due to retry limit {limit}."),
    Verdict(None, TaskStatus.RESCHEDULED, when=_disrupted_and_budget_is_left),
    Verdict(None, None),
)
"""The first that holds."""
