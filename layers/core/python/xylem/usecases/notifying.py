"""Whoever wanted to hear of a workflow's end hears of it, once for each who hears.

The commit in which a workflow ends has a job `Notify`. That makes a job of each message, named by
the message's id, so that making them twice makes none more; and that job sends, again and again
with growing waits as every job is, for some hours. A receiver that is away meanwhile hears each
message later; one that answered and whose answer was lost hears it again under the same id, by
which it knows. What can never be sent (an address that is not public, a webhook that is gone) is
given up at once.

    heard_by        at the submission: who is to hear
    fan_out         the end: a job for each of them
    deliver         one try of one message
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from xylem.domain.credential import keeper_of
from xylem.domain.ids import JobId, UserName
from xylem.domain.notification import (
    EMAIL,
    SLACK,
    Message,
    hearers,
    message,
    message_id,
    signed,
    webhooks_of,
)
from xylem.domain.workflow import Workflow
from xylem.ports.configs import Configs, Credentials
from xylem.ports.identity import Identity
from xylem.ports.jobs import Deliver, Doorbell, Job, Jobs, Notify
from xylem.ports.outside import Mailer, NotAllowed, NotReached, Outside
from xylem.ports.workflows import Workflows
from xylem.ports.world import Clock
from xylem.usecases.draft import RING_AGAIN_AFTER

TRIES = 24
"""Of one message: with the waits of a job (5 s, doubled, 15 min at the most) about four hours."""

SLACK_API = "https://slack.com/api"
"""docs.slack.dev/reference/methods/chat.postMessage, .../users.lookupByEmail"""

LATER = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "request_timeout"}
)
"""Errors of Slack's that pass; every other one is somebody's to mend."""

REPLY_CHARS = 100


class Engine(Protocol):
    @property
    def workflows(self) -> Workflows: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def credentials(self) -> Credentials: ...
    @property
    def doorbell(self) -> Doorbell: ...
    @property
    def outside(self) -> Outside: ...
    @property
    def mailer(self) -> Mailer: ...
    @property
    def clock(self) -> Clock: ...


def heard_by(
    user: UserName, *, identity: Identity, credentials: Credentials, configs: Configs
) -> tuple[str, ...]:
    profile = identity.profile(user)
    webhooks = [one.name for one in credentials.all(webhooks_of(user))]
    sender = ""
    if profile.email_notification:
        alerts = configs.workflow().kept.get("workflow_alerts", {})
        sender = alerts.get("smtp_settings", {}).get("sender", "")
    return hearers(
        user,
        email=profile.email_notification,
        slack=profile.slack_notification,
        sender=sender,
        webhooks=webhooks,
    )


def perform(job: Job, work: Notify | Deliver, *, engine: Engine) -> None:
    """Raises `NotReached`."""
    match work:
        case Notify():
            fan_out(job, work, engine=engine)
        case Deliver():
            deliver(job, work, engine=engine)


def fan_out(job: Job, work: Notify, *, engine: Engine) -> None:
    workflow = engine.workflows.workflow(work.workflow).value
    now = engine.clock()
    made = []
    for hearer in workflow.heard_by:
        id = JobId(message_id(workflow, hearer))
        if engine.jobs.load(id) is None:
            delivery = Deliver(workflow.id, hearer)
            engine.jobs.add(Job(id, delivery, now + RING_AGAIN_AFTER, not_before=now))
            made.append(id)
    if made:
        engine.doorbell.ring(made)
    engine.jobs.finish(job.id)


def deliver(job: Job, work: Deliver, *, engine: Engine) -> None:
    """Raises `NotReached` when it was not taken, and may be later."""
    workflow = engine.workflows.workflow(work.workflow).value
    said = message(workflow, work.hearer)
    kind, _, which = work.hearer.partition(":")
    try:
        if job.attempts < TRIES:
            _send(kind, which, said, workflow, engine)
    except NotAllowed:
        pass  # no later try would be another one
    engine.jobs.finish(job.id)


def _send(kind: str, which: str, said: Message, workflow: Workflow, engine: Engine) -> None:
    if kind == EMAIL:
        engine.mailer.send(
            said.id, sender=which, to=workflow.user, subject=said.subject, text=said.text
        )
    elif kind == SLACK:
        _tell_slack(said, workflow, engine)
    else:
        _call(which, said, workflow, engine)


def _call(name: str, said: Message, workflow: Workflow, engine: Engine) -> None:
    """Raises `NotReached`, `NotAllowed`."""
    webhook = engine.credentials.open(webhooks_of(workflow.user), name)
    if webhook is None or webhook.profile is None:
        return
    headers = signed(said, webhook.payload["secret"], engine.clock())
    reply = engine.outside.post(webhook.profile, headers, said.body)
    if not 200 <= reply.status < 300:
        raise NotReached(f"webhook {name} answered {reply.status}")


def _tell_slack(said: Message, workflow: Workflow, engine: Engine) -> None:
    """Its user's bot, or that which an admin keeps for the pool. `channel`: where it speaks; else
    to whom has the user's name as his address. Raises `NotReached`, `NotAllowed`."""
    mine = engine.credentials.open(workflow.user, SLACK)
    bot = mine or engine.credentials.open(keeper_of(workflow.pool), SLACK)
    if bot is None or "token" not in bot.payload:
        return
    token = bot.payload["token"]
    channel = bot.payload.get("channel")
    if channel is None:
        found = _ask_slack("users.lookupByEmail", {"email": workflow.user}, token, engine)
        channel = found["user"]["id"]
    event = {"event_type": "xylem", "event_payload": {"id": said.id}}
    _ask_slack(
        "chat.postMessage",
        {"channel": channel, "text": said.text, "metadata": json.dumps(event)},
        token,
        engine,
    )


def _ask_slack(method: str, form: Mapping[str, str], token: str, engine: Engine) -> Any:
    """Raises `NotReached`, `NotAllowed`."""
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "application/x-www-form-urlencoded",
    }
    reply = engine.outside.post(f"{SLACK_API}/{method}", headers, urlencode(form).encode())
    try:
        answer = json.loads(reply.body) if reply.status == 200 else {"error": "fatal_error"}
    except ValueError:
        answer = {"error": "fatal_error"}
    if answer.get("ok"):
        return answer
    error = str(answer.get("error"))[:REPLY_CHARS]
    if error in LATER:
        raise NotReached(f"Slack answered {reply.status}, {error}, to {method}")
    raise NotAllowed(f"Slack answered {error} to {method}")
