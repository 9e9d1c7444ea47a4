"""Access tokens: secrets with which a program asks in a user's name.

None of them is a way to more: whoever makes one for another may do himself what its roles allow;
whoever came with one makes none that has another role, or that lives longer; and a role that denies
something is not laid aside by asking for less.
"""

from collections.abc import Collection
from typing import Annotated

from fastapi import APIRouter, Query

from functions.core_service import identity_views
from functions.core_service.identity import User
from functions.core_service.services import Has
from functions.core_service.views import View
from xylem.domain import granting
from xylem.domain.ids import UserName
from xylem.usecases import signing_out, users

router = APIRouter(prefix="/api/auth")

MOST = 100
MINE = "/access_token"
OF_A_USER = "/user/{user_id}/access_token"

Roles = Annotated[list[str], Query(max_length=MOST)]


@router.get(MINE)
def list_tokens(who: User, has: Has) -> list[View]:
    return _listed(who.subject, has)


@router.post(f"{MINE}/{{token_name}}")
def create_token(
    token_name: str,
    expires_at: str,
    who: User,
    has: Has,
    description: str = "",
    roles: Roles = [],  # noqa: B006 - never changed
) -> str:
    """The token itself, this once."""
    return _created(who.subject, token_name, expires_at, description, roles, who, has)


@router.delete(f"{MINE}/{{token_name}}")
def delete_token(token_name: str, who: User, has: Has) -> None:
    _deleted(who.subject, token_name, has)


@router.get(f"{MINE}/{{token_name}}/roles")
def get_token_roles(token_name: str, who: User, has: Has) -> View:
    found = users.find_token(who.subject, token_name, identity=has.identity)
    return {
        "user_name": found.user,
        "token_name": found.name,
        "roles": identity_views.roles(found.roles),
    }


@router.get(OF_A_USER)
def list_tokens_of(user_id: str, who: User, has: Has) -> list[View]:
    return _listed(users.find(user_id, identity=has.identity).id, has)


@router.post(f"{OF_A_USER}/{{token_name}}")
def create_token_of(
    user_id: str,
    token_name: str,
    expires_at: str,
    who: User,
    has: Has,
    description: str = "",
    roles: Roles = [],  # noqa: B006 - never changed
) -> str:
    """An admin's, for a program that is a user: it has no login."""
    user = users.find(user_id, identity=has.identity).id
    return _created(user, token_name, expires_at, description, roles, who, has)


@router.delete(f"{OF_A_USER}/{{token_name}}")
def delete_token_of(user_id: str, token_name: str, who: User, has: Has) -> None:
    _deleted(users.find(user_id, identity=has.identity).id, token_name, has)


def _deleted(user: UserName, name: str, has: Has) -> None:
    """Sockets that were opened with it are closed, and with them the user's others."""
    users.delete_token(user, name, identity=has.identity)
    signing_out.close_sockets(user, connections=has.joining.connections, links=has.joining.links)


def _listed(user: UserName, has: Has) -> list[View]:
    return [identity_views.token(one) for one in has.identity.tokens(user)]


def _created(
    user: UserName,
    name: str,
    expires_at: str,
    description: str,
    roles: list[str],
    who: User,
    has: Has,
) -> str:
    secret = has.new_secret()
    mine = user == who.subject
    known = has.configs.roles()

    def permit(names: Collection[str]) -> None:
        if not mine:
            granting.require(who, granting.given(granting.named(names, known)), lambda: known)

    users.create_token(
        user,
        name,
        secret,
        expires_at=expires_at,
        description=description,
        roles=roles,
        of_login=who.roles if mine else (),
        of_token=who.token if mine else None,
        permit=permit,
        denying={name for name, role in known.items() if any(granting.taken([role]))},
        days=has.configs.service().max_token_days,
        identity=has.identity,
        by=who.subject,
        now=has.engine.clock(),
    )
    return secret
