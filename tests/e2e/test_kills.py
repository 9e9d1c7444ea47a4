"""kill -9 in the middle of a running diamond: one run of each kind of `make prove-kills`."""

import pytest

from tests.conftest import Stack
from tests.proofs.kills import KINDS, Kind, one_run

pytestmark = pytest.mark.e2e

SEED = 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_diamond_completes_once_whatever_is_killed(stack: Stack, kind: Kind) -> None:
    run = one_run(stack.settings, stack.client, kind, 0, SEED)

    assert run.problems == [], run
