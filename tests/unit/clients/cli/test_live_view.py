"""What of a large workflow stands in a terminal that is too small for it."""

from io import StringIO

import pytest
from rich.console import Console

from clients.cli.follow import pages_between
from clients.cli.live_view import picture
from clients.sdk.models import Workflow
from tests.unit.clients.answers import NOON, a_group, a_record, a_task, workflow


def of_many(**statuses: int) -> Workflow:
    tasks = [
        a_task(f"{status.lower()}-{number}", status)
        for status, count in statuses.items()
        for number in range(count)
    ]
    return workflow(a_group(*tasks, name="g", status="RUNNING"), status="RUNNING")


def drawn(found: Workflow, *, height: int, width: int = 80, said: str = "") -> list[str]:
    console = Console(file=StringIO(), width=width, height=height, color_system=None)
    newest = [a_record(said, "running-0")] if said else []
    console.print(picture(found, NOON, height=height, newest=newest))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_what_fits_is_the_tree() -> None:
    lines = drawn(of_many(RUNNING=3), height=24)

    assert len(lines) == 5
    assert not any("more:" in line for line in lines)


@pytest.mark.parametrize("height", [5, 10, 24, 60])
def test_it_is_lower_than_the_terminal(height: int) -> None:
    found = of_many(COMPLETED=500, RUNNING=300, WAITING=200)

    assert len(drawn(found, height=height)) <= max(height - 1, 5)


def test_lines_are_as_wide_as_the_terminal_at_the_most() -> None:
    found = of_many(COMPLETED=500, RUNNING=300, WAITING=200, FAILED=30, RESCHEDULED=9)

    assert max(len(line) for line in drawn(found, height=10, width=30, said="x" * 500)) <= 30


def test_what_failed_comes_first_then_what_runs_and_what_waits_is_counted() -> None:
    found = of_many(COMPLETED=500, WAITING=200, RUNNING=3, FAILED=2, FAILED_UPSTREAM=50)

    lines = drawn(found, height=13)

    assert lines[2].split("  ") == [
        "2 FAILED", "3 RUNNING", "200 WAITING", "500 COMPLETED", "50 FAILED_UPSTREAM"
    ]  # fmt: skip
    assert [line.split()[1] for line in lines[3:8]] == [
        *("failed-0", "failed-1"),
        *("running-0", "running-1", "running-2"),
    ]
    assert lines[-1].startswith("and 747 more: xylem task list --workflow-id hello-1")


def test_a_task_that_runs_shows_what_it_printed_last() -> None:
    lines = drawn(of_many(COMPLETED=100, RUNNING=1), height=12, said="step 1\nstep 2\n")

    assert next(line for line in lines if "running-0" in line).endswith("  step 2")


def test_of_an_attempt_that_was_tried_again_the_last_counts() -> None:
    tasks = [a_task(f"t{n}", "RESCHEDULED") for n in range(50)]
    tasks += [a_task(f"t{n}", "RUNNING", retry_id=1) for n in range(50)]

    lines = drawn(workflow(a_group(*tasks)), height=10)

    assert "50 RUNNING" in lines


def test_a_workflow_is_asked_for_the_less_often_the_larger_it_is() -> None:
    assert [pages_between(of_many(WAITING=count)) for count in (1, 999, 1000, 5000)] == [1, 1, 2, 6]
