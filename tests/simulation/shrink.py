"""A seed that fails, made short: the same promise broken with fewer kinds of faults, fewer of them,
and an earlier end of them.

Each try is a whole schedule, replayed from its seed with a `Cut`. One source of chance decides all
of a schedule, so what is cut changes what comes after it; a try counts if it breaks the same
promise again, and its cut is then the new beginning. All of it is deterministic: the cut that is
printed does the same each time.

Rejected: recording all decisions and deleting some of them, as property-based testing does. A
schedule has thousands, most of which only mean anything after those before them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from tests.simulation.faults import Faults
from tests.simulation.schedule import Violation
from tests.simulation.variant import Variant
from tests.simulation.world import Cut, Result, simulate

TRIES = 200


@dataclass(frozen=True, slots=True)
class Shrunk:
    """`broken` by `seed` under `cut`; `tries` schedules were run for it."""

    seed: int
    cut: Cut
    broken: Violation
    story: str
    tries: int

    def __str__(self) -> str:
        left = sorted({field.name for field in fields(Faults)} - self.cut.without)
        first = self.cut.first if self.cut.first is not None else "all"
        return (
            f"seed {self.seed}, shortest of {self.tries} tries: {self.broken}\n"
            f"kinds of faults that it takes: {', '.join(left) or 'none'}; {first} of them\n"
            f"{self.story}"
        )


def shrink(failed: Result, variant: Variant | None = None, *, tries: int = TRIES) -> Shrunk:
    """`failed`: the result of a schedule that broke a promise."""
    assert failed.broken is not None, "only what failed is made short"
    promise = failed.broken.promise
    best, result = Cut(), failed
    run = 0

    def breaks(cut: Cut) -> bool:
        nonlocal best, result, run
        run += 1
        again = simulate(failed.seed, variant, cut)
        if again.broken is None or again.broken.promise != promise:
            return False
        best, result = cut, again
        return True

    for kind in [field.name for field in fields(Faults)]:
        if run < tries:
            breaks(replace(best, without=best.without | {kind}))
    for first in _fewer(sum(result.faults.values())):
        if run >= tries or not breaks(replace(best, first=first)):
            break
    if best.first is not None:
        for first in range(max(best.first // 2, 0), best.first):
            if run >= tries or breaks(replace(best, first=first)):
                break
    assert result.broken is not None
    return Shrunk(failed.seed, best, result.broken, result.story, run)


def _fewer(faults: int) -> Iterator[int]:
    while faults:
        yield faults
        faults //= 2
    yield 0
