"""Credentials in a dictionary, by user and name."""

from datetime import datetime

from xylem.domain.credential import Credential, KnownCredential
from xylem.domain.errors import Conflict
from xylem.domain.ids import UserName


class MemoryCredentials:
    def __init__(self) -> None:
        self._kept: dict[UserName, dict[str, Credential]] = {}
        self.opened: list[str] = []

    def all(self, user: UserName) -> list[KnownCredential]:
        kept = self._kept.get(user, {})
        return [kept[name].known for name in sorted(kept)]

    def open(self, user: UserName, name: str) -> Credential | None:
        self.opened.append(name)
        return self._kept.get(user, {}).get(name)

    def put(
        self, user: UserName, credential: Credential, *, replacing: str | None, now: datetime
    ) -> None:
        kept = self._kept.setdefault(user, {})
        taken = credential.name in kept and credential.name != replacing
        if taken or (replacing is not None and replacing not in kept):
            raise Conflict(f"credentials of {user}: somebody else was faster")
        if replacing is not None:
            del kept[replacing]
        kept[credential.name] = credential

    def delete(self, user: UserName, name: str) -> None:
        self._kept.get(user, {}).pop(name, None)
