"""Who is asking: what the gateway's authorizer found out, nothing that the caller says."""

from typing import Annotated, Any

from fastapi import Depends, Request

from xylem.domain.access import Principal, require_user
from xylem.domain.errors import Unauthenticated
from xylem.domain.ids import UserName


def principal(request: Request) -> Principal:
    """Raises `Unauthenticated` where no authorizer stood before us: then something is open that
    must not be."""
    event: dict[str, Any] = request.scope.get("aws.event", {})
    context = event.get("requestContext", {}).get("authorizer", {}).get("lambda") or {}
    if not context.get("subject"):
        raise Unauthenticated("No token: log in with `xylem login`.")
    return Principal(
        kind=context.get("kind", "user"),
        subject=UserName(context["subject"]),
        roles=frozenset(filter(None, str(context.get("roles", "")).split(","))),
    )


def user(found: Annotated[Principal, Depends(principal)]) -> Principal:
    """Raises `Forbidden`."""
    require_user(found)
    return found


User = Annotated[Principal, Depends(user)]
