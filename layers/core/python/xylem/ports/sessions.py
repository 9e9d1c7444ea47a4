"""Rows of interactive sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from xylem.domain.ids import UserName
    from xylem.domain.session import Session


class Sessions(Protocol):
    """Each row goes by itself some time after the session's `expires_at`."""

    def create(self, session: Session) -> None: ...

    def load(self, id: str) -> Session | None:
        """Consistently read."""
        ...

    def save(self, session: Session) -> None:
        """In the place of the version that was loaded. Raises `Conflict` when it is another."""
        ...

    def open_of(self, user: UserName, now: datetime) -> int:
        """How many sessions of this user are neither over nor past their time."""
        ...


class SessionTokens(Protocol):
    """Signs what names a side, and what names its peer; and reads what it signed."""

    def sign(self, claims: dict[str, str | int]) -> str: ...

    def read(self, token: str) -> dict[str, str | int] | None:
        """The claims; None for what was not signed by us. Whether their time is over is for the
        caller to see."""
        ...
