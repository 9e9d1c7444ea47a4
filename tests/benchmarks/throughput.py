"""How many workflows a second, and whose CPU it takes: ours, the emulator's, the pods'.

`make bench` submits hello examples from a few clients at once and takes the time from the first
submission to the moment when all are COMPLETED. On this machine everything shares the processors,
so the figure means little without its profile: CPU seconds (user and system, as the kernel counts
them) of

* embedded AWS: what is AWS's own in production;
* functions: our Lambda processes, which AWS runs elsewhere, by component;
* operator, desk cluster: ours, and in a real cluster its API server's;
* pods: sidecars, wrappers and commands; the shims report theirs to the desk cluster as they end;
* clients: this program.

A process that ended is in its parent's account of its children, so nothing is sampled.
"""

import resource
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
from rich.progress import Progress
from rich.table import Table

from clients.local.processes import find_ours, role_of
from clients.sdk.client import Client
from clients.sdk.login import Login
from tests.benchmarks import readings
from tests.benchmarks.reporting import options, progress_console, report
from tests.benchmarks.runs import a_login, submit_hello, wait_for

WARM_UP = 8
AT_LEAST_PER_SECOND = 5.0
LONGEST_SECONDS = 300.0

Seconds = Mapping[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options(__doc__)
    parser.add_argument("--workflows", type=int, default=200)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--pool", default="default")
    given = parser.parse_args(arguments)
    login = a_login()
    run(login, given.pool, WARM_UP, given.clients, "warming up")
    before = cpu_seconds()
    seconds = run(login, given.pool, given.workflows, given.clients, "hello, all at once")
    used = {name: amount - before.get(name, 0) for name, amount in cpu_seconds().items()}
    result = summary(given.workflows, seconds, used)
    report("throughput", result, [table(result)], given)
    return 0


def run(login: Login, pool: str, workflows: int, clients: int, says: str) -> float:
    """Seconds from the first submission to the last COMPLETED."""
    local = threading.local()
    opened: list[Client] = []

    def submit(_: int) -> str:
        if not hasattr(local, "client"):
            local.client = Client(login)
            opened.append(local.client)
        return submit_hello(local.client, pool)

    begun = time.monotonic()
    with (
        Progress(console=progress_console) as progress,
        ThreadPoolExecutor(clients) as threads,
        Client(login) as asking,
    ):
        bar = progress.add_task(says, total=workflows)
        names = []
        for name in threads.map(submit, range(workflows)):
            names.append(name)
            progress.advance(bar)
        wait_for(asking, names, seconds=LONGEST_SECONDS)
    for client in opened:
        client.close()
    return time.monotonic() - begun


def cpu_seconds() -> Seconds:
    """So far, by whose they are."""
    used: dict[str, float] = {}
    for process in find_ours(readings.settings().home):
        try:
            role = role_of(process.cmdline())
            if role is None or role == "supervisord":
                continue
            times = process.cpu_times()
            used[role.replace("-", " ")] = times.user + times.system
            ended = times.children_user + times.children_system
            if role == "embedded-aws":
                used["functions: ended"] = ended
                for child in process.children():
                    name = f"functions: {component_of(child.cmdline())}"
                    used[name] = used.get(name, 0) + _of(child)
            elif role == "desk-cluster":
                used["pods"] = ended + sum(map(_of, process.children(recursive=True)))
        except psutil.Error:
            continue
    if "embedded aws" not in used:
        sys.exit("The stack's processes are not this user's, or it is down: `xylem local status`.")
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return {**used, "clients": mine.ru_utime + mine.ru_stime}


def component_of(command: Sequence[str]) -> str:
    """`agent/ingest` of a Lambda process's `functions.agent.ingest.handler`."""
    handler = next((word for word in command if word.startswith("functions.")), "")
    parts = handler.removeprefix("functions.").split(".")[:-1]
    return "/".join(part for part in parts if part != "handler") or "starting"


def _of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0  # it ended meanwhile: its parent has it
    return float(times.user + times.system + times.children_user + times.children_system)


def summary(workflows: int, seconds: float, used: Seconds) -> dict[str, Any]:
    used = {name: amount for name, amount in used.items() if amount >= 0.005}
    in_all = sum(used.values())
    rate = workflows / seconds
    return {
        "workflows": workflows,
        "seconds": round(seconds, 2),
        "per_second": round(rate, 2),
        "at_least": AT_LEAST_PER_SECOND,
        "held": rate >= AT_LEAST_PER_SECOND,
        "cpu_seconds": {name: round(amount, 2) for name, amount in used.items()},
        "cpu_shares": {name: round(amount / in_all, 3) for name, amount in used.items()},
        "cpu_seconds_per_workflow": round(in_all / workflows, 4),
        "processors_busy": round(in_all / seconds, 2),
    }


def table(result: Mapping[str, Any]) -> Table:
    shown = Table(
        title=f"{result['workflows']} one-task workflows in {result['seconds']} s:"
        f" {result['per_second']} a second (at least {result['at_least']:.0f}:"
        f" {'held' if result['held'] else 'MISSED'})"
    )
    shown.add_column("whose CPU")
    for column in ("seconds", "share", "ms a workflow"):
        shown.add_column(column, justify="right")
    for name, seconds in sorted(result["cpu_seconds"].items(), key=lambda entry: -entry[1]):
        share = result["cpu_shares"][name]
        each = seconds / result["workflows"] * 1000
        shown.add_row(name, f"{seconds:.2f}", f"{share:.0%}", f"{each:.0f}")
    return shown


if __name__ == "__main__":
    sys.exit(main())
