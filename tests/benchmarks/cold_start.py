"""What a user waits more when the function that answers has to be started first.

For each of them, through the real front of the local stack: the first answer of a new process minus
a warm one, the median over `--runs`. A function's processes are killed, whatever else was warm (its
authorizer, for one) stays so; the next request finds none and starts one, as AWS does.

* version, list, submit: the Core Service, over HTTP;
* connections: the handshake of a socket, which waits for `$connect`;
* ingest: an operator's hello. It is said for a cluster that is not the backend's, so it is refused
  after the backend's row was read, and nothing is changed;
* router: a frame of a session.

This machine's processor is not Lambda's: 1,024 MB are 0.58 of a processor there, 512 MB 0.29
(https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html), though a start may use
more; and AWS fetches the code first. What is held against the limit is our own part, imports and
first calls, on this machine.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psutil
from rich.progress import Progress
from rich.table import Table
from websockets.sync.client import ClientConnection, connect

from clients.local.processes import find_ours, role_of
from clients.local.settings import DESK_BACKEND as BACKEND
from clients.local.settings import Settings
from clients.sdk.client import Client, SubmitRequest
from tests.benchmarks.readings import settings
from tests.benchmarks.reporting import options, progress_console, report
from tests.benchmarks.runs import HELLO, a_login
from tests.benchmarks.throughput import component_of

WARM_REQUESTS = 3
"""Before the warm one that is measured."""

HTTP_LIMIT = 0.700
SOCKET_LIMIT = 0.250
PATIENCE = 15.0
RETURN_SECONDS = 0.2
STRAY = {"to": "router", "type": "frame", "sid": "0" * 32, "channel": 1, "kind": "data"}
"""A frame of a session without its token: looked at as each is, and answered to its sender."""

SETTLE_SECONDS = 0.3
"""From then until the pool has acted on it."""


@dataclass(frozen=True, slots=True)
class Asked:
    component: str
    """As `throughput.component_of` names its processes."""
    ask: Callable[[], object]
    limit: float


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options(__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--pool", default="default")
    given = parser.parse_args(arguments)
    stack = settings()
    with ExitStack() as opened:
        client = opened.enter_context(Client(a_login()))
        asked = asked_of(stack, client, given.pool, opened)
        figures = {}
        with Progress(console=progress_console) as progress:
            for name, one in asked.items():
                bar = progress.add_task(f"cold starts: {name}", total=given.runs)
                extra = []
                for _ in range(given.runs):
                    extra.append(measured(stack, one))
                    progress.advance(bar)
                figures[name] = summary(extra, one.limit)
    result = {"runs": given.runs, "seconds": figures}
    report("cold-start", result, [table(result)], given)
    return 0


def asked_of(stack: Settings, client: Client, pool: str, opened: ExitStack) -> dict[str, Asked]:
    headers = {"Authorization": f"Bearer {stack.operator_token.read_text().strip()}"}
    request = SubmitRequest(spec=HELLO.read_text(), pool=pool)
    hello = {
        "to": "agent",
        "type": "hello",
        "backend": BACKEND,
        "cluster_uid": "cold-start",
        "boot_id": "cold-start",
        "version": "0",
    }

    def dialled() -> ClientConnection:
        return connect(stack.websocket_url, additional_headers=headers, proxy=None)

    def handshake() -> None:
        with dialled():
            pass

    socket = opened.enter_context(dialled())

    def answered(frame: Mapping[str, Any]) -> Callable[[], None]:
        def ask() -> None:
            socket.send(json.dumps(frame))
            answer = json.loads(socket.recv(timeout=PATIENCE))
            if answer.get("type") not in ("refusal", "peer_lost"):
                sys.exit(f"A refusal was expected: {answer}")

        return ask

    return {
        "version": Asked("core_service", client.version, HTTP_LIMIT),
        "list": Asked("core_service", client.list_workflows, HTTP_LIMIT),
        "submit": Asked("core_service", lambda: client.submit(request), HTTP_LIMIT),
        "connections": Asked("connections", handshake, SOCKET_LIMIT),
        "ingest": Asked("agent/ingest", answered(hello), SOCKET_LIMIT),
        "router": Asked("router", answered(STRAY), SOCKET_LIMIT),
    }


def measured(stack: Settings, asked: Asked) -> float:
    """Seconds that a first answer takes longer than a warm one."""
    # A frame is answered before its function returns: what is asked at once starts another
    # process, and what is killed at once is answered with an error as well.
    for _ in range(WARM_REQUESTS):
        asked.ask()
        time.sleep(RETURN_SECONDS)
    warm = seconds_of(asked.ask)
    time.sleep(RETURN_SECONDS)
    kill(stack, asked.component)
    return seconds_of(asked.ask) - warm


def seconds_of(ask: Callable[[], object]) -> float:
    begun = time.perf_counter()
    ask()
    return time.perf_counter() - begun


def kill(stack: Settings, component: str) -> None:
    """End every process of a function, and wait until the pool knows of it."""
    [server] = [
        process for process in find_ours(stack.home) if role_of(process.cmdline()) == "embedded-aws"
    ]
    found = [child for child in server.children() if component_of(child.cmdline()) == component]
    for process in found:
        process.kill()
    # The pool is their parent: a process is gone when the pool has read how it ended.
    psutil.wait_procs(found, timeout=PATIENCE)
    time.sleep(SETTLE_SECONDS)


def summary(seconds: Sequence[float], limit: float) -> dict[str, Any]:
    median = statistics.median(seconds)
    return {
        "median": round(median, 3),
        "max": round(max(seconds), 3),
        "at_most": limit,
        "held": median <= limit,
    }


def table(result: Mapping[str, Any]) -> Table:
    shown = Table(
        title=f"a new process's first answer minus a warm one, {result['runs']} runs, seconds"
    )
    for column in ("", "median", "max", "at most", ""):
        shown.add_column(column, justify="right" if column else "left")
    for name, of in result["seconds"].items():
        held = "held" if of["held"] else "MISSED"
        shown.add_row(name, f"{of['median']:.3f}", f"{of['max']:.3f}", f"{of['at_most']:.3f}", held)
    return shown


if __name__ == "__main__":
    sys.exit(main())
