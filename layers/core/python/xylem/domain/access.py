"""Who asks, and what they may do. Tokens and headers are the business of the edges.

Every operation of the HTTP API is a row of `OPERATIONS`: the action that it is, and what of its
path names the thing that it is about. Whoever may do an action is said by roles
(`xylem.domain.role`); whether it is asked of an operation is no affair of the operation. What
belongs to somebody is asked about once more, as a thing of its owner, where another asks: a role
that lets its bearers cancel workflows of a pool does not let them cancel each other's.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from xylem.domain.errors import Forbidden
from xylem.domain.ids import BackendName, PoolName, UserName, WorkflowId
from xylem.domain.role import ADMIN, EVERYBODY, NOWHERE, SHIPPED_ROLES, USER, Role, Roles, allows
from xylem.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A person (or a program with a person's token), or the operator of one backend, with when its
    token was signed, and until when it holds, where it has one. `token`: the name of the access
    token that it came with."""

    kind: Literal["user", "operator"]
    subject: UserName
    roles: frozenset[str] = frozenset()
    backend: BackendName | None = None
    signed_at: datetime | None = None
    token: str | None = None
    until: datetime | None = None

    @property
    def admin(self) -> bool:
        return ADMIN in self.roles

    def outlives(self, life: timedelta) -> bool:
        """Whether its token was signed for longer; what nobody signed ends with its request."""
        if self.signed_at is None or self.until is None:
            return False
        return self.until - self.signed_at > life


def operator_of(backend: BackendName, *, signed_at: datetime | None = None) -> Principal:
    return Principal("operator", operator_name(backend), frozenset(), backend, signed_at)


def operator_name(backend: BackendName) -> UserName:
    """Under which its sockets are found."""
    return UserName(f"operator-{backend}")


# What may be asked --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operation:
    """`scope` with `of`: the resource is `<scope>/<the part of the path that is called so>`; of
    several with commas between them, each. Without `of` it is `<scope>` as it stands."""

    action: str
    scope: str = NOWHERE
    of: str = ""


def _config(kind: str, one: str = "/{name}") -> dict[str, Operation]:
    """The operations of a kind of config: reading is an action of its own."""
    whole = f"/api/configs/{kind}"
    read = Operation("config:Read", f"config/{kind}")
    update = Operation("config:Update", f"config/{kind}")
    paths = (whole, f"{whole}{one}") if one else (whole,)
    return {
        **{f"GET {path}": read for path in paths},
        **{f"{method} {path}": update for method in _CHANGES for path in paths},
    }


_CHANGES = ("PUT", "POST", "PATCH", "DELETE")
_HISTORY = "/api/configs/history"
_PLATFORM = "/api/configs/pool/{name}/platform"
_SUBMIT = "/api/pool/{pool_name}/workflow"
_OF_A_WORKFLOW = "/api/workflow/{name}"
_USERS = "/api/auth/user/{user_id}"
_MINE = "/api/auth/access_token"
_APP = "/api/app/user/{name}"
_BUCKETS = "/api/bucket"
_DATASET = "/api/bucket/{bucket}/dataset/{name}"

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        f"POST {_SUBMIT}": Operation("workflow:Create", "pool", "pool_name"),
        f"POST {_SUBMIT}/{{name}}/restart": Operation("workflow:Create", "pool", "pool_name"),
        "GET /api/workflow": Operation("workflow:List"),
        "GET /api/tag": Operation("workflow:List"),
        "GET /api/task": Operation("workflow:List"),
        f"GET {_OF_A_WORKFLOW}": Operation("workflow:Read"),
        f"GET {_OF_A_WORKFLOW}/task/{{task_name}}": Operation("workflow:Read"),
        f"GET {_OF_A_WORKFLOW}/spec": Operation("workflow:Read"),
        f"GET {_OF_A_WORKFLOW}/events": Operation("workflow:Read"),
        f"GET {_OF_A_WORKFLOW}/audit": Operation("workflow:Read"),
        f"GET {_OF_A_WORKFLOW}/why-pending": Operation("workflow:Read"),
        f"POST {_OF_A_WORKFLOW}/tag": Operation("workflow:Update"),
        f"POST {_OF_A_WORKFLOW}/cancel": Operation("workflow:Cancel"),
        f"POST {_OF_A_WORKFLOW}/sessions": Operation("workflow:Exec"),
        f"POST {_OF_A_WORKFLOW}/exec/task/{{task_name}}": Operation("workflow:Exec"),
        f"POST {_OF_A_WORKFLOW}/exec/group/{{group_name}}": Operation("workflow:Exec"),
        f"POST {_OF_A_WORKFLOW}/portforward/{{task_name}}": Operation("workflow:PortForward"),
        f"POST {_OF_A_WORKFLOW}/webserver/{{task_name}}": Operation("workflow:PortForward"),
        f"POST {_OF_A_WORKFLOW}/rsync/task/{{task_name}}": Operation("workflow:Rsync"),
        "GET /api/plugins/configs": Operation("workflow:Rsync", "pool/*"),
        "GET /api/pool": Operation("pool:List"),
        "GET /api/pool_quota": Operation("pool:List"),
        "GET /api/resources": Operation("resources:Read"),
        "GET /api/resources/{name}": Operation("resources:Read"),
        "GET /api/credentials": Operation("credentials:Read"),
        "POST /api/credentials/{name}": Operation("credentials:Create"),
        "DELETE /api/credentials/{name}": Operation("credentials:Delete"),
        "GET /api/profile/settings": Operation("profile:Read"),
        "POST /api/profile/settings": Operation("profile:Update"),
        "GET /api/webhook": Operation("profile:Read"),
        "POST /api/webhook/{name}": Operation("profile:Update"),
        "DELETE /api/webhook/{name}": Operation("profile:Update"),
        "GET /api/users": Operation("user:List"),
        "GET /api/app": Operation("app:Read"),
        f"GET {_APP}": Operation("app:Read"),
        f"GET {_APP}/spec": Operation("app:Read"),
        f"POST {_APP}": Operation("app:Create"),
        f"POST {_APP}/rename": Operation("app:Create"),
        f"PATCH {_APP}": Operation("app:Update"),
        f"DELETE {_APP}": Operation("app:Delete"),
        f"GET {_MINE}": Operation("auth:Token"),
        f"GET {_MINE}/{{token_name}}/roles": Operation("auth:Token"),
        f"POST {_MINE}/{{token_name}}": Operation("auth:Token"),
        f"DELETE {_MINE}/{{token_name}}": Operation("auth:Token"),
        f"GET {_USERS}/access_token": Operation("user:Manage", "user", "user_id"),
        f"POST {_USERS}/access_token/{{token_name}}": Operation("user:Manage", "user", "user_id"),
        f"DELETE {_USERS}/access_token/{{token_name}}": Operation("user:Manage", "user", "user_id"),
        "GET /api/auth/user": Operation("user:Manage"),
        "POST /api/auth/user": Operation("user:Manage"),
        f"GET {_USERS}": Operation("user:Manage", "user", "user_id"),
        f"DELETE {_USERS}": Operation("user:Manage", "user", "user_id"),
        f"POST {_USERS}/sign-out": Operation("user:Manage", "user", "user_id"),
        f"GET {_USERS}/roles": Operation("user:Manage", "user", "user_id"),
        f"POST {_USERS}/roles": Operation("user:Manage", "user", "user_id"),
        f"DELETE {_USERS}/roles/{{role_name}}": Operation("user:Manage", "user", "user_id"),
        "GET /api/auth/roles/{role_name}/users": Operation("user:Manage"),
        "POST /api/auth/roles/{role_name}/users": Operation("user:Manage"),
        **_config("pool"),
        "PUT /api/configs/pool/{name}/rename": Operation("config:Update", "config/pool"),
        f"GET {_PLATFORM}": Operation("config:Read", "config/pool"),
        f"GET {_PLATFORM}/{{platform_name}}": Operation("config:Read", "config/pool"),
        f"PUT {_PLATFORM}/{{platform_name}}": Operation("config:Update", "config/pool"),
        f"PUT {_PLATFORM}/{{platform_name}}/rename": Operation("config:Update", "config/pool"),
        **_config("pod_template"),
        **_config("group_template"),
        **_config("resource_validation"),
        **_config("backend"),
        **_config("backend_test"),
        **_config("role"),
        **_config("service", ""),
        **_config("workflow", ""),
        f"GET {_HISTORY}": Operation("config:Read", "config/history"),
        "GET /api/configs/diff": Operation("config:Read", "config/diff"),
        f"POST {_HISTORY}/rollback": Operation("config:Update", "config/history"),
        f"DELETE {_HISTORY}/{{config_type}}/revision/{{revision}}": Operation(
            "config:Update", "config/history"
        ),
        f"POST {_HISTORY}/{{config_type}}/revision/{{revision}}/tags": Operation(
            "config:Update", "config/history"
        ),
        "PUT /api/backend/{name}": Operation("config:Update", "config/backend"),
        "PUT /api/backend/{name}/drain": Operation("config:Update", "config/backend"),
        "DELETE /api/backend/{name}/drain": Operation("config:Update", "config/backend"),
        **_config("dataset", "/{alias}"),
        f"GET {_BUCKETS}": Operation("dataset:Read"),
        f"GET {_BUCKETS}/list_dataset": Operation("dataset:Read"),
        f"GET {_BUCKETS}/{{bucket}}/query": Operation("dataset:Read"),
        f"GET {_BUCKETS}/{{bucket}}/location": Operation("dataset:Read"),
        f"GET {_DATASET}": Operation("dataset:Read"),
        f"GET {_DATASET}/info": Operation("dataset:Read"),
        f"GET {_DATASET}/manifest": Operation("dataset:Read"),
        f"GET {_DATASET}/file-content": Operation("dataset:Read"),
        f"POST {_DATASET}/downloads": Operation("dataset:Read"),
        f"POST {_DATASET}": Operation("dataset:Create"),
        f"POST {_DATASET}/uploads": Operation("dataset:Create"),
        f"POST {_DATASET}/listing": Operation("dataset:Create"),
        f"POST {_DATASET}/migrate": Operation("dataset:Update"),
        f"POST {_DATASET}/attribute": Operation("dataset:Update"),
        f"POST {_DATASET}/collect": Operation("dataset:Update"),
        f"POST {_DATASET}/recollect": Operation("dataset:Update"),
        f"POST {_DATASET}/recover": Operation("dataset:Update"),
        f"DELETE {_DATASET}": Operation("dataset:Delete"),
        "GET /api/job": Operation("job:Read"),
        "GET /api/job/{id}": Operation("job:Read"),
        "POST /api/job/{id}/retry": Operation("job:Update"),
        "DELETE /api/job/{id}": Operation("job:Update"),
    }
)
"""By method and route. OSMO has no action for what changes users or roles of users, deletes a
config or tags a workflow: there only `*:*` does it."""

ACTIONS = frozenset(
    {
        *(operation.action for operation in OPERATIONS.values()),
        "workflow:Delete",
        "credentials:Update",
        "config:Create",
        "config:Delete",
        "auth:Login",
        "auth:Refresh",
        "mcp:Access",
        "system:Health",
        "system:Version",
        "internal:Operator",
        "internal:Logger",
        "internal:Router",
    }
)
"""All that a policy may name: those of the operations, and OSMO's besides."""


# Whether it may be done ---------------------------------------------------------------------------


def may(principal: Principal, action: str, resource: str, stored: Callable[[], Roles]) -> bool:
    """`stored`: the roles as they are, read where what ships does not decide."""
    if principal.kind != "user":
        return False
    names = {*principal.roles, EVERYBODY}
    if names <= SHIPPED_ROLES.keys() and allows(_named(names, SHIPPED_ROLES), action, resource):
        return True
    return allows(_named(names, stored()), action, resource)


def _named(names: set[str], roles: Roles) -> list[Role]:
    return [roles[name] for name in names if name in roles]


def require(principal: Principal, action: str, resource: str, stored: Callable[[], Roles]) -> None:
    """Raises `Forbidden`."""
    if not may(principal, action, resource, stored):
        on = f" on {resource}" if resource else ""
        raise Forbidden(
            f"{principal.subject} may not do {action}{on}: ask an admin for a role that allows it."
        )


def require_owner(
    principal: Principal,
    action: str,
    *,
    owner: UserName,
    pool: PoolName,
    workflow: WorkflowId,
    stored: Callable[[], Roles],
) -> None:
    """What is done to a workflow: its submitter does it, and whoever may do it to what is its
    submitter's. Raises `Forbidden`."""
    require(principal, action, f"pool/{pool}", stored)
    if principal.subject != owner and not may(principal, action, f"user/{owner}", stored):
        raise Forbidden(
            f"{workflow} was submitted by {owner}: only {owner}, an admin, and who has a role that "
            f"allows {action} on user/{owner} may do that.",
            workflow=workflow,
        )


def resources_of(operation: Operation, path: Mapping[str, str]) -> tuple[str, ...]:
    """What the request is about, from the parts of its path."""
    if not operation.of:
        return (operation.scope,)
    named = path[operation.of].split(",")
    return tuple(f"{operation.scope}/{name.strip()}" for name in named)


__all__ = [
    "ACTIONS",
    "ADMIN",
    "OPERATIONS",
    "USER",
    "Operation",
    "Principal",
    "may",
    "operator_name",
    "operator_of",
    "require",
    "require_owner",
    "resources_of",
]
