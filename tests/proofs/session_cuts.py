"""Bytes through sessions that are cut, moved and killed: `make prove-sessions`.

Against the stack that is up, with an operator of the proof's own behind a gate
(`tests.proofs.gate`) in place of the stack's; the client dials through the gate as well. So many
megabytes, made of the seed by the task and by the proof, go

    forwarded     through a forwarded port, out of the task
    downloaded    by rsync, out of the task
    uploaded      by rsync, into it, where `sha256sum` reads them

while every socket of both sides is cut every 3 s without a word, the client moves to another socket
every 2 s, and the operator is killed now and then. Frames of one socket are invocations of their
own and overtake each other; how many did is counted at the client's end.

A session does not survive its operator: then another one is begun, a connection that was open is
seen to end, and what asked over it asks for the rest, as a download manager would. Each way has to
end with the SHA-256 of what was sent.
"""

import argparse
import asyncio
import hashlib
import os
import random
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import yaml
from rich.console import Console

from clients.local.settings import Settings, find_settings
from clients.sdk import rsync, sessions
from clients.sdk.client import Client, SubmitRequest
from clients.sdk.errors import ClientError, Unavailable
from clients.sdk.login import Login, load
from clients.sdk.sessions import SessionBroken
from operators.shared.session_io import SessionLine
from tests.benchmarks.reporting import record
from tests.proofs.gate import Gate, gate
from tests.proofs.operators import Operator, own_operator

CUT_SECONDS = 3.0
ROTATE_AFTER = timedelta(seconds=2)
KILL_SECONDS = (15.0, 30.0)
PATIENCE_SECONDS = 1_200.0
PIECE = 100_000
MB = 1_000_000

SERVER = f"""
import random, socketserver, sys
seed, size, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
import os
os.makedirs("/osmo/run/workspace", exist_ok=True)
with open("/osmo/run/workspace/sent", "wb") as file:
    for _ in range(0, size, {PIECE}):
        file.write(chance.randbytes({PIECE}))
class From(socketserver.StreamRequestHandler):
    def handle(self):
        at = int(self.rfile.readline())
        with open("/osmo/run/workspace/sent", "rb") as file:
            file.seek(at)
            while piece := file.read(65536):
                self.wfile.write(piece)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
with Server(("127.0.0.1", port), From) as server:
    server.serve_forever()
"""


@dataclass
class Way:
    """What became of one way. `sessions`: how many it took."""

    name: str
    wanted: str
    got: str = ""
    seconds: float = 0.0
    sessions: int = 0
    reordered: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    seed: str
    megabytes: int
    cuts: int
    kills: int
    ways: list[Way]

    @property
    def held(self) -> bool:
        done = all(way.got == way.wanted and not way.problems for way in self.ways)
        return done and self.cuts > 0 and self.kills > 0 and self.reordered > 0

    @property
    def reordered(self) -> int:
        return sum(way.reordered for way in self.ways)


class Trouble:
    """In a thread: nothing that the proof waits for delays it."""

    def __init__(
        self, gate: Gate, operator: Operator, dice: random.Random, kills: tuple[float, float]
    ) -> None:
        self.cuts = 0
        self.kills = 0
        self._between = kills
        self._gate = gate
        self._operator = operator
        self._dice = dice
        self._over = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        kill_at = time.monotonic() + self._dice.uniform(*self._between)
        while not self._over.wait(CUT_SECONDS):
            self.cuts += self._gate.cut()
            if time.monotonic() >= kill_at:
                self._operator.kill()
                self.kills += 1
                kill_at = time.monotonic() + self._dice.uniform(*self._between)


@dataclass(frozen=True, slots=True)
class Task:
    """The task that is reached into, and the way there through the gate."""

    client: Client
    login: Login
    name: str
    port: int
    gate: int
    service: int

    async def within(self, way: Way, work: Callable[[SessionLine], Awaitable[bool]]) -> None:
        """In one session after the other, until the work says that it is done."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        done = False
        while not done:
            if time.monotonic() > deadline:
                way.problems.append(f"not over after {PATIENCE_SECONDS:.0f} s")
                return
            try:
                grant = await asyncio.to_thread(self.client.create_session, self.name, "main")
                address = grant.websocket_url.replace(f":{self.service}", f":{self.gate}")
                through = grant.model_copy(update={"websocket_url": address})
                way.sessions += 1
                async with sessions.attached(
                    self.login, through, rotate_after=ROTATE_AFTER
                ) as line:
                    try:
                        done = await work(line)
                    finally:
                        way.reordered += line.reordered
            except (SessionBroken, Unavailable):
                await asyncio.sleep(0.5)


async def forwarded(task: Task, way: Way, size: int) -> None:
    digest, got = hashlib.sha256(), 0

    async def work(line: SessionLine) -> bool:
        nonlocal got

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await sessions.forward(line, task.port, reader, writer)
            except SessionBroken:
                writer.close()

        server = await asyncio.start_server(carry, "127.0.0.1", 0)
        async with server:
            local = server.sockets[0].getsockname()[1]
            while got < size and not line.over.done():
                reader, writer = await asyncio.open_connection("127.0.0.1", local)
                writer.write(b"%d\n" % got)
                try:
                    while data := await reader.read(256 * 1024):
                        digest.update(data)
                        got += len(data)
                except ConnectionError:
                    pass  # the rest is asked for
                writer.close()
        return got >= size

    await task.within(way, work)
    way.got = digest.hexdigest()


async def downloaded(task: Task, way: Way, folder: Path) -> None:
    async def work(line: SessionLine) -> bool:
        source = f"{rsync.WORKSPACE}/sent"
        outcome = await rsync.download(line, source, str(folder), lambda _: None)
        way.problems += outcome.problems
        return True

    await task.within(way, work)
    way.got = hashlib.sha256((folder / "sent").read_bytes()).hexdigest()


async def uploaded(task: Task, way: Way, folder: Path) -> None:
    async def work(line: SessionLine) -> bool:
        target = f"{rsync.WORKSPACE}/taken"
        outcome = await rsync.upload(line, str(folder / "sent"), target, lambda _: None)
        way.problems += outcome.problems
        return True

    async def look(line: SessionLine) -> bool:
        said: list[bytes] = []
        words = ["sha256sum", f"{rsync.WORKSPACE}/taken/sent"]
        await sessions.run_command(line, words, out=said.append, err=said.append)
        way.got = b"".join(said).decode().split()[0]
        return True

    await task.within(way, work)
    await task.within(way, look)


async def _timed(way: Way, going: Awaitable[None]) -> Way:
    begun = time.monotonic()
    await going
    way.seconds = round(time.monotonic() - begun, 1)
    return way


async def all_ways(task: Task, seed: str, size: int) -> list[Way]:
    wanted = sha256_of(seed, size)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        ways = [Way(name, wanted) for name in ("forwarded", "downloaded", "uploaded")]
        return [
            await _timed(ways[0], forwarded(task, ways[0], size)),
            await _timed(ways[1], downloaded(task, ways[1], folder)),
            await _timed(ways[2], uploaded(task, ways[2], folder)),
        ]


def sha256_of(seed: str, size: int) -> str:
    """Of what the task makes of it, by the same source of chance."""
    chance, digest = random.Random(seed), hashlib.sha256()
    for _ in range(0, size, PIECE):
        digest.update(chance.randbytes(PIECE))
    return digest.hexdigest()


def prove(
    settings: Settings,
    client: Client,
    login: Login,
    seed: str,
    megabytes: int,
    kills: tuple[float, float] = KILL_SECONDS,
) -> Outcome:
    size = megabytes * MB
    with ExitStack() as stack:
        passing = stack.enter_context(gate(settings.ports["aws"]))
        operator = stack.enter_context(own_operator(settings, passing))
        port = _free_port()
        name = client.submit(SubmitRequest(spec=_spec(seed, size, port), pool="default")).name
        stack.callback(lambda: client.cancel(name, force=True))
        _wait_for_running(client, name)
        task = Task(client, login, name, port, passing.port, settings.ports["aws"])
        trouble = Trouble(passing, operator, random.Random(f"{seed}/trouble"), kills)
        try:
            ways = asyncio.run(all_ways(task, seed, size))
        finally:
            trouble.end()
    return Outcome(seed, megabytes, trouble.cuts, trouble.kills, ways)


def _spec(seed: str, size: int, port: int) -> str:
    command = ["python3", "-c", SERVER, seed, str(size), str(port)]
    main = {"name": "main", "image": "python", "command": command}
    return yaml.safe_dump({"workflow": {"name": "cuts", "tasks": [main]}})


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_for_running(client: Client, name: str) -> None:
    deadline = time.monotonic() + 120
    while str(client.query(name).groups[0].tasks[0].status) != "RUNNING":
        if time.monotonic() > deadline:
            raise ClientError(f"{name} does not run")
        time.sleep(0.2)  # between two looks


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--seed", default="1")
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--record", action="store_true", help="keep the result in the repository")
    given = parser.parse_args(arguments)
    settings = find_settings(os.environ)
    login = load(settings.login_folder)
    if login is None:
        sys.exit("The stack is not up: xylem local up")
    with Client(login) as client:
        outcome = prove(settings, client, login, given.seed, given.megabytes)
    said = {**asdict(outcome), "held": outcome.held}
    Console().print_json(data=said)
    if given.record:
        record("session-cuts", said)
    return 0 if outcome.held else 1


if __name__ == "__main__":
    sys.exit(main())
