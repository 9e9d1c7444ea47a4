from typing import Any

import pytest

from clients.local.embedded_aws.sqs_delay import refusal


@pytest.mark.parametrize(
    ("delay", "refused"),
    [(None, False), (0, False), ("900", False), (901, True), (-1, True)],
)
def test_a_message_may_be_delayed_by_15_minutes(delay: Any, refused: bool) -> None:
    assert (refusal(delay) is not None) is refused
