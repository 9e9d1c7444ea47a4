"""What the end of an attempt comes to: the task's end, or another attempt.

    exit rules    the first that names the exit code: complete, fail, or try again
    disrupted     the node, the scheduler or the cluster ended it: try again, whoever asked or not
    neither       what the pod said

Each cause has a budget of its own, so that a command that fails by itself is not tried again
because a node was lost before, and a spot node that goes three times does not use up what the user
asked for. Without budget the attempt's end stands, and says why.

`retry` counts attempts over all causes; what each of them used so far travels with the attempt.
"""

from datetime import datetime

from xylem.domain.exits import action_for
from xylem.domain.plan import Retries
from xylem.domain.status import TaskStatus
from xylem.domain.task import Task
from xylem.domain.values import replace


def judged(ended: Task, *, disrupted: bool, retries: Retries) -> Task:
    """The attempt that just ended, with the status that it ends in. RESCHEDULED: another attempt
    follows."""
    match action_for(ended.exit_code, ended.exit_rules):
        case "complete":
            return replace(ended, status=TaskStatus.COMPLETED)
        case "fail":
            return ended if ended.status.failed else replace(ended, status=TaskStatus.FAILED)
        case "reschedule":
            limit, used = _budget(ended, disrupted, retries)
            if used < limit:
                return replace(ended, status=TaskStatus.RESCHEDULED)
            why = f"No exit action applied due to retry limit {limit}."
            return replace(ended, message=f"{ended.message} {why}".lstrip())
        case None if disrupted:
            limit, used = _budget(ended, disrupted, retries)
            return replace(ended, status=TaskStatus.RESCHEDULED) if used < limit else ended
        case None:
            return ended


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
    )
