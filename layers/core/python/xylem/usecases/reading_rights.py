"""Who may read what a workflow printed: whoever may do `workflow:Read` on its pool.

For logs, which are read past the table of operations. The roles that ship let their bearers read
everywhere or nowhere, so the workflow is looked up for others alone.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from xylem.domain.access import Principal, require
from xylem.domain.errors import Forbidden
from xylem.domain.ids import UserName
from xylem.domain.role import EVERYBODY, SHIPPED_ROLES, Roles, allows
from xylem.ports.workflows import Workflows

READ = "workflow:Read"
ANYWHERE = "pool/"


def said(context: Mapping[str, Any]) -> Principal:
    """The authorizer's word."""
    roles = frozenset(filter(None, str(context.get("roles", "")).split(",")))
    kind: Literal["user", "operator"] = "user" if context.get("kind") == "user" else "operator"
    return Principal(kind, UserName(str(context.get("subject", ""))), roles)


def require_reader(
    who: Principal, workflow: str, *, workflows: Workflows, stored: Callable[[], Roles]
) -> None:
    """Raises `Forbidden`, `UnknownWorkflow`."""
    if who.kind != "user":
        raise Forbidden("Logs are for people: an operator's token does not open them.")
    names = {*who.roles, EVERYBODY}
    shipped = [SHIPPED_ROLES[name] for name in names if name in SHIPPED_ROLES]
    if names <= SHIPPED_ROLES.keys() and allows(shipped, READ, ANYWHERE):
        return
    require(who, READ, "", stored)
    pool = workflows.workflow(workflows.resolve(workflow)).value.pool
    require(who, READ, f"pool/{pool}", stored)
