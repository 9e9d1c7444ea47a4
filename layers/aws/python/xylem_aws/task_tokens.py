"""Tokens of tasks: HS256, so that neither Worker nor Logger imports `cryptography` at its cold
start.

Claims: `aud` xylem-task, workflow, group, incarnation, task, retry, exp. One token is good for one
attempt's log, barrier and data, and for nothing else.
"""

import base64
from datetime import datetime
from typing import Any

import jwt

from xylem.domain.errors import Unauthenticated
from xylem.domain.ids import GroupId, TaskName, WorkflowId
from xylem.ports import Attempt
from xylem_aws.keys import KeyRing

ALGORITHM = "HS256"
AUDIENCE = "xylem-task"


class HmacTaskTokens:
    def __init__(self, keys: KeyRing) -> None:
        self._active = keys.active
        self._keys = {kid: base64.b64decode(key) for kid, key in keys.keys.items()}

    def sign(self, attempt: Attempt, *, expires: datetime) -> str:
        claims = {
            "aud": AUDIENCE,
            "exp": int(expires.timestamp()),
            "workflow": attempt.workflow,
            "group": attempt.group,
            "incarnation": attempt.incarnation,
            "task": attempt.task,
            "retry": attempt.retry,
        }
        key = self._keys[self._active]
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": self._active})

    def verify(self, token: str, now: datetime, *, expired_ok: bool = False) -> Attempt:
        """Raises `Unauthenticated`, which says what is wrong and nothing of the token."""
        claims = self._claims(token)
        if claims["exp"] <= now.timestamp() and not expired_ok:
            raise Unauthenticated("The task's token has expired: renew it.")
        try:
            return Attempt(
                workflow=WorkflowId(claims["workflow"]),
                group=GroupId(claims["group"]),
                incarnation=int(claims["incarnation"]),
                task=TaskName(claims["task"]),
                retry=int(claims["retry"]),
            )
        except (KeyError, ValueError):
            raise Unauthenticated("The token names no attempt of a task.") from None

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys.get(str(kid))
            if key is None:
                raise Unauthenticated("The token was signed with a key that is not ours.")
            return jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                options={"require": ["exp", "aud"], "verify_exp": False},
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"Not a token of a task: {error}.") from None
