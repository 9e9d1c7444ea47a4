"""A message says one thing, to one hearer, under one id, and is signed so that he can tell."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest

from tests.builders import NOON, a_workflow
from xylem.domain.ids import UserName
from xylem.domain.notification import a_secret, hearers, message, signed
from xylem.domain.status import WorkflowStatus
from xylem.domain.workflow import Workflow

SECRET = a_secret(bytes(range(32)))


def ended(status: WorkflowStatus = WorkflowStatus.COMPLETED, **more: Any) -> Workflow:
    return a_workflow(status=status, ended_at=NOON + timedelta(minutes=2), **more)


def test_the_same_end_makes_the_same_message_and_another_hearer_another_id() -> None:
    first, again = (message(ended(), "webhook:ci") for _ in range(2))

    assert first == again
    assert message(ended(), "webhook:other").id != first.id
    assert message(ended(uuid="f" * 32), "webhook:ci").id != first.id


def test_a_body_says_what_ended_how_and_when() -> None:
    said = message(ended(WorkflowStatus.FAILED_EXEC_TIMEOUT), "webhook:ci")

    body = json.loads(said.body)
    assert (body["id"], body["type"]) == (said.id, "workflow.failed")
    assert body["timestamp"] == "2026-06-01T12:02:00Z"
    assert body["data"]["name"] == "hello-1"
    assert body["data"]["status"] == "FAILED_EXEC_TIMEOUT"
    assert said.subject == "Workflow hello-1 FAILED_EXEC_TIMEOUT"


def test_a_signature_is_over_the_id_the_time_and_the_body() -> None:
    """As a receiver verifies it: Standard Webhooks, `Verifying signatures`."""
    said = message(ended(), "webhook:ci")

    headers = signed(said, SECRET, NOON)

    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{said.body.decode()}"
    expected = base64.b64encode(hmac.new(key, content.encode(), hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-timestamp"] == str(int(NOON.timestamp()))


def test_a_later_try_has_another_time_and_the_same_id() -> None:
    said = message(ended(), "webhook:ci")

    first, second = (signed(said, SECRET, NOON + timedelta(minutes=n)) for n in (0, 1))

    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.parametrize(
    ("user", "asked", "told"),
    [
        ("a@b.example", {"email": True, "sender": "x@c.example"}, ("email:x@c.example",)),
        ("a@b.example", {"email": True}, ()),
        ("alice", {"email": True, "sender": "x@c.example"}, ()),
        ("alice", {"slack": True}, ("slack",)),
        ("alice", {"webhooks": ["z", "a"]}, ("webhook:a", "webhook:z")),
        ("alice", {}, ()),
    ],
)
def test_who_hears_is_who_asked_for_it_and_can_be_reached(
    user: str, asked: dict[str, Any], told: tuple[str, ...]
) -> None:
    usual: dict[str, Any] = {"email": False, "slack": False, "sender": "", "webhooks": []}

    assert hearers(UserName(user), **{**usual, **asked}) == told
