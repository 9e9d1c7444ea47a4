"""Who may do what: a role is a person's, and an operator's token opens nothing of a person's."""

import pytest

from xylem.domain.access import (
    ADMIN,
    USER,
    Principal,
    require_admin,
    require_owner,
    require_user,
)
from xylem.domain.errors import Forbidden
from xylem.domain.ids import UserName, WorkflowId

HELLO = WorkflowId("hello-1")
ALICE, BOB = UserName("alice"), UserName("bob")


def a_person(*roles: str, name: UserName = ALICE) -> Principal:
    return Principal("user", name, frozenset(roles))


def an_operator(*roles: str) -> Principal:
    return Principal("operator", UserName("cluster-1"), frozenset(roles))


@pytest.mark.parametrize("role", [USER, ADMIN])
def test_a_user_and_an_admin_submit_and_read(role: str) -> None:
    require_user(a_person(role))


@pytest.mark.parametrize(
    "who", [a_person(), a_person("another-role"), an_operator(USER), an_operator(ADMIN)], ids=str
)
def test_nobody_else_submits_and_reads(who: Principal) -> None:
    with pytest.raises(Forbidden, match="neither of the roles osmo-user and osmo-admin"):
        require_user(who)


def test_an_admin_changes_configs() -> None:
    require_admin(a_person(ADMIN))


@pytest.mark.parametrize("who", [a_person(), a_person(USER), an_operator(ADMIN)], ids=str)
def test_nobody_else_changes_configs(who: Principal) -> None:
    with pytest.raises(Forbidden, match="does not have the role osmo-admin"):
        require_admin(who)


@pytest.mark.parametrize("who", [a_person(USER), a_person(ADMIN, name=BOB)], ids=str)
def test_who_submitted_it_cancels_it_and_an_admin_does(who: Principal) -> None:
    require_owner(who, ALICE, HELLO)


def test_nobody_cancels_what_another_submitted() -> None:
    with pytest.raises(Forbidden, match="only alice or an admin") as refused:
        require_owner(a_person(USER, name=BOB), ALICE, HELLO)

    assert refused.value.workflow == HELLO
