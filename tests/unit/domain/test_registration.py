"""Whose credential counts for a backend, and whether anything starts there."""

from datetime import timedelta

import pytest

from tests.builders import BACKEND, NOON
from xylem.domain.errors import InvalidRequest, Refused, Unauthenticated
from xylem.domain.ids import BackendName, UserName
from xylem.domain.registration import (
    Registration,
    admit,
    credential_text,
    digest_of,
    drain,
    read_credential,
    register,
    remove,
)

ADMIN = UserName("carol")
SECOND = timedelta(seconds=1)
ONE, TWO = (digest_of(credential_text(BACKEND, secret)) for secret in ("one", "two"))


def registered(
    kept: Registration | None = None,
    digest: str = ONE,
    *,
    name: str = BACKEND,
    joined: bool = False,
    renew: bool = False,
) -> Registration:
    return register(kept, BackendName(name), digest, joined=joined, renew=renew, by=ADMIN, now=NOON)


def test_what_is_shown_says_whose_it_is_and_what_is_kept_tells_nothing() -> None:
    text = credential_text(BACKEND, "a_se-cret")

    found = read_credential(text)

    assert found is not None
    assert (found.backend, found.digest) == (BACKEND, digest_of(text))
    assert "a_se-cret" not in repr(registered(digest=found.digest))


@pytest.mark.parametrize("text", ["", "xop_", "xop_b", "xop_b_", "xop_B_s", "ey.a.b", "xop_b_s\n"])
def test_what_is_no_credential_may_be_a_token(text: str) -> None:
    assert read_credential(text) is None


def test_the_credential_that_was_registered_opens_the_door_and_no_other() -> None:
    kept = registered()

    admit(kept, ONE)
    for wrong in (TWO, "", "é"):
        with pytest.raises(Unauthenticated):
            admit(kept, digest_of(wrong))
    with pytest.raises(Unauthenticated):
        admit(None, ONE)


def test_registering_twice_with_the_same_digest_is_once() -> None:
    assert registered(registered()) == registered()


@pytest.mark.parametrize(("kept", "joined"), [(registered(), True), (None, True)])
def test_a_name_that_is_taken_is_not_given_away_by_mistake(
    kept: Registration | None, joined: bool
) -> None:
    with pytest.raises(Refused, match="--renew"):
        registered(kept, TWO, joined=joined)


def test_a_renewed_credential_ends_the_one_before_and_drains_on() -> None:
    kept = drain(registered(), BACKEND, undo=False, by=ADMIN)

    after = registered(kept, TWO, renew=True)

    admit(after, TWO)
    with pytest.raises(Unauthenticated):
        admit(after, ONE)
    assert (after.state, after.version) == ("draining", kept.version + 1)


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a.b", "a" * 64, "é"])
def test_a_name_is_a_label_of_the_cluster(name: str) -> None:
    with pytest.raises(InvalidRequest, match="lower case letters"):
        registered(name=name)


@pytest.mark.parametrize("digest", ["", "x" * 64, "a" * 63, "xop_b_secret"])
def test_a_credential_itself_is_not_taken_for_its_digest(digest: str) -> None:
    with pytest.raises(InvalidRequest, match="SHA-256"):
        registered(digest=digest)


def test_a_signed_token_counts_until_an_admin_says_the_next_word() -> None:
    admit(None, NOON)
    admit(drain(None, BACKEND, undo=False, by=ADMIN), NOON - SECOND)
    kept = registered()

    for early in (NOON - SECOND, NOON):
        with pytest.raises(Unauthenticated, match="older"):
            admit(kept, early)
    admit(kept, NOON + SECOND)


def test_who_was_removed_is_not_let_in_again_until_registered_again() -> None:
    gone = remove(registered(), BACKEND, by=ADMIN, now=NOON)

    for shown in (ONE, NOON + SECOND):
        with pytest.raises(Unauthenticated):
            admit(gone, shown)
    assert not gone.places
    assert remove(gone, BACKEND, by=ADMIN, now=NOON + SECOND) == gone
    again = registered(gone, TWO)
    admit(again, TWO)
    assert again.places


def test_draining_twice_is_once_and_is_undone() -> None:
    kept = registered()
    drained = drain(kept, BACKEND, undo=False, by=ADMIN)

    assert not drained.places
    assert drain(drained, BACKEND, undo=False, by=ADMIN) == drained
    opened = drain(drained, BACKEND, undo=True, by=ADMIN)
    assert opened.places
    assert opened.digest == kept.digest
