"""How soon a follower sees a line, and what a hundred of them cost the store.

`make bench` runs it against the stack that `xylem local up` started. A task prints the time every
half second; one follower, then a hundred of them, each a thread with a client of its own, compare
it with the clock of this machine. What is counted is a minute when all follow and have caught up
with what was printed before: the lines that came, and what the Logger read meanwhile
(clients/local/embedded_aws/usage.py): of logs, workflows and bodies, and apart from them of the
rows that say who follows.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore

from rich.table import Table

from clients.local.embedded_aws.usage import Meter
from clients.sdk.client import Client, SubmitRequest
from tests.benchmarks.readings import Counted, read, settings, since
from tests.benchmarks.reporting import options, progress_console, report
from tests.benchmarks.runs import a_login

SPEC = """\
workflow:
  name: following
  tasks:
  - name: clock
    image: alpine
    command: [sh, -c, "for n in $(seq {lines}); do date +%s.%N; sleep 0.5; done"]
"""
LINES_A_SECOND = 2
BEGIN_WITHIN_SECONDS = 180.0
"""A hundred clients that begin at once on a machine of two processors take a minute or two."""

SETTLE_SECONDS = 10.0
CAUGHT_UP_SECONDS = 5.0
"""How late a line is, at the most, that comes to who has caught up."""

GOAL_SECONDS = 2.0
LOGGER = "logger"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options(__doc__)
    parser.add_argument("--followers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pool", default="default")
    given = parser.parse_args(arguments)
    found = {
        str(followers): measured(followers, given.seconds, given.pool)
        for followers in (1, given.followers)
    }
    report("following", {"seconds": given.seconds, "followers": found}, [table(found)], given)
    return 0 if all(one["p95"] < GOAL_SECONDS for one in found.values()) else 1


def measured(followers: int, seconds: float, pool: str) -> dict[str, float]:
    stack = settings()
    lines = int((seconds + 2 * SETTLE_SECONDS + BEGIN_WITHIN_SECONDS) * LINES_A_SECOND)
    with Client(a_login()) as client:
        spec = SPEC.replace("{lines}", str(lines))
        name = client.submit(SubmitRequest(spec=spec, pool=pool)).name
    over, caught_up = Event(), Semaphore(0)
    with ThreadPoolExecutor(followers) as threads:
        following = [threads.submit(follow, name, over, caught_up) for _ in range(followers)]
        until = time.monotonic() + BEGIN_WITHIN_SECONDS
        behind = sum(
            not caught_up.acquire(timeout=max(0.0, until - time.monotonic()))
            for _ in range(followers)
        )
        progress_console.print(f"{followers} follow {name}, {behind} of them are behind")
        time.sleep(SETTLE_SECONDS)
        before, began = read(stack), time.time()
        time.sleep(seconds)
        used, ended = since(before, read(stack)), time.time()
        over.set()
        seen = [one for each in following for one in each.result()]
    with Client(a_login()) as client:
        client.cancel(name)
    late = [came - printed for printed, came in seen if began <= printed <= ended]
    if len(late) < followers:
        sys.exit(f"{name} printed nothing: look at `xylem workflow query {name}`")
    return {
        "lines_seen": len(late),
        "median": round(statistics.median(late), 3),
        "p95": round(statistics.quantiles(late, n=20, method="inclusive")[-1], 3),
        "max": round(max(late), 3),
        "read_units_of_logs_and_workflows": units(used, Meter.DYNAMODB_READS, "logs", "workflows"),
        "bodies_read": units(used, Meter.S3_GETS, "store"),
        "read_units_of_followers": units(used, Meter.DYNAMODB_READS, "connections"),
        "http_requests_of_the_logger": round(
            sum(n for key, n in used.items() if key[:2] == (Meter.LAMBDA_REQUESTS, LOGGER))
        ),
    }


def follow(name: str, over: Event, caught_up: Semaphore) -> list[tuple[float, float]]:
    """When each line was printed, and when it came."""
    seen: list[tuple[float, float]] = []
    behind = True
    with Client(a_login()) as client:
        for page in client.follow_logs(name):
            now = time.time()
            seen += [
                (float(record.text), now) for record in page.records if record.stream == "stdout"
            ]
            if behind and seen and now - seen[-1][0] < CAUGHT_UP_SECONDS:
                behind = False
                caught_up.release()
            if over.is_set():
                break
    return seen


def units(used: Counted, meter: Meter, *of: str) -> float:
    """By the Logger, of these tables or buckets."""
    found = (
        amount
        for key, amount in used.items()
        if key.meter is meter and key.who == LOGGER and any(one in key.what for one in of)
    )
    return round(sum(found), 1)


def table(found: dict[str, dict[str, float]]) -> Table:
    shown = Table(title="followers of one task")
    for column in ("", *found):
        shown.add_column(column, justify="left" if not column else "right")
    for figure in next(iter(found.values())):
        shown.add_row(figure.replace("_", " "), *(f"{of[figure]:g}" for of in found.values()))
    return shown


if __name__ == "__main__":
    sys.exit(main())
