"""kill -9 in the middle of a running diamond: `make prove-kills`.

Twenty runs for each part (the operator, the desk cluster's API, a Lambda process, the embedded AWS)
with one kill at a random moment, and twenty in which any of them is killed every 2 to 6 s. Each run
has a seed of its own, made of the proof's seed, its kind and its number; a run that failed is run
again alone by naming these.

What is asked of a run:

* it ends COMPLETED;
* no command ran twice: each says over a socket that it runs, to a witness that no part of Xylem
  knows, and that writes it down;
* no line of its log is lost or doubled;
* from a kill to the next progress (a status that moves, a line that is new) it is less than 90 s.

Runs that are done are kept in a file, so a proof that was stopped goes on where it was. The figures
of the last whole proof are among the measurements in `docs/`.
"""

import argparse
import json
import os
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

import psutil
import yaml
from rich.console import Console
from rich.progress import Progress

from clients.local.processes import find_ours, role_of
from clients.local.settings import Settings, find_settings
from clients.sdk.client import Client, SubmitRequest
from clients.sdk.errors import ClientError, Refused
from clients.sdk.login import load
from tests.benchmarks.reporting import MEASUREMENTS, commit

T = TypeVar("T")

RESULT = MEASUREMENTS / "kills.json"

Kind = Literal["operator", "desk-cluster", "lambda", "embedded-aws", "any"]
KINDS: tuple[Kind, ...] = ("operator", "desk-cluster", "lambda", "embedded-aws", "any")
PARTS: tuple[Kind, ...] = KINDS[:-1]

RUNS = 20
LINES = 40
FIRST_KILL_SECONDS = (0.1, 3.0)
"""After the submission: a diamond prints for three and a half at least."""

AGAIN_SECONDS = (2.0, 6.0)
PROGRESS_WITHIN_SECONDS = 90.0
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.1
UPSTREAM = {"top": (), "left": ("top",), "right": ("top",), "bottom": ("left", "right")}


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one. `problems` is empty for a run that kept all promises."""

    kind: Kind
    number: int
    seed: str
    workflow: str
    kills: list[str]
    seconds: float
    slowest_progress: float
    problems: list[str]


NOTHING_KILLED = "nothing was killed: it was over before"
DRAWS = 3
"""A run in which nothing was killed shows nothing, and is drawn anew, so often."""


class Witness:
    """Writes down who says over its socket that it runs: one line for each connection."""

    def __init__(self) -> None:
        self.said: Counter[str] = Counter()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile() as file:
                for line in file:
                    self.said[line.strip()] += 1


@contextmanager
def witness() -> Iterator[Witness]:
    made = Witness()
    try:
        yield made
    finally:
        made.close()


def diamond(key: str, port: int, dice: random.Random) -> str:
    """Each task tells the witness that it runs, then prints its numbered lines over a second or
    two; those with an upstream first check what they were handed."""
    tasks = []
    for name, upstream in UPSTREAM.items():
        pause = dice.uniform(0.03, 0.05)
        checks = "".join(
            f'test "$(cat {{{{input:{other}}}}}/said)" = "{key} {other}"\n' for other in upstream
        )
        script = (
            "set -eu\n"
            f"echo '{key} {name}' > /dev/tcp/127.0.0.1/{port}\n"
            f"{checks}"
            f"for number in $(seq 1 {LINES}); do echo line $number; sleep {pause:.3f}; done\n"
            f"echo '{key} {name}' > {{{{output}}}}/said\n"
        )
        tasks.append(
            {
                "name": name,
                "image": "bash",
                "command": ["bash", "-c", script],
                "inputs": [{"task": other} for other in upstream],
            }
        )
    return yaml.safe_dump({"workflow": {"name": "killed", "tasks": tasks}})


def victim(settings: Settings, kind: Kind, dice: random.Random) -> psutil.Process | None:
    """None while there is nobody: it was killed a moment ago, or no function was called yet."""
    ours = find_ours(settings.home)
    if kind != "lambda":
        return next((one for one in ours if role_of(_command(one).split(" ")) == kind), None)
    servers = [one for one in ours if role_of(_command(one).split(" ")) == "embedded-aws"]
    # A function's environment is its own: its processes are known by whose children they are.
    functions = [one for server in servers for one in _functions_of(server)]
    return dice.choice(functions) if functions else None


def _functions_of(server: psutil.Process) -> list[psutil.Process]:
    try:
        return [one for one in server.children() if "lambda_bootstrap" in _command(one)]
    except psutil.Error:
        return []


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


class Killer:
    """Kills, and remembers when and whom."""

    def __init__(self, settings: Settings, kind: Kind, dice: random.Random) -> None:
        self._settings = settings
        self._kind = kind
        self._dice = dice
        self._next = dice.uniform(*FIRST_KILL_SECONDS)
        self.kills: list[tuple[float, str]] = []

    def look(self, since: float) -> None:
        """`since`: seconds from the submission."""
        if self._next is None or since < self._next:
            return
        part: Kind = self._kind if self._kind != "any" else self._dice.choice(PARTS)
        process = victim(self._settings, part, self._dice)
        if process is None:
            return
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.kills.append((time.monotonic(), part))
        again = since + self._dice.uniform(*AGAIN_SECONDS)
        self._next = again if self._kind == "any" else float("inf")


def one_run(settings: Settings, client: Client, kind: Kind, number: int, proof_seed: int) -> Run:
    seed = f"{proof_seed}/{kind}/{number}"
    for draw in range(DRAWS):
        run = _drawn(settings, client, kind, number, seed + "/again" * draw)
        if run.problems != [NOTHING_KILLED]:
            break
    return run


def _drawn(settings: Settings, client: Client, kind: Kind, number: int, seed: str) -> Run:
    dice = random.Random(seed)
    key = f"{kind}-{number}-{time.time_ns()}"
    with witness() as seen:
        spec = diamond(key, seen.port, dice)
        name = insist(lambda: client.submit(SubmitRequest(spec=spec, pool="default")).name)
        began = time.monotonic()
        killer = Killer(settings, kind, dice)
        problems, slowest, status = _follow(client, name, killer, began)
        if not problems:
            problems += _problems_of_runs(seen, key)
            problems += _problems_of_logs(client, name)
        if status != "COMPLETED":
            problems.append(f"it ended {status}")
        if not killer.kills:
            problems.append(NOTHING_KILLED)
    kills = [f"{part} at {at - began:.1f} s" for at, part in killer.kills]
    seconds = round(time.monotonic() - began, 1)
    return Run(kind, number, seed, name, kills, seconds, round(slowest, 1), problems)


def _follow(
    client: Client, name: str, killer: Killer, began: float
) -> tuple[list[str], float, str]:
    """Problems, the longest time from a kill to progress, and the last status seen."""
    shown: list[tuple[str, str]] = []
    open_kills: list[float] = []
    known = 0
    slowest = 0.0
    status = "unknown"
    while True:
        now = time.monotonic()
        killer.look(now - began)
        open_kills += [at for at, _ in killer.kills[known:]]
        known = len(killer.kills)
        try:
            workflow = client.query(name)
            status = str(workflow.status)
            state = [(t.name, str(t.status)) for g in workflow.groups for t in g.tasks]
            state.append(("lines", str(len(client.logs(name)))))
        except ClientError:
            state = shown  # nobody answers: no progress that a user sees
        if state != shown:
            shown = state
            slowest = max([slowest, *(time.monotonic() - at for at in open_kills)])
            open_kills = []
        if status != "unknown" and status not in {"PENDING", "RUNNING"}:
            return [], slowest, status
        if open_kills and now - min(open_kills) > PROGRESS_WITHIN_SECONDS:
            return (
                [f"no progress within {PROGRESS_WITHIN_SECONDS:.0f} s of a kill"],
                slowest,
                status,
            )
        if now - began > PATIENCE_SECONDS:
            return [f"not over after {PATIENCE_SECONDS:.0f} s"], slowest, status
        time.sleep(POLL_SECONDS)


def _problems_of_runs(seen: Witness, key: str) -> list[str]:
    counts = {name: seen.said[f"{key} {name}"] for name in UPSTREAM}
    return [f"{name} ran {count} times" for name, count in counts.items() if count != 1]


def _problems_of_logs(client: Client, name: str) -> list[str]:
    wanted = [f"line {number}" for number in range(1, LINES + 1)]
    problems = []
    for task in UPSTREAM:
        # The pod's sidecar may still be sending: the log is closed a moment after the end.
        deadline = time.monotonic() + 60
        while (found := lines_of(client, name, task)) != wanted and time.monotonic() < deadline:
            time.sleep(0.5)
        if found != wanted:
            problems.append(f"the log of {task} has {len(found)} lines: {_difference(found)}")
    return problems


def lines_of(client: Client, name: str, task: str) -> list[str]:
    prefix = f"[{task}] "
    text = insist(lambda: client.logs(name, task=task))
    return [line.split(prefix, 1)[1] for line in text.splitlines() if prefix in line]


def _difference(found: Sequence[str]) -> str:
    counts = Counter(found)
    doubled = [line for line, count in counts.items() if count > 1]
    return f"doubled {doubled[:3]}" if doubled else f"the last is {found[-1:]}"


def insist(ask: Callable[[], T]) -> T:
    deadline = time.monotonic() + PROGRESS_WITHIN_SECONDS
    while True:
        try:
            return ask()
        except Refused:
            raise
        except ClientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


# The whole proof ---------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=RUNS, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=KINDS, help="default: all")
    parser.add_argument("--number", type=int, help="this run alone")
    parser.add_argument("--record", action="store_true", help=f"write {RESULT.name}")
    given = parser.parse_args(arguments)
    settings = find_settings(dict(os.environ))
    login = load(settings.login_folder)
    if login is None:
        sys.exit("Start a stack first: `xylem local up`.")
    kept = settings.home / f"proof-kills-{given.seed}.jsonl"
    done = {} if given.number is not None else _kept(kept)
    kinds: Sequence[Kind] = given.kind or KINDS
    numbers = range(given.runs) if given.number is None else [given.number]
    wanted = [(kind, number) for kind in kinds for number in numbers]
    console = Console(stderr=True)
    with Client(login) as client, Progress(console=console) as progress:
        bar = progress.add_task(f"seed {given.seed}", total=len(wanted))
        for kind, number in wanted:
            if (kind, number) not in done:
                run = one_run(settings, client, kind, number, given.seed)
                done[kind, number] = run
                with kept.open("a") as file:
                    file.write(json.dumps(asdict(run)) + "\n")
                for problem in run.problems:
                    console.print(f"[red]{kind} {number}[/red] ({run.workflow}): {problem}")
            progress.advance(bar)
    runs = [done[one] for one in wanted]
    report = summary(runs, given.seed)
    print(json.dumps(report, indent=1))
    if given.record:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if any(run.problems for run in runs) else 0


def summary(runs: Sequence[Run], seed: int) -> dict[str, object]:
    return {
        "seed": seed,
        "commit": commit(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "kinds": {
            kind: {
                "runs": len(mine),
                "kills": sum(len(run.kills) for run in mine),
                "slowest_run_seconds": max(run.seconds for run in mine),
                "slowest_progress_seconds": max(run.slowest_progress for run in mine),
                "failed": [
                    {"number": run.number, "seed": run.seed, "problems": run.problems}
                    for run in mine
                    if run.problems
                ],
            }
            for kind in KINDS
            if (mine := [run for run in runs if run.kind == kind])
        },
    }


def _kept(path: Path) -> dict[tuple[Kind, int], Run]:
    if not path.exists():
        return {}
    runs = [Run(**json.loads(line)) for line in path.read_text().splitlines()]
    return {(run.kind, run.number): run for run in runs}


if __name__ == "__main__":
    sys.exit(main())
