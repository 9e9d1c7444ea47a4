"""A name without a signature is believed in one place: a stack on this machine, asked from it."""

from typing import Any

import pytest

from tests.unit.functions.environment import Context, deployed

HEADERS = {"x-osmo-user": "alice"}


def ask(environment: str, source: str, **headers: str) -> dict[str, Any]:
    with deployed("authorizer", XYLEM_ENVIRONMENT=environment, API_URL="https://api.test"):
        from functions.authorizer.handler import http  # noqa: PLC0415 - its logger reads the environment

        context = {"http": {"sourceIp": source}}
        event = {"headers": {**HEADERS, **headers}, "requestContext": context}
        answer: dict[str, Any] = http(event, Context("authorizer"))
        return answer


@pytest.mark.parametrize("source", ["127.0.0.1", "::1"])
def test_a_stack_on_this_machine_believes_it(source: str) -> None:
    answer = ask("local", source)

    assert answer["isAuthorized"] is True
    assert answer["context"]["subject"] == "alice"
    assert answer["context"]["roles"] == "osmo-admin,osmo-user"


@pytest.mark.parametrize(
    ("environment", "source"),
    [("local", "192.0.2.1"), ("local", ""), ("prod", "127.0.0.1"), ("dev", "127.0.0.1")],
)
def test_nobody_else_does(environment: str, source: str) -> None:
    assert ask(environment, source) == {"isAuthorized": False}


def test_who_says_his_roles_has_these_and_sees_them() -> None:
    said = {"x-osmo-roles": "osmo-user, team", "x-osmo-allowed-pools": "a,b"}

    context = ask("local", "127.0.0.1", **said)["context"]

    assert context["roles"] == "osmo-user,team"
    assert (context["said_roles"], context["said_pools"]) == ("osmo-user,team", "a,b")
