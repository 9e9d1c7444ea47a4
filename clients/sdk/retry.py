"""When to ask again, and how long to wait before: a decision, not a loop.

Full jitter (a wait anywhere between nothing and the cap): clients that were thrown off together do
not come back together. https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
A service that says `Retry-After` knows better, and is believed up to `LONGEST_WAIT`.
"""

from collections.abc import Callable
from dataclasses import dataclass

RETRIED = frozenset({429, 502, 503, 504})
"""Too many requests, and what gateways answer for a service that is away."""

LONGEST_WAIT = 10.0


def may_pass(status: int, code: str | None) -> bool:
    """Whether the same request may get another answer. A 500 with an `error_code` is the service's
    own failure, which it would repeat; one without is the gateway's word for a function that died
    or did not answer in time.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
    """
    return status in RETRIED or (status == 500 and code is None)


@dataclass(frozen=True, slots=True)
class Retries:
    attempts: int = 5
    first_wait: float = 0.2

    def wait(
        self, failed: int, *, random: Callable[[], float], retry_after: str | None = None
    ) -> float | None:
        """Seconds to wait after the `failed`th failed attempt; None: give up."""
        if failed >= self.attempts:
            return None
        if retry_after is not None and retry_after.isdigit():
            return min(float(retry_after), LONGEST_WAIT)
        cap: float = min(self.first_wait * 2**failed, LONGEST_WAIT)
        return cap * random()
