"""An operator in trouble while two hundred tasks run: `make prove-operators`.

Three times twenty workflows of ten tasks, on the stack that is up, with an operator of the proof's
own behind a gate (`tests.proofs.gate`) in place of the stack's:

    killed   kill -9 of the operator at random moments, 2 to 6 s apart
    cut      the connection is cut at such moments instead, without a word
    errors   for a minute the service answers with errors: connects are refused, handshakes get a
             503 or are closed with 1011, and the processes of its Lambdas are killed, of which the
             pods' sidecars see HTTP 5xx

So many workflows are under way at a time as the machine carries: a pod here is two processes. What
is asked of each variant:

* every workflow ends COMPLETED;
* no command ran twice: each says over a socket that it runs, to a witness that no part of Xylem
  knows;
* no line of a log is lost or doubled;
* afterwards no pod, Secret or Service of theirs is in the cluster, and every anchor is closed. With
  `--to-the-last`, no anchor either: the operator takes them away a quarter of an hour later.

Each variant has a seed of its own, made of the proof's seed and its name. Variants that are done
are kept in a file, so a proof that was stopped goes on where it was. The figures of the last whole
proof are among the measurements in `docs/`.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import psutil
import yaml
from rich.console import Console

from clients.local.parts import NAMESPACE, PartName, parts_of
from clients.local.settings import Settings, find_settings
from clients.local.supervisor import Supervisor, scrubbed_environment
from clients.sdk.client import Client, SubmitRequest
from clients.sdk.errors import ClientError
from clients.sdk.login import load
from operators.shared.anchor import ANCHOR_LABEL
from operators.shared.kube import Kube
from operators.shared.resources import CONFIG_MAP, POD, SECRET, SERVICE, Json, Kind
from tests.benchmarks.reporting import MEASUREMENTS, commit
from tests.proofs.gate import TROUBLE, Gate, gate
from tests.proofs.kills import Witness, insist, lines_of, victim, witness
from xylem.manifests.names import WORKFLOW

RESULT = MEASUREMENTS / "operators.json"

Variant = Literal["killed", "cut", "errors"]
VARIANTS: tuple[Variant, ...] = ("killed", "cut", "errors")

WORKFLOWS, TASKS = 20, 10
AT_ONCE = 3
"""Workflows: thirty pods of two processes each are what two processors carry."""

LINES = 30
FIRST_SECONDS = 3.0
AGAIN_SECONDS = (2.0, 6.0)
TROUBLE_SECONDS = 60.0
LAMBDA_KILLED_EVERY_SECONDS = 1.5
PATIENCE_SECONDS = 1_200.0
CLEAN_WITHIN_SECONDS = 180.0
ANCHORS_STAY_SECONDS = 20 * 60.0
"""Fifteen minutes after a listing showed them closed, and they are listed every ten."""

POLL_SECONDS = 0.5
LOOK_SECONDS = 0.1
OURS = "osmo.workflow_uuid"
"""The label of every object of a workflow."""


@dataclass(frozen=True, slots=True)
class Scale:
    workflows: int = WORKFLOWS
    tasks: int = TASKS
    at_once: int = AT_ONCE


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a variant. `done`: how often the operator was killed, cut, or answered with an
    error; `problems` is empty where all promises were kept."""

    variant: Variant
    seed: str
    workflows: int
    tasks: int
    done: int
    operators: int
    seconds: float
    clean_seconds: float
    problems: list[str]


# The operator, and what is done to it ------------------------------------------------------------


class Operator:
    """The stack's own, dialling through the gate, and begun again whenever it ends."""

    def __init__(self, settings: Settings, gate: Gate) -> None:
        part = next(part for part in parts_of(settings) if part.name is PartName.OPERATOR)
        url = settings.websocket_url.replace(f":{settings.ports['aws']}", f":{gate.port}")
        self.started = 0
        self._command = part.command
        self._environment = {
            **scrubbed_environment(settings),
            **part.environment,
            "XYLEM_URL": url,
            "POD_NAME": "operator-proof",
        }
        self._settings = settings
        self._over = threading.Event()
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)

    def end(self) -> None:
        self._over.set()
        self._process.terminate()
        self._keeper.join()

    def _start(self) -> subprocess.Popen[bytes]:
        self.started += 1
        log = (self._settings.logs / "operator-proof.log").open("ab")
        with log:
            return subprocess.Popen(
                self._command,
                cwd=self._settings.root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _keep(self) -> None:
        while True:
            self._process.wait()
            if self._over.wait(0.5):
                return
            self._process = self._start()


@contextmanager
def own_operator(settings: Settings, gate: Gate) -> Iterator[Operator]:
    """In place of the stack's, which is back afterwards."""
    supervisor = Supervisor(settings)
    supervisor.stop_part(PartName.OPERATOR)
    operator = Operator(settings, gate)
    try:
        yield operator
    finally:
        operator.end()
        supervisor.start_part(PartName.OPERATOR)


class Trouble:
    """Does what is due to the operator, at moments that nothing else delays, until it is `end`ed.
    `done`: so often it was killed or cut, or got an error in place of its service."""

    def __init__(
        self,
        variant: Variant,
        settings: Settings,
        operator: Operator,
        gate: Gate,
        dice: random.Random,
    ) -> None:
        self._variant = variant
        self._settings = settings
        self._operator = operator
        self._gate = gate
        self._dice = dice
        self._next = FIRST_SECONDS
        self._lambda_next = FIRST_SECONDS
        self._done = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def done(self) -> int:
        return self._done + self._gate.refused

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._over.wait(LOOK_SECONDS):
            self._look(time.monotonic() - began)

    def _look(self, since: float) -> None:
        match self._variant:
            case "killed" if since >= self._next:
                self._operator.kill()
                self._again(since)
            case "cut" if since >= self._next:
                self._gate.cut()
                self._again(since)
            case "errors":
                self._err(since)
            case _:
                return

    def _again(self, since: float) -> None:
        self._done += 1
        self._next = since + self._dice.uniform(*AGAIN_SECONDS)

    def _err(self, since: float) -> None:
        ends = FIRST_SECONDS + TROUBLE_SECONDS
        if since >= ends:
            self._gate.set("open")
            return
        if since >= self._next:
            self._gate.set(self._dice.choice(TROUBLE))
            self._done += self._gate.cut()
            self._next = since + self._dice.uniform(*AGAIN_SECONDS)
        if since >= self._lambda_next:
            self._lambda_next = since + LAMBDA_KILLED_EVERY_SECONDS
            process = victim(self._settings, "lambda", self._dice)
            if process is not None:
                with suppress(psutil.Error):  # it ended by itself
                    process.kill()


# A variant ---------------------------------------------------------------------------------------


def one_run(
    settings: Settings, client: Client, variant: Variant, proof_seed: int, scale: Scale
) -> Run:
    seed = f"{proof_seed}/{variant}"
    dice = random.Random(seed)
    key = f"{variant}-{time.time_ns()}"
    with ExitStack() as stack:
        seen = stack.enter_context(witness())
        passing = stack.enter_context(gate(settings.ports["aws"]))
        operator = stack.enter_context(own_operator(settings, passing))
        began = time.monotonic()
        # A source of chance of its own: what it draws depends on how long things take.
        trouble = Trouble(variant, settings, operator, passing, random.Random(f"{seed}/trouble"))
        stack.callback(trouble.end)
        names, problems = _run_all(settings, client, key, seen.port, scale, dice)
        trouble.end()
        seconds = time.monotonic() - began
        passing.set("open")
        problems += _ran_twice(seen, key, scale)
        problems += _log_lines_lost(client, names, scale)
        clean, left = _cleaned(settings, client, names)
        problems += left
        if not trouble.done:
            problems.append("nothing was done to the operator: it was over before")
        started = operator.started
    return Run(
        variant,
        seed,
        scale.workflows,
        scale.tasks,
        trouble.done,
        started,
        round(seconds, 1),
        round(clean, 1),
        problems,
    )


def spec(key: str, number: int, port: int, scale: Scale, dice: random.Random) -> str:
    tasks = []
    for task in range(scale.tasks):
        pause = dice.uniform(0.05, 0.15)
        script = (
            "set -eu\n"
            f"echo '{key} {number}/t{task}' > /dev/tcp/127.0.0.1/{port}\n"
            f"for number in $(seq 1 {LINES}); do echo line $number; sleep {pause:.3f}; done\n"
        )
        tasks.append({"name": f"t{task}", "image": "bash", "command": ["bash", "-c", script]})
    return yaml.safe_dump({"workflow": {"name": "troubled", "tasks": tasks}})


def _submitted(settings: Settings, text: str, key: str) -> str:
    """The key makes the second try of a submission whose answer was lost the same workflow."""
    login = load(settings.login_folder)
    assert login is not None
    with Client(login, new_key=lambda: key) as client:
        return insist(lambda: client.submit(SubmitRequest(spec=text, pool="default")).name)


def _run_all(
    settings: Settings,
    client: Client,
    key: str,
    port: int,
    scale: Scale,
    dice: random.Random,
) -> tuple[list[str], list[str]]:
    """Names of the workflows, and problems."""
    specs = [spec(key, number, port, scale, dice) for number in range(scale.workflows)]
    names: list[str] = []
    live: list[str] = []
    problems: list[str] = []
    began = time.monotonic()
    while specs or live:
        since = time.monotonic() - began
        if since > PATIENCE_SECONDS:
            return names, [*problems, f"not over after {since:.0f} s: {live}"]
        if specs and len(live) < scale.at_once:
            text = specs.pop()
            name = _submitted(settings, text, f"{key}-{len(specs)}")
            names.append(name)
            live.append(name)
        for name in tuple(live):
            try:
                status = str(client.query(name).status)
            except ClientError:
                continue
            if status not in {"PENDING", "RUNNING"}:
                live.remove(name)
                if status != "COMPLETED":
                    problems.append(f"{name} ended {status}")
        time.sleep(POLL_SECONDS)
    return names, problems


def _ran_twice(seen: Witness, key: str, scale: Scale) -> list[str]:
    wanted = {
        f"{key} {number}/t{task}"
        for number in range(scale.workflows)
        for task in range(scale.tasks)
    }
    counts = {name: seen.said[name] for name in wanted}
    return [f"{name} ran {count} times" for name, count in sorted(counts.items()) if count != 1]


def _log_lines_lost(client: Client, names: Sequence[str], scale: Scale) -> list[str]:
    wanted = [f"line {number}" for number in range(1, LINES + 1)]
    problems = []
    for name in names:
        for task in range(scale.tasks):
            deadline = time.monotonic() + 60
            while (found := lines_of(client, name, f"t{task}")) != wanted:
                if time.monotonic() > deadline:
                    problems.append(f"{name}: the log of t{task} has {len(found)} lines")
                    break
                time.sleep(0.5)
    return problems


# The cluster -------------------------------------------------------------------------------------


def _cleaned(settings: Settings, client: Client, names: Sequence[str]) -> tuple[float, list[str]]:
    """Seconds until nothing of these workflows was left but closed anchors, and what was left."""
    uuids = {insist(partial(client.query, name)).uuid for name in names}
    began = time.monotonic()
    while left := [*_objects(settings, uuids), *_open_anchors(settings, set(names))]:
        if time.monotonic() - began > CLEAN_WITHIN_SECONDS:
            return time.monotonic() - began, [f"left in the cluster: {left[:5]} of {len(left)}"]
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began, []


def _objects(settings: Settings, uuids: set[str]) -> list[str]:
    return [
        f"{kind.name} {item['metadata']['name']}"
        for kind in (POD, SECRET, SERVICE)
        for item in _listed(settings, kind, OURS)
        if item["metadata"]["labels"][OURS] in uuids
    ]


def _open_anchors(settings: Settings, names: set[str]) -> list[str]:
    return [
        f"{item['data']['state']} anchor {item['metadata']['name']}"
        for item in _listed(settings, CONFIG_MAP, ANCHOR_LABEL)
        if item["metadata"]["annotations"][WORKFLOW] in names and item["data"]["state"] != "closed"
    ]


def anchors_gone(settings: Settings) -> list[str]:
    """Waits until the cluster has none; what is left of them when patience is."""
    deadline = time.monotonic() + ANCHORS_STAY_SECONDS
    while left := [
        item["metadata"]["name"] for item in _listed(settings, CONFIG_MAP, ANCHOR_LABEL)
    ]:
        if time.monotonic() > deadline:
            return left
        time.sleep(10 * POLL_SECONDS)
    return []


def _listed(settings: Settings, kind: Kind, selector: str) -> Iterator[Json]:
    kube = Kube(namespace=NAMESPACE, kubeconfig=str(settings.kubeconfig), connections=1)
    page = kube.page(kind, selector)
    yield from page.items
    while page.next is not None:
        page = kube.page(kind, selector, page.next)
        yield from page.items


# The whole proof ---------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="default: all")
    parser.add_argument("--workflows", type=int, default=WORKFLOWS)
    parser.add_argument("--tasks", type=int, default=TASKS, help="of each workflow")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="workflows")
    parser.add_argument("--to-the-last", action="store_true", help="wait for the anchors, too")
    parser.add_argument("--record", action="store_true", help=f"write {RESULT.name}")
    given = parser.parse_args(arguments)
    settings = find_settings(dict(os.environ)).as_started()
    login = load(settings.login_folder)
    if login is None:
        sys.exit("Start a stack first: `xylem local up`.")
    scale = Scale(given.workflows, given.tasks, given.at_once)
    kept = settings.home / f"proof-operators-{given.seed}-{scale.workflows}x{scale.tasks}.jsonl"
    done = {}
    if kept.exists():
        runs = [Run(**json.loads(line)) for line in kept.read_text().splitlines()]
        done = {run.variant: run for run in runs}
    variants: Sequence[Variant] = given.variant or VARIANTS
    console = Console(stderr=True)
    with Client(login) as client:
        for variant in variants:
            if variant not in done:
                done[variant] = run = one_run(settings, client, variant, given.seed, scale)
                with kept.open("a") as file:
                    file.write(json.dumps(asdict(run)) + "\n")
            for problem in done[variant].problems:
                console.print(f"[red]{variant}[/red]: {problem}")
    left = anchors_gone(settings) if given.to_the_last else None
    result = summary([done[variant] for variant in variants], given.seed, scale, left)
    print(json.dumps(result, indent=1))
    if given.record:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if left or any(done[variant].problems for variant in variants) else 0


def summary(
    runs: Sequence[Run], seed: int, scale: Scale, anchors: list[str] | None
) -> dict[str, object]:
    """`anchors_left` None: nobody waited for them."""
    return {
        "seed": seed,
        "commit": commit(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "workflows_at_once": scale.at_once,
        "anchors_left": None if anchors is None else len(anchors),
        "variants": {run.variant: asdict(run) for run in runs},
    }


if __name__ == "__main__":
    sys.exit(main())
