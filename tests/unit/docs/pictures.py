"""`docs/state-machines.md`, made of the tables of the domain: `python -m tests.unit.docs.pictures`
writes it, and a test holds it to them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from xylem.domain import retries, task, transitions, workflow
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.transitions import ENDED, LIVE, TABLE, Transition

PAGE = Path(__file__).parents[3] / "docs" / "state-machines.md"

_HEAD = """# What can become of a workflow, a group and a task

Made of the tables in `layers/core/python/xylem/domain` by `python -m tests.unit.docs.pictures`. A
test holds this page to them, and another tries everything that can happen to small groups: each
arrow is one that is taken, and no other is. "An end" is COMPLETED or one of the failures; what has
ended stays as it is.
"""

_WORKFLOW = """
## A workflow

`TABLE` of `domain/workflow.py`: it follows its groups. What an admin has kept of a
refused submission is FAILED_SUBMISSION from the beginning: it has no groups, and never moves.
"""

_VERDICTS = """
How it ends, by `VERDICTS` of the same module: the first row that holds of the ways in which its
groups failed.
"""

_GROUP = """
## A group

`TABLE` of `domain/transitions.py`. Every arrow is labelled with the events that may lead there; an
event without a row is refused.
"""

_OUTCOMES = """
How it ends when all of its tasks have, by `OUTCOMES` of the same module: the first row that holds.
The tasks that count are the lead, or all of them where `ignoreNonleadStatus` is false. Before that
it is as far as the furthest of its tasks, and RUNNING once one of them ended.
"""

_TASK = """
## An attempt of a task

`STARTED`, `SEEN` and `ENDED` of `domain/task.py`: what its group's start, its pod and a decision
about its group may make of it. After an attempt that is RESCHEDULED comes the next one, which
begins as PROCESSING.
"""

_JUDGED = """
What its pod's end comes to, by `TABLE` of `domain/retries.py`: the first row that holds. "A rule"
is the first of the task's exit rules, then of its pool's, that names the exit code.
"""

Arrows = Mapping[tuple[str, str], Sequence[str]]


def page() -> str:
    parts = (
        [_HEAD.rstrip(), _WORKFLOW],
        _picture(workflow_arrows()),
        [_VERDICTS],
        _verdict_table(),
        [_GROUP],
        _picture(group_arrows()),
        [""],
        _group_table(),
        [_OUTCOMES],
        _outcome_table(),
        [_TASK],
        _picture(task_arrows()),
        [""],
        _task_table(),
        [_JUDGED],
        _judged_table(),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _picture(arrows: Arrows) -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield "    END: an end"
    for (begin, target), labels in arrows.items():
        yield f"    {begin} --> {target}: {', '.join(labels)}"
    yield "```"


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for cells in rows:
        yield f"| {' | '.join(cells)} |"


def _words(condition: Callable[..., bool]) -> str:
    """A condition is called what it asks."""
    name = condition.__name__.strip("_")
    return "-" if name == "always" else name.replace("_", " ")


# Workflows ---------------------------------------------------------------------------------------


def workflow_arrows() -> Arrows:
    return {
        (state, target): [_words(row.when)]
        for row in workflow.TABLE
        for state in WorkflowStatus
        if state in row.states
        for target in sorted({"END" if one in workflow.ENDED else str(one) for one in row.to})
    }


def _verdict_table() -> Iterator[str]:
    rows = [
        (f"one {row.failure}{', and none another way' if row.alone else ''}", str(row.to))
        for row in workflow.VERDICTS
    ]
    rows += [("one failed", "FAILED"), ("none failed", "COMPLETED")]
    yield from _rows(("of its groups", "it ends"), rows)
    yield ""
    yield "FAILED_UPSTREAM is no way of its own: it follows from another."


# Groups ------------------------------------------------------------------------------------------


def group_arrows() -> Arrows:
    arrows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for event, rows in TABLE.items():
        for row in rows:
            for state in _in_order(row.states & LIVE):
                for target in sorted(_shown(state, row.to)):
                    names = arrows[state, target]
                    if event.__name__ not in names:
                        names.append(event.__name__)
    return arrows


def _in_order(states: Iterable[TaskStatus]) -> list[TaskStatus]:
    return sorted(states, key=lambda status: (status.rank, status))


def _shown(state: TaskStatus, targets: Iterable[TaskStatus]) -> set[str]:
    """Where it may really go: up, and all ends are one."""
    return {
        "END" if target in ENDED else str(target) for target in targets if target.rank > state.rank
    }


def _group_table() -> Iterator[str]:
    head = ("event", "while", "if", "may lead to", "may ask for")
    yield from _rows(head, (_cells(event, row) for event, rows in TABLE.items() for row in rows))


def _cells(event: type, row: Transition) -> tuple[str, ...]:
    effects = ", ".join(sorted(effect.__name__ for effect in row.effects)) or "-"
    targets = ", ".join(_in_order(row.to)) or "-"
    return event.__name__, _while(row), _words(row.when), targets, effects


def _while(row: Transition) -> str:
    live, ended = row.states & LIVE, bool(row.states & ENDED)
    names = [str(status) for status in _in_order(live)]
    if live == LIVE:
        names = ["any live state"]
    return ", ".join([*names, *(["an end"] if ended else [])])


def _outcome_table() -> Iterator[str]:
    every = {status for status in TaskStatus if status.failed}
    rows = []
    for row in transitions.OUTCOMES:
        which = "one that counts" if row.counted else "one"
        how = "failed" if row.failures == every else f"is {', '.join(_in_order(row.failures))}"
        rows.append((f"{which} {how}", str(row.to)))
    rows.append(("else", "COMPLETED"))
    yield from _rows(("of its tasks", "it ends"), rows)


# Tasks -------------------------------------------------------------------------------------------

_CAUSES: Mapping[str, task.Moves] = {
    "its group starts": task.STARTED,
    "its pod": task.SEEN,
    "its group": task.ENDED,
}


_JUDGED_TO = {row.to for row in retries.TABLE if row.to is not None}


def _kind(status: TaskStatus) -> str:
    another_follows = status is TaskStatus.RESCHEDULED
    return "END" if status.final and not another_follows else str(status)


def task_arrows() -> Arrows:
    arrows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for cause, moves in _CAUSES.items():
        for state, targets in moves.items():
            comes_to = targets | _JUDGED_TO if moves is task.SEEN else targets
            for kind in sorted({_kind(target) for target in comes_to}):
                arrows[state, kind].append(cause)
    return arrows


def _task_table() -> Iterator[str]:
    head = ("by", "from", "may lead to")
    rows = (
        (cause, str(state), ", ".join(_in_order(targets)))
        for cause, moves in _CAUSES.items()
        for state, targets in moves.items()
    )
    yield from _rows(head, rows)


def _judged_table() -> Iterator[str]:
    head = ("a rule says", "if", "it ends", "and adds")
    rows = (
        (row.says or "-", _words(row.when), str(row.to or "as its pod said"), row.why or "-")
        for row in retries.TABLE
    )
    yield from _rows(head, rows)


if __name__ == "__main__":
    PAGE.write_text(page())
