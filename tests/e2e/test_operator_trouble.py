"""An operator that is killed under running tasks: a small run of `make prove-operators`."""

import pytest

from tests.conftest import Stack
from tests.proofs.operators import Scale, one_run

pytestmark = pytest.mark.e2e


def test_twenty_tasks_complete_once_while_their_operator_is_killed(stack: Stack) -> None:
    run = one_run(stack.settings, stack.client, "killed", 1, Scale(workflows=4, tasks=5, at_once=2))

    assert run.problems == [], run
