"""Tokens of people, signed with the deployment's key; and those of providers that it trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from xylem.domain.ids import UserName
    from xylem.domain.provider import Person, Provider


class Signer(Protocol):
    @property
    def issuer(self) -> str: ...
    @property
    def audience(self) -> str:
        """Of people's tokens."""
        ...

    @property
    def active_key(self) -> str:
        """The id of the key that signs."""
        ...

    def public_keys(self) -> Mapping[str, Mapping[str, Any]]:
        """By id, as JSON Web Keys: all that a signature may be checked with."""
        ...

    def user(
        self,
        subject: UserName,
        roles: Iterable[str],
        *,
        life: timedelta,
        now: datetime,
        token: str | None = None,
    ) -> str:
        """`token`: the name of the access token that it is given for."""
        ...


class Providers(Protocol):
    def providers(self, now: datetime) -> Sequence[Provider]:
        """Those that the deployer trusts; who logs in is sent to the first."""
        ...

    def verify(self, token: str, issuer: str, now: datetime) -> tuple[Person, Mapping[str, Any]]:
        """Who it is, and all that the token says. Raises `Unauthenticated`, and `Unavailable` where
        the provider's keys cannot be had."""
        ...
