"""A group whose objects do not fit a frame: they travel by a presigned object."""

import random

import pytest

from tests.conftest import Stack
from tests.e2e.running import lines, run
from xylem.domain.status import WorkflowStatus

pytestmark = pytest.mark.e2e


def test_a_task_with_a_file_larger_than_a_frame_runs(stack: Stack) -> None:
    noise = random.Random(7).randbytes(60_000).hex()
    spec = (
        "workflow:\n  name: large\n  tasks:\n  - name: t\n    image: alpine\n"
        '    command: [sh, -c, "wc -c < /tmp/noise"]\n'
        f"    files: [{{path: /tmp/noise, contents: '{noise}'}}]\n"
    )

    done = run(stack.client, spec)

    assert done.status is WorkflowStatus.COMPLETED
    assert lines(stack.client, done.name, "t") == ["120000"]
