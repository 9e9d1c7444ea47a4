"""Lambda authorizers: what they are asked with, how their answer reads, how long it holds.

HTTP APIs:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
WebSocket APIs:
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html

A request without a declared identity source is refused with 401 and the function is not called. An
answer is kept for the authorizer's TTL under the values of its identity sources, for all routes: a
simple one allows or denies whole, a policy is evaluated again for each route. Who raises an
exception that says Unauthorized means 401; stock ministack makes 500 of it.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clients.local.embedded_aws.lambda_process import Outcome

# Keys come from callers, so the cache is bounded.
CACHE_ENTRIES = 1024


@dataclass(frozen=True, slots=True)
class Allowed:
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    status: int
    """401 unauthorized, 403 forbidden, 500 the authorizer itself failed."""


Decision = Allowed | Refused


@dataclass(frozen=True, slots=True)
class Sources:
    """Where identity sources are found in a request."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    stage_variables: Mapping[str, str]
    context: Mapping[str, str]

    def value(self, expression: str) -> str:
        """`$request.header.Name` and its like; WebSocket APIs write `route.request.header.Name`."""
        kind, _, name = expression.removeprefix("$").removeprefix("route.").partition(".")
        if kind == "stageVariables":
            return self.stage_variables.get(name, "")
        if kind == "context":
            return self.context.get(name, "")
        place, _, name = name.partition(".")
        if place == "header":
            return self.headers.get(name.lower(), "")
        return self.query.get(name, "") if place == "querystring" else ""


def identity(expressions: list[str], sources: Sources) -> tuple[str, ...] | None:
    """The values of all identity sources; None when one is missing."""
    values = tuple(sources.value(expression) for expression in expressions)
    return values if all(values) else None


class AnswerCache:
    """The answers of authorizers that still hold."""

    def __init__(self, *, entries: int = CACHE_ENTRIES) -> None:
        self._entries = entries
        self._answers: OrderedDict[tuple[str, ...], tuple[float, dict[str, Any]]] = OrderedDict()

    def get(self, key: tuple[str, ...], now: float) -> dict[str, Any] | None:
        held = self._answers.get(key)
        if held is None or held[0] <= now:
            return None
        return held[1]

    def put(self, key: tuple[str, ...], answer: dict[str, Any], *, until: float) -> None:
        self._answers[key] = until, answer
        self._answers.move_to_end(key)
        if len(self._answers) > self._entries:
            self._answers.popitem(last=False)


def answer_of(outcome: Outcome) -> dict[str, Any] | Refused:
    """The authorizer's answer, or what its failure means for the caller."""
    try:
        answer = json.loads(outcome.payload)
    except ValueError:
        return Refused(500)
    if outcome.failed:
        unauthorized = isinstance(answer, dict) and answer.get("errorMessage") == "Unauthorized"
        return Refused(401 if unauthorized else 500)
    return answer if isinstance(answer, dict) else Refused(500)


def simple_decision(answer: Mapping[str, Any]) -> Decision:
    allowed = answer.get("isAuthorized")
    context = answer.get("context") or {}
    if not isinstance(allowed, bool) or not isinstance(context, dict):
        return Refused(500)
    return Allowed(context) if allowed else Refused(403)


def policy_decision(
    answer: Mapping[str, Any], arn: str, *, evaluate: Callable[[Any, str], str]
) -> Decision:
    """`evaluate` is ministack's evaluation of an authorizer's policy for one ARN."""
    policy = answer.get("policyDocument")
    context = answer.get("context") or {}
    if not isinstance(policy, dict) or not isinstance(context, dict):
        return Refused(500)
    if evaluate(policy, arn) != "Allow":
        return Refused(403)
    principal = answer.get("principalId")
    return Allowed({**context, **({} if principal is None else {"principalId": str(principal)})})
