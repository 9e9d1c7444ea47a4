"""Users and tokens in dictionaries."""

from collections.abc import Sequence
from datetime import datetime

from xylem.domain.errors import Conflict
from xylem.domain.identity import AccessToken, Profile, User, UserRole
from xylem.domain.ids import UserName
from xylem.domain.values import replace
from xylem.ports.stored import Stored


class MemoryIdentity:
    def __init__(self) -> None:
        self._users: dict[UserName, Stored[User]] = {}
        self._tokens: dict[tuple[UserName, str], AccessToken] = {}
        self._profiles: dict[UserName, Profile] = {}
        self._out: dict[UserName, datetime] = {}

    def user(self, id: UserName) -> Stored[User] | None:
        return self._users.get(id)

    def users(self, prefix: str = "") -> list[User]:
        found = [self._users[id].value for id in sorted(self._users) if id.startswith(prefix)]
        return [replace(user, roles=()) for user in found]

    def having(self, role: str) -> list[tuple[UserName, UserRole]]:
        return [
            (id, one)
            for id in sorted(self._users)
            for one in self._users[id].value.roles
            if one.role == role
        ]

    def tokens(self, user: UserName) -> list[AccessToken]:
        return [one for (of, _), one in sorted(self._tokens.items()) if of == user]

    def token(self, digest: str) -> AccessToken | None:
        return next((one for one in self._tokens.values() if one.digest == digest), None)

    def save(
        self,
        before: Stored[User] | None,
        after: User | None,
        *,
        tokens: Sequence[AccessToken] = (),
        dropped: Sequence[AccessToken] = (),
    ) -> None:
        id = after.id if after is not None else before.value.id if before is not None else None
        assert id is not None
        if self._users.get(id) != before:
            raise Conflict(f"user {id}: somebody else was faster")
        for token in dropped:
            del self._tokens[id, token.name]
        for token in tokens:
            self._tokens[id, token.name] = token
        if after is None:
            del self._users[id]
        else:
            self._users[id] = Stored(after, before.version + 1 if before is not None else 1)

    def profile(self, user: UserName) -> Profile:
        return self._profiles.get(user, Profile())

    def keep_profile(self, user: UserName, profile: Profile) -> None:
        self._profiles[user] = profile

    def forget_profile(self, user: UserName) -> None:
        self._profiles.pop(user, None)

    def signed_out(self, user: UserName) -> datetime | None:
        return self._out.get(user)

    def sign_out(self, user: UserName, at: datetime) -> None:
        self._out[user] = max(at, self._out.get(user, at))
