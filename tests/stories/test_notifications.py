"""Whoever wants to hear of a workflow's end hears of it: once, and later where he was away."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.builders_spec import yaml_of
from tests.stories.world import World
from tests.unit.functions.core_service.gateway import CoreService
from xylem.domain import credential
from xylem.domain.credential import keeper_of
from xylem.domain.ids import JobId, PoolName, WorkflowId
from xylem.memory.outside import Posted
from xylem.ports.jobs import Deliver, Notify
from xylem.ports.outside import NotAllowed, NotReached, Reply
from xylem.usecases.notifying import TRIES

URL = "https://ci.example.com/hooks"


def a_service(*webhooks: str, **profile: Any) -> CoreService:
    service = CoreService()
    for name in webhooks:
        made = service.ask(
            "POST", f"/api/webhook/{name}", body=json.dumps({"url": f"{URL}/{name}"})
        )
        assert made.status == 200, made.body
    if profile:
        kept = service.ask("POST", "/api/profile/settings", body=json.dumps(profile))
        assert kept.status == 200
    return service


def run(service: CoreService, code: int = 0, who: str = "alice", name: str = "hello") -> WorkflowId:
    """A workflow is submitted, runs and ends; nothing that its end set going has happened yet."""
    world = service.world
    made = WorkflowId(service.submit(yaml_of(name=name), who=who).body["name"])
    world.settle()
    world.answer()
    world.up(made, "a")
    world.exit(made, "a", code)
    world.apply(world.news.take())
    return made


def jobs_of(world: World, kind: type) -> list[JobId]:
    return [id for id, job in world.rows.stored_jobs.items() if isinstance(job.work, kind)]


def ids(posted: list[Posted]) -> list[str]:
    return [one.headers["webhook-id"] for one in posted]


def test_each_webhook_of_its_user_hears_of_the_end() -> None:
    service = a_service("a", "b")
    world = service.world
    name = run(service)

    world.settle()

    assert sorted(one.url for one in world.outside.posted) == [f"{URL}/a", f"{URL}/b"]
    assert {json.loads(one.body)["data"]["name"] for one in world.outside.posted} == {name}
    assert len(set(ids(world.outside.posted))) == 2
    assert not jobs_of(world, Notify) and not jobs_of(world, Deliver)


def test_nobody_hears_of_it_who_did_not_ask_and_nothing_is_written_for_him() -> None:
    service = a_service("a")

    run(service, who="bob")

    assert not jobs_of(service.world, Notify)
    service.world.settle()
    assert service.world.outside.posted == []


def test_a_receiver_that_fails_for_a_minute_gets_each_message_once_more_with_its_id() -> None:
    service = a_service("ci")
    world = service.world
    back_at = world.clock() + timedelta(minutes=1)
    taken: list[Posted] = []

    def answer(posted: Posted) -> Reply:
        if world.clock() < back_at:
            return Reply(503)
        taken.append(posted)
        return Reply(204)

    world.outside.answer = answer
    for number in range(3):
        run(service, name=f"w{number}")
    world.settle()
    assert taken == []
    for _ in range(30):
        world.later(timedelta(seconds=10))
        world.sweep()
        world.settle()

    assert len(taken) == 3
    assert len(set(ids(taken))) == 3
    assert set(ids(world.outside.posted)) == set(ids(taken)), "never twice with another id"
    assert all(one.headers["webhook-signature"].startswith("v1,") for one in taken)
    assert not jobs_of(world, Deliver)


def test_what_is_done_twice_and_late_is_told_once() -> None:
    service = a_service("ci")
    world = service.world
    run(service)
    [notify] = jobs_of(world, Notify)
    late = world.run_of(notify)
    world.perform(notify)
    [deliver] = jobs_of(world, Deliver)

    late(world)
    assert jobs_of(world, Deliver) == [deliver]
    world.settle()
    world.perform(notify)
    world.perform(deliver)

    assert len(world.outside.posted) == 1


def test_an_answer_that_was_lost_is_told_again_under_the_same_id() -> None:
    service = a_service("ci")
    world = service.world
    run(service)
    world.perform(jobs_of(world, Notify)[0])
    [deliver] = jobs_of(world, Deliver)
    again = world.run_of(deliver)

    world.perform(deliver)
    again(world)

    first, second = ids(world.outside.posted)
    assert first == second


def test_a_receiver_that_never_comes_back_is_given_up() -> None:
    service = a_service("ci")
    world = service.world

    def gone(_: Posted) -> Reply:
        raise NotReached("ci.example.com: ConnectTimeoutError")

    world.outside.answer = gone
    run(service)
    for _ in range(TRIES + 5):
        world.later(timedelta(minutes=16))
        world.sweep()
        world.settle()

    assert len(world.outside.posted) == TRIES
    assert not jobs_of(world, Deliver)


def test_an_address_that_may_not_be_is_asked_once_and_never_again() -> None:
    service = a_service("ci")
    world = service.world

    def refused(_: Posted) -> Reply:
        raise NotAllowed("ci.example.com is 10.0.0.1, which is no public address")

    world.outside.answer = refused
    run(service)
    world.settle()

    assert len(world.outside.posted) == 1
    assert not jobs_of(world, Deliver)


def test_a_webhook_that_was_deleted_meanwhile_hears_nothing() -> None:
    service = a_service("ci")
    run(service)
    service.ask("DELETE", "/api/webhook/ci")

    service.world.settle()

    assert service.world.outside.posted == []
    assert not jobs_of(service.world, Deliver)


# Mail and Slack ----------------------------------------------------------------------------------


def with_a_sender(service: CoreService) -> None:
    alerts = {"workflow_alerts": {"smtp_settings": {"sender": "xylem@corp.example"}}}
    answer = service.ask(
        "PATCH",
        "/api/configs/workflow",
        body=json.dumps({"configs_dict": alerts}),
        who="root",
        roles="osmo-admin",
    )
    assert answer.status == 200, answer.body


def test_who_wants_mail_gets_it_at_the_address_that_he_is_called_by() -> None:
    service = CoreService()
    with_a_sender(service)
    carol = "carol@corp.example"
    body = json.dumps({"email_notification": True})
    service.ask("POST", "/api/profile/settings", body=body, who=carol)
    name = run(service, 1, who=carol)

    service.world.settle()

    [mail] = service.world.mailer.sent
    assert (mail.sender, mail.to) == ("xylem@corp.example", carol)
    assert mail.subject == f"Workflow {name} FAILED"
    assert mail.id.startswith("msg_")


def test_without_a_sender_nobody_gets_mail() -> None:
    service = a_service(email_notification=True)
    run(service)

    assert not jobs_of(service.world, Notify)


def slack_of(service: CoreService, **payload: str) -> None:
    kept = credential.generic("slack", {"token": "xoxb-1", **payload})
    service.world.credentials.put(
        keeper_of(PoolName("default")), kept, replacing=None, now=service.world.clock()
    )


def slack_says(*answers: Any) -> Any:
    left = list(answers)
    return lambda _: Reply(200, json.dumps(left.pop(0)).encode())


def test_who_wants_to_hear_in_slack_is_looked_up_and_told_by_the_pools_bot() -> None:
    service = a_service(slack_notification=True)
    slack_of(service)
    world = service.world
    world.outside.answer = slack_says({"ok": True, "user": {"id": "U1"}}, {"ok": True})
    run(service)

    world.settle()

    asked, told = world.outside.posted
    assert asked.url.endswith("/users.lookupByEmail") and asked.body == b"email=alice"
    assert told.url.endswith("/chat.postMessage") and b"channel=U1" in told.body
    assert told.headers["authorization"] == "Bearer xoxb-1"


def test_a_bot_with_a_channel_speaks_there() -> None:
    service = a_service(slack_notification=True)
    slack_of(service, channel="C1")
    service.world.outside.answer = slack_says({"ok": True})
    run(service)

    service.world.settle()

    [told] = service.world.outside.posted
    assert b"channel=C1" in told.body


@pytest.mark.parametrize(("error", "tried_again"), [("ratelimited", True), ("invalid_auth", False)])
def test_what_slack_refuses_for_good_is_given_up(error: str, tried_again: bool) -> None:
    service = a_service(slack_notification=True)
    slack_of(service, channel="C1")
    world = service.world
    world.outside.answer = lambda _: Reply(200, json.dumps({"ok": False, "error": error}).encode())
    run(service)

    world.settle()

    assert bool(jobs_of(world, Deliver)) is tried_again


def test_a_bots_token_is_in_no_error_that_is_kept() -> None:
    service = a_service(slack_notification=True)
    slack_of(service)
    world = service.world
    world.outside.answer = lambda _: Reply(500, b"xoxb-1")
    run(service)
    world.settle()

    [job] = world.rows.stored_jobs.values()
    assert "Slack answered 500" in job.last_error
    assert "xoxb" not in job.last_error
