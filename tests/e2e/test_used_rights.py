"""Least privilege, proven: what the functions were seen doing in this whole run, held against the
policies of the templates that were deployed, in both directions. Its name makes it the last to run.
"""

import json
import time

import pytest

from infra_cdk.policies import Call, allowed, denied, unused
from tests.conftest import Stack

pytestmark = pytest.mark.e2e

FUNCTIONS = "xylem-local-"


SWEEP_SECONDS = 90
"""EventBridge Scheduler starts it once a minute."""


def calls_of(stack: Stack) -> set[Call]:
    return {
        call
        for line in stack.calls.read_text().splitlines()
        for call in Call.parse(line)
        if call.who.startswith(FUNCTIONS)
    }


def test_every_call_was_allowed_and_every_right_was_used(stack: Stack) -> None:
    templates = [json.loads(path.read_text()) for path in stack.assembly.glob("*.template.json")]
    permissions = allowed(templates, account="000000000000", region="us-east-1")
    deadline = time.monotonic() + SWEEP_SECONDS
    while {call.who for call in calls_of(stack)} != set(permissions):
        assert time.monotonic() < deadline, "a function was never used"
        time.sleep(1)
    time.sleep(1)  # the sweep's last calls, and the journal's half second
    calls = calls_of(stack)

    assert denied(calls, permissions) == (), "AWS would have refused these"
    assert unused(calls, permissions) == (), "take these rights back, or say why they are there"
