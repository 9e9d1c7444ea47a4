"""Users, their roles and their access tokens, as OSMO's clients ask for them."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.functions.core_service.gateway import Answer, CoreService

ADMIN: Any = {"who": "root", "roles": "osmo-admin"}
NEXT_YEAR = "expires_at=2027-01-01"


def asked(service: CoreService, method: str, path: str, body: Any = None, **more: Any) -> Answer:
    text = None if body is None else json.dumps(body)
    return service.ask(method, f"/api/auth{path}", body=text, **more)


def with_carol(*roles: str) -> CoreService:
    service = CoreService()
    body = {"id": "carol", "roles": list(roles)}
    assert asked(service, "POST", "/user", body, **ADMIN).status == 200
    return service


def a_token(service: CoreService, name: str = "ci", query: str = NEXT_YEAR, **more: Any) -> Answer:
    return asked(service, "POST", f"/access_token/{name}", query=query, **{"who": "carol", **more})


def exchanged(service: CoreService, secret: str) -> Answer:
    return asked(service, "POST", "/jwt/access_token", {"token": secret})


def test_a_token_has_the_roles_of_its_user_or_some_of_them() -> None:
    service = with_carol("osmo-user", "osmo-ctrl")

    assert a_token(service).status == 200
    assert a_token(service, "less", f"{NEXT_YEAR}&roles=osmo-user").status == 200
    refused = a_token(service, "more", f"{NEXT_YEAR}&roles=osmo-admin", roles="osmo-admin")

    assert refused.status == 400, "what he came with counts only where none are kept of him"
    listed = asked(service, "GET", "/access_token", who="carol").body
    assert {one["token_name"]: one["roles"] for one in listed} == {
        "ci": ["osmo-ctrl", "osmo-user"],
        "less": ["osmo-user"],
    }


def test_who_is_not_kept_gives_his_token_what_he_came_with() -> None:
    service = CoreService()

    secret = a_token(service, who="dave", roles="osmo-user").body

    assert exchanged(service, secret).status == 200
    assert asked(service, "GET", "/user/dave", **ADMIN).body["roles"] == []


def test_a_token_is_told_once_and_only_its_hash_is_kept() -> None:
    service = with_carol("osmo-user")
    secret = a_token(service).body

    assert secret not in repr(vars(service.world.identity))
    assert secret not in str(asked(service, "GET", "/access_token", who="carol").body)


def test_an_access_token_is_exchanged_for_one_of_some_minutes_until_it_expires() -> None:
    service = with_carol("osmo-user")
    secret = a_token(service, query="expires_at=2026-06-02").body

    ends = exchanged(service, secret).body["expires_at"]
    assert ends == int((service.world.clock() + timedelta(minutes=5)).timestamp())

    service.world.later(timedelta(days=1))
    answer = exchanged(service, secret)
    assert (answer.status, answer.body["message"]) == (400, "Access Token has expired")


def test_a_token_that_was_taken_away_opens_nothing() -> None:
    service = with_carol("osmo-user")
    secret = a_token(service).body

    assert asked(service, "DELETE", "/access_token/ci", who="carol").status == 200

    assert exchanged(service, secret).status == 400
    assert asked(service, "DELETE", "/access_token/ci", who="carol").status == 400


def test_a_role_that_a_user_loses_is_lost_by_his_tokens_for_good() -> None:
    service = with_carol("osmo-user", "osmo-ctrl")
    a_token(service)
    path = "/user/carol/roles"

    for _ in range(2):
        assert asked(service, "DELETE", f"{path}/osmo-ctrl", **ADMIN).status == 200
    asked(service, "POST", path, {"role_name": "osmo-ctrl"}, **ADMIN)

    roles = asked(service, "GET", "/access_token/ci/roles", who="carol").body["roles"]
    assert [one["role_name"] for one in roles] == ["osmo-user"]


def test_a_user_who_goes_takes_his_tokens_along() -> None:
    service = with_carol("osmo-user")
    secret = a_token(service).body

    assert asked(service, "DELETE", "/user/carol", **ADMIN).status == 200

    assert exchanged(service, secret).status == 400
    assert asked(service, "DELETE", "/user/carol", **ADMIN).status == 400


@pytest.mark.parametrize("who", [{}, {"who": "carol"}], ids=["another", "herself"])
def test_nobody_but_an_admin_makes_tokens_by_the_name_of_a_user(who: dict[str, Any]) -> None:
    service = with_carol("osmo-user")
    path = "/user/carol/access_token/ci"

    assert asked(service, "POST", path, query=NEXT_YEAR, **who).status == 403
    assert asked(service, "POST", path, query=NEXT_YEAR, **ADMIN).status == 200


def test_assigning_a_role_again_changes_nothing_and_says_so_of_several_users() -> None:
    service = with_carol("osmo-user")
    before = asked(service, "GET", "/user/carol/roles", **ADMIN).body
    body = {"user_ids": ["carol", "ghost", "carol"]}

    done = asked(service, "POST", "/roles/osmo-user/users", body, **ADMIN).body

    assert (done["assigned"], done["already_assigned"]) == ([], ["carol"])
    assert done["failed"] == ["ghost"]
    assert asked(service, "GET", "/user/carol/roles", **ADMIN).body == before


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("expires_at=2026-06-01", "must be past the current date"),
        ("expires_at=2027-06-02", "more than 365d from now"),
        ("expires_at=2026-02-30", "is no day"),
        ("expires_at=20270101", "is no day"),
        (f"{NEXT_YEAR}&description={'d' * 501}", "500 characters"),
    ],
)
def test_a_token_that_cannot_be_is_refused(query: str, says: str) -> None:
    answer = a_token(with_carol("osmo-user"), query=query)

    assert answer.status == 400
    assert says in answer.body["message"]


def test_an_admin_says_how_long_a_token_may_live() -> None:
    service = with_carol("osmo-user")
    body = json.dumps({"configs_dict": {"service_auth": {"max_token_duration": "30d"}}})
    assert service.ask("PATCH", "/api/configs/service", body=body, **ADMIN).status == 200

    assert a_token(service, query="expires_at=2026-07-01").status == 200
    assert "30d from now" in a_token(service, "far", "expires_at=2026-07-02").body["message"]
