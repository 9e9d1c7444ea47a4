"""Who asks, and what they may do. Tokens and headers are the business of the edges."""

from datetime import datetime
from typing import Literal

from xylem.domain.errors import Forbidden
from xylem.domain.ids import BackendName, UserName, WorkflowId
from xylem.domain.values import dataclass

ADMIN = "osmo-admin"
USER = "osmo-user"


@dataclass(frozen=True, slots=True)
class Principal:
    """A person (or a program with a person's token), or the operator of one backend, with when its
    token was signed where it has one."""

    kind: Literal["user", "operator"]
    subject: UserName
    roles: frozenset[str] = frozenset()
    backend: BackendName | None = None
    signed_at: datetime | None = None

    @property
    def admin(self) -> bool:
        return ADMIN in self.roles


def operator_of(backend: BackendName, *, signed_at: datetime | None = None) -> Principal:
    return Principal("operator", operator_name(backend), frozenset(), backend, signed_at)


def operator_name(backend: BackendName) -> UserName:
    """Under which its sockets are found."""
    return UserName(f"operator-{backend}")


def require_user(principal: Principal) -> None:
    """Submitting and reading. Raises `Forbidden`."""
    if principal.kind != "user" or not principal.roles & {ADMIN, USER}:
        raise Forbidden(
            f"{principal.subject} has neither of the roles {USER} and {ADMIN}: ask an admin."
        )


def require_admin(principal: Principal) -> None:
    """Changing configs. Raises `Forbidden`."""
    if principal.kind != "user" or not principal.admin:
        raise Forbidden(f"{principal.subject} does not have the role {ADMIN}: ask an admin.")


def require_owner(principal: Principal, owner: UserName, workflow: WorkflowId) -> None:
    """Cancelling a workflow: its submitter does, and an admin. Raises `Forbidden`."""
    if principal.subject != owner and not principal.admin:
        raise Forbidden(
            f"{workflow} was submitted by {owner}: only {owner} or an admin may cancel it.",
            workflow=workflow,
        )
