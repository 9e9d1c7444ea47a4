"""Identity providers whose tokens count here, and what a token of theirs says.

Whoever deploys the service says whom it trusts: who may do that, may be anybody, so it is no config
that an admin writes, and nothing of a token leads to another address. The issuer that a token names
is looked up among these; where its keys lie was found when it was named.

A person's name is the first of `user_claims` that the token has; what he is at the provider
(`roles_claim`) becomes roles of ours as these say (`external_roles`).
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from xylem.domain.errors import InvalidRequest, Unauthenticated
from xylem.domain.identity import require_user_name
from xylem.domain.ids import UserName
from xylem.domain.values import dataclass

USER_CLAIMS = ("preferred_username", "sub")
"""What people are called; a program that came with its own secret has the other alone, or both
(RFC 9068, section 2.2)."""

ROLES_CLAIM = "roles"

MOST_ROLES = 500
ROLE_CHARS = 256
"""OSMO's gateway passes no longer one on."""

LEEWAY = 60
"""Seconds that a provider's clock may be ahead of ours: "no more than a few minutes" (RFC 7519,
section 4.1.5)."""


@dataclass(frozen=True, slots=True)
class Provider:
    """`audiences`: the clients for which tokens count, the first being `xylem` and `osmo` for who
    logs in; the other addresses are for those alone."""

    issuer: str
    audiences: tuple[str, ...]
    keys_url: str
    token_url: str
    authorize_url: str | None = None
    device_url: str | None = None
    logout_url: str | None = None
    user_claims: tuple[str, ...] = USER_CLAIMS
    roles_claim: str = ROLES_CLAIM


@dataclass(frozen=True, slots=True)
class Person:
    """As a provider knows him. `external`: what he is there."""

    name: UserName
    external: frozenset[str]


def trusted(issuer: str, providers: Sequence[Provider]) -> Provider | None:
    return next((one for one in providers if one.issuer == issuer), None)


def said_issuer(token: str) -> str | None:
    """Who a token says that it is of: nothing is verified here. None: it does not say."""
    try:
        _, payload, _ = token.split(".")
        said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    issuer = said.get("iss") if isinstance(said, dict) else None
    return issuer if isinstance(issuer, str) else None


def person(claims: Mapping[str, Any], provider: Provider) -> Person:
    """`claims`: of a token whose signature, issuer and audience are right. Raises
    `Unauthenticated`."""
    said = [claims[name] for name in provider.user_claims if isinstance(claims.get(name), str)]
    if not said:
        raise Unauthenticated(f"The token has none of {', '.join(provider.user_claims)}.")
    if claims.get("email") == said[0] and claims.get("email_verified") is False:
        raise Unauthenticated("The provider has not verified the address that is the user's name.")
    try:
        name = require_user_name(said[0])
    except InvalidRequest as error:
        raise Unauthenticated(str(error)) from None
    return Person(name, _roles(claims, provider.roles_claim))


def require_time(claims: Mapping[str, Any], now: float) -> None:
    """Raises `Unauthenticated`."""
    times = [claims.get(name, default) for name, default in (("exp", 0), ("nbf", 0), ("iat", 0))]
    if not all(isinstance(one, int | float) for one in times):
        raise Unauthenticated("The token's times are no numbers.")
    ends, begins, signed = times
    if ends <= now:
        raise Unauthenticated("The token has expired: log in again.")
    if max(begins, signed) > now + LEEWAY:
        raise Unauthenticated("The token does not hold yet: the provider's clock is ahead.")


def require_addressed(claims: Mapping[str, Any], provider: Provider) -> None:
    """A token for several is ours where it was asked for by a client of ours (OpenID Connect Core
    1.0, section 3.1.3.7, 4 and 5). Raises `Unauthenticated`."""
    asked_by = claims.get("azp")
    several = isinstance(claims.get("aud"), list) and len(claims["aud"]) > 1
    if several and asked_by is not None and asked_by not in provider.audiences:
        raise Unauthenticated("The token was given to another client.")


def _roles(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """`name` as it stands, which may be an address, or as a path of keys."""
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for key in name.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        found = found.split()
    if not isinstance(found, list):
        return frozenset()
    return frozenset(
        one for one in found[:MOST_ROLES] if isinstance(one, str) and 0 < len(one) <= ROLE_CHARS
    )
