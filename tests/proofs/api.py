"""Requests of every kind to every operation, for half an hour: `make prove-api`.

Rounds over all operations of the API's own document, each round with seeds of its own. No answer
may be a 5xx, have a status that the document does not name, or a form that it does not say
(`tests/api/conforming.py`). Another `--seed` asks other requests.
"""

import sys
import time
from itertools import count

from rich.table import Table

from tests.api import conforming
from tests.benchmarks.reporting import options, progress_console, report

REQUESTS = 25
"""Of one operation in one round."""


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    operations = list(conforming.operations())
    found: dict[str, conforming.Found] = {}
    seeds = conforming.seeds(given.seed)
    asked, end = 0, time.monotonic() + given.minutes * 60
    rounds = 0
    for rounds in count(1):
        for operation in operations:
            if operation.label in found or time.monotonic() > end:
                continue
            wrong = conforming.wrong(operation, requests=REQUESTS, first=next(seeds))
            asked += REQUESTS
            if wrong is not None:
                found[operation.label] = wrong
                progress_console.print(f"{wrong.operation}: {wrong.wrong}\n{wrong.request}")
        progress_console.print(f"round {rounds}: {asked} requests, {len(found)} found")
        if time.monotonic() > end:
            break
    result = {
        "seed": given.seed,
        "minutes": given.minutes,
        "operations": len(operations),
        "rounds": rounds,
        "requests": asked,
        "found": [one._asdict() for one in found.values()],
    }
    table = Table("operations", "rounds", "requests at most", "found", title="the API's document")
    table.add_row(str(len(operations)), str(rounds), str(asked), str(len(found)))
    report("api", result, [table], given)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
