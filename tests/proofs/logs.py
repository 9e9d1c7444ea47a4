"""What tasks printed is what is read back, whatever is killed: `make prove-logs`.

Two hundred tasks of twenty thousand lines each (`tests.proofs.printer`), ten of them a shard, print
through the stack that is up: wrapper and sidecar of each pod, HTTP ingest, Logger, DynamoDB and
object store. Meanwhile sidecars, processes of Lambdas, the operator and the embedded AWS are killed
at random moments. A sidecar ends its attempt with it, and the task is tried again: so each task is
left its last tries.

What is asked of a shard:

* every task completes;
* the log of the attempt that completed, read page by page as who follows gets it, holds each byte
  of each stream once and in order; of one task of the shard, as text, too;
* the log of an attempt whose sidecar was killed holds the first bytes of each stream, and none of
  them twice.

After the shards a node dies under a task of which not all was sent: what was not is a gap, and the
log says so, a minute later.

Shards that are done are kept in a file, so a proof that was stopped goes on where it was. Each has
a seed of its own, made of the proof's and its number; `--shard N` runs one alone. The figures of
the last whole proof are among the measurements in `docs/`.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psutil
import yaml
from rich.console import Console
from rich.progress import Progress

from clients.local.settings import Settings, find_settings
from clients.sdk.client import Client, SubmitRequest
from clients.sdk.errors import ClientError
from clients.sdk.login import load
from clients.sdk.models import Task, Workflow
from tests.benchmarks.reporting import MEASUREMENTS, commit
from tests.proofs import printer
from tests.proofs.kills import insist, victim
from tests.proofs.sidecars import sidecars

RESULT = MEASUREMENTS / "logs.json"

SHARDS, TASKS, LINES = 20, 10, 20_000
PRINTING_SECONDS = 20.0
FIRST_KILL_SECONDS = (1.0, 4.0)
AGAIN_SECONDS = (1.0, 4.0)
MOST_OF_A_TASK = 2
"""Sidecars killed: a task is tried again three times."""

MOST_OF_AWS = 1
"""Its kill stops everything for half a minute; in a shard it is one moment among others."""

PATIENCE_SECONDS = 600.0
READ_SECONDS = 90.0
POLL_SECONDS = 0.2

Part = Literal["sidecar", "lambda", "operator", "embedded-aws"]
CHANCES: dict[Part, int] = {"sidecar": 3, "lambda": 6, "operator": 2, "embedded-aws": 1}


@dataclass(frozen=True, slots=True)
class Scale:
    tasks: int = TASKS
    lines: int = LINES
    seconds: float = PRINTING_SECONDS


@dataclass(frozen=True, slots=True)
class Shard:
    """What became of one. `cut`: attempts whose sidecar was killed; `problems` is empty where all
    promises were kept."""

    number: int
    seed: str
    commit: str
    workflow: str
    lines: int
    read_bytes: int
    cut: int
    kills: dict[str, int]
    seconds: float
    problems: list[str] = field(default_factory=list)


def spec(seed: str, scale: Scale, name: str) -> str:
    source = Path(printer.__file__).read_text()
    tasks = [
        {
            "name": f"task-{number}",
            "image": "python",
            "command": ["python3", "/tmp/printer.py", f"{seed}/{number}"],
            "args": [str(scale.lines), str(scale.seconds)],
            "files": [{"path": "/tmp/printer.py", "contents": source}],
        }
        for number in range(scale.tasks)
    ]
    return yaml.safe_dump({"workflow": {"name": name, "tasks": tasks}})


# Killing -----------------------------------------------------------------------------------------


class Killer:
    """Kills, and remembers whom."""

    def __init__(self, settings: Settings, dice: random.Random) -> None:
        self.kills: Counter[str] = Counter()
        self._settings = settings
        self._dice = dice
        self._next = dice.uniform(*FIRST_KILL_SECONDS)
        self._of_tasks: Counter[str] = Counter()

    def look(self, workflow: str, since: float) -> None:
        """`since`: seconds from the submission."""
        if since < self._next:
            return
        self._next = since + self._dice.uniform(*AGAIN_SECONDS)
        [part] = self._dice.choices(list(CHANCES), weights=[*CHANCES.values()])
        if part == "embedded-aws" and self.kills[part] >= MOST_OF_AWS:
            part = "lambda"
        process = (
            self._sidecar(workflow)
            if part == "sidecar"
            else victim(self._settings, part, self._dice)
        )
        if process is None:
            return
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.kills[part] += 1

    def _sidecar(self, workflow: str) -> psutil.Process | None:
        found = sidecars(self._settings.api_url, workflow)
        tasks = sorted(task for task in found if self._of_tasks[task] < MOST_OF_A_TASK)
        if not tasks:
            return None
        task = self._dice.choice(tasks)
        self._of_tasks[task] += 1
        return found[task]


# A shard -----------------------------------------------------------------------------------------


def one_shard(
    settings: Settings, client: Client, number: int, proof_seed: int, scale: Scale
) -> Shard:
    seed = f"{proof_seed}/{number}"
    dice = random.Random(seed)
    began = time.monotonic()
    text = spec(seed, scale, f"printed-{os.getpid()}")
    name = insist(lambda: client.submit(SubmitRequest(spec=text, pool="default")).name)
    killer = Killer(settings, dice)
    workflow = _ended(client, name, killer)
    problems = []
    read = cut = 0
    if workflow is None:
        problems.append(f"not over after {PATIENCE_SECONDS:.0f} s")
    else:
        as_text = f"task-{dice.randrange(scale.tasks)}"
        for attempt in _attempts(workflow):
            wanted = _wanted(f"{seed}/{attempt.name.removeprefix('task-')}", scale)
            completed = str(attempt.status) == "COMPLETED"
            cut += not completed
            found = _read_back(client, name, attempt, to_the_end=completed)
            read += sum(map(len, found.values()))
            problems += _problems(attempt, wanted, found, whole=completed)
            if completed and attempt.name == as_text:
                problems += _problems_as_text(client, name, attempt, wanted)
        problems += _problems_of_tasks(workflow, scale)
    return Shard(
        number,
        seed,
        commit(),
        name,
        scale.tasks * scale.lines,
        read,
        cut,
        dict(killer.kills),
        round(time.monotonic() - began, 1),
        problems,
    )


def _ended(client: Client, name: str, killer: Killer) -> Workflow | None:
    """None: not in time."""
    began = time.monotonic()
    while (since := time.monotonic() - began) < PATIENCE_SECONDS:
        killer.look(name, since)
        try:
            if client.query(name).status.final:
                return insist(lambda: client.query(name, verbose=True))
        except ClientError:
            pass  # the next look is as good
        time.sleep(POLL_SECONDS)  # between two looks, as below
    return None


def _attempts(workflow: Workflow) -> Iterator[Task]:
    for group in workflow.groups:
        yield from group.tasks


def _wanted(seed: str, scale: Scale) -> dict[str, bytes]:
    streams = {printer.STDOUT: bytearray(), printer.STDERR: bytearray()}
    for stream, said in printer.lines(seed, scale.lines):
        streams[stream] += said
    return {
        "stdout": bytes(streams[printer.STDOUT]),
        "stderr": bytes(streams[printer.STDERR]),
    }


def _read_back(client: Client, name: str, attempt: Task, *, to_the_end: bool) -> dict[str, bytes]:
    """Streams of the attempt, by pages. `to_the_end`: until the log says that it is closed."""
    found = {"stdout": bytearray(), "stderr": bytearray(), "control": bytearray()}
    deadline = time.monotonic() + READ_SECONDS
    cursor = ""
    while time.monotonic() < deadline:
        page = insist(
            lambda at=cursor: client.log_page(  # type: ignore[misc]  # the cursor of this round
                name, cursor=at, wait=0, task=attempt.name, retry=attempt.retry_id
            )
        )
        for record in page.records:
            found[record.stream] += record.data
            deadline = time.monotonic() + READ_SECONDS
        cursor = page.cursor
        if page.closed or not (page.records or to_the_end):
            break
        if not page.records:
            time.sleep(POLL_SECONDS)  # a page without a line: the next one is not there yet
    return {"stdout": bytes(found["stdout"]), "stderr": bytes(found["stderr"])}


def _problems(
    attempt: Task, wanted: dict[str, bytes], found: dict[str, bytes], *, whole: bool
) -> Iterator[str]:
    who = f"{attempt.name} retry-{attempt.retry_id}"
    for stream, printed in wanted.items():
        read = found[stream]
        if whole and read != printed:
            yield f"{who} {stream}: {len(read)} bytes of {len(printed)}, {_where(printed, read)}"
        elif not printed.startswith(read):
            yield f"{who} {stream}: not what was printed, {_where(printed, read)}"


def _where(printed: bytes, read: bytes) -> str:
    same = os.path.commonprefix([printed, read])
    return f"the same up to byte {len(same)}"


def _problems_as_text(
    client: Client, name: str, attempt: Task, wanted: dict[str, bytes]
) -> Iterator[str]:
    """As `xylem workflow logs` gets it: by lines, with what is no text replaced."""
    who = f"[{attempt.name}{f' retry-{attempt.retry_id}' if attempt.retry_id else ''}] "
    streams: tuple[Literal["stdout", "stderr"], ...] = ("stdout", "stderr")
    for stream in streams:
        text = insist(
            lambda of=stream: client.logs(  # type: ignore[misc]  # the stream of this round
                name, task=attempt.name, retry=attempt.retry_id, stream=of
            )
        )
        said = [line.partition(who)[2] for line in text.split("\n")[:-1]]
        *lines, rest = wanted[stream].split(b"\n")
        printed = [line.decode(errors="replace") for line in [*lines, *([rest] if rest else [])]]
        if said != printed:
            yield f"{who}{stream} as text: {len(said)} lines of {len(printed)}, or other ones"


def _problems_of_tasks(workflow: Workflow, scale: Scale) -> Iterator[str]:
    completed = {task.name for task in _attempts(workflow) if str(task.status) == "COMPLETED"}
    if len(completed) != scale.tasks:
        ends = Counter(str(task.status) for task in _attempts(workflow))
        yield f"{len(completed)} of {scale.tasks} tasks completed: {dict(ends)}"


# A node that dies --------------------------------------------------------------------------------

DYING = """\
workflow:
  name: {name}
  tasks:
  - name: t
    image: bash
    command: [bash, -c, "echo sent; sleep 1.5; seq -f 'not sent %g' 1000; sleep 6; echo over"]
"""
"""The first batch goes at once, the next one five seconds later: until then nothing that was
printed behind the first line has left the node."""

UNSENT_SECONDS = 2.5
"""From its first line until a task's node dies: the second line is printed then, and not sent."""

GAP = "incomplete so far, after"
GAP_WITHIN_SECONDS = 150.0
DESK = "desk"


@dataclass(frozen=True, slots=True)
class Dying:
    """`shown`: the lines of the attempt that died with its node."""

    workflow: str
    shown: list[str]
    problems: list[str]


def node_dies(settings: Settings, client: Client) -> str:
    """The workflow whose task's node died: of the desk cluster, and it is back at once."""
    text = DYING.format(name=f"node-dies-{os.getpid()}")
    name = insist(lambda: client.submit(SubmitRequest(spec=text, pool="default")).name)
    deadline = time.monotonic() + READ_SECONDS
    while "sent" not in insist(lambda: client.logs(name)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    time.sleep(UNSENT_SECONDS)
    for fault in ("crashed", "none"):
        command = (*("-m", "operators.desk_cluster", "fault"), "--state")
        subprocess.run(
            [str(settings.python), *command, str(settings.cluster_state), DESK, fault],
            cwd=settings.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
    return name


def gap_of(client: Client, name: str) -> Dying:
    """Once the log says what is missing, or should have."""
    deadline = time.monotonic() + GAP_WITHIN_SECONDS
    while time.monotonic() < deadline:
        text = insist(lambda: client.logs(name, task="t", retry=0))
        over = insist(lambda: client.query(name)).status.final
        if over and GAP in text:
            break
        time.sleep(5 * POLL_SECONDS)
    shown = [line.partition("] ")[2] or line for line in text.splitlines()]
    again = insist(lambda: client.logs(name, task="t", retry=1)).count("not sent")
    problems = [
        *([] if shown[:1] == ["sent"] and GAP in shown[-1] else ["the gap is not shown"]),
        *([] if len(shown) == 2 else [f"{len(shown)} lines are shown"]),
        *([] if again == 1000 else [f"{again} lines of the next attempt"]),
    ]
    return Dying(name, shown[:5], problems)


# The whole proof ---------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shards", type=int, default=SHARDS, help="of ten tasks each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shard", type=int, help="this one alone")
    parser.add_argument("--record", action="store_true", help=f"write {RESULT.name}")
    given = parser.parse_args(arguments)
    settings = find_settings(dict(os.environ))
    login = load(settings.login_folder)
    if login is None:
        sys.exit("Start a stack first: `xylem local up`.")
    kept = settings.home / f"proof-logs-{given.seed}.jsonl"
    done = _kept(kept) if given.shard is None else {}
    wanted = range(given.shards) if given.shard is None else [given.shard]
    console = Console(stderr=True)
    with Client(login) as client, Progress(console=console) as progress:
        bar = progress.add_task(f"seed {given.seed}", total=len(wanted))
        for number in wanted:
            if number not in done:
                shard = one_shard(settings, client, number, given.seed, Scale())
                done[number] = shard
                if given.shard is None:
                    with kept.open("a") as file:
                        file.write(json.dumps(asdict(shard)) + "\n")
                console.print(f"shard {number}: {shard.seconds:.0f} s, killed {shard.kills}")
                for problem in shard.problems:
                    console.print(f"[red]shard {number}[/red] ({shard.workflow}): {problem}")
            progress.advance(bar)
        dying = gap_of(client, node_dies(settings, client))
    report = summary([done[number] for number in wanted], dying, given.seed)
    print(json.dumps(report, indent=1))
    if given.record:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if dying.problems or any(shard.problems for shard in done.values()) else 0


def summary(shards: Sequence[Shard], dying: Dying, seed: int) -> dict[str, object]:
    kills: Counter[str] = Counter()
    for shard in shards:
        kills.update(shard.kills)
    return {
        "seed": seed,
        "commits": sorted({shard.commit for shard in shards} | {commit()}),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "shards": len(shards),
        "lines": sum(shard.lines for shard in shards),
        "bytes_read_back": sum(shard.read_bytes for shard in shards),
        "attempts_whose_sidecar_was_killed": sum(shard.cut for shard in shards),
        "kills": dict(kills),
        "slowest_shard_seconds": max(shard.seconds for shard in shards),
        "failed": [
            {"shard": shard.number, "seed": shard.seed, "problems": shard.problems}
            for shard in shards
            if shard.problems
        ],
        "node_that_died": {"shown": dying.shown, "problems": dying.problems},
    }


def _kept(path: Path) -> dict[int, Shard]:
    if not path.exists():
        return {}
    shards = [Shard(**json.loads(line)) for line in path.read_text().splitlines()]
    return {shard.number: shard for shard in shards}


if __name__ == "__main__":
    sys.exit(main())
