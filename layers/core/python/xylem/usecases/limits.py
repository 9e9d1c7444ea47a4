"""How often one user, and one token, may ask.

Requests are counted in windows of ten seconds. Each process lets through a few of a window by
itself, so whoever asks now and then costs nobody a write; beyond that it draws rights from a count
that all processes share, twenty at a time or a fifth of the limit, so whoever asks often costs one
write for twenty requests. What is refused costs one in a window and process: it is remembered.

So the limit is not exact. It is exceeded by what processes let through by themselves, `OWN` each,
and undercut by what they drew and nobody used. A bucket that refills by the moment was rejected: in
DynamoDB it is a read and a conditional write, which those lose who ask most, and it would tell
apart what nobody does.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from xylem.domain.access import Principal
from xylem.domain.errors import TooMany
from xylem.domain.values import dataclass
from xylem.ports.rates import Rates

WINDOW = timedelta(seconds=10)
OWN = 5
MOST_DRAWN = 20
MOST_KEYS = 10_000
"""Of one window that a process remembers; who comes after is counted by all together."""


@dataclass(frozen=True, slots=True)
class PerSecond:
    """None: as often as one likes."""

    user: int | None = None
    token: int | None = None


class Limiter:
    """Of one process, for as long as it lives."""

    def __init__(self, rates: Callable[[], Rates], limits: PerSecond) -> None:
        self._rates = rates
        self._limits = limits
        self._window = -1
        self._left: dict[str, int] = {}
        self._full: set[str] = set()

    def admit(self, who: Principal, now: datetime) -> None:
        """What a token is refused does not count as its user's. Raises `TooMany`, which says when
        to come again."""
        self._begin(now)
        for key, per_second in (
            (f"token:{who.subject}:{who.token}", self._limits.token if who.token else None),
            (f"user:{who.subject}", self._limits.user),
        ):
            if per_second is not None and not self._may(key, per_second):
                wait = (self._window + 1) * WINDOW.seconds - int(now.timestamp())
                raise TooMany(
                    f"{key.partition(':')[2]} asks more than {per_second} times a second: wait "
                    f"{wait} s, and ask less often.",
                    retry_after=wait,
                )

    def _begin(self, now: datetime) -> None:
        window = int(now.timestamp()) // WINDOW.seconds
        if window != self._window:
            self._window = window
            self._left.clear()
            self._full.clear()

    def _may(self, key: str, per_second: int) -> bool:
        if key in self._full:
            return False
        left = self._left.get(key, OWN if len(self._left) < MOST_KEYS else 0)
        if not left:
            left = self._drawn(key, per_second * WINDOW.seconds)
            if not left:
                self._full.add(key)
                return False
        self._left[key] = left - 1
        return True

    def _drawn(self, key: str, limit: int) -> int:
        many = max(1, min(MOST_DRAWN, limit // 5))
        until = datetime.fromtimestamp((self._window + 2) * WINDOW.seconds, UTC)
        total = self._rates().add(key, self._window, many, until=until)
        return max(0, min(many, limit - (total - many)))
