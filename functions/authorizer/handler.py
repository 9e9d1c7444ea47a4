"""Tokens in; principals out.

For an operator one row is read: what an admin decided about its backend. People's tokens are
checked without reading anything, and so is the HTTP API's caller, who is never an operator.
"""

from typing import Any

from xylem.domain.access import ADMIN, USER, Principal, operator_of
from xylem.domain.errors import Unauthenticated
from xylem.domain.ids import UserName
from xylem.domain.registration import admit, read_credential
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger

BEARER = "bearer "


@logger.inject_lambda_context(clear_state=True)
def http(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """HTTP API, payload 2.0, simple response. For people: operators have their socket."""
    try:
        found = _principal(_lower(event.get("headers")))
    except Unauthenticated as error:
        logger.info("refused", reason=str(error))
        return {"isAuthorized": False}
    return {"isAuthorized": found.kind == "user", "context": _context(found)}


@logger.inject_lambda_context(clear_state=True)
def websocket(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """REQUEST authorizer at `$connect`. Raises the message that API Gateway makes a 401 of."""
    try:
        found = _dialling(_lower(event.get("headers")))
    except Unauthenticated as error:
        logger.info("refused", reason=str(error))
        raise Exception("Unauthorized") from None
    return {
        "principalId": found.subject,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow",
                    "Resource": event["methodArn"],
                }
            ],
        },
        "context": _context(found),
    }


def _dialling(headers: dict[str, str]) -> Principal:
    """Who opens a socket: an operator with its credential or with a token, or a person."""
    credential = read_credential(_bearer(headers))
    if credential is not None:
        admit(ports().backends.registration(credential.backend), credential.digest)
        return operator_of(credential.backend)
    found = _principal(headers)
    if found.backend is not None and found.signed_at is not None:
        admit(ports().backends.registration(found.backend), found.signed_at)
    return found


def _principal(headers: dict[str, str]) -> Principal:
    if token := _bearer(headers):
        return ports().verifier.verify(token, ports().clock())
    name = headers.get("x-osmo-user", "").strip()
    if name and ports().settings.environment == "local":
        return Principal("user", UserName(name), frozenset({ADMIN, USER}))
    raise Unauthenticated("no bearer token")


def _bearer(headers: dict[str, str]) -> str:
    given = headers.get("authorization", "")
    return given[len(BEARER) :].strip() if given.lower().startswith(BEARER) else ""


def _context(found: Principal) -> dict[str, str]:
    context = {
        "kind": found.kind,
        "subject": str(found.subject),
        "roles": ",".join(sorted(found.roles)),
    }
    return {**context, "backend": str(found.backend)} if found.backend else context


def _lower(headers: dict[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}
