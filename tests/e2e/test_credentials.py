"""Credentials on the deployed stack: kept sealed, and never seen again."""

import json

import pytest

from tests.conftest import Stack
from tests.e2e.running import aws

pytestmark = pytest.mark.e2e

SECRET = "correct-horse-battery-staple"


def test_a_credential_is_set_listed_and_deleted_and_its_secret_is_nowhere_to_be_read(
    stack: Stack,
) -> None:
    made = stack.xylem("credential", "set", "e2e-token", "--payload", f"value={SECRET}")
    listed = stack.xylem("credential", "list", "--format-type", "json")
    items = aws(stack, "dynamodb").scan(TableName="xylem-local-identity")["Items"]
    gone = stack.xylem("credential", "delete", "e2e-token")
    again = stack.xylem("credential", "delete", "e2e-token")

    assert (made.returncode, gone.returncode, again.returncode) == (0, 0, 2), made.stderr
    entry = {"cred_name": "e2e-token", "cred_type": "GENERIC", "profile": None}
    assert entry in json.loads(listed.stdout)["credentials"]
    [item] = [item for item in items if item["sk"]["S"] == "CRED#e2e-token"]
    assert SECRET not in repr(item)
    assert SECRET not in made.stdout + made.stderr + listed.stdout
    assert SECRET not in stack.xylem("local", "logs", "core-service").stdout
