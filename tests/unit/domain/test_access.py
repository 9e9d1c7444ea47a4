"""Who may do what: a role is a person's, an operator's token opens nothing of a person's, and what
belongs to somebody is not another's for being in the same pool."""

import pytest

from xylem.domain.access import (
    ADMIN,
    OPERATIONS,
    USER,
    Operation,
    Principal,
    may,
    require,
    require_owner,
    resources_of,
)
from xylem.domain.errors import Forbidden
from xylem.domain.ids import PoolName, UserName, WorkflowId
from xylem.domain.role import SHIPPED_ROLES, Policy, Role, Roles

HELLO = WorkflowId("hello-1")
ALICE, BOB = UserName("alice"), UserName("bob")
DEFAULT = PoolName("default")


def a_person(*roles: str, name: UserName = ALICE) -> Principal:
    return Principal("user", name, frozenset(roles))


def an_operator(*roles: str) -> Principal:
    return Principal("operator", UserName("cluster-1"), frozenset(roles))


def roles(*policies: Policy, name: str = "team") -> Roles:
    return {**SHIPPED_ROLES, name: Role(name, "", policies)}


def unread() -> Roles:
    raise AssertionError("what ships decides this without a look at what is stored")


def cancels(who: Principal, known: Roles = SHIPPED_ROLES) -> None:
    require_owner(
        who,
        "workflow:Cancel",
        owner=ALICE,
        pool=DEFAULT,
        workflow=HELLO,
        stored=lambda: known,
    )


@pytest.mark.parametrize("action", sorted({one.action for one in OPERATIONS.values()}))
def test_an_admin_does_everything_and_no_operator_does_anything(action: str) -> None:
    assert may(a_person(ADMIN), action, "", unread)
    assert not may(an_operator(ADMIN, USER), action, "", unread)


def test_a_user_submits_to_the_default_pool_alone_until_a_role_says_more() -> None:
    assert may(a_person(USER), "workflow:Create", "pool/default", unread)
    assert not may(a_person(USER), "workflow:Create", "pool/a", lambda: SHIPPED_ROLES)

    known = roles(Policy(("workflow:*",), ("pool/a*",)))
    assert may(a_person(USER, "team"), "workflow:Create", "pool/a", lambda: known)
    assert may(a_person(USER, "team"), "workflow:Create", "pool/default", lambda: known)


def test_a_denial_in_any_role_wins() -> None:
    known = roles(Policy(("workflow:Create",), ("pool/default",), "Deny"))

    assert not may(a_person(USER, "team"), "workflow:Create", "pool/default", lambda: known)
    assert may(a_person(USER, "team"), "workflow:Read", "pool/default", lambda: known)


def test_a_role_that_is_not_there_lets_nobody_do_anything() -> None:
    assert not may(a_person("gone"), "workflow:List", "", lambda: SHIPPED_ROLES)


def test_what_has_no_resource_is_reached_by_each_policy_that_names_its_action() -> None:
    known = roles(Policy(("config:Read",), ("config/pool",)))

    assert may(a_person("team"), "config:Read", "", lambda: known)
    assert not may(a_person("team"), "config:Read", "config/role", lambda: known)


def test_everybody_who_logged_in_has_a_profile() -> None:
    assert may(a_person(), "profile:Read", "", unread)


def test_a_refusal_names_the_action_and_the_thing() -> None:
    with pytest.raises(Forbidden, match=r"alice may not do config:Update on config/pool: ask an"):
        require(a_person(USER), "config:Update", "config/pool", lambda: SHIPPED_ROLES)


@pytest.mark.parametrize("who", [a_person(USER), a_person(ADMIN, name=BOB)], ids=str)
def test_who_submitted_it_cancels_it_and_an_admin_does(who: Principal) -> None:
    cancels(who)


def test_nobody_cancels_what_another_submitted_unless_a_role_says_so() -> None:
    with pytest.raises(Forbidden, match="only alice, an admin, and who has a role") as refused:
        cancels(a_person(USER, name=BOB))
    assert refused.value.workflow == HELLO

    cancels(a_person(USER, "team", name=BOB), roles(Policy(("workflow:Cancel",), ("user/*",))))


def test_of_several_pools_each_is_asked_about() -> None:
    submits = Operation("workflow:Create", "pool", "pool_name")

    assert resources_of(submits, {"pool_name": "a,b"}) == ("pool/a", "pool/b")
