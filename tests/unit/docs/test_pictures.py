"""The page of the state machines is what the tables say, and the engine does what they say: all of
it, and nothing else."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, combinations, product

import pytest

from tests.builders import NOON, a_task, a_workflow
from tests.unit.docs.pictures import PAGE, group_arrows, page, task_arrows, workflow_arrows
from tests.unit.domain.exploring import Edge, explored
from xylem.domain import retries, task, transitions, workflow
from xylem.domain.exits import ACTIONS, ExitRule
from xylem.domain.plan import Retries
from xylem.domain.retries import judged
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.workflow import Counts, Workflow, counted, moved

RESCHEDULED = TaskStatus.RESCHEDULED


def test_the_page_is_made_of_the_tables() -> None:
    assert PAGE.read_text() == page(), "python -m tests.unit.docs.pictures"


def by_origin(edges: Iterable[Edge]) -> dict[TaskStatus, set[TaskStatus]]:
    moves: dict[TaskStatus, set[TaskStatus]] = defaultdict(set)
    for origin, target in edges:
        moves[origin].add(target)
    return dict(moves)


def drawn(edges: Iterable[Edge]) -> set[tuple[str, str]]:
    """As arrows: all ends are one, but that of an attempt which is followed by another."""
    return {
        (origin, "END" if target.final and target is not RESCHEDULED else target)
        for origin, target in edges
    }


# Groups ------------------------------------------------------------------------------------------


def test_each_row_of_a_group_leads_where_it_says_and_nowhere_else() -> None:
    reached = {key: {target for _, target in edges} for key, edges in explored().groups.items()}

    for event, rows in transitions.TABLE.items():
        for row in rows:
            assert reached[event, row] == row.to, event.__name__
            assert explored().effects[event, row] == row.effects, event.__name__


def test_the_arrows_of_a_group_are_those_that_are_taken() -> None:
    taken: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (event, _), edges in explored().groups.items():
        for arrow in drawn(edges):
            taken[arrow].add(event.__name__)

    assert {arrow: set(labels) for arrow, labels in group_arrows().items()} == taken


# Tasks -------------------------------------------------------------------------------------------


def test_each_cause_moves_an_attempt_where_it_says_and_nowhere_else() -> None:
    found = explored()
    by_pod = {edge for edge in found.seen if edge[1] is not RESCHEDULED}

    assert by_origin(found.started) == task.STARTED
    assert by_origin(by_pod) == task.SEEN
    assert by_origin(found.ended) == task.ENDED


def test_the_arrows_of_a_task_are_those_that_are_taken() -> None:
    taken: dict[tuple[str, str], set[str]] = defaultdict(set)
    found = explored()
    for cause, edges in (
        ("its group starts", found.started),
        ("its pod", found.seen),
        ("its group", found.ended),
    ):
        for arrow in drawn(edges):
            taken[arrow].add(cause)

    assert {arrow: set(labels) for arrow, labels in task_arrows().items()} == taken


def test_every_row_about_the_end_of_an_attempt_decides_some_end_and_one_decides_each() -> None:
    decided = set()
    ends = [status for status in task.SHOWN if status.final]
    for status, word, disrupted, budget in product(
        ends, (None, *ACTIONS.values()), (False, True), (0, 1)
    ):
        rules = (ExitRule(word, ((3, 3),)),) if word else ()
        ended = a_task(status=status, exit_code=3, exit_rules=rules)
        left = budget > 0
        rows = (row for row in retries.TABLE if row.says == word)
        row = next(row for row in rows if row.when(ended, disrupted, left))
        decided.add(row)

        found = judged(ended, disrupted=disrupted, retries=Retries(budget, budget))

        assert found.status is (row.to or status)
        assert found.message == row.why.format(limit=budget)

    assert decided == set(retries.TABLE)


# Workflows ---------------------------------------------------------------------------------------


def ways_to_end() -> Iterator[tuple[TaskStatus, ...]]:
    """Every set of statuses in which the groups of a workflow can have ended."""
    ends = sorted(transitions.ENDED)
    return chain.from_iterable(combinations(ends, many) for many in range(1, len(ends) + 1))


def lived(*statuses: TaskStatus) -> list[Workflow]:
    """A workflow after each of these statuses of a group of its own."""
    live = sum(status.final for status in statuses)
    steps = [a_workflow(counts=Counts(live))]
    for status in statuses:
        steps.append(moved(steps[-1], 0, counted(steps[-1].counts, status), NOON))
    return steps


def test_a_workflow_moves_where_its_table_says_and_nowhere_else() -> None:
    edges = set()
    for ends, runs in product(ways_to_end(), ((), (TaskStatus.RUNNING,))):
        steps = lived(*runs, *ends)
        edges |= {(a.status, b.status) for a, b in zip(steps, steps[1:], strict=False)}
        assert steps[-1].status.final

    moves = {(a, b) for a, b in edges if a is not b}
    assert moves == {
        (state, target) for row in workflow.TABLE for state in row.states for target in row.to
    }
    assert set(workflow_arrows()) == {
        (state, "END" if target.final else target) for state, target in moves
    }


@pytest.mark.parametrize("row", workflow.VERDICTS, ids=lambda row: str(row.failure))
def test_every_verdict_over_a_workflow_is_the_first_of_some_end(row: workflow.Verdict) -> None:
    later = workflow.VERDICTS[workflow.VERDICTS.index(row) + 1 :]
    others = {TaskStatus.FAILED_UPSTREAM, *(other.failure for other in later)}
    with_others = workflow.verdict({row.failure, *others})

    assert workflow.verdict({row.failure, TaskStatus.FAILED_UPSTREAM}) is row.to
    assert with_others is (WorkflowStatus.FAILED if row.alone and later else row.to)
