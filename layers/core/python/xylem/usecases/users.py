"""Admins make users and give them roles; users make tokens with some of these.

Each change is one transaction on one user, made again where somebody else was faster. Making what
is there is refused, as with OSMO; taking away what is not there is no error but for a token, whose
name may have been misspelt.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TypeVar

from xylem.domain import identity as rules
from xylem.domain.errors import Conflict, InvalidRequest
from xylem.domain.identity import AccessToken, User, UserRole
from xylem.domain.ids import UserName
from xylem.domain.role import EVERYBODY, Roles, require_role
from xylem.domain.values import dataclass, field
from xylem.ports.identity import Identity
from xylem.ports.stored import Stored
from xylem.ports.tokens import Signer

ATTEMPTS = 5
MOST_OF_A_ROLE = 100
"""Users in one request."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Saved:
    """A user as he is to be (None: not there), and what happens to his tokens."""

    user: User | None
    tokens: Sequence[AccessToken] = ()
    dropped: Sequence[AccessToken] = ()


def create(
    id: str,
    roles: Collection[str],
    *,
    known: Roles,
    identity: Identity,
    by: UserName,
    now: datetime,
) -> User:
    """Raises `InvalidRequest`."""
    user = rules.new_user(id, roles, known, by=by, now=now)

    def into(before: Stored[User] | None) -> tuple[Saved, User]:
        if before is not None:
            raise _wrong(f"User {id} already exists")
        return Saved(user), user

    return _change(user.id, into, identity)


def ensure(id: UserName, *, identity: Identity, now: datetime) -> None:
    """Whoever keeps something with the service is known to it from then on."""

    def into(before: Stored[User] | None) -> tuple[Saved | None, None]:
        return (None if before is not None else Saved(User(id, now, id))), None

    _change(id, into, identity)


def sign_in(
    id: UserName, external: Collection[str], *, known: Roles, identity: Identity, now: datetime
) -> User:
    """Of whom a provider knows: he is kept from his first login on, with the roles that it brings.
    `external`: what he is there. Raises `InvalidRequest`, `Conflict`."""

    def into(before: Stored[User] | None) -> tuple[Saved | None, User]:
        was = before.value if before is not None else User(id, now, rules.PROVIDER)
        after = rules.synchronised(was, external, known, now=now)
        if before is not None and after is was:
            return None, after
        tokens = {one.name: one for one in identity.tokens(id)} if before is not None else {}
        changed: dict[str, AccessToken] = {}
        for role in was.role_names - after.role_names:
            for token in rules.bereft([*(tokens | changed).values()], role):
                changed[token.name] = token
        return Saved(after, tokens=list(changed.values())), after

    return _change(id, into, identity)


def find(id: str, *, identity: Identity) -> User:
    """Raises `InvalidRequest`."""
    found = identity.user(UserName(id[: rules.NAME_CHARS + 1]))
    if found is None:
        raise _unknown(id)
    return found.value


def delete(id: str, *, identity: Identity) -> None:
    """With his tokens and profile; his credentials and workflows stay. Raises
    `InvalidRequest`."""

    def into(before: Stored[User] | None) -> tuple[Saved, None]:
        if before is None:
            raise _unknown(id)
        return Saved(None, dropped=identity.tokens(before.value.id)), None

    name = UserName(id[: rules.NAME_CHARS + 1])
    _change(name, into, identity)
    identity.forget_profile(name)


def listed(*, prefix: str, roles: Collection[str], identity: Identity) -> list[User]:
    """The newest first, without their roles; `roles`: who has one of them."""
    found = identity.users(prefix)
    if roles:
        having = {id for role in roles for id, _ in identity.having(role)}
        found = [user for user in found if user.id in having]
    return sorted(found, key=lambda user: (user.created_at, user.id), reverse=True)


def assign(
    id: str, role: str, *, known: Roles, identity: Identity, by: UserName, now: datetime
) -> tuple[UserRole, bool]:
    """And whether it is new. Raises `InvalidRequest`."""

    def into(before: Stored[User] | None) -> tuple[Saved | None, tuple[UserRole, bool]]:
        if before is None:
            raise _unknown(id)
        after = rules.with_role(before.value, role, known, by=by, now=now)
        [given] = [one for one in after.roles if one.role == role]
        new = after is not before.value
        return (Saved(after) if new else None), (given, new)

    return _change(UserName(id[: rules.NAME_CHARS + 1]), into, identity)


@dataclass(frozen=True, slots=True)
class Assigned:
    """What became of each of several users."""

    new: list[str] = field(default_factory=list)
    already: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def assign_all(
    ids: Sequence[str],
    role: str,
    *,
    known: Roles,
    identity: Identity,
    by: UserName,
    now: datetime,
) -> Assigned:
    """Raises `InvalidRequest` where there is no such role."""
    if len(ids) > MOST_OF_A_ROLE:
        raise _wrong(f"Name {MOST_OF_A_ROLE} users at the most, not {len(ids)}.")
    require_role(role, known)
    done = Assigned()
    for id in dict.fromkeys(ids):
        try:
            _, new = assign(id, role, known=known, identity=identity, by=by, now=now)
        except InvalidRequest:
            done.failed.append(id)
        else:
            (done.new if new else done.already).append(id)
    return done


def unassign(id: str, role: str, *, identity: Identity) -> None:
    """His tokens lose it with him. Raises `InvalidRequest`."""

    def into(before: Stored[User] | None) -> tuple[Saved | None, None]:
        if before is None:
            raise _unknown(id)
        if role not in before.value.role_names:
            return None, None
        bereft = rules.bereft(identity.tokens(before.value.id), role)
        return Saved(rules.without_role(before.value, role), tokens=bereft), None

    _change(UserName(id[: rules.NAME_CHARS + 1]), into, identity)


# Tokens ------------------------------------------------------------------------------------------


def create_token(
    user: UserName,
    name: str,
    secret: str,
    *,
    expires_at: str,
    description: str,
    roles: Collection[str],
    of_login: Collection[str],
    of_token: str | None,
    permit: Callable[[Collection[str]], None],
    denying: Collection[str],
    days: int,
    identity: Identity,
    by: UserName,
    now: datetime,
) -> None:
    """`of_login`: the roles that its user came with, which count where none are kept of him.
    `of_token`: the token that he came with; the new one is within it. `permit` raises where it may
    not be given these roles; `denying`: roles that deny something, which it has where its user has
    them. Raises `InvalidRequest`."""

    def into(before: Stored[User] | None) -> tuple[Saved, None]:
        if before is None and user != by:
            raise _unknown(user)
        owner = before.value if before is not None else User(user, now, by)
        known = identity.tokens(user)
        has = owner.role_names or (set(of_login) - {EVERYBODY})
        bound = _named(known, of_token) if of_token is not None else None
        if bound is not None:
            has = has & bound.role_names
        token = rules.new_token(
            name,
            secret,
            user=user,
            expires_at=expires_at,
            description=description,
            wanted=roles,
            has=has,
            kept=has & set(denying),
            days=days,
            bound=bound.expires_on if bound is not None else None,
            by=by,
            now=now,
        )
        permit(token.role_names)
        if any(one.name == name for one in known):
            raise _wrong(f"Access token {name} already exists.")
        if len(known) >= rules.MOST_TOKENS:
            raise _wrong(f"{user} has {rules.MOST_TOKENS} tokens already: delete one first.")
        return Saved(owner, tokens=[token]), None

    _change(user, into, identity)


def find_token(user: UserName, name: str, *, identity: Identity) -> AccessToken:
    """Raises `InvalidRequest`."""
    return _named(identity.tokens(user), name)


def _named(tokens: Sequence[AccessToken], name: str) -> AccessToken:
    """Raises `InvalidRequest`."""
    for token in tokens:
        if token.name == name:
            return token
    raise _wrong(f"Access token {name[: rules.NAME_CHARS]} does not exist.")


def delete_token(user: UserName, name: str, *, identity: Identity) -> None:
    """Raises `InvalidRequest`."""

    def into(before: Stored[User] | None) -> tuple[Saved, None]:
        token = find_token(user, name, identity=identity)
        return Saved(before.value if before is not None else None, dropped=[token]), None

    _change(user, into, identity)


def exchange(
    secret: str, *, identity: Identity, signer: Signer, now: datetime
) -> tuple[str, datetime]:
    """A token for some minutes, and when it ends. Raises `InvalidRequest`, which says nothing of
    whose it was."""
    rules.require_length(secret)
    found = identity.token(rules.digest(secret))
    if found is None:
        raise _wrong("Access Token is invalid")
    if found.expires_at <= now:
        raise _wrong("Access Token has expired")
    ends = min(now + rules.TOKEN_LIFE, found.expires_at)
    token = signer.user(
        found.user, sorted(found.role_names), life=ends - now, now=now, token=found.name
    )
    return token, ends


def _change(
    id: UserName, into: Callable[[Stored[User] | None], tuple[Saved | None, T]], identity: Identity
) -> T:
    """Nothing is written where `into` has nothing to save. Raises `Conflict` when others were
    faster too often."""
    for _ in range(ATTEMPTS):
        before = identity.user(id)
        saved, result = into(before)
        if saved is None:
            return result
        try:
            identity.save(before, saved.user, tokens=saved.tokens, dropped=saved.dropped)
        except Conflict:
            continue
        return result
    raise Conflict(f"user {id} was changed by {ATTEMPTS} others at the same time: try again")


def _unknown(id: str) -> InvalidRequest:
    return _wrong(f"User {id[: rules.NAME_CHARS]} not found")


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="USER")
