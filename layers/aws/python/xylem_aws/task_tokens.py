"""Tokens of tasks: JSON Web Tokens signed by HMAC (HS256), written out here.

Claims: `aud` xylem-task, workflow, group, incarnation, task, retry, exp. One token is good for one
attempt's log, barrier and data, and for nothing else. PyJWT, which checks the tokens of people,
imports `cryptography` wherever that is installed: 100 ms at each cold start of Worker and Logger,
for the four lines of standard library that HS256 is (RFC 7515, appendix A.1).
"""

import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from xylem.domain.errors import Unauthenticated
from xylem.domain.ids import GroupId, TaskName, WorkflowId
from xylem.ports.task_tokens import Attempt
from xylem_aws.keys import KeyRing

ALGORITHM = "HS256"
AUDIENCE = "xylem-task"


class HmacTaskTokens:
    def __init__(self, keys: KeyRing) -> None:
        self._active = keys.active
        self._keys = {kid: base64.b64decode(key) for kid, key in keys.keys.items()}

    def sign(self, attempt: Attempt, *, expires: datetime) -> str:
        header = {"alg": ALGORITHM, "kid": self._active, "typ": "JWT"}
        claims = {
            "aud": AUDIENCE,
            "exp": int(expires.timestamp()),
            "workflow": attempt.workflow,
            "group": attempt.group,
            "incarnation": attempt.incarnation,
            "task": attempt.task,
            "retry": attempt.retry,
        }
        signed = f"{_encode(_json(header))}.{_encode(_json(claims))}"
        return f"{signed}.{_encode(_sign(signed, self._keys[self._active]))}"

    def verify(self, token: str, now: datetime, *, expired_ok: bool = False) -> Attempt:
        """Raises `Unauthenticated`, which says what is wrong and nothing of the token."""
        claims = self._claims(token)
        if claims.get("aud") != AUDIENCE:
            raise Unauthenticated("The token is of another kind: it opens nothing of a task's.")
        try:
            expires = int(claims["exp"])
            attempt = Attempt(
                workflow=WorkflowId(claims["workflow"]),
                group=GroupId(claims["group"]),
                incarnation=int(claims["incarnation"]),
                task=TaskName(claims["task"]),
                retry=int(claims["retry"]),
            )
        except (KeyError, TypeError, ValueError):
            raise Unauthenticated("The token names no attempt of a task.") from None
        if expires <= now.timestamp() and not expired_ok:
            raise Unauthenticated("The task's token has expired: renew it.")
        return attempt

    def _claims(self, token: str) -> dict[str, Any]:
        """Of a token that we signed. What it says is looked at after its signature was."""
        try:
            header, claims, signature = token.split(".")
            head, given = _object(header), _decode(signature)
        except (ValueError, RecursionError):
            raise Unauthenticated("Not a token of a task: it is malformed.") from None
        key = self._keys.get(str(head.get("kid")))
        # Whoever may choose the algorithm chooses none: RFC 8725, section 3.1.
        if key is None or head.get("alg") != ALGORITHM:
            raise Unauthenticated("The token was signed with a key that is not ours.")
        if not hmac.compare_digest(given, _sign(f"{header}.{claims}", key)):
            raise Unauthenticated("Not a token of a task: its signature is wrong.")
        return _object(claims)


def _sign(text: str, key: bytes) -> bytes:
    return hmac.digest(key, text.encode(), hashlib.sha256)


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _object(part: str) -> dict[str, Any]:
    """Raises `ValueError`."""
    found = json.loads(_decode(part))
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(part: str) -> bytes:
    """Raises `ValueError`."""
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
