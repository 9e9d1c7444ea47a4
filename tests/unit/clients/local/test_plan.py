"""What `up` does in each state that it can find."""

from dataclasses import replace
from itertools import product

import pytest

from clients.local.plan import Facts, Step, plan_up

NOTHING = Facts(
    supervised=False,
    as_wanted=False,
    started=False,
    leftovers=False,
    synthesised=False,
    bootstrapped=False,
    deployed=False,
    tokens_last=False,
    finished=False,
)
EVERYTHING = Facts(
    supervised=True,
    as_wanted=True,
    started=True,
    leftovers=False,
    synthesised=True,
    bootstrapped=True,
    deployed=True,
    tokens_last=True,
    finished=True,
)
DOWN = replace(EVERYTHING, supervised=False, started=False)

FINISHING = (
    Step.KEYS,
    Step.AWAIT_CLUSTER,
    Step.OPERATOR,
    Step.POOL,
)


def test_the_first_start_does_everything_that_there_is_nothing_of() -> None:
    assert plan_up(NOTHING) == (
        Step.START,
        Step.SYNTHESISE,
        Step.AWAIT_AWS,
        Step.BOOTSTRAP,
        Step.DEPLOY,
        *FINISHING,
    )


def test_a_cluster_of_the_users_own_is_not_waited_for() -> None:
    steps = plan_up(replace(DOWN, desk=False))

    assert steps == (Step.START, Step.AWAIT_AWS, Step.KEYS, Step.OPERATOR, Step.POOL)


def test_nothing_is_done_when_everything_runs() -> None:
    assert plan_up(EVERYTHING) == ()


def test_after_down_nothing_is_synthesised_and_nothing_deployed() -> None:
    assert plan_up(DOWN) == (Step.START, Step.AWAIT_AWS, *FINISHING)


def test_changed_code_is_deployed_onto_what_runs() -> None:
    changed = replace(EVERYTHING, synthesised=False, deployed=False)

    assert plan_up(changed) == (Step.SYNTHESISE, Step.AWAIT_AWS, Step.DEPLOY, *FINISHING)


def test_a_lost_state_is_bootstrapped_again_from_the_same_assembly() -> None:
    lost = replace(DOWN, bootstrapped=False, deployed=False)

    assert plan_up(lost) == (
        Step.START,
        Step.AWAIT_AWS,
        Step.BOOTSTRAP,
        Step.DEPLOY,
        *FINISHING,
    )


def test_a_deployment_that_broke_off_is_done_again() -> None:
    assert plan_up(replace(EVERYTHING, deployed=False)) == (
        Step.AWAIT_AWS,
        Step.DEPLOY,
        *FINISHING,
    )


def test_parts_of_other_code_or_other_ports_are_stopped_first() -> None:
    assert plan_up(replace(EVERYTHING, as_wanted=False))[:2] == (Step.STOP, Step.START)


def test_orphans_of_a_supervisor_that_was_killed_are_cleared_first() -> None:
    assert plan_up(replace(DOWN, leftovers=True))[:2] == (Step.CLEAR, Step.START)


def test_a_part_that_was_given_up_is_started_again() -> None:
    assert plan_up(replace(EVERYTHING, started=False))[0] is Step.START


def test_a_first_start_that_was_interrupted_before_its_pool_is_finished() -> None:
    assert plan_up(replace(EVERYTHING, finished=False)) == (Step.AWAIT_AWS, *FINISHING)


def test_tokens_that_end_soon_are_signed_anew() -> None:
    assert Step.KEYS in plan_up(replace(EVERYTHING, tokens_last=False))


@pytest.mark.parametrize("flags", list(product([False, True], repeat=9)))
def test_in_every_state_the_steps_are_in_an_order_in_which_they_can_be_done(
    flags: tuple[bool, ...],
) -> None:
    steps = plan_up(Facts(*flags))

    assert list(steps) == sorted(steps, key=list(Step).index)
    if Step.DEPLOY in steps:
        assert Step.AWAIT_AWS in steps
    if steps:
        assert steps[-1] is Step.POOL


@pytest.mark.parametrize("flags", list(product([False, True], repeat=9)))
def test_what_was_synthesised_is_deployed(flags: tuple[bool, ...]) -> None:
    steps = plan_up(Facts(*flags))

    assert (Step.SYNTHESISE not in steps) or (Step.DEPLOY in steps)
