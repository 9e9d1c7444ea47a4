"""Tokens of tasks in a dictionary: a number that stands for an attempt and its expiry. Tokens of
people in the form that theirs have, with a signature that is none."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from xylem.domain.errors import Unauthenticated
from xylem.domain.ids import UserName
from xylem.domain.provider import Person, Provider
from xylem.ports.task_tokens import Attempt


class MemoryTaskTokens:
    def __init__(self) -> None:
        self._signed: dict[str, tuple[Attempt, datetime]] = {}

    def sign(self, attempt: Attempt, *, expires: datetime) -> str:
        token = f"task-token-{len(self._signed) + 1}"
        self._signed[token] = attempt, expires
        return token

    def verify(self, token: str, now: datetime, *, expired_ok: bool = False) -> Attempt:
        if token not in self._signed:
            raise Unauthenticated("Not a token of a task.")
        attempt, expires = self._signed[token]
        if expires <= now and not expired_ok:
            raise Unauthenticated("The task's token has expired: renew it.")
        return attempt


class MemorySigner:
    issuer = "https://api.test"
    audience = "xylem"
    active_key = "key-1"

    def public_keys(self) -> Mapping[str, Mapping[str, Any]]:
        return {self.active_key: {"kty": "RSA", "kid": self.active_key, "e": "AQAB", "n": "AQ"}}

    def user(
        self,
        subject: UserName,
        roles: Iterable[str],
        *,
        life: timedelta,
        now: datetime,
        token: str | None = None,
    ) -> str:
        claims = {
            "sub": subject,
            "roles": list(roles),
            "token": token,
            "exp": int((now + life).timestamp()),
        }
        return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}.none"


def _part(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class MemoryProviders:
    """Nobody is trusted unless a test says so; of their tokens none is any."""

    def __init__(self, *trusted: Provider) -> None:
        self._trusted = trusted

    def providers(self, now: datetime) -> Sequence[Provider]:
        return self._trusted

    def verify(self, token: str, issuer: str, now: datetime) -> tuple[Person, Mapping[str, Any]]:
        raise Unauthenticated("The token is of an issuer that nobody trusted here.")
