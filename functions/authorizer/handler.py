"""Tokens in; principals out.

For an operator one row is read: what an admin decided about its backend. People's tokens are
checked without reading anything, and so is the HTTP API's caller, who is never an operator.
"""

from ipaddress import ip_address
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
        headers = _lower(event.get("headers"))
        found = _principal(headers, _source(event))
    except Unauthenticated as error:
        logger.info("refused", reason=str(error))
        return {"isAuthorized": False}
    context = {**_context(found), **(_said(headers) if not _bearer(headers) else {})}
    return {"isAuthorized": found.kind == "user", "context": context}


@logger.inject_lambda_context(clear_state=True)
def websocket(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """REQUEST authorizer at `$connect`. Raises the message that API Gateway makes a 401 of."""
    try:
        found = _dialling(_lower(event.get("headers")), _source(event))
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


def _dialling(headers: dict[str, str], source: str) -> Principal:
    """Who opens a socket: an operator with its credential or with a token, or a person."""
    credential = read_credential(_bearer(headers))
    if credential is not None:
        admit(ports().backends.registration(credential.backend), credential.digest)
        return operator_of(credential.backend)
    found = _principal(headers, source)
    if found.backend is not None and found.signed_at is not None:
        admit(ports().backends.registration(found.backend), found.signed_at)
    return found


def _principal(headers: dict[str, str], source: str) -> Principal:
    if token := _bearer(headers):
        return ports().verifier.verify(token, ports().clock())
    name = headers.get("x-osmo-user", "").strip()
    if name and ports().settings.environment == "local" and _is_this_machine(source):
        roles = frozenset(_words(headers.get("x-osmo-roles"))) or frozenset({ADMIN, USER})
        token_name = headers.get("x-osmo-token-name", "").strip() or None
        return Principal("user", UserName(name), roles, token=token_name)
    raise Unauthenticated("no bearer token")


def _is_this_machine(source: str) -> bool:
    """A word without a signature is believed of whoever could read the keys as well."""
    try:
        return ip_address(source).is_loopback
    except ValueError:
        return False


def _source(event: dict[str, Any]) -> str:
    """Of a request, or of the one that opens a socket."""
    context = event.get("requestContext") or {}
    return str((context.get("http") or context.get("identity") or {}).get("sourceIp", ""))


def _said(headers: dict[str, str]) -> dict[str, str]:
    """What OSMO's gateway would say of a caller, and in dev mode he says himself: it is shown to
    him, and decides nothing."""
    names = {"x-osmo-roles": "said_roles", "x-osmo-allowed-pools": "said_pools"}
    return {word: ",".join(_words(headers.get(name))) for name, word in names.items()}


def _words(text: str | None) -> list[str]:
    return [one.strip() for one in (text or "").split(",") if one.strip()]


def _bearer(headers: dict[str, str]) -> str:
    given = headers.get("authorization", "")
    return given[len(BEARER) :].strip() if given.lower().startswith(BEARER) else ""


def _context(found: Principal) -> dict[str, str]:
    context = {
        "kind": found.kind,
        "subject": str(found.subject),
        "roles": ",".join(sorted(found.roles)),
    }
    if found.token:
        context["token"] = found.token
    return {**context, "backend": str(found.backend)} if found.backend else context


def _lower(headers: dict[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}
