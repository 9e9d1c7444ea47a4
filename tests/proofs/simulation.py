"""A million schedules: `make prove-simulation N=1000000 SHARDS=1000 SEED=1`.

The seeds are divided into shards. A shard that is done is a line of a file below `build/`, so a
proof that was stopped goes on where it was; a line counts for the code that it was run on
(`simulated`).
The first violation of a shard is made short and kept in its line, too: the proof goes on, and fails
at its end.

The result of a whole proof is among the measurements in `docs/`: commit, seeds, counts, violations,
and how many schedules a second one processor did. That counts the time that the processor worked,
not the time that passed: who else uses the machine makes no difference to it.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from tests.benchmarks.reporting import ROOT, record
from tests.proofs.simulated import fingerprint
from tests.simulation.shrink import shrink
from tests.simulation.world import simulate

KEPT = ROOT / "build" / "proof-simulation"


@dataclass(frozen=True, slots=True)
class Shard:
    """`until` is the first seed behind it. `seconds`: of one processor's work. `violations`: the
    seed, the promise and the short story of each."""

    first: int
    until: int
    seconds: float = 0.0
    events: int = 0
    commits: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    violations: list[dict[str, str | int]] = field(default_factory=list)


def run(shard: Shard) -> Shard:
    began = time.process_time()
    events = commits = 0
    faults: Counter[str] = Counter()
    violations: list[dict[str, str | int]] = []
    for seed in range(shard.first, shard.until):
        result = simulate(seed)
        events += result.events
        commits += result.commits
        faults += result.faults
        if result.broken is not None:
            story = "" if violations else str(shrink(result))
            found: dict[str, str | int] = {"seed": seed, "promise": result.broken.promise}
            violations.append(found | {"story": story})
    seconds = time.process_time() - began
    return Shard(
        shard.first, shard.until, round(seconds, 2), events, commits, dict(faults), violations
    )


def divided(seed: int, runs: int, shards: int) -> list[Shard]:
    """As equal as they can be; none is empty."""
    shards = min(shards, runs)
    bounds = [seed + runs * place // shards for place in range(shards + 1)]
    return [Shard(*pair) for pair in zip(bounds, bounds[1:], strict=False)]


def kept_in(folder: Path) -> Path:
    return folder / f"{fingerprint()}.jsonl"


def kept(path: Path) -> dict[tuple[int, int], Shard]:
    """Shards that are done. A line that was cut off is of one that is not."""
    done: dict[tuple[int, int], Shard] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            shard = Shard(**json.loads(line))
        except (ValueError, TypeError):
            continue
        done[shard.first, shard.until] = shard
    return done


def summary(shards: Sequence[Shard], seed: int, runs: int) -> dict[str, object]:
    faults: Counter[str] = Counter()
    for shard in shards:
        faults.update(shard.faults)
    seconds = sum(shard.seconds for shard in shards)
    return {
        "seeds": [seed, seed + runs - 1],
        "schedules": sum(shard.until - shard.first for shard in shards),
        "violations": [found for shard in shards for found in shard.violations],
        "events": sum(shard.events for shard in shards),
        "commits": sum(shard.commits for shard in shards),
        "faults": dict(faults.most_common()),
        "schedules_a_second_of_one_processor": round(runs / seconds, 1) if seconds else None,
    }


def main(arguments: Sequence[str] | None = None, folder: Path = KEPT) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--record", action="store_true", help="keep the result in docs/")
    given = parser.parse_args(arguments)
    folder.mkdir(parents=True, exist_ok=True)
    path = kept_in(folder)
    done = kept(path)
    wanted = divided(given.seed, given.runs, given.shards)
    path.write_text("".join(map(_line, done.values())))
    left = [shard for shard in wanted if (shard.first, shard.until) not in done]
    with Progress(console=Console(stderr=True)) as progress, path.open("a") as file:
        bar = progress.add_task(f"seed {given.seed}", total=len(wanted))
        progress.advance(bar, len(wanted) - len(left))
        for shard in _run_all(left, given.jobs):
            done[shard.first, shard.until] = shard
            file.write(_line(shard))
            file.flush()
            progress.advance(bar)
    shards = [done[shard.first, shard.until] for shard in wanted]
    result = summary(shards, given.seed, given.runs)
    print(json.dumps(result, indent=1))
    if given.record:
        record("simulation", result)
    return 1 if any(shard.violations for shard in shards) else 0


def _line(shard: Shard) -> str:
    return json.dumps(asdict(shard)) + "\n"


def _run_all(shards: Sequence[Shard], jobs: int) -> Iterator[Shard]:
    if jobs < 2 or len(shards) < 2:
        yield from map(run, shards)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(run, shards)


if __name__ == "__main__":
    sys.exit(main())
