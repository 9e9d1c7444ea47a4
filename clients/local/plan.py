"""What `up` has to do, decided from what is there: facts in, steps out.

A half-finished earlier start needs no case of its own. Its facts are those of any other state, and
the steps that are missing are planned.
"""

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    CLEAR = "clear what an earlier start left"
    STOP = "stop what runs with other settings or older code"
    START = "start the embedded AWS and the cluster"
    SYNTHESISE = "synthesise the CDK app"
    AWAIT_AWS = "wait for the embedded AWS"
    BOOTSTRAP = "bootstrap the embedded AWS for the CDK"
    DEPLOY = "deploy the CDK app"
    KEYS = "make keys, sign the operator's token and a login"
    AWAIT_CLUSTER = "wait for the desk cluster"
    OPERATOR = "start the operator"
    POOL = "register the default pool and wait until it is online"


@dataclass(frozen=True, slots=True)
class Facts:
    supervised: bool
    """supervisord answers."""
    as_wanted: bool
    """It was started with the configuration that we would write now."""
    started: bool
    """Every part runs."""
    leftovers: bool
    """Something runs that nobody looks after any more."""
    synthesised: bool
    """The assembly was made from the code as it is."""
    bootstrapped: bool
    deployed: bool
    """The assembly was deployed onto the state that there is."""
    tokens_last: bool
    """There are tokens, and they have some days left."""
    finished: bool
    """An `up` came to its end since the last deployment: there is a pool."""
    desk: bool = True
    """The cluster is the desk's, not one of the user's own."""


def plan_up(facts: Facts) -> tuple[Step, ...]:
    keep = facts.supervised and facts.as_wanted
    fresh = keep and facts.synthesised and facts.deployed
    usable = facts.started and facts.tokens_last and facts.finished
    if fresh and usable and not facts.leftovers:
        return ()
    steps = {
        Step.CLEAR: facts.leftovers,
        Step.STOP: facts.supervised and not facts.as_wanted,
        Step.START: not (keep and facts.started),
        # The embedded AWS starts meanwhile.
        Step.SYNTHESISE: not facts.synthesised,
        Step.AWAIT_AWS: True,
        Step.BOOTSTRAP: not facts.bootstrapped,
        Step.DEPLOY: not (facts.deployed and facts.synthesised),
        Step.KEYS: True,
        Step.AWAIT_CLUSTER: facts.desk,
        Step.OPERATOR: True,
        Step.POOL: True,
    }
    return tuple(step for step, needed in steps.items() if needed)
