"""What is drawn, as text of a fixed width."""

import base64
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from clients.cli import render
from clients.sdk.models import ListedWorkflow, Workflow
from tests.unit.clients.answers import NOON, a_group, a_record, a_task, workflow
from xylem.domain.status import TaskStatus, WorkflowStatus


def drawn(picture: RenderableType, width: int = 70) -> list[str]:
    console = Console(file=StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(picture)
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-1, "-"),
        (0, "0.0s"),
        (0.44, "0.4s"),
        (9.94, "9.9s"),
        (10, "10s"),
        (59.9, "59s"),
        (60, "1m00s"),
        (3_599, "59m59s"),
        (3_600, "1h00m"),
        (86_399, "23h59m"),
        (90_000, "1d01h"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float | None, text: str) -> None:
    assert render.duration(seconds) == text


def test_a_duration_counts_to_now_while_there_is_no_end_and_never_back() -> None:
    later = NOON + timedelta(seconds=5)

    assert render.elapsed(None, None, NOON) is None
    assert render.elapsed(NOON, None, later) == 5
    assert render.elapsed(NOON, NOON + timedelta(seconds=2), later) == 2
    assert render.elapsed(later, NOON, NOON) == 0


@pytest.mark.parametrize("status", [*TaskStatus, *WorkflowStatus])
def test_every_status_has_a_mark_and_a_style(status: render.Status) -> None:
    assert (render.mark(status) == "✗") == status.failed
    assert (render.style(status) == "red") == status.failed


def test_a_gang_is_a_branch_and_a_single_task_a_line() -> None:
    gang = a_group(a_task("server", "RUNNING"), a_task("worker", "INITIALIZING"), name="gang")
    waiting = a_group(a_task("report", "WAITING", start_time=None))

    tree = render.workflow_tree(
        workflow(gang, waiting, status="RUNNING", start_time="2026-11-24T12:00:00"),
        NOON + timedelta(seconds=3),
        newest=[a_record("listening on 80\n", task="server")],
    )

    assert drawn(tree) == [
        "● hello-1  RUNNING  3.0s",
        "├── ● gang  RUNNING",
        "│   ├── ● server  RUNNING  3.0s",
        "│   │   └── listening on 80",
        "│   └── ○ worker  INITIALIZING  3.0s",
        "└── ○ report  WAITING",
    ]


def test_a_line_of_a_log_never_breaks_the_tree() -> None:
    tree = render.workflow_tree(workflow(), NOON, newest=[a_record("x" * 200)])

    assert [len(line) <= 40 for line in drawn(tree, width=40)] == [True] * 3


RETRIED = a_group(
    a_task("t", "RESCHEDULED", failure_message="node lost"), a_task("t", "RUNNING", retry_id=1)
)


@pytest.mark.parametrize(
    ("verbose", "lines"),
    [
        (False, ["└── ● t retry-1  RUNNING  0.0s"]),
        (
            True,
            [
                "└── ↻ t-group  RESCHEDULED",
                "    ├── ↻ t  RESCHEDULED  0.0s  node lost",
                "    └── ● t retry-1  RUNNING  0.0s",
            ],
        ),
    ],
)
def test_earlier_attempts_are_shown_to_who_asks(verbose: bool, lines: list[str]) -> None:
    found = workflow(RETRIED, status="RUNNING")

    assert drawn(render.workflow_tree(found, NOON, verbose=verbose))[1:] == lines


def test_where_to_look_first_leaves_out_those_who_failed_because_of_others() -> None:
    found = workflow(
        a_group(a_task("a")),
        a_group(a_task("b", "FAILED"), a_task("c", "FAILED_PREEMPTED")),
        a_group(a_task("d", "FAILED_UPSTREAM")),
        status="FAILED",
    )

    assert [task.name for task in render.failures(found)] == ["b", "c"]


def test_changes_are_told_once() -> None:
    waiting = workflow(a_group(a_task("t", "WAITING")), status="PENDING")
    running = workflow(a_group(a_task("t", "RUNNING")), status="RUNNING")

    assert render.changes(None, waiting) == ["hello-1: PENDING"]
    assert render.changes(waiting, running) == ["t: RUNNING", "hello-1: RUNNING"]
    assert render.changes(running, running) == []


def test_what_users_wrote_is_never_taken_for_markup() -> None:
    found: dict[str, Any] = {"labels": {"team": "[red]x[/red]"}, "warnings": ["[b]look[/b]"]}
    shown = drawn(render.workflow_view(Workflow.model_validate(workflow(**found)), NOON))

    assert "labels     team=[red]x[/red]" in shown
    assert "warnings   [b]look[/b]" in shown


def test_lines_are_told_whole_however_the_log_was_cut() -> None:
    log = render.LogLines()
    cut = [
        a_record("one\ntwo\nthr"),
        a_record("said aloud\n", stream="stderr"),
        a_record("ee\n\nfour"),
    ]

    assert [line.partition("] ")[2] for line in log.take(cut)] == [
        *("one", "two", "said aloud", "three", ""),
    ]
    assert [line.partition("] ")[2] for line in log.rest()] == ["four"]
    assert log.rest() == []


def test_a_letter_is_told_whole_though_records_end_within_it() -> None:
    log = render.LogLines()
    first, second = "schön".encode()[:4], "schön\n".encode()[4:]
    halves = [
        a_record(half.decode(errors="replace"), raw=base64.b64encode(half).decode())
        for half in (first, second)
    ]

    [line] = log.take(halves)

    assert line.endswith("] schön")


def test_a_line_has_the_time_of_its_end_as_the_service_writes_it() -> None:
    log = render.LogLines()
    cut = [
        a_record("be", time=NOON),
        a_record("gun\nand be", time=NOON + timedelta(seconds=1)),
        a_record("gun\n", time=NOON + timedelta(seconds=2)),
    ]

    assert [line[17:19] for line in log.take(cut)] == ["01", "02"]


def test_the_newest_line_of_a_task_is_the_last_of_its_record() -> None:
    tree = render.workflow_tree(workflow(), NOON, newest=[a_record("first\nlast\n")])

    assert drawn(tree)[-1].endswith("└── last")


def test_a_name_stays_in_one_piece_in_a_narrow_terminal() -> None:
    listed = ListedWorkflow.model_validate(
        {"name": "a-longish-name-1", "user": "alice", "status": "RUNNING", "submit_time": NOON}
    )

    lines = drawn(render.workflow_table([listed], NOON), width=30)

    assert [line.split()[0] for line in lines if "longish" in line] == ["a-longish-name-1"]
