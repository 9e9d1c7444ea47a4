"""Roles that ship are there for good; what an admin adds to them, and his own, he may take away."""

import pytest

from xylem.domain.errors import InvalidRequest
from xylem.domain.role import (
    ADMIN,
    SHIPPED_ROLES,
    USER,
    Policy,
    Role,
    allows,
    with_role,
    without_role,
)
from xylem.domain.values import replace

A_TEAM = Role("team", "", (Policy(("workflow:*",), ("pool/a",)),))


def test_a_role_of_ones_own_comes_and_goes() -> None:
    known = with_role(A_TEAM, SHIPPED_ROLES)

    assert known["team"] == A_TEAM
    assert without_role("team", known) == SHIPPED_ROLES


@pytest.mark.parametrize("name", sorted(SHIPPED_ROLES))
def test_no_role_that_ships_is_deleted_or_emptied_or_made_to_deny(name: str) -> None:
    role = SHIPPED_ROLES[name]
    denying = (*role.policies, Policy(("*",), ("*",), "Deny"))

    with pytest.raises(InvalidRequest, match="ships"):
        without_role(name, SHIPPED_ROLES)
    for policies in ((), denying):
        with pytest.raises(InvalidRequest, match="keeps its policies"):
            with_role(replace(role, policies=policies), SHIPPED_ROLES)


def test_a_role_that_ships_may_be_given_more() -> None:
    more = (*SHIPPED_ROLES[USER].policies, Policy(("workflow:Create",), ("pool/a",)))

    known = with_role(replace(SHIPPED_ROLES[USER], policies=more), SHIPPED_ROLES)

    assert allows([known[USER]], "workflow:Create", "pool/a")


@pytest.mark.parametrize("pattern", ["*", "*:*", "workflow:*", "*:Read", "workflow:Read"])
def test_a_star_stands_for_either_half_of_an_action(pattern: str) -> None:
    role = Role("r", "", (Policy((pattern,), ("*",)),))

    assert allows([role], "workflow:Read", "pool/a")
    assert not allows([role], "app:Create", "") or pattern in ("*", "*:*")


def test_what_no_policy_covers_is_not_allowed() -> None:
    assert not allows([], "workflow:Read", "")
    assert not allows([A_TEAM], "workflow:Read", "pool/b")


def test_the_admin_role_has_the_policy_that_allows_everything() -> None:
    assert allows([SHIPPED_ROLES[ADMIN]], "config:Update", "config/role")
