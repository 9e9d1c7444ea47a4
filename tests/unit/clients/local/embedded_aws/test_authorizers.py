import json
from typing import Any

import pytest

from clients.local.embedded_aws.authorizers import (
    Allowed,
    AnswerCache,
    Decision,
    Refused,
    Sources,
    answer_of,
    identity,
    policy_decision,
    simple_decision,
)
from clients.local.embedded_aws.lambda_process import Outcome, failure

SOURCES = Sources(
    headers={"authorization": "Bearer x"},
    query={"token": "t"},
    stage_variables={"color": "blue"},
    context={"routeKey": "GET /"},
)


@pytest.mark.parametrize(
    ("expressions", "values"),
    [
        (["$request.header.Authorization"], ("Bearer x",)),
        (["route.request.header.Authorization"], ("Bearer x",)),
        (["$request.querystring.token", "$stageVariables.color"], ("t", "blue")),
        (["$context.routeKey"], ("GET /",)),
        (["$request.header.Authorization", "$request.header.Other"], None),
        ([], ()),
    ],
)
def test_identity_sources_are_found_or_missing(
    expressions: list[str], values: tuple[str, ...] | None
) -> None:
    assert identity(expressions, SOURCES) == values


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        (Outcome(b'{"isAuthorized": true}'), {"isAuthorized": True}),
        (Outcome(b"null"), Refused(500)),
        (Outcome(b"no json"), Refused(500)),
        (failure("Exception", "Unauthorized"), Refused(401)),
        (failure("Exception", "Unauthorized user"), Refused(500)),
    ],
)
def test_a_failed_authorizer_is_an_error_unless_it_says_unauthorized(
    outcome: Outcome, answer: object
) -> None:
    assert answer_of(outcome) == answer


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        ({"isAuthorized": True, "context": {"a": 1}}, Allowed({"a": 1})),
        ({"isAuthorized": True, "context": None}, Allowed({})),
        ({"isAuthorized": False}, Refused(403)),
        ({"isAuthorized": "true"}, Refused(500)),
        ({}, Refused(500)),
    ],
)
def test_a_simple_answer_allows_or_refuses(answer: dict[str, Any], decision: Decision) -> None:
    assert simple_decision(answer) == decision


@pytest.mark.parametrize(
    ("effect", "decision"),
    [
        ("Allow", Allowed({"a": 1, "principalId": "ada"})),
        ("Deny", Refused(403)),
        ("NoMatch", Refused(403)),
    ],
)
def test_a_policy_is_evaluated_for_the_route(effect: str, decision: Decision) -> None:
    answer = {"policyDocument": {"Statement": []}, "context": {"a": 1}, "principalId": "ada"}

    assert policy_decision(answer, "arn", evaluate=lambda policy, arn: effect) == decision
    assert policy_decision({}, "arn", evaluate=lambda policy, arn: effect) == Refused(500)


def test_an_answer_holds_until_its_time() -> None:
    cache = AnswerCache()
    cache.put(("a",), {"isAuthorized": True}, until=10.0)

    assert cache.get(("a",), 9.9) == {"isAuthorized": True}
    assert cache.get(("a",), 10.0) is None
    assert cache.get(("b",), 0.0) is None


def test_strangers_cannot_fill_the_memory_with_answers() -> None:
    cache = AnswerCache(entries=2)
    for name in "abc":
        cache.put((name,), json.loads("{}"), until=10.0)

    assert [cache.get((name,), 0.0) is not None for name in "abc"] == [False, True, True]
