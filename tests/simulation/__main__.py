"""`python -m tests.simulation --runs N --seed S --jobs J`: schedules by the thousand.

The first one that breaks a promise ends the run: its seed, the promise and the end of its trace are
printed, made short (`shrink`), and the exit code is 1. That seed alone does the same again.
"""

import argparse
import os
import sys
import time
from collections import Counter

from tests.simulation.runs import results
from tests.simulation.shrink import shrink

PROGRESS_SECONDS = 5.0


def main(arguments: list[str]) -> int:
    told = _told(arguments)
    began = time.monotonic()
    said = began
    events = commits = done = 0
    faults: Counter[str] = Counter()
    for result in results(told.seed, told.runs, told.jobs):
        done += 1
        events += result.events
        commits += result.commits
        faults += result.faults
        if result.broken is not None:
            print(f"seed {result.seed} breaks a promise: {result.broken}", flush=True)
            print(shrink(result) if told.shrink else result.story)
            print(f"again: python -m tests.simulation --seed {result.seed} --runs 1")
            return 1
        if time.monotonic() - said > PROGRESS_SECONDS:
            said = time.monotonic()
            print(f"{done} of {told.runs}", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    print(f"schedules   {done} from seed {told.seed}, all promises kept")
    print(f"speed       {done / seconds:.0f} a second, {seconds:.0f} s")
    print(f"events      {events}, commits {commits}")
    for kind, number in faults.most_common():
        print(f"  {kind:22} {number}")
    return 0


def _told(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-shrink", dest="shrink", action="store_false")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
