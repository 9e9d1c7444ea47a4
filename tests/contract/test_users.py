"""Users with their roles and tokens: the same promises in memory and on DynamoDB."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.builders import NOON
from tests.contract.conftest import Stores
from xylem.domain.errors import Conflict
from xylem.domain.identity import AccessToken, Profile, User, UserRole, digest
from xylem.domain.ids import UserName
from xylem.domain.values import replace

CAROL, ROOT = UserName("carol"), UserName("root")
A_ROLE, ANOTHER = UserRole("osmo-user", ROOT, NOON), UserRole("team", ROOT, NOON)
A_USER = User(CAROL, NOON, ROOT, (A_ROLE,))


def a_token(name: str = "ci", **fields: Any) -> AccessToken:
    token = AccessToken(CAROL, name, digest(name), date(2027, 1, 1), (A_ROLE,), "for CI")
    return replace(token, **fields)


def saved(stores: Stores, user: User = A_USER, *tokens: AccessToken) -> None:
    stores.identity.save(stores.identity.user(user.id), user, tokens=tokens)


def test_a_user_reads_back_as_he_was_saved_and_stands_in_the_lists(stores: Stores) -> None:
    saved(stores)

    found = stores.identity.user(CAROL)

    assert found is not None and found.value == A_USER
    assert stores.identity.users("ca") == [replace(A_USER, roles=())]
    assert stores.identity.users("x") == []
    assert stores.identity.having("osmo-user") == [(CAROL, A_ROLE)]


def test_who_was_faster_wins_and_the_other_changes_nothing(stores: Stores) -> None:
    saved(stores)
    before = stores.identity.user(CAROL)
    saved(stores, replace(A_USER, roles=(A_ROLE, ANOTHER)))

    with pytest.raises(Conflict):
        stores.identity.save(before, replace(A_USER, roles=()), tokens=[a_token()])
    with pytest.raises(Conflict):
        stores.identity.save(None, A_USER)

    found = stores.identity.user(CAROL)
    assert found is not None and found.value.roles == (A_ROLE, ANOTHER)
    assert stores.identity.tokens(CAROL) == []


def test_a_role_that_is_taken_away_leaves_its_list(stores: Stores) -> None:
    saved(stores, replace(A_USER, roles=(A_ROLE, ANOTHER)))
    saved(stores, replace(A_USER, roles=(ANOTHER,)))

    assert stores.identity.having("osmo-user") == []
    assert stores.identity.having("team") == [(CAROL, ANOTHER)]


def test_a_token_is_found_by_its_hash_and_by_whose_it_is(stores: Stores) -> None:
    saved(stores, A_USER, a_token(), a_token("second", description=""))

    assert stores.identity.token(digest("ci")) == a_token()
    assert [one.name for one in stores.identity.tokens(CAROL)] == ["ci", "second"]
    assert stores.identity.token(digest("no token of ours")) is None


def test_what_is_dropped_opens_nothing_any_more(stores: Stores) -> None:
    saved(stores, A_USER, a_token())

    stores.identity.save(stores.identity.user(CAROL), A_USER, dropped=[a_token()])

    assert stores.identity.token(digest("ci")) is None
    assert stores.identity.tokens(CAROL) == []


def test_a_user_who_goes_leaves_no_list_behind(stores: Stores) -> None:
    saved(stores, A_USER, a_token())

    stores.identity.save(stores.identity.user(CAROL), None, dropped=[a_token()])

    assert stores.identity.user(CAROL) is None
    assert stores.identity.users() == []
    assert stores.identity.having("osmo-user") == []
    assert stores.identity.token(digest("ci")) is None


def test_a_profile_is_what_nobody_set_until_its_user_does(stores: Stores) -> None:
    assert stores.identity.profile(CAROL) == Profile()

    set_ = Profile(email_notification=True, pool="default")
    stores.identity.keep_profile(CAROL, set_)
    assert stores.identity.profile(CAROL) == set_

    stores.identity.forget_profile(CAROL)
    stores.identity.forget_profile(CAROL)
    assert stores.identity.profile(CAROL) == Profile()


def test_who_was_called_back_stays_so_when_he_goes_and_an_older_word_changes_nothing(
    stores: Stores,
) -> None:
    assert stores.identity.signed_out(CAROL) is None
    saved(stores)

    stores.identity.sign_out(CAROL, NOON)
    stores.identity.sign_out(CAROL, NOON - timedelta(hours=1))
    stores.identity.save(stores.identity.user(CAROL), None)

    assert stores.identity.signed_out(CAROL) == NOON
    stores.identity.sign_out(CAROL, NOON + timedelta(hours=1))
    assert stores.identity.signed_out(CAROL) == NOON + timedelta(hours=1)
    assert stores.identity.signed_out(ROOT) is None
