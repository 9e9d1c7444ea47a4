"""Every rule that is left out is noticed by some schedule: a simulation that misses one promises
nothing about it."""

import pytest

from tests.simulation.defects import DEFECTS
from tests.simulation.schedule import Violation
from tests.simulation.variant import Variant
from tests.simulation.world import simulate

SCHEDULES = 1_000


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_a_rule_that_is_left_out_is_noticed(defect: type[Variant]) -> None:
    noticed = first_violation(defect)

    assert noticed is not None, f"{SCHEDULES} schedules without a violation"
    assert noticed.promise in DEFECTS[defect], str(noticed)


def first_violation(defect: type[Variant]) -> Violation | None:
    results = (simulate(seed, defect()) for seed in range(1, SCHEDULES + 1))
    return next((result.broken for result in results if result.broken), None)
