"""What is told of a workflow that ended, to whom, and under which id.

    email               to its user, whose name is an address, from the sender that an admin set
    slack               to its user, by a bot whose token is a credential called `slack`
    webhook:NAME        a signed POST to an address of the user's

Who is to hear is decided at the submission. A message has one id for each who hears it, made of
the workflow's uuid and the hearer: whoever tries again, sends it under the same id, and the same
text. Webhooks speak Standard Webhooks (github.com/standard-webhooks/standard-webhooks, its
spec/standard-webhooks.md), for which libraries exist that verify.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import UserName
from xylem.domain.status import WorkflowStatus
from xylem.domain.values import dataclass
from xylem.domain.workflow import Workflow

MOST_WEBHOOKS = 5
"""Of one user: each is a job of every workflow of his that ends."""

EMAIL, SLACK, WEBHOOK = "email", "slack", "webhook"

SECRET = "whsec_"
"""Before the base64 of a secret's bytes; the specification wants 24 to 64 of them."""

ADDRESS = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,255}")


@dataclass(frozen=True, slots=True)
class Message:
    """`body`: what a webhook is sent; the others are for people."""

    id: str
    body: bytes
    subject: str
    text: str


def hearers(
    user: UserName, *, email: bool, slack: bool, sender: str, webhooks: Iterable[str]
) -> tuple[str, ...]:
    """`sender`: of mail, if an admin set one."""
    by_mail = email and sender and ADDRESS.fullmatch(user) is not None
    return (
        *((f"{EMAIL}:{sender}",) if by_mail else ()),
        *((SLACK,) if slack else ()),
        *(f"{WEBHOOK}:{name}" for name in sorted(webhooks)),
    )


def webhooks_of(user: UserName) -> UserName:
    """Under which they are kept, as credentials are: no name of a person has a slash."""
    return UserName(f"webhooks/{user}")


def message_id(workflow: Workflow, hearer: str) -> str:
    """32 hex digits."""
    whole = f"{workflow.uuid}/{workflow.status}/{hearer}"
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def message(workflow: Workflow, hearer: str) -> Message:
    """Of one that ended; it does not change any more, so neither does this."""
    id = f"msg_{message_id(workflow, hearer)}"
    ended = workflow.ended_at or workflow.submitted_at
    completed = workflow.status is WorkflowStatus.COMPLETED
    event = {
        "id": id,
        "type": "workflow.completed" if completed else "workflow.failed",
        "timestamp": _utc(ended),
        "data": {
            "name": workflow.id,
            "uuid": workflow.uuid,
            "status": workflow.status.value,
            "user": workflow.user,
            "pool": workflow.pool,
            "priority": workflow.priority,
            "labels": dict(workflow.labels),
            "submit_time": _utc(workflow.submitted_at),
            "start_time": _utc(workflow.started_at),
            "end_time": _utc(ended),
        },
    }
    body = json.dumps(event, sort_keys=True, separators=(",", ":")).encode()
    subject = f"Workflow {workflow.id} {workflow.status}"
    text = (
        f"{subject}\n\nIt was submitted to pool {workflow.pool} at {_utc(workflow.submitted_at)} "
        f"and ended at {_utc(ended)}.\n\nxylem workflow query {workflow.id}\n"
    )
    return Message(id, body, subject, text)


def _utc(at: datetime | None) -> str | None:
    return None if at is None else f"{at.replace(tzinfo=None).isoformat()}Z"


def a_secret(random: bytes) -> str:
    return SECRET + base64.b64encode(random).decode()


def signed(message: Message, secret: str, now: datetime) -> Mapping[str, str]:
    """Headers. The time is that of this try: who hears an old one refuses it."""
    at = str(int(now.timestamp()))
    try:
        key = base64.b64decode(secret.removeprefix(SECRET), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("A webhook's secret is whsec_ and base64.", code="USER") from None
    whole = b".".join((message.id.encode(), at.encode(), message.body))
    signature = base64.b64encode(hmac.digest(key, whole, "sha256")).decode()
    return {
        "webhook-id": message.id,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{signature}",
        "content-type": "application/json",
    }
