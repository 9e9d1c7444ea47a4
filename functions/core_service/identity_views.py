"""Users, roles of users and tokens as OSMO's clients know them: their times end in Z, unlike those
of workflows."""

from collections.abc import Iterable
from datetime import UTC, datetime

from functions.core_service.views import View
from xylem.domain.identity import AccessToken, User, UserRole


def user(it: User) -> View:
    return {"id": it.id, "created_at": time(it.created_at), "created_by": it.created_by}


def roles(given: Iterable[UserRole]) -> list[View]:
    return [role(one) for one in given]


def role(it: UserRole) -> View:
    return {
        "role_name": it.role,
        "assigned_by": it.assigned_by,
        "assigned_at": time(it.assigned_at),
    }


def token(it: AccessToken) -> View:
    return {
        "user_name": it.user,
        "token_name": it.name,
        "expires_at": it.expires_at.replace(tzinfo=None).isoformat(),
        "description": it.description,
        "roles": [one.role for one in it.roles],
    }


def time(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
