"""How long a user waits: from submitting the hello example to its first instruction, and to its
end.

`make bench` runs it against the stack that `xylem local up` started. Each run submits the example
as it stands, follows the workflow by asking for it, and takes two figures from this machine's
clock:

* to the first instruction: the start of the user's process as the wrapper stamps its first output;
* to COMPLETED: until a query answers so.

Runs follow each other, so each is the latency of an idle system; the first runs are left out,
because functions and pods of a cold stack start once.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.progress import track
from rich.table import Table

from clients.sdk.client import Client
from tests.benchmarks.reporting import options, progress_console, report
from tests.benchmarks.runs import a_login, submit_hello

POLL_SECONDS = 0.02
LONGEST_RUN_SECONDS = 60
WARM_UP_RUNS = 3


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds since the submission was sent."""

    accepted: float
    first_instruction: float
    completed: float


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options(__doc__)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--pool", default="default")
    given = parser.parse_args(arguments)
    with Client(a_login()) as client:
        for _ in track(range(WARM_UP_RUNS), "warming up", console=progress_console):
            measure(client, given.pool)
        runs = [
            measure(client, given.pool)
            for _ in track(
                range(given.runs), "hello, one after the other", console=progress_console
            )
        ]
    figures = {
        name: summary([getattr(run, name) for run in runs])
        for name in ("accepted", "first_instruction", "completed")
    }
    result = {"runs": len(runs), "seconds": figures}
    report("latency", result, [table(figures, len(runs))], given)
    return 0


def measure(client: Client, pool: str) -> Run:
    """One hello, from its submission to its end."""
    sent_at, sent = datetime.now(UTC), time.perf_counter()
    name = submit_hello(client, pool)
    accepted = time.perf_counter() - sent
    while (status := client.query(name).status) not in {"COMPLETED"}:
        if status.startswith("FAILED") or time.perf_counter() - sent > LONGEST_RUN_SECONDS:
            sys.exit(f"{name} is {status}: look at `xylem workflow query {name}`")
        time.sleep(POLL_SECONDS)
    completed = time.perf_counter() - sent
    first = client.log_page(name, wait=0).records[0].time
    return Run(accepted, (first - sent_at).total_seconds(), completed)


def summary(seconds: Sequence[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(seconds), 3),
        "p95": round(statistics.quantiles(seconds, n=20, method="inclusive")[-1], 3),
        "max": round(max(seconds), 3),
    }


def table(figures: dict[str, dict[str, float]], runs: int) -> Table:
    shown = Table(title=f"hello, {runs} runs, seconds since it was sent")
    for column in ("", "median", "p95", "max"):
        shown.add_column(column, justify="left" if not column else "right")
    for name, of in figures.items():
        shown.add_row(
            name.replace("_", " "), *(f"{of[key]:.3f}" for key in ("median", "p95", "max"))
        )
    return shown


if __name__ == "__main__":
    sys.exit(main())
