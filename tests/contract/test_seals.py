"""What keeps secrets shut: the fake and the AWS Encryption SDK make the same promises; and an
operator opens what the service locked for it."""

import base64
import gzip
from typing import TYPE_CHECKING

import pytest

from operators.shared.locks import unlocked
from xylem.domain.errors import Unavailable
from xylem.memory.seals import MemorySeals
from xylem.ports.seals import Seals
from xylem_aws.envelopes import Envelopes
from xylem_aws.keys import KeyRing

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = b"correct horse battery staple"
PLACE = {"backend": "cluster-1", "mail": "g#0#1"}


def envelopes() -> Envelopes:
    ring = KeyRing("k1", {"k1": base64.b64encode(bytes(range(32))).decode()})
    return Envelopes(lambda: ring)


@pytest.fixture(params=[MemorySeals, envelopes], ids=["memory", "aws"])
def seals(request: pytest.FixtureRequest) -> Seals:
    make: Callable[[], Seals] = request.param
    return make()


def test_what_is_sealed_opens_in_its_place_and_shows_nothing(seals: Seals) -> None:
    sealed, key = seals.seal(SECRET, PLACE)

    assert SECRET not in sealed
    assert seals.open(sealed, key, PLACE) == SECRET


def test_it_opens_in_no_other_place(seals: Seals) -> None:
    sealed, key = seals.seal(SECRET, PLACE)

    with pytest.raises(ValueError, match="another place"):
        seals.open(sealed, key, {**PLACE, "mail": "g#0#2"})


def test_a_key_that_is_gone_is_said(seals: Seals) -> None:
    sealed, _ = seals.seal(SECRET, PLACE)

    with pytest.raises(Unavailable, match="k0"):
        seals.open(sealed, "k0", PLACE)


def test_what_is_locked_shows_nothing(seals: Seals) -> None:
    locked, key = seals.lock(SECRET)

    assert SECRET not in locked
    assert len(key) == 32


def test_an_operator_opens_what_was_locked_for_it_and_nothing_that_was_changed() -> None:
    content = gzip.compress(SECRET)
    locked, key = envelopes().lock(content)

    assert unlocked(locked, key) == content
    for wrong, with_key in ((locked[:-1], key), (locked, bytes(32)), (locked[:20], key)):
        with pytest.raises(ValueError, match="does not open"):
            unlocked(wrong, with_key)


def test_no_two_locks_have_a_key_in_common() -> None:
    (one, first), (other, second) = envelopes().lock(SECRET), envelopes().lock(SECRET)

    assert first != second
    assert one != other
