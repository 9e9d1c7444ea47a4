"""How often one may ask: exact where it matters, and free for whoever asks now and then."""

from datetime import timedelta

import pytest

from tests.builders import NOON
from xylem.domain.access import Principal
from xylem.domain.errors import TooMany
from xylem.domain.ids import UserName
from xylem.memory.rates import MemoryRates
from xylem.usecases.limits import MOST_KEYS, OWN, WINDOW, Limiter, PerSecond

ALICE, BOB = (Principal("user", UserName(name)) for name in ("alice", "bob"))


class Fleet:
    """Processes that share a count."""

    def __init__(self, limits: PerSecond, processes: int = 1) -> None:
        self.rates = MemoryRates()
        self.now = NOON
        self._processes = [Limiter(lambda: self.rates, limits) for _ in range(processes)]

    def admitted(self, who: Principal, times: int) -> int:
        """Of so many requests, one process after the other."""
        done = 0
        for number in range(times):
            try:
                self._processes[number % len(self._processes)].admit(who, self.now)
            except TooMany:
                continue
            done += 1
        return done


def test_without_a_limit_nothing_is_counted() -> None:
    fleet = Fleet(PerSecond())

    assert fleet.admitted(ALICE, 10_000) == 10_000
    assert fleet.rates.writes == 0


def test_whoever_asks_now_and_then_costs_nobody_a_write() -> None:
    fleet = Fleet(PerSecond(user=50))

    for _ in range(100):
        assert fleet.admitted(ALICE, OWN) == OWN
        fleet.now += WINDOW

    assert fleet.rates.writes == 0


def test_whoever_asks_often_costs_a_write_for_twenty_requests_until_he_is_stopped() -> None:
    fleet = Fleet(PerSecond(user=50))

    assert fleet.admitted(ALICE, 10_000) == 500 + OWN
    assert fleet.rates.writes == 26, "25 times twenty, and once in vain, which is remembered"


def test_many_processes_let_through_no_more_than_their_own_few_besides() -> None:
    fleet = Fleet(PerSecond(user=50), processes=20)

    admitted = fleet.admitted(ALICE, 10_000)

    assert admitted == 500 + 20 * OWN


@pytest.mark.parametrize("per_second", [1, 2, 7, 99])
def test_a_limit_of_any_size_is_reached_and_not_passed(per_second: int) -> None:
    fleet = Fleet(PerSecond(user=per_second))

    assert fleet.admitted(ALICE, 5_000) == per_second * WINDOW.seconds + OWN


def test_nobody_is_stopped_for_what_another_asks_and_each_again_in_the_next_window() -> None:
    fleet = Fleet(PerSecond(user=1))
    fleet.admitted(ALICE, 1_000)

    assert fleet.admitted(ALICE, 1) == 0
    assert fleet.admitted(BOB, 1) == 1
    fleet.now += WINDOW
    assert fleet.admitted(ALICE, 1) == 1


def test_a_token_has_a_limit_of_its_own_beside_its_users() -> None:
    limits = PerSecond(user=100, token=1)
    with_token = Principal("user", UserName("alice"), token="ci")
    fleet = Fleet(limits)

    assert fleet.admitted(with_token, 1_000) == WINDOW.seconds + OWN
    assert fleet.admitted(ALICE, 10) == 10, "by her own login"


def test_who_is_stopped_hears_when_there_is_room_again() -> None:
    limiter = Limiter(MemoryRates, PerSecond(user=0))
    now = NOON + timedelta(seconds=3)

    with pytest.raises(TooMany, match="0 times a second") as stopped:
        for _ in range(OWN + 1):
            limiter.admit(ALICE, now)

    assert stopped.value.retry_after == 7


def test_a_process_remembers_only_so_many_of_a_window() -> None:
    limiter = Limiter(MemoryRates, PerSecond(user=10))
    for number in range(MOST_KEYS + 100):
        limiter.admit(Principal("user", UserName(f"user-{number}")), NOON)

    limiter.admit(ALICE, NOON + WINDOW)
