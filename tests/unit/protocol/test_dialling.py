from datetime import timedelta

from tests.builders import NOON
from xylem.protocol.dialling import ROTATE_AFTER, ROTATE_SPREAD, Dialling, Pace

PACE = Pace(first=timedelta(seconds=1), longest=timedelta(seconds=10))
SECOND = timedelta(seconds=1)


def a_dialling() -> Dialling:
    """Which always draws the middle."""
    return Dialling(PACE, lambda: 0.5, NOON)


def test_the_first_connection_is_dialled_at_once_and_no_second_one_beside_it() -> None:
    dialling = a_dialling()

    assert dialling.dial(NOON) == 1
    assert dialling.dial(NOON + 5 * SECOND) is None
    assert dialling.due_at is None


def test_tries_in_vain_come_more_and_more_rarely() -> None:
    dialling, now, pauses = a_dialling(), NOON, []
    for _ in range(6):
        number = dialling.dial(now)
        assert number is not None
        dialling.closed(number, now, None)
        assert dialling.due_at is not None
        pauses.append((dialling.due_at - now).total_seconds())
        now = dialling.due_at

    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


def test_what_the_server_asks_for_moves_the_window() -> None:
    dialling = a_dialling()
    dialling.dial(NOON)
    dialling.closed(1, NOON, timedelta(seconds=20))

    assert dialling.due_at == NOON + 30 * SECOND


def test_a_successor_is_dialled_before_the_service_ends_a_connection() -> None:
    dialling = a_dialling()
    dialling.dial(NOON)
    assert dialling.settled(1, NOON)
    at = NOON + ROTATE_AFTER + ROTATE_SPREAD / 2

    assert dialling.due_at == at
    assert dialling.dial(at - SECOND) is None
    assert dialling.dial(at) == 2
    assert dialling.current == 1


def test_a_successor_that_cannot_be_had_is_not_dialled_again_at_once() -> None:
    """A service in trouble, and a connection that still works."""
    dialling = a_dialling()
    dialling.dial(NOON)
    dialling.settled(1, NOON)
    late = NOON + ROTATE_AFTER + ROTATE_SPREAD
    dialling.dial(late)
    dialling.closed(2, late, None)

    assert dialling.current == 1
    assert dialling.dial(late) is None
    assert dialling.dial(late + SECOND) == 3


def test_the_end_of_one_that_has_a_successor_is_no_loss() -> None:
    dialling = a_dialling()
    dialling.dial(NOON)
    dialling.settled(1, NOON)
    late = NOON + ROTATE_AFTER + ROTATE_SPREAD
    dialling.dial(late)
    assert dialling.settled(2, late)
    dialling.closed(1, late, None)

    assert dialling.dial(late + 60 * SECOND) is None


def test_one_that_was_never_dialled_is_not_settled() -> None:
    assert not a_dialling().settled(7, NOON)
