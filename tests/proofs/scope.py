"""A small scope, exhausted: `make prove-scope`.

Two groups of two tasks with two retries, and beside them nothing, or one crash, one duplicate, one
lost answer or one cancel: each is a scope, in which every order of events is followed to its end
(`tests.simulation.exhaust`). So is the scope in which a crash, a duplicate and a loss may all
happen: ten million states and some hours; `--together` adds it.

A scope that is done is a line of a file below `build/`, so a proof that was stopped goes on with
the next; a line counts for the code that it was run on. The states of each are among the
measurements in `docs/`.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.reporting import ROOT, record
from tests.proofs.simulated import fingerprint
from tests.simulation.exhaust import Exploration, Scope

KEPT = ROOT / "build" / "proof-scope"
ALONE: Mapping[str, Scope] = {
    "nothing else": Scope(twice=0, lost=0, crashes=0),
    "a lost answer": Scope(twice=0, lost=1, crashes=0),
    "a crash": Scope(twice=0, lost=0, crashes=1),
    "a duplicate": Scope(twice=1, lost=0, crashes=0),
    "a cancel": Scope(twice=0, lost=0, crashes=0, cancels=1),
}
TOGETHER: Mapping[str, Scope] = {"a crash, a duplicate and a lost answer": Scope()}


def main(
    arguments: Sequence[str] | None = None,
    folder: Path = KEPT,
    alone: Mapping[str, Scope] = ALONE,
    tasks: int = 2,
) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--together", action="store_true", help="all faults at once, too: hours")
    parser.add_argument("--record", action="store_true", help="keep the result in docs/")
    given = parser.parse_args(arguments)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{fingerprint()}.json"
    done: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name, scope in {**alone, **(TOGETHER if given.together else {})}.items():
        if name not in done:
            print(f"two groups, {tasks} tasks in each, {name}", file=sys.stderr)
            done[name] = exhausted(scope, tasks)
            path.write_text(json.dumps(done))
        print(f"{name}: {done[name]['states']:,} distinct states, {done[name]['steps']:,} steps")
    if given.record:
        record("scope", {"tasks_of_a_group": tasks, "scopes": done})
    return 0


def exhausted(scope: Scope, tasks: int) -> dict[str, Any]:
    """Raises `Violation`, with what is broken and how."""
    began = time.process_time()
    found = Exploration(scope, tasks=tasks).run()
    return {
        "at_most": asdict(scope),
        "states": found.states,
        "steps": found.steps,
        "ends": found.ended,
        "seconds": round(time.process_time() - began, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
