"""Logs are complete whatever is killed: a small run of `make prove-logs`, and a node that dies."""

import pytest

from tests.conftest import Stack
from tests.proofs.logs import Scale, gap_of, node_dies, one_shard

pytestmark = pytest.mark.e2e

SEED = 1


def test_what_tasks_printed_is_read_back_and_what_died_with_its_node_is_a_gap(
    stack: Stack,
) -> None:
    """A gap is shown a minute after the attempt's end: the shard is run meanwhile."""
    died = node_dies(stack.settings, stack.client)

    shard = one_shard(
        stack.settings, stack.client, 0, SEED, Scale(tasks=3, lines=2_000, seconds=8.0)
    )
    dying = gap_of(stack.client, died)

    assert shard.problems == [], shard
    assert shard.kills, shard
    assert dying.problems == [], dying
