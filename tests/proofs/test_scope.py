"""The proof of the small scope, in a smaller one."""

from pathlib import Path

import pytest

from tests.proofs import scope
from tests.simulation.exhaust import Scope

SMALL = {"one retry": Scope(failures=1, twice=0, lost=0, crashes=0)}


def test_a_scope_that_is_done_is_not_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert scope.main([], tmp_path, SMALL, tasks=1) == 0

    said = capsys.readouterr()
    assert said.out.splitlines() == ["one retry: 887 distinct states, 2,209 steps"] * 2
    assert said.err.splitlines() == ["two groups, 1 tasks in each, one retry"]
