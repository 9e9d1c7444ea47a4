"""Logs are complete: every line once, in order, however many and however long."""

import pytest

from tests.conftest import Stack
from tests.e2e.running import lines, run, submit, tasks
from xylem.domain.status import WorkflowStatus

pytestmark = pytest.mark.e2e

MANY = 20_000
LONG = 100_000


def one_task(name: str, script: str) -> str:
    return (
        f"workflow:\n  name: {name}\n  tasks:\n"
        f"  - name: t\n    image: alpine\n    command: [sh, -c, {script!r}]\n"
    )


def test_twenty_thousand_lines_arrive_once_and_in_order(stack: Stack) -> None:
    done = run(stack.client, one_task("many", f"seq 1 {MANY}"))

    assert done.status is WorkflowStatus.COMPLETED
    assert lines(stack.client, done.name, "t") == [str(number) for number in range(1, MANY + 1)]


def test_a_line_of_a_hundred_thousand_characters_arrives_whole(stack: Stack) -> None:
    done = run(stack.client, one_task("long", f"head -c {LONG} /dev/zero | tr '\\0' x; echo"))

    assert lines(stack.client, done.name, "t") == ["x" * LONG]


def test_following_a_running_task_shows_each_line_once_and_ends_with_the_log(stack: Stack) -> None:
    name = submit(
        stack.client,
        one_task("follow", "for n in 1 2 3 4 5 6; do echo line $n; sleep 0.5; done"),
    )

    seen = [
        record.text
        for page in stack.client.follow_logs(name)
        for record in page.records
        if record.stream == "stdout"
    ]

    assert "".join(text if text.endswith("\n") else text + "\n" for text in seen).split("\n")[
        :-1
    ] == [f"line {number}" for number in range(1, 7)]


def test_the_tail_of_a_log_is_its_last_lines(stack: Stack) -> None:
    done = run(stack.client, one_task("tail", "seq 1 1000"))

    tail = stack.client.logs(done.name, task="t", lines=3).splitlines()

    assert [line.rsplit(" ", 1)[1] for line in tail] == ["998", "999", "1000"]
    assert tasks(done)["t"].exit_code == 0


def test_a_log_of_several_megabytes_is_one_object_and_its_parts_are_read_alone(
    stack: Stack,
) -> None:
    script = "seq -f 'line %08.0f' 1 300000; echo oops >&2; exit 3"
    failed = run(stack.client, one_task("large", script))
    assert failed.status is WorkflowStatus.FAILED

    whole = stack.client.logs(failed.name).splitlines()
    again = stack.client.logs(failed.name).splitlines()
    said = [line.split("] ", 1)[1] for line in whole if "[osmo]" not in line]

    assert said[:2] == ["line 00000001", "line 00000002"]
    assert sorted(said) == [*(f"line {n:08d}" for n in range(1, 300_001)), "oops"]
    assert whole == again
    assert "oops" in stack.client.logs(failed.name, stream="stderr")
    assert len(stack.client.logs(failed.name, query="line ").splitlines()) == 300_000
    assert stack.client.logs(failed.name, query="line 00123456").count("\n") == 1
    assert len(stack.client.error_logs(failed.name, task="t").splitlines()) == 100
    assert stack.client.logs(failed.name, until=failed.submit_time) == ""
