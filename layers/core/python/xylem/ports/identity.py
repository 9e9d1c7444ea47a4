"""Users, their roles and tokens, and what they set for themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from xylem.domain.identity import AccessToken, Profile, User, UserRole
    from xylem.domain.ids import UserName
    from xylem.ports.stored import Stored


class Identity(Protocol):
    """Each read is consistent."""

    def user(self, id: UserName) -> Stored[User] | None: ...

    def users(self, prefix: str = "") -> list[User]:
        """By name; without their roles."""
        ...

    def having(self, role: str) -> list[tuple[UserName, UserRole]]:
        """Who has a role, by name."""
        ...

    def tokens(self, user: UserName) -> list[AccessToken]:
        """By name."""
        ...

    def token(self, digest: str) -> AccessToken | None: ...

    def save(
        self,
        before: Stored[User] | None,
        after: User | None,
        *,
        tokens: Sequence[AccessToken] = (),
        dropped: Sequence[AccessToken] = (),
    ) -> None:
        """One transaction on one user, as he was read, and as he is to be (None: not there, both).
        `tokens` of his come or are replaced, `dropped` go. Raises `Conflict` where somebody else
        was faster."""
        ...

    def profile(self, user: UserName) -> Profile: ...

    def keep_profile(self, user: UserName, profile: Profile) -> None: ...

    def forget_profile(self, user: UserName) -> None: ...

    def signed_out(self, user: UserName) -> datetime | None:
        """When what had been signed for this user until then was called back, last."""
        ...

    def sign_out(self, user: UserName, at: datetime) -> None:
        """Never earlier than it was said before; whether the user is known or not."""
        ...
