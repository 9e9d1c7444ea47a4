"""Small scopes, exhausted with every run of the tests; `make prove-scope` does the large
ones."""

import pytest

from tests.simulation.exhaust import Exploration, Scope, Ways


@pytest.mark.parametrize(
    ("scope", "tasks"),
    [
        (Scope(failures=0, twice=0, lost=0, crashes=1, cancels=1), 2),
        (Scope(failures=2, twice=0, lost=0, crashes=0), 1),
        (Scope(failures=1, twice=1, lost=0, crashes=0), 1),
        (Scope(failures=1, twice=0, lost=1, crashes=1), 1),
    ],
    ids=["a crash, a cancel", "two retries", "once twice", "once lost, a crash"],
)
def test_every_state_of_a_small_scope_keeps_every_promise(scope: Scope, tasks: int) -> None:
    found = Exploration(scope, tasks=tasks).run()

    assert found.states > 1_000
    assert 0 < found.ended < found.states


def test_the_scope_counts_each_state_once() -> None:
    once, again = (Exploration(Scope(1, 0, 0, 0), tasks=1).run() for _ in range(2))

    assert (once.states, once.steps) == (again.states, again.steps)


def test_a_state_from_which_no_end_can_be_reached_is_counted_out() -> None:
    ways = Ways()
    for first, then in ((0, 1), (1, 2), (0, 3), (3, 4), (4, 3)):
        ways.add(first, then)

    assert ways.that_reach([2], states=5) == 3, "3 and 4 lead to each other for ever"
