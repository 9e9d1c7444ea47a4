"""Some schedules with every run of the tests; CI runs thousands (`make simulate`)."""

import pytest

from tests.simulation.__main__ import main
from tests.simulation.defects import ForgetsAWakeUp
from tests.simulation.shrink import shrink
from tests.simulation.world import simulate

PART = 50


@pytest.mark.parametrize("first", range(1, 301, PART))
def test_every_schedule_keeps_every_promise(first: int) -> None:
    for seed in range(first, first + PART):
        result = simulate(seed)

        assert result.broken is None, f"seed {seed}: {result.broken}\n{result.story}"


def test_a_seed_does_the_same_each_time() -> None:
    once, again = ([simulate(seed) for seed in range(40, 45)] for _ in range(2))

    assert once == again
    assert sum(result.events for result in once) > 500


def test_a_broken_promise_comes_with_its_trace() -> None:
    broken = next(
        result for seed in range(1, 100) if (result := simulate(seed, ForgetsAWakeUp())).broken
    )

    assert "committed" in broken.story
    assert simulate(broken.seed, ForgetsAWakeUp()).story == broken.story


def test_the_command_says_how_many_faults_there_were(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", "20", "--seed", "7"]) == 0

    said = capsys.readouterr().out
    assert "20 from seed 7, all promises kept" in said
    assert "others ran" in said


def test_a_failing_seed_is_made_short() -> None:
    failed = next(
        result for seed in range(1, 100) if (result := simulate(seed, ForgetsAWakeUp())).broken
    )

    shrunk = shrink(failed, ForgetsAWakeUp(), tries=60)

    assert failed.broken is not None
    assert shrunk.broken.promise == failed.broken.promise
    again = simulate(failed.seed, ForgetsAWakeUp(), shrunk.cut)
    assert again.story == shrunk.story
    assert sum(again.faults.values()) <= sum(failed.faults.values())
    assert "kinds of faults that it takes: " in str(shrunk)
    assert len(shrunk.cut.without) > 10
