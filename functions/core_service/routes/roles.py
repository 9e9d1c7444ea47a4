"""Roles: what each lets its bearers do."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from functions.core_service.config_notes import Change, noted
from functions.core_service.identity import User
from functions.core_service.services import Has
from functions.core_service.views import View
from xylem.domain import granting
from xylem.domain.config import ConfigKind, Note
from xylem.domain.role import Role, Roles, require_role, with_role, without_role
from xylem.spec.roles import RoleForm, config_of_role, role_of

router = APIRouter(prefix="/api/configs/role")

MOST = 100
"""Of roles in one request."""


class PutRole(Change):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "configs": {
                    "name": "team-a",
                    "description": "Submits to the pools of team a",
                    "policies": [{"actions": ["workflow:*"], "resources": ["pool/team-a*"]}],
                }
            }
        }
    )

    configs: RoleForm


class PutRoles(Change):
    configs: Annotated[list[RoleForm], Field(max_length=MOST)]


@router.get("")
def list_roles(who: User, has: Has) -> list[View]:
    known = has.configs.roles()
    return [config_of_role(known[name]) for name in sorted(known)]


@router.get("/{name}")
def get_role(name: str, who: User, has: Has) -> View:
    return config_of_role(require_role(name, has.configs.roles()))


@router.put("")
def put_roles(body: PutRoles, who: User, has: Has) -> None:
    given = [role_of(one.name, one) for one in body.configs]
    _put(given, noted(body, ConfigKind.ROLE, "", "Put complete roles"), who, has)


@router.put("/{name}")
def put_role(name: str, body: PutRole, who: User, has: Has) -> None:
    note = noted(body, ConfigKind.ROLE, name, f"Put complete role {name}")
    _put([role_of(name, body.configs)], note, who, has)


@router.delete("/{name}")
def delete_role(name: str, who: User, has: Has, body: Change | None = None) -> None:
    """Users who have it keep its name, which lets them do nothing."""

    def into(roles: Roles) -> Roles:
        after = without_role(name, roles)
        granting.require(who, granting.gained(roles, after), lambda: roles)
        return after

    has.configs.change_roles(
        into,
        author=who.subject,
        now=has.engine.clock(),
        note=noted(body, ConfigKind.ROLE, name, f"Delete role {name}"),
    )


def _put(given: list[Role], note: Note, who: User, has: Has) -> None:
    def into(roles: Roles) -> Roles:
        after = roles
        for role in given:
            after = with_role(role, after)
        granting.require(who, granting.gained(roles, after), lambda: roles)
        return after

    has.configs.change_roles(into, author=who.subject, now=has.engine.clock(), note=note)
