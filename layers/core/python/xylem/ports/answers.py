"""Answers that are kept for who asks the same again under an idempotency key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from xylem.domain.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from xylem.domain.ids import UserName


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Begun:
    """A request under the key, by its fingerprint. `answer`: None while it is worked on."""

    request: str
    answer: Answer | None = None


class Answers(Protocol):
    """By user and key, for 24 h. What is kept is sealed: an answer may be a secret."""

    def begin(
        self, user: UserName, key: str, *, request: str, claim: str, now: datetime
    ) -> Begun | None:
        """None: nobody has begun, or who did is gone without an answer; whoever holds this `claim`
        works on it now. Else what was begun."""
        ...

    def keep(
        self, user: UserName, key: str, answer: Answer, *, request: str, claim: str, now: datetime
    ) -> None:
        """Unless another holds the claim by now."""
        ...

    def forget(self, user: UserName, key: str, *, claim: str) -> None:
        """As if it had never begun, unless another holds the claim by now."""
        ...
