"""Users and the roles that they have, for administrators."""

from collections.abc import Sequence

from clients.sdk.connection import Connection, Parameter, segment
from clients.sdk.models import Answer, Moment


class User(Answer):
    id: str
    created_at: Moment | None = None
    created_by: str | None = None


class GivenRole(Answer):
    role_name: str
    assigned_by: str
    assigned_at: Moment


class UserWithRoles(User):
    roles: list[GivenRole] = []


class UserPage(Answer):
    total_results: int
    start_index: int
    items_per_page: int
    users: list[User]


class Holder(Answer):
    user_id: str
    assigned_by: str
    assigned_at: Moment


class RoleHolders(Answer):
    role_name: str
    users: list[Holder]


class Assigned(Answer):
    """User by user: who has the role now, who had it, and who is not known."""

    role_name: str
    assigned: list[str]
    already_assigned: list[str]
    failed: list[str]


class Users:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def listed(
        self, *, prefix: str = "", roles: Sequence[str] = (), count: int = 100, start: int = 1
    ) -> UserPage:
        """From the `start`th on, of which the first is 1."""
        asked: dict[str, Parameter] = {
            "id_prefix": prefix or None,
            "roles": roles,
            "count": count,
            "start_index": start,
        }
        return self._connection.ask(UserPage, "GET", "/api/auth/user", parameters=asked)

    def get(self, user: str) -> UserWithRoles:
        return self._connection.ask(UserWithRoles, "GET", _path(user))

    def create(self, user: str, *, roles: Sequence[str] = ()) -> User:
        body = {"id": user, "roles": list(roles)}
        return self._connection.ask(User, "POST", "/api/auth/user", json=body)

    def delete(self, user: str) -> None:
        self._connection.send("DELETE", _path(user))

    def assign(self, user: str, role: str) -> None:
        self._connection.send("POST", _path(user, "roles"), json={"role_name": role})

    def unassign(self, user: str, role: str) -> None:
        self._connection.send("DELETE", _path(user, "roles", segment(role)))

    def having(self, role: str) -> RoleHolders:
        return self._connection.ask(RoleHolders, "GET", _role(role))

    def assign_all(self, users: Sequence[str], role: str) -> Assigned:
        body = {"user_ids": list(users)}
        return self._connection.ask(Assigned, "POST", _role(role), json=body)


def _path(user: str, *rest: str) -> str:
    return "/".join(("/api/auth/user", segment(user), *rest))


def _role(role: str) -> str:
    return f"/api/auth/roles/{segment(role)}/users"
