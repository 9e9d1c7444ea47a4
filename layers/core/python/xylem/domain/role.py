"""Roles: names that users have, and what each lets its bearers do.

A policy allows or denies actions on resources. An action is `<type>:<verb>`; `*` stands for either
half, or alone for both. A resource is `<scope>/<name>` (`pool/a`), of which `*` at the end stands
for any ending; what has no resource is reached by every policy that names its action. A denial in
any role wins over every allowance.

The roles that ship keep their own policies for good: an admin may give them more, never less, and
never take them away, so nobody locks himself out. What they allow is thus known without a look at
what is stored.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

from xylem.domain.errors import InvalidRequest
from xylem.domain.values import dataclass

ADMIN = "osmo-admin"
USER = "osmo-user"
EVERYBODY = "osmo-default"
"""What each user has without being given it."""

Effect = Literal["Allow", "Deny"]
Sync = Literal["force", "import", "ignore"]

NOWHERE = ""
"""The resource of an action that is about none."""


@dataclass(frozen=True, slots=True)
class Policy:
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ()
    effect: Effect = "Allow"

    def covers(self, action: str, resource: str) -> bool:
        return any(_matches_action(one, action) for one in self.actions) and (
            resource == NOWHERE or any(_matches(one, resource) for one in self.resources)
        )


@dataclass(frozen=True, slots=True)
class Role:
    """`external_roles`: what somebody is at an identity provider who comes to have it, and
    `sync_mode`: whether he loses it again (`xylem.domain.identity.synchronised`)."""

    name: str
    description: str
    policies: tuple[Policy, ...]
    sync_mode: Sync = "import"
    external_roles: tuple[str, ...] = ()


Roles = Mapping[str, Role]


def _shipped(name: str, description: str, *policies: Policy) -> Role:
    return Role(name, description, policies, external_roles=(name,))


_EVERYWHERE = ("*",)

SHIPPED_ROLES: Roles = MappingProxyType(
    {
        role.name: role
        for role in (
            _shipped(
                ADMIN,
                "Administrator with full access except internal endpoints",
                Policy(("*:*",), _EVERYWHERE),
                Policy(()),
            ),
            _shipped(
                "osmo-backend",
                "For backend agents",
                Policy(
                    ("config:Read", "internal:Operator", "pool:List"),
                    ("backend/*", "pool/*", "config/backend"),
                ),
            ),
            _shipped(
                "osmo-ctrl",
                "For workflow pods",
                Policy(("internal:Logger", "internal:Router"), _EVERYWHERE),
            ),
            _shipped(
                EVERYBODY,
                "Default role all users have access to",
                Policy(
                    ("auth:Login", "auth:Refresh", "profile:*", "system:Health", "system:Version"),
                    _EVERYWHERE,
                ),
            ),
            _shipped(
                USER,
                "Standard user role",
                Policy(
                    (
                        "app:*",
                        "auth:Token",
                        "credentials:*",
                        "mcp:Access",
                        "pool:List",
                        "profile:Read",
                        "profile:Update",
                        "resources:Read",
                        "user:List",
                        "workflow:List",
                        "workflow:Read",
                    ),
                    _EVERYWHERE,
                ),
                Policy(("workflow:*",), ("pool/default",)),
            ),
        )
    }
)
"""OSMO's, word for word as `GET /api/configs/role` answers of a new installation."""


OURS: Mapping[str, Policy] = MappingProxyType({USER: Policy(("dataset:*",), _EVERYWHERE)})
"""What the bearers of a shipped role may besides, in words that OSMO's roles do not have: it asked
for no right to datasets. Whoever reads the roles finds OSMO's."""


def allows(roles: Iterable[Role], action: str, resource: str = NOWHERE) -> bool:
    covering = {
        policy.effect
        for role in roles
        for policy in (*role.policies, *((OURS[role.name],) if role.name in OURS else ()))
        if policy.covers(action, resource)
    }
    return covering == {"Allow"}


def with_role(role: Role, roles: Roles) -> Roles:
    """Raises `InvalidRequest` where it would take from a role that ships."""
    if shipped := SHIPPED_ROLES.get(role.name):
        missing = [one for one in shipped.policies if one not in role.policies]
        denying = [one for one in role.policies if one.effect == "Deny"]
        if missing or denying:
            raise InvalidRequest(
                f"{role.name} is a role that ships: it keeps its policies and denies nothing. Add "
                "to them, or make a role of your own.",
                code="USER",
            )
    return {**roles, role.name: role}


def without_role(name: str, roles: Roles) -> Roles:
    """Raises `InvalidRequest`."""
    if name in SHIPPED_ROLES:
        raise InvalidRequest(f"{name} is a role that ships: it cannot be deleted.", code="USER")
    require_role(name, roles)
    return {key: role for key, role in roles.items() if key != name}


def require_role(name: str, roles: Roles) -> Role:
    """Raises `InvalidRequest`."""
    if name not in roles:
        raise InvalidRequest(f"Role {name} does not exist", code="USER")
    return roles[name]


def _matches_action(pattern: str, action: str) -> bool:
    if pattern == "*":
        return True
    kind, _, verb = pattern.partition(":")
    asked_kind, _, asked_verb = action.partition(":")
    return kind in ("*", asked_kind) and verb in ("*", asked_verb)


def _matches(pattern: str, resource: str) -> bool:
    if pattern.endswith("*"):
        return resource.startswith(pattern[:-1])
    return pattern == resource
