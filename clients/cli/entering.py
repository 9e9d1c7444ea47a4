"""`xylem workflow exec`: a command in a running task, from a terminal."""

import asyncio
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Annotated

import typer

from clients.cli.options import RetryOfTask, TaskName, Workflow
from clients.cli.session import session_of
from clients.sdk import sessions
from clients.sdk.errors import BadInput
from clients.sdk.login import Login
from clients.sdk.models import SessionGrant
from clients.sdk.sessions import Size

SHELL = "/bin/sh"


def exec_in_task(
    context: typer.Context,
    workflow: Workflow,
    task: TaskName,
    command: Annotated[
        list[str] | None, typer.Argument(help="What to run; after `--` also with options.")
    ] = None,
    entry: Annotated[str | None, typer.Option("--entry", help="A command as one text.")] = None,
    retry: RetryOfTask = None,
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
