"""What a hello makes of a backend."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import BACKEND, NOON
from xylem.domain.errors import Forbidden
from xylem.domain.ids import ConnectionId
from xylem.usecases.greeting import Greeting, greeted

OLD, NEW = ConnectionId("old"), ConnectionId("new")
HELLO = Greeting(BACKEND, "uid", "boot-1", "1.0", OLD, NOON)


def test_the_first_hello_makes_the_backend() -> None:
    backend = greeted(None, HELLO)

    assert (backend.epoch, backend.connection, backend.previous) == (1, OLD, None)
    assert backend.connected_at == backend.last_seen == NOON


def test_the_same_boot_keeps_its_old_connection_beside_the_new_one() -> None:
    later = replace(HELLO, connection=NEW, at=NOON + timedelta(hours=2))

    backend = greeted(greeted(None, HELLO), later)

    assert (backend.epoch, backend.connection, backend.previous) == (2, NEW, OLD)


def test_another_boot_takes_over_alone() -> None:
    backend = greeted(greeted(None, HELLO), replace(HELLO, boot_id="boot-2", connection=NEW))

    assert (backend.connection, backend.previous) == (NEW, None)


def test_a_hello_that_is_said_twice_keeps_what_was_before() -> None:
    moved = greeted(greeted(None, HELLO), replace(HELLO, connection=NEW))

    assert greeted(moved, replace(HELLO, connection=NEW)).previous == OLD


def test_who_lost_its_connection_has_none_before() -> None:
    alone = replace(greeted(None, HELLO), connection=None)

    assert greeted(alone, replace(HELLO, connection=NEW)).previous is None


def test_a_name_belongs_to_its_cluster() -> None:
    with pytest.raises(Forbidden, match="another name"):
        greeted(greeted(None, HELLO), replace(HELLO, cluster_uid="another"))
