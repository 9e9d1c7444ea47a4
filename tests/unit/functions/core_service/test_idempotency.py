"""A request and its retries under one `Idempotency-Key` are one request, with one answer."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from tests.builders_spec import yaml_of
from tests.stories.world import World
from tests.unit.functions.core_service.gateway import SUBMIT, Answer, CoreService
from xylem.domain.idempotency import KEPT_FOR, WORKED_ON_FOR, fingerprint
from xylem.domain.ids import UserName
from xylem.domain.status import WorkflowStatus
from xylem.ports.answers import Answer as Kept

CREDENTIAL = json.dumps({"generic_credential": {"credential": {"k": "v"}}})
TOKEN = "/api/auth/access_token/ci"
EXPIRES = "expires_at=2027-01-01"
APP = json.dumps(yaml_of(name="hello"))
MAKING: list[Any] = [
    pytest.param(("/api/credentials/c", "", CREDENTIAL), id="credential"),
    pytest.param((TOKEN, EXPIRES, None), id="token"),
    pytest.param(("/api/app/user/a", "description=d", APP), id="app"),
    pytest.param(("/api/auth/user", "", '{"id": "bob"}'), id="user"),
    pytest.param(("/api/profile/settings", "", '{"pool": "default"}'), id="profile"),
]
Asked = tuple[str, str, str | None]


def post(service: CoreService, asked: Asked, key: str = "key", **more: Any) -> Answer:
    path, query, body = asked
    headers = {"idempotency-key": key}
    more = {"roles": "osmo-admin", **more}
    return service.ask("POST", path, query=query, body=body, headers=headers, **more)


@pytest.mark.parametrize("asked", MAKING)
def test_who_asks_again_under_the_key_hears_the_same_answer(asked: Asked) -> None:
    service = CoreService()

    first, second = post(service, asked), post(service, asked)

    assert first.status == 200, first.body
    assert (second.status, second.body) == (first.status, first.body)
    assert second.headers["content-type"] == first.headers["content-type"]
    assert (first.headers.get("idempotency-replayed"), second.headers["idempotency-replayed"]) == (
        None,
        "true",
    )


@pytest.mark.parametrize("asked", MAKING)
def test_another_request_under_the_key_is_refused_with_what_to_do(asked: Asked) -> None:
    service = CoreService()
    post(service, asked)
    path, query, _ = asked

    answer = post(service, (path, query, '{"id": "another"}'))

    assert (answer.status, answer.body["error_code"]) == (422, "idempotency_key_reused")
    assert "Send this one under a new key" in answer.body["message"]


def test_a_token_that_is_asked_for_again_is_the_one_that_there_is() -> None:
    service = CoreService()
    first, second = (post(service, (TOKEN, EXPIRES, None)) for _ in range(2))

    answers = [
        service.ask("POST", "/api/auth/jwt/access_token", body=json.dumps({"token": one.body}))
        for one in (first, second)
    ]

    assert [answer.status for answer in answers] == [200, 200]
    assert len(service.ask("GET", "/api/auth/access_token").body) == 1


def test_a_key_is_its_callers_own() -> None:
    service = CoreService()
    asked: Asked = (TOKEN, EXPIRES, None)

    mine, theirs = (post(service, asked, who=who).body for who in ("alice", "bob"))

    assert mine != theirs


def test_what_was_refused_has_done_nothing_and_is_decided_afresh() -> None:
    service = CoreService()
    assigned: Asked = ("/api/auth/user/bob/roles", "", '{"role_name": "osmo-user"}')
    refused = post(service, assigned)
    post(service, ("/api/auth/user", "", '{"id": "bob"}'), key="another")

    answer = post(service, assigned)

    assert (refused.status, answer.status) == (400, 200)


def test_a_key_is_forgotten_after_a_day() -> None:
    service = CoreService()
    post(service, (TOKEN, EXPIRES, None))
    service.world.later(KEPT_FOR)

    assert post(service, (TOKEN, EXPIRES, None)).body["message"].endswith("already exists.")


class AtOnce:
    """A world in which a first request under the key is being worked on by somebody else."""

    def __init__(self, asked: Asked) -> None:
        self.world = World()
        self.service = CoreService(self.world)
        path, query, body = asked
        self.print = fingerprint("POST", path, query.encode(), (body or "").encode())
        alice, now = UserName("alice"), self.world.clock()
        begun = self.world.answers.begin(alice, "key", request=self.print, claim="first", now=now)
        assert begun is None


def test_of_two_at_once_the_second_waits_for_the_first_and_hears_the_same() -> None:
    asked: Asked = ("/api/credentials/c", "", CREDENTIAL)
    scene = AtOnce(asked)

    def the_first_ends(seconds: float) -> None:
        scene.world.answers.keep(
            UserName("alice"),
            "key",
            Kept(200, "application/json", b'"of the first"'),
            request=scene.print,
            claim="first",
            now=scene.world.clock(),
        )

    scene.world.wait = the_first_ends

    answer = post(scene.service, asked)

    assert (answer.status, answer.body) == (200, "of the first")
    assert scene.world.credentials.all(UserName("alice")) == []


def test_who_waits_too_long_for_the_first_is_told_to_come_again() -> None:
    asked: Asked = ("/api/credentials/c", "", CREDENTIAL)
    scene = AtOnce(asked)

    answer = post(scene.service, asked)

    assert (answer.status, answer.body["error_code"]) == (409, "in_progress")
    assert 5 < sum(scene.world.waited) < 10, "API Gateway waits for 30 s"


def test_a_first_one_that_died_is_done_again() -> None:
    asked: Asked = ("/api/credentials/c", "", CREDENTIAL)
    scene = AtOnce(asked)
    scene.world.later(WORKED_ON_FOR + timedelta(seconds=1))

    assert post(scene.service, asked).status == 200
    assert len(scene.world.credentials.all(UserName("alice"))) == 1


@pytest.mark.parametrize("key", ["", "k" * 129])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    service = CoreService()

    answer = post(service, (TOKEN, EXPIRES, None), key=key)

    assert answer.status in (400, 422)
    assert "Idempotency-Key" in answer.body["message"]
    assert service.ask("GET", "/api/auth/access_token").body == []


# Submissions keep their keys with what they make --------------------------------------------------


def submit(service: CoreService, spec: str, **more: Any) -> Answer:
    return service.submit(spec, headers={"idempotency-key": "key"}, **more)


def test_a_submission_that_is_sent_again_is_one_workflow() -> None:
    service = CoreService()

    first, second = (submit(service, yaml_of(name="hello")) for _ in range(2))

    assert first.body["name"] == "hello-1"
    assert second.body == first.body


@pytest.mark.parametrize(
    "other",
    [{"spec": yaml_of(name="other")}, {"spec": yaml_of(name="hello"), "query": "label=a%3Db"}],
)
def test_another_submission_under_the_key_is_refused(other: Mapping[str, Any]) -> None:
    service = CoreService()
    submit(service, yaml_of(name="hello"))

    answer = submit(service, **other)

    assert (answer.status, answer.body["error_code"]) == (422, "idempotency_key_reused")
    assert len(service.world.rows.stored_workflows) == 1


def test_a_submission_that_would_be_refused_by_now_is_still_the_workflow_that_it_made() -> None:
    service = CoreService()
    submit(service, yaml_of(name="hello"))
    service.world.configure(max_num_tasks=0)

    assert submit(service, yaml_of(name="hello")).body["name"] == "hello-1"


def test_a_restart_that_is_sent_again_is_one_workflow() -> None:
    service = CoreService()
    world = service.world
    name = service.submit(yaml_of(name="hello")).body["name"]
    world.settle()
    world.up(name, "a")
    world.exit(name, "a", 1)
    world.settle()
    assert world.look(name).workflow.status is WorkflowStatus.FAILED

    answers = [post(service, (f"{SUBMIT}/{name}/restart", "", None)) for _ in range(2)]

    assert [answer.body["name"] for answer in answers] == ["hello-2", "hello-2"]
