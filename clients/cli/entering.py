"""`xylem workflow exec` and `port-forward`: reaching into a running task from a terminal."""

import asyncio
import os
import re
import signal
import sys
import termios
import threading
import tty
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Annotated, NamedTuple

import typer

from clients.cli import completion
from clients.cli.options import Workflow
from clients.cli.session import Session, session_of
from clients.sdk import sessions
from clients.sdk.errors import BadInput
from clients.sdk.login import Login
from clients.sdk.models import SessionGrant
from clients.sdk.sessions import SessionBroken, Size

SHELL = "/bin/sh"
PORTS = 30
"""Of one call; OSMO's `max_num_ports_per_task`."""

_PORT = re.compile(r"(?:([0-9]{1,5})(?:-([0-9]{1,5}))?:)?([0-9]{1,5})(?:-([0-9]{1,5}))?")

Task = Annotated[
    str, typer.Argument(help="Name of the task.", autocompletion=completion.task_names)
]
Retry = Annotated[int | None, typer.Option("--retry-id", "--retry", "-r", min=0)]


Carry = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Forward(NamedTuple):
    local: int
    remote: int


def exec_in_task(
    context: typer.Context,
    workflow: Workflow,
    task: Task,
    command: Annotated[
        list[str] | None, typer.Argument(help="What to run; after `--` also with options.")
    ] = None,
    entry: Annotated[str | None, typer.Option("--entry", help="A command as one text.")] = None,
    retry: Retry = None,
    no_tty: Annotated[
        bool, typer.Option("--no-tty", "-T", help="No terminal, although this is one.")
    ] = False,
) -> None:
    """Run a command in a running task, a shell if none is named. Exits as the command exits.

    In a pipe there is no terminal, and its input ends where the pipe does:
    `tar c src | xylem workflow exec hello-1 main -- tar x -C /work`."""
    if entry is not None and command:
        raise BadInput("Say the command once: after the task, or with --entry.")
    session = session_of(context)
    words = command or ([SHELL, "-c", entry] if entry else [SHELL])
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not no_tty
    with session.connect() as client:
        grant = client.create_session(workflow, task, purpose="exec", retry=retry)
    raise typer.Exit(asyncio.run(_exec(session.login(), grant, words, terminal=terminal)))


async def _exec(login: Login, grant: SessionGrant, command: list[str], *, terminal: bool) -> int:
    source = StandardInput(sys.stdin.fileno())
    async with sessions.attached(login, grant) as line:
        with _raw_terminal(terminal):
            return await sessions.run_command(
                line,
                command,
                out=_writer(sys.stdout.buffer),
                err=_writer(sys.stderr.buffer),
                source=source,
                tty=_size() if terminal else None,
                resized=_tell_of_sizes if terminal else None,
            )


def port_forward(
    context: typer.Context,
    workflow: Workflow,
    task: Task,
    port: Annotated[
        list[str] | None,
        typer.Option("--port", "-p", help="LOCAL:REMOTE, PORT, or ranges of both; repeatable."),
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    retry: Retry = None,
) -> None:
    """Listen on this machine, and carry what connects to ports of a running task. Ctrl-C ends it.

    All connections share one session: it survives cuts of the network, and a task that ends ends
    it."""
    forwards = [one for text in port or () for one in ports_of(text)]
    if not 0 < len(forwards) <= PORTS:
        raise BadInput(f"Name 1 to {PORTS} ports, each as --port LOCAL:REMOTE or --port PORT.")
    session = session_of(context)
    with session.connect() as client:
        grant = client.create_session(workflow, task, purpose="port-forward", retry=retry)
    asyncio.run(_forward(session, grant, forwards, host))


async def _forward(
    session: Session, grant: SessionGrant, forwards: list[Forward], host: str
) -> None:
    async with sessions.attached(session.login(), grant) as line:

        def carried(remote: int) -> Carry:
            async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                try:
                    await sessions.forward(line, remote, reader, writer)
                except SessionBroken:
                    writer.close()

            return carry

        servers = []
        for one in forwards:
            server = await asyncio.start_server(carried(one.remote), host, one.local)
            servers.append(server)
            local = server.sockets[0].getsockname()[1]
            session.say(f"{host}:{local} -> {grant.task}:{one.remote}")
        try:
            over = await line.over
        finally:
            for server in servers:
                server.close()
    raise SessionBroken(f"the session ended ({over.code}): {over.message}")


def ports_of(text: str) -> list[Forward]:
    """`8080`, `8080:80`, `9000-9002:80-82`; a local 0 is any free one. Raises `BadInput`."""
    found = _PORT.fullmatch(text)
    if found is None:
        raise BadInput(f"--port {text}: write LOCAL:REMOTE, or one port for both.")
    local_from, local_to, remote_from, remote_to = (
        int(part) if part else None for part in found.groups()
    )
    assert remote_from is not None
    remotes = range(remote_from, (remote_to or remote_from) + 1)
    first = remote_from if local_from is None else local_from
    last = (first + len(remotes) - 1) if local_to is None else local_to
    locals_ = [0] * len(remotes) if first == 0 else list(range(first, last + 1))
    if not remotes or len(locals_) != len(remotes):
        raise BadInput(f"--port {text}: both ranges must have the same number of ports.")
    if not (remotes[0] >= 1 and max(*remotes, *locals_) <= 65535):
        raise BadInput(f"--port {text}: a port is 1 to 65535.")
    return [Forward(local, remote) for local, remote in zip(locals_, remotes, strict=True)]


# The terminal ------------------------------------------------------------------------------------


class StandardInput:
    """Read in a thread of its own, because a file cannot be waited for as a pipe can; never further
    ahead than one piece."""

    def __init__(self, file: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)
        threading.Thread(target=self._read, args=(file,), daemon=True).start()

    async def read(self, n: int) -> bytes:
        """At most so many bytes, none at its end."""
        return await self._pieces.get()

    def _read(self, file: int) -> None:
        while True:
            try:
                data = os.read(file, sessions.READ_BYTES)
            except OSError:
                data = b""
            try:
                asyncio.run_coroutine_threadsafe(self._pieces.put(data), self._loop).result()
            except (RuntimeError, CancelledError):  # nobody reads any more
                return
            if not data:
                return


@contextmanager
def _raw_terminal(wanted: bool) -> Iterator[None]:
    """Every key goes to the task, Ctrl-C as well; as it was before, whatever happens."""
    if not wanted:
        yield
        return
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    tty.setraw(file, termios.TCSADRAIN)  # what was typed ahead is for the task, too
    try:
        yield
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


def _tell_of_sizes(tell: Callable[[Size], None]) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, lambda: tell(_size()))


def _size() -> Size:
    found = os.get_terminal_size(sys.stdout.fileno())
    return Size(found.lines, found.columns)


def _writer(stream: object) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        stream.write(data)  # type: ignore[attr-defined]
        stream.flush()  # type: ignore[attr-defined]

    return write
