"""Tokens of tasks in a dictionary: a number that stands for an attempt and its expiry."""

from datetime import datetime

from xylem.domain.errors import Unauthenticated
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
