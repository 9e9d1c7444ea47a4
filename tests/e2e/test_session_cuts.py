"""The proof of sessions (`make prove-sessions`), small: real sockets that are cut, an operator that
is killed."""

import pytest

from clients.sdk.login import load
from tests.conftest import Stack
from tests.proofs.session_cuts import prove

pytestmark = pytest.mark.e2e


def test_bytes_are_equal_while_sockets_are_cut_and_the_operator_is_killed(stack: Stack) -> None:
    login = load(stack.settings.login_folder)
    assert login is not None

    outcome = prove(stack.settings, stack.client, login, "e2e", 8, kills=(3.0, 8.0))

    assert [(way.name, way.got, way.problems) for way in outcome.ways] == [
        (way.name, way.wanted, []) for way in outcome.ways
    ]
    assert outcome.held
