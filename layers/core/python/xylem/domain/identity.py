"""Users, the roles that they have, their access tokens, and what they set for themselves.

A user is known once an admin made him, or once he kept something with the service. An access token
is a secret of 32 bytes that is given out once; its hash is stored. It has some of its user's roles,
loses those that its user loses, and ends on a day. Whoever has it gets tokens for some minutes,
which the API takes.
"""

import hashlib
import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta

from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import UserName
from xylem.domain.role import Roles, require_role
from xylem.domain.values import dataclass, replace

USER_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_.@-]*[a-zA-Z0-9])?", re.ASCII)
TOKEN_NAME = re.compile(r"[a-zA-Z]([a-zA-Z0-9_-]*[a-zA-Z0-9])?", re.ASCII)
"""OSMO's, both."""

PROVIDER = UserName("provider")
"""Who gave what a login brought."""

NAME_CHARS = 128
TOKEN_BYTES = 32
TOKEN_CHARS = 43
"""Of 32 bytes in base64url without padding: RFC 4648, section 5."""

TOKEN_LIFE = timedelta(minutes=5)
"""Of what is given for an access token, as OSMO's: whoever was denied is out after that."""

MOST_TOKENS = 50
MOST_ROLES = 40
"""Of one user: a change writes a row for each token and each role, and a transaction takes 100."""

DESCRIPTION_CHARS = 500


@dataclass(frozen=True, slots=True)
class UserRole:
    role: str
    assigned_by: UserName
    assigned_at: datetime


@dataclass(frozen=True, slots=True)
class User:
    """`roles` by name. None of them where his roles come with his login alone."""

    id: UserName
    created_at: datetime
    created_by: UserName
    roles: tuple[UserRole, ...] = ()

    @property
    def role_names(self) -> frozenset[str]:
        return frozenset(one.role for one in self.roles)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """`digest`: of the secret. It ends with the beginning of the day `expires_on`, UTC."""

    user: UserName
    name: str
    digest: str
    expires_on: date
    roles: tuple[UserRole, ...]
    description: str = ""

    @property
    def role_names(self) -> frozenset[str]:
        return frozenset(one.role for one in self.roles)

    @property
    def expires_at(self) -> datetime:
        return datetime.combine(self.expires_on, time(), UTC)


@dataclass(frozen=True, slots=True)
class Profile:
    email_notification: bool = False
    slack_notification: bool = False
    pool: str | None = None


def new_user(id: str, roles: Collection[str], known: Roles, *, by: UserName, now: datetime) -> User:
    """Raises `InvalidRequest`."""
    user = User(require_user_name(id), now, by)
    for role in roles:
        user = with_role(user, role, known, by=by, now=now)
    return user


def require_user_name(text: str) -> UserName:
    """Raises `InvalidRequest`."""
    if len(text) > NAME_CHARS or USER_NAME.fullmatch(text) is None:
        raise _wrong(
            f"{text[:NAME_CHARS]} is no name of a user: it begins and ends with a letter or digit, "
            f"has those, _, ., @ and - between them, and {NAME_CHARS} characters at the most."
        )
    return UserName(text)


def with_role(user: User, role: str, known: Roles, *, by: UserName, now: datetime) -> User:
    """The same where he has it. Raises `InvalidRequest`."""
    require_role(role, known)
    if role in user.role_names:
        return user
    if len(user.roles) >= MOST_ROLES:
        raise _wrong(f"{user.id} has {MOST_ROLES} roles already, which is the most.")
    roles = sorted((*user.roles, UserRole(role, by, now)), key=lambda one: one.role)
    return replace(user, roles=tuple(roles))


def synchronised(user: User, external: Collection[str], known: Roles, *, now: datetime) -> User:
    """With the roles that what he is at his provider stands for: `import` gives them, `force` takes
    them away as well where he is not that any more, `ignore` does neither. The same where nothing
    changes."""
    for name in sorted(known):
        role = known[name]
        if role.sync_mode == "ignore":
            continue
        if not set(role.external_roles).isdisjoint(external):
            user = with_role(user, name, known, by=PROVIDER, now=now)
        elif role.sync_mode == "force" and name in user.role_names:
            user = without_role(user, name)
    return user


def without_role(user: User, role: str) -> User:
    return replace(user, roles=tuple(one for one in user.roles if one.role != role))


def bereft(tokens: Sequence[AccessToken], role: str) -> list[AccessToken]:
    """Those of a user's tokens that have a role which he loses, without it."""
    return [
        replace(token, roles=tuple(one for one in token.roles if one.role != role))
        for token in tokens
        if role in token.role_names
    ]


def new_token(
    name: str,
    secret: str,
    *,
    user: UserName,
    expires_at: str,
    description: str,
    wanted: Collection[str],
    has: Collection[str],
    kept: Collection[str],
    days: int,
    bound: date | None,
    by: UserName,
    now: datetime,
) -> AccessToken:
    """`wanted`: of the roles that its user `has`; none: all of them; `kept`: those that it has in
    any case. `days`: how long it may live at the most, and not beyond `bound`. Raises
    `InvalidRequest`."""
    if TOKEN_NAME.fullmatch(name) is None or len(name) > NAME_CHARS:
        raise _wrong(
            f"{name[:NAME_CHARS]} is no name of a token: it begins with a letter, goes on with "
            f"letters, digits, - and _, and has {NAME_CHARS} characters at the most."
        )
    if len(description) > DESCRIPTION_CHARS:
        raise _wrong(f"A description has {DESCRIPTION_CHARS} characters at the most.")
    lacking = sorted(set(wanted) - set(has))
    if lacking:
        raise _wrong(f"User {user} does not have the roles: {', '.join(lacking)}")
    roles = sorted(set(wanted or has))
    missing = sorted(set(kept) - set(roles))
    if missing:
        raise _wrong(
            f"{', '.join(missing)} denies {user} something: his tokens have it, too. Name it among "
            "the roles, or name none."
        )
    if not roles:
        raise _wrong(f"{user} has no role that a token could have: ask an admin for one.")
    expires_on = _day(expires_at, days, now)
    if bound is not None and expires_on > bound:
        raise _wrong(
            f"A token that is made with a token does not outlive it: {bound} at the latest."
        )
    return AccessToken(
        user=user,
        name=name,
        digest=digest(secret),
        expires_on=expires_on,
        roles=tuple(UserRole(role, by, now) for role in roles),
        description=description,
    )


def _day(text: str, days: int, now: datetime) -> date:
    """Raises `InvalidRequest`."""
    try:
        day = date.fromisoformat(text) if len(text) == len("2026-01-01") else None
    except ValueError:
        day = None
    if day is None:
        raise _wrong(f"expires_at: {text[:NAME_CHARS]} is no day: write one as 2027-01-31.")
    today = now.astimezone(UTC).date()
    if day <= today:
        raise _wrong(f"Expiration date must be past the current date ({today})")
    if day > today + timedelta(days=days):
        raise _wrong(f"Access token expiration date cannot be more than {days}d from now")
    return day


def digest(secret: str) -> str:
    """Of 32 random bytes nothing can be guessed, so a plain hash hides them."""
    return hashlib.sha256(secret.encode()).hexdigest()


def require_length(secret: str) -> None:
    """Raises `InvalidRequest`, in OSMO's recorded words."""
    if len(secret) != TOKEN_CHARS:
        raise _wrong(f"Access token has invalid length {len(secret)}")


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="USER")
