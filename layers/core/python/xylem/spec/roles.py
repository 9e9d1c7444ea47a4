"""What an admin writes of a role -> `Role`, and back."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from xylem.domain.access import ACTIONS
from xylem.domain.errors import InvalidRequest
from xylem.domain.role import Policy, Role
from xylem.spec.validations import Text

NAME = re.compile(r"[a-zA-Z]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?", re.ASCII)
NAME_CHARS = 63
POLICIES = 50
ITEMS = 100
_ACTION = re.compile(r"[a-z*]+:[A-Za-z*]+|\*")

Texts = Annotated[list[Text], Field(max_length=ITEMS)]


class PolicyForm(BaseModel):
    effect: Literal["Allow", "Deny"] = "Allow"
    actions: Annotated[list[Text | dict[str, Any]], Field(max_length=ITEMS)]
    resources: Texts = []


class RoleForm(BaseModel):
    """`immutable` is what ships; what a role says of it that was read back is passed over."""

    name: Text
    description: Text
    policies: Annotated[list[PolicyForm], Field(max_length=POLICIES)]
    immutable: bool = False
    sync_mode: Literal["force", "import", "ignore"] = "import"
    external_roles: Texts | None = None


def role_of(name: str, form: RoleForm) -> Role:
    """Raises `InvalidRequest`."""
    if NAME.fullmatch(name) is None or len(name) > NAME_CHARS:
        raise _wrong(
            f"{name[:NAME_CHARS]} is no name of a role: it begins with a letter, goes on with "
            f"letters, digits, -, _ and ., and has {NAME_CHARS} characters at the most."
        )
    if form.name != name:
        raise _wrong(f"configs.name: is {form.name}, but the role is {name}.")
    external = form.external_roles
    return Role(
        name=name,
        description=form.description,
        policies=tuple(
            _policy(one, f"configs.policies[{index}]") for index, one in enumerate(form.policies)
        ),
        sync_mode=form.sync_mode,
        external_roles=(name,) if external is None else tuple(external),
    )


def config_of_role(role: Role) -> dict[str, Any]:
    return {
        "name": role.name,
        "description": role.description,
        "policies": [
            {
                "effect": policy.effect,
                "actions": list(policy.actions),
                "resources": list(policy.resources),
            }
            for policy in role.policies
        ],
        "immutable": False,
        "sync_mode": role.sync_mode,
        "external_roles": list(role.external_roles),
    }


def _policy(form: PolicyForm, path: str) -> Policy:
    actions = [_action(one, f"{path}.actions[{index}]") for index, one in enumerate(form.actions)]
    return Policy(tuple(actions), tuple(form.resources), form.effect)


def _action(given: str | dict[str, Any], path: str) -> str:
    """A misspelt action would allow, or worse deny, nothing."""
    if not isinstance(given, str) or _ACTION.fullmatch(given) is None:
        raise _wrong(f"{path}: {given} is no action: write <type>:<verb>, e.g. workflow:Read.")
    kind, _, verb = given.partition(":")
    known = [one.partition(":") for one in ACTIONS]
    if given != "*" and not any(
        kind in ("*", of_kind) and verb in ("*", of_verb) for of_kind, _, of_verb in known
    ):
        raise _wrong(f"{path}: {given} is not known: known are {', '.join(sorted(ACTIONS))}.")
    return given


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="USER")
