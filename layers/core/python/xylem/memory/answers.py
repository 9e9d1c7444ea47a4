"""Answers in a dictionary, in the open."""

from datetime import datetime

from xylem.domain.idempotency import KEPT_FOR, WORKED_ON_FOR
from xylem.domain.ids import UserName
from xylem.domain.values import dataclass
from xylem.ports.answers import Answer, Begun


@dataclass(frozen=True, slots=True)
class _Kept:
    begun: Begun
    claim: str
    until: datetime


class MemoryAnswers:
    def __init__(self) -> None:
        self._kept: dict[tuple[UserName, str], _Kept] = {}

    def begin(
        self, user: UserName, key: str, *, request: str, claim: str, now: datetime
    ) -> Begun | None:
        known = self._kept.get((user, key))
        if known is not None and now < known.until:
            return known.begun
        self._kept[(user, key)] = _Kept(Begun(request), claim, now + WORKED_ON_FOR)
        return None

    def keep(
        self, user: UserName, key: str, answer: Answer, *, request: str, claim: str, now: datetime
    ) -> None:
        if self._holds(user, key, claim):
            self._kept[(user, key)] = _Kept(Begun(request, answer), claim, now + KEPT_FOR)

    def forget(self, user: UserName, key: str, *, claim: str) -> None:
        if self._holds(user, key, claim):
            del self._kept[(user, key)]

    def _holds(self, user: UserName, key: str, claim: str) -> bool:
        known = self._kept.get((user, key))
        return known is not None and known.claim == claim
