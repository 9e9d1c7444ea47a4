from clients.local.embedded_aws.throttle import Throttles

KEY = ("api", "$default", "GET /")


def test_a_burst_passes_and_then_the_rate() -> None:
    throttles = Throttles()

    def admitted(now: float) -> bool:
        return throttles.admits(KEY, rate=2.0, burst=3, now=now)

    assert [admitted(0.0) for _ in range(4)] == [True, True, True, False]
    assert [admitted(0.5), admitted(0.5)] == [True, False]


def test_a_stage_without_limits_admits_all() -> None:
    throttles = Throttles()

    assert all(throttles.admits(KEY, rate=None, burst=None, now=0.0) for _ in range(100))


def test_other_limits_take_effect_at_once() -> None:
    throttles = Throttles()
    assert throttles.admits(KEY, rate=1.0, burst=1, now=0.0)
    assert not throttles.admits(KEY, rate=1.0, burst=1, now=0.0)

    assert throttles.admits(KEY, rate=1.0, burst=2, now=0.0)
