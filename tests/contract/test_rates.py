"""Counts of requests: the same promises in memory and on DynamoDB."""

from datetime import timedelta

from tests.builders import NOON
from tests.contract.conftest import Stores

LATER = NOON + timedelta(seconds=20)


def test_what_is_added_under_a_key_in_a_window_comes_back_as_one_sum(stores: Stores) -> None:
    rates = stores.rates

    assert rates.add("user:alice", 1, 20, until=LATER) == 20
    assert rates.add("user:alice", 1, 5, until=LATER) == 25
    assert rates.add("user:alice", 2, 5, until=LATER) == 5
    assert rates.add("user:bob", 1, 1, until=LATER) == 1
