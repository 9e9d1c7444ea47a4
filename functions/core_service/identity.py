"""Who is asking, and whether they may: what the gateway's authorizer found out, nothing that the
caller says, against what the route is in the table of operations."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from functions.core_service.services import Has
from xylem.domain.access import (
    OPERATIONS,
    Principal,
    require,
    require_owner,
    resources_of,
)
from xylem.domain.errors import Forbidden, Unauthenticated
from xylem.domain.ids import UserName

if TYPE_CHECKING:
    from xylem.domain.workflow import Workflow


def principal(request: Request) -> Principal:
    """Raises `Unauthenticated` where no authorizer stood before us: then something is open that
    must not be."""
    context = _context(request)
    if not context.get("subject"):
        raise Unauthenticated("No token: log in with `xylem login`.")
    return Principal(
        kind=context.get("kind", "user"),
        subject=UserName(context["subject"]),
        roles=frozenset(filter(None, str(context.get("roles", "")).split(","))),
        token=context.get("token") or None,
    )


def subject_of(request: Request) -> UserName | None:
    return UserName(found) if (found := _context(request).get("subject")) else None


def user(request: Request, found: Annotated[Principal, Depends(principal)], has: Has) -> Principal:
    """Raises `Forbidden`, `TooMany`."""
    has.limiter.admit(found, has.engine.clock())
    route = request.scope["route"].path_format
    operation = OPERATIONS[f"{request.method} {route}"]
    for resource in resources_of(operation, request.path_params):
        try:
            require(found, operation.action, resource, has.configs.roles)
        except Forbidden:
            _require_pool(resource, has)
            raise
    return found


def _require_pool(resource: str, has: Has) -> None:
    """Everybody sees which pools there are: who misspelt one is told so. Raises `UnknownPool`."""
    scope, _, name = resource.partition("/")
    if scope == "pool" and name != "*":
        has.pools.pool(name)


User = Annotated[Principal, Depends(user)]


@dataclass(frozen=True, slots=True)
class Said:
    """What a client in dev mode says of itself, as OSMO's gateway would of others: its roles and
    pools. None: it said nothing, or the deployment listens to no such word."""

    roles: list[str] | None
    pools: list[str] | None


def said(request: Request) -> Said:
    context = _context(request)
    return Said(_list(context.get("said_roles")), _list(context.get("said_pools")))


SaidOf = Annotated[Said, Depends(said)]


def require_read(who: Principal, workflow: "Workflow", has: Has) -> None:
    """A workflow's pool is known once it was read. Raises `Forbidden`."""
    require(who, "workflow:Read", f"pool/{workflow.pool}", has.configs.roles)


def require_own(who: Principal, action: str, workflow: "Workflow", has: Has) -> None:
    """Raises `Forbidden`."""
    require_owner(
        who,
        action,
        owner=workflow.user,
        pool=workflow.pool,
        workflow=workflow.id,
        stored=has.configs.roles,
    )


def _context(request: Request) -> dict[str, Any]:
    event: dict[str, Any] = request.scope.get("aws.event", {})
    found: dict[str, Any] = (
        event.get("requestContext", {}).get("authorizer", {}).get("lambda") or {}
    )
    return found


def _list(text: str | None) -> list[str] | None:
    return None if text is None else [one for one in text.split(",") if one]
