"""What a user feels in a running task: how soon a key comes back, and how fast bytes go through a
forwarded port.

Against the stack that `xylem local up` started, in a task of its own:

* attach: from asking for a session until the other side can be spoken to;
* echo: a line to `cat` in the task and back, one after the other, the first left out;
* command: a whole `true`, from asking to its exit code, in a session that is there;
* forwarded: bytes from a server in the task through one TCP connection;
* connections: so many at once over one forwarded port, until all have their answer.

Frames go through the embedded API Gateway and its Lambda processes on this machine. On AWS each hop
takes longer, and a GB is some 10,400 messages of 96,000 bytes: API Gateway counts each as four when
it comes and when it goes, $1.00 a million, and the Router is invoked for each, $0.20 a million and
its time: $0.10 (https://aws.amazon.com/api-gateway/pricing, https://aws.amazon.com/lambda/pricing).
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

from rich.table import Table

from clients.sdk import sessions
from clients.sdk.client import Client, SubmitRequest
from clients.sdk.login import Login
from operators.shared.session_io import SessionLine
from tests.benchmarks.reporting import options, progress_console, report
from tests.benchmarks.runs import a_login

SPEC = """
workflow:
  name: bench-session
  tasks:
  - {name: main, image: ubuntu, command: [sleep, "900"]}
"""
SERVE = """
import socketserver, sys
class Serve(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(bytes(int(self.request.recv(64))))
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128
with Server(("127.0.0.1", 0), Serve) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
"""
START_SECONDS = 60
ECHO_P50, ECHO_P99 = 0.080, 0.250
FORWARDED_MB = 5.0
MB = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options(__doc__)
    parser.add_argument("--echoes", type=int, default=300)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--pool", default="default")
    given = parser.parse_args(arguments)
    login = a_login()
    with Client(login) as client:
        name = client.submit(SubmitRequest(spec=SPEC, pool=given.pool)).name
        try:
            wait_for_running(client, name)
            measured = asyncio.run(
                measure(client, login, name, given.echoes, given.megabytes, given.connections)
            )
        finally:
            client.cancel(name, force=True)
    held = {
        "echo_p50": measured["echo_p50"] < ECHO_P50,
        "echo_p99": measured["echo_p99"] < ECHO_P99,
        "forwarded_mb_per_second": measured["forwarded_mb_per_second"] >= FORWARDED_MB,
    }
    result = {**measured, "held": held}
    report("sessions", result, [table(measured, held)], given)
    return 0 if all(held.values()) else 1


def wait_for_running(client: Client, name: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while str(client.query(name).groups[0].tasks[0].status) != "RUNNING":
        if time.monotonic() > deadline:
            sys.exit(f"{name} does not run: look at `xylem workflow query {name}`")
        time.sleep(0.1)


async def measure(
    client: Client, login: Login, name: str, echoes: int, megabytes: int, connections: int
) -> dict[str, float]:
    begun = time.perf_counter()
    grant = client.create_session(name, "main")
    async with sessions.attached(login, grant) as line:
        await sessions.run_command(line, ["true"], out=_nowhere, err=_nowhere)
        attached = time.perf_counter() - begun
        commands = [await _timed(lambda: _true(line)) for _ in range(20)]
        echo = await _echoes(line, echoes)
        serving, port = await _serving(line)
        _, seconds = await _answers(line, port, [megabytes * MB])
        sizes = [10_000] * connections
        _, at_once = await _answers(line, port, sizes)
        serving.cancel()
    return {
        "attach_seconds": round(attached, 3),
        "command_p50": round(statistics.median(commands), 4),
        "echo_p50": round(statistics.median(echo), 4),
        "echo_p99": round(statistics.quantiles(echo, n=100)[98], 4),
        "forwarded_mb_per_second": round(megabytes / seconds, 2),
        "connections": connections,
        "connections_seconds": round(at_once, 3),
    }


async def _true(line: SessionLine) -> int:
    return await sessions.run_command(line, ["true"], out=_nowhere, err=_nowhere)


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


async def _echoes(line: SessionLine, count: int) -> list[float]:
    source = asyncio.StreamReader()
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    running = asyncio.create_task(
        sessions.run_command(line, ["cat"], out=heard.put_nowait, err=_nowhere, source=source)
    )
    taken = []
    for number in range(count + 1):
        begun = time.perf_counter()
        wanted = b"%d\n" % number
        source.feed_data(wanted)
        got = b""
        while got != wanted:
            got += await heard.get()
        taken.append(time.perf_counter() - begun)
    source.feed_eof()
    await running
    return taken[1:]


async def _serving(line: SessionLine) -> tuple[asyncio.Task[int], int]:
    said: asyncio.Queue[bytes] = asyncio.Queue()
    task = asyncio.create_task(
        sessions.run_command(line, ["python3", "-c", SERVE], out=said.put_nowait, err=_tell)
    )
    return task, int(await said.get())


async def _answers(line: SessionLine, port: int, sizes: Sequence[int]) -> tuple[int, float]:
    """So many bytes over as many connections, through a real local socket; and how long it took."""
    begun = time.perf_counter()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await sessions.forward(line, port, reader, writer)

    async def ask(local: int, size: int) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", local)
        writer.write(b"%d" % size)
        got = 0
        while got < size and (data := await reader.read(256 * 1024)):
            got += len(data)
        writer.close()
        return got

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    async with server:
        local = server.sockets[0].getsockname()[1]
        got = await asyncio.gather(*(ask(local, size) for size in sizes))
    if list(got) != list(sizes):
        sys.exit(f"of {sum(sizes)} bytes {sum(got)} arrived")
    return sum(got), time.perf_counter() - begun


def _tell(data: bytes) -> None:
    sys.stderr.buffer.write(data)


def _nowhere(data: bytes) -> None:
    """What is not measured."""


def table(measured: dict[str, float], held: dict[str, bool]) -> Table:
    made = Table("figure", "value", "", title="in a running task; seconds, MB/s")
    for name, value in measured.items():
        verdict = "" if name not in held else "held" if held[name] else "MISSED"
        made.add_row(name, f"{value:g}", verdict)
    return made


if __name__ == "__main__":
    progress_console.print("a task starts, and is entered")
    sys.exit(main())
