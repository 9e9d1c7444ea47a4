"""Answers under idempotency keys: the same promises in memory and on DynamoDB."""

from datetime import timedelta

from tests.builders import NOON
from tests.contract.conftest import Stores
from xylem.domain.idempotency import KEPT_FOR, WORKED_ON_FOR
from xylem.domain.ids import UserName
from xylem.ports.answers import Answer, Begun

ALICE, BOB = UserName("alice"), UserName("bob")
AN_ANSWER = Answer(200, "application/json", b'"a secret"')
SECOND = timedelta(seconds=1)


def begin(
    stores: Stores, claim: str, *, user: UserName = ALICE, later: timedelta = timedelta()
) -> Begun | None:
    return stores.answers.begin(user, "key", request=f"of {claim}", claim=claim, now=NOON + later)


def keep(stores: Stores, claim: str) -> None:
    stores.answers.keep(ALICE, "key", AN_ANSWER, request=f"of {claim}", claim=claim, now=NOON)


def test_who_begins_first_works_on_it_and_who_comes_second_sees_that(stores: Stores) -> None:
    assert begin(stores, "a") is None
    assert begin(stores, "b") == Begun("of a")
    assert begin(stores, "b", user=BOB) is None


def test_an_answer_is_read_as_it_was_kept_for_a_day(stores: Stores) -> None:
    begin(stores, "a")
    keep(stores, "a")

    assert begin(stores, "b", later=KEPT_FOR - SECOND) == Begun("of a", AN_ANSWER)
    assert begin(stores, "b", later=KEPT_FOR + SECOND) is None


def test_a_claim_that_was_left_goes_to_who_comes_next(stores: Stores) -> None:
    begin(stores, "a")

    assert begin(stores, "b", later=WORKED_ON_FOR - SECOND) == Begun("of a")
    assert begin(stores, "b", later=WORKED_ON_FOR + SECOND) is None
    keep(stores, "a")
    stores.answers.forget(ALICE, "key", claim="a")
    assert begin(stores, "c", later=WORKED_ON_FOR + SECOND) == Begun("of b")


def test_what_is_forgotten_never_began(stores: Stores) -> None:
    begin(stores, "a")
    stores.answers.forget(ALICE, "key", claim="a")
    stores.answers.forget(ALICE, "key", claim="a")

    assert begin(stores, "b") is None
