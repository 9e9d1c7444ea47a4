"""Correction 7, throttling: the rate and burst of a stage, which stock ministack ignores.

A token bucket: `rate` tokens a second flow in, `burst` fit in, a request takes one or gets 429
(https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html). A stage
without settings has the account's 10,000 a second on AWS, which this machine does not reach.
"""


class TokenBucket:
    def __init__(self, *, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._then = now

    def take(self, now: float) -> bool:
        """Whether a request at `now` may pass."""
        self._tokens = min(self._burst, self._tokens + (now - self._then) * self._rate)
        self._then = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Throttles:
    """The buckets of all stages and routes, made from their settings when they are first met."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str, str], tuple[tuple[float, int], TokenBucket]] = {}

    def admits(
        self, key: tuple[str, str, str], *, rate: float | None, burst: int | None, now: float
    ) -> bool:
        """`key`: API, stage, route."""
        if rate is None or burst is None:
            return True
        settings = (rate, burst)
        known = self._buckets.get(key)
        if known is None or known[0] != settings:
            known = settings, TokenBucket(rate=rate, burst=burst, now=now)
            self._buckets[key] = known
        return known[1].take(now)
