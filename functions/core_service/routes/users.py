"""Users and the roles that they have: an admin's, and of whoever may manage users: he gives no role
that lets its bearer do what he may not do himself, and frees nobody from one that denies that."""

from collections.abc import Collection
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from functions.core_service import identity_views
from functions.core_service.identity import User
from functions.core_service.services import Has
from functions.core_service.text import Text
from functions.core_service.views import View
from xylem.domain import granting
from xylem.domain.identity import UserRole, require_user_name
from xylem.domain.ids import UserName
from xylem.domain.role import Roles
from xylem.usecases import signing_out, users

router = APIRouter(prefix="/api/auth")

MOST = 1_000
"""Of users in one answer; OSMO's."""

NAMES = 100


class CreateUserRequest(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"id": "ci", "roles": ["osmo-user"]}})

    id: Text
    roles: Annotated[list[Text], Field(max_length=NAMES)] | None = None


class AssignRoleRequest(BaseModel):
    role_name: Text


class BulkAssignRequest(BaseModel):
    user_ids: list[Text]


@router.get("/user")
def list_users(
    who: User,
    has: Has,
    start_index: Annotated[int, Query(ge=1, le=10**6)] = 1,
    count: Annotated[int, Query(ge=0, le=MOST)] = 100,
    id_prefix: Annotated[str, Query(max_length=NAMES)] = "",
    roles: Annotated[list[str], Query(max_length=NAMES)] = [],  # noqa: B006 - never changed
) -> View:
    """A page of SCIM's kind: the first is number 1."""
    found = users.listed(prefix=id_prefix, roles=roles, identity=has.identity)
    page = found[start_index - 1 : start_index - 1 + count]
    return {
        "total_results": len(found),
        "start_index": start_index,
        "items_per_page": len(page),
        "users": [identity_views.user(one) for one in page],
    }


@router.post("/user")
def create_user(body: CreateUserRequest, who: User, has: Has) -> View:
    roles = body.roles or ()
    known = _grantable(roles, who, has)
    made = users.create(
        body.id,
        roles,
        known=known,
        identity=has.identity,
        by=who.subject,
        now=has.engine.clock(),
    )
    return identity_views.user(made)


@router.get("/user/{user_id}")
def get_user(user_id: str, who: User, has: Has) -> View:
    found = users.find(user_id, identity=has.identity)
    return {**identity_views.user(found), "roles": identity_views.roles(found.roles)}


@router.delete("/user/{user_id}")
def delete_user(user_id: str, who: User, has: Has) -> None:
    """With his tokens; his sockets are closed."""
    found = users.find(user_id, identity=has.identity)
    _require_freeable(found.role_names, who, has)
    users.delete(user_id, identity=has.identity)
    _call_back(found.id, has)


@router.post("/user/{user_id}/sign-out")
def sign_out(user_id: str, who: User, has: Has) -> None:
    """Whatever was signed for this user until now opens nothing more: for whoever lost a token, or
    has one that was minted for a person who left. Ours alone."""
    _call_back(require_user_name(user_id), has)


@router.get("/user/{user_id}/roles")
def list_user_roles(user_id: str, who: User, has: Has) -> View:
    found = users.find(user_id, identity=has.identity)
    return {"user_id": found.id, "roles": identity_views.roles(found.roles)}


@router.post("/user/{user_id}/roles")
def assign_role(user_id: str, body: AssignRoleRequest, who: User, has: Has) -> View:
    known = _grantable([body.role_name], who, has)
    given, _ = users.assign(
        user_id,
        body.role_name,
        known=known,
        identity=has.identity,
        by=who.subject,
        now=has.engine.clock(),
    )
    return {"user_id": user_id, **identity_views.role(given)}


@router.delete("/user/{user_id}/roles/{role_name}")
def unassign_role(user_id: str, role_name: str, who: User, has: Has) -> None:
    _require_freeable([role_name], who, has)
    users.unassign(user_id, role_name, identity=has.identity)
    signing_out.close_sockets(
        UserName(user_id), connections=has.joining.connections, links=has.joining.links
    )


@router.get("/roles/{role_name}/users")
def list_role_users(role_name: str, who: User, has: Has) -> View:
    holders = has.identity.having(role_name)
    return {"role_name": role_name, "users": [_holder(id, one) for id, one in holders]}


@router.post("/roles/{role_name}/users")
def assign_role_to_all(role_name: str, body: BulkAssignRequest, who: User, has: Has) -> View:
    known = _grantable([role_name], who, has)
    done = users.assign_all(
        body.user_ids,
        role_name,
        known=known,
        identity=has.identity,
        by=who.subject,
        now=has.engine.clock(),
    )
    return {
        "role_name": role_name,
        "assigned": done.new,
        "already_assigned": done.already,
        "failed": done.failed,
    }


def _call_back(user: UserName, has: Has) -> None:
    signing_out.sign_out(
        user,
        identity=has.identity,
        connections=has.joining.connections,
        links=has.joining.links,
        now=has.engine.clock(),
    )


def _grantable(names: Collection[str], who: User, has: Has) -> Roles:
    """The roles that there are. Raises `Forbidden`."""
    known = has.configs.roles()
    granting.require(who, granting.given(granting.named(names, known)), lambda: known)
    return known


def _require_freeable(names: Collection[str], who: User, has: Has) -> None:
    """Raises `Forbidden`."""
    known = has.configs.roles()
    granting.require(who, granting.taken(granting.named(names, known)), lambda: known)


def _holder(id: str, role: UserRole) -> View:
    """OSMO writes this one time with its offset."""
    return {
        "user_id": id,
        "assigned_by": role.assigned_by,
        "assigned_at": role.assigned_at.isoformat(),
    }
