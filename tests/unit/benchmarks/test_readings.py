from collections.abc import Iterator

from clients.local.embedded_aws.usage import Key, Meter
from tests.benchmarks.readings import Counted, only, short, since, total, wait_until_quiet, without

NEWS = Key(Meter.SQS_REQUESTS, "lambda-poller", "news")
SWEEP = Key(Meter.SQS_REQUESTS, "delayed-job-monitor", "jobs")


class Clock:
    """A clock that moves when somebody sleeps, and the readings taken by it."""

    def __init__(self, readings: Iterator[Counted]) -> None:
        self.now = 0.0
        self._readings = readings

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def look(self) -> Counted:
        return next(self._readings)


def test_what_was_counted_between_two_readings_is_their_difference() -> None:
    assert since({NEWS: 3}, {NEWS: 5, SWEEP: 1}) == {NEWS: 2, SWEEP: 1}
    assert since({NEWS: 3}, {NEWS: 3}) == {}


def test_counts_are_told_apart_by_who_caused_them() -> None:
    counted = {NEWS: 2, SWEEP: 1}

    assert only(counted, ["lambda-poller"]) == without(counted, ["delayed-job-monitor"])
    assert total(counted, Meter.SQS_REQUESTS) == 3
    assert total(counted, Meter.SQS_REQUESTS, "lambda-poller") == 2
    assert short("xylem-local-agent") == "agent"


def test_the_stack_is_quiet_when_its_queues_stood_still_for_long_enough() -> None:
    def readings() -> Iterator[Counted]:
        for number in range(10):
            yield {NEWS: number}
        while True:
            yield {NEWS: 9}

    clock = Clock(readings())

    assert wait_until_quiet(clock.look, longest=60, quiet=4, clock=clock, sleep=clock.sleep)
    assert 6 < clock.now < 7


def test_a_sweep_does_not_disturb_the_quiet() -> None:
    clock = Clock({NEWS: 1, SWEEP: number} for number in range(1_000))

    assert wait_until_quiet(clock.look, longest=60, quiet=4, clock=clock, sleep=clock.sleep)


def test_a_stack_that_is_never_quiet_is_not_waited_for_for_ever() -> None:
    clock = Clock({NEWS: number} for number in range(1_000))

    assert not wait_until_quiet(clock.look, longest=60, quiet=4, clock=clock, sleep=clock.sleep)
