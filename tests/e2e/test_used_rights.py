"""Least privilege, proven: what the functions were seen doing in this whole run, held against the
policies of the templates that were deployed, in both directions. Its name makes it the last to run.
"""

import json

import pytest

from infra_cdk.policies import Call, allowed, denied, unused
from tests.conftest import Stack

pytestmark = pytest.mark.e2e

FUNCTIONS = "xylem-local-"


def test_every_call_was_allowed_and_every_right_was_used(stack: Stack) -> None:
    templates = [json.loads(path.read_text()) for path in stack.assembly.glob("*.template.json")]
    permissions = allowed(templates, account="000000000000", region="us-east-1")
    calls = {
        call
        for line in stack.calls.read_text().splitlines()
        if (call := Call.parse(line)).who.startswith(FUNCTIONS)
    }

    assert {call.who for call in calls} == set(permissions), "a function was never used"
    assert denied(calls, permissions) == (), "AWS would have refused these"
    assert unused(calls, permissions) == (), "take these rights back, or say why they are there"
