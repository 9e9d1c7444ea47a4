"""Whose login `up` may replace by its own."""

import pytest

from clients.local.up import may_replace
from clients.sdk.login import Login

OURS = Login(url="http://127.0.0.1:4566/_aws/execute-api/xylemhttp/$default", token="new")


@pytest.mark.parametrize(
    ("present", "may"),
    [
        (None, True),
        (OURS.model_copy(update={"token": "of a stack that was reset"}), True),
        (OURS.model_copy(update={"url": OURS.url.replace("4566", "5000")}), True),
        (Login(url="https://xylem.example"), False),
        (Login(url="http://127.0.0.1:8443"), False),
    ],
)
def test_only_the_login_of_a_local_stack_is_replaced(present: Login | None, may: bool) -> None:
    assert may_replace(present, OURS) is may
