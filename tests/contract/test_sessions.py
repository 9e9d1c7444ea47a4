"""What every `Sessions` promises."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import NOON
from tests.contract.conftest import Stores
from tests.unit.domain.test_session import a_place, a_session
from xylem.domain.errors import Conflict
from xylem.domain.ids import UserName
from xylem.domain.session import attach, ended


def test_a_session_is_made_once_and_changed_under_the_version_that_was_read(
    stores: Stores,
) -> None:
    sessions, made = stores.sessions, a_session()
    sessions.create(made)
    with pytest.raises(Conflict):
        sessions.create(made)

    read = sessions.load(made.id)
    assert read == made
    attached = attach(made, "client", a_place(), NOON)
    sessions.save(attached.session)  # type: ignore[union-attr]
    with pytest.raises(Conflict):
        sessions.save(made)
    found = sessions.load(made.id)
    assert found is not None
    assert (found.client, found.generation, found.version) == (a_place(), 1, 1)


def test_what_is_not_there_is_none_and_cannot_be_changed(stores: Stores) -> None:
    assert stores.sessions.load("0" * 32) is None
    with pytest.raises(Conflict):
        stores.sessions.save(a_session())


def test_a_user_has_so_many_sessions_as_are_neither_over_nor_past_their_time(
    stores: Stores,
) -> None:
    sessions = stores.sessions
    for number in range(3):
        sessions.create(replace(a_session(), id=f"{number:032x}"))
    sessions.create(replace(a_session(), id="f" * 32, user=UserName("bob")))
    assert sessions.open_of(a_session().user, NOON) == 3

    first = sessions.load("0" * 32)
    assert first is not None
    sessions.save(ended(first, "exited", "", NOON))
    assert sessions.open_of(a_session().user, NOON) == 2
    assert sessions.open_of(a_session().user, NOON + timedelta(days=2)) == 0
