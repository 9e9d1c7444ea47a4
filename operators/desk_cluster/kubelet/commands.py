"""One more command in a container that runs: what `kubectl exec` asks of a kubelet.

The shim starts it (`operators/native/shim.c`, its second form) and says how it ended. Whoever asked
may leave before that: the command then meets the end of its input and output, a terminal hangs up,
and what does not mind goes on until its container ends, as it does on a node.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import struct
import termios
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_CHUNK = 32_768
_WORD = 3
"""The descriptor to which the shim says how the command ended: the first after the standard ones."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended; `trouble` says why it never began."""

    code: int
    trouble: str = ""

    @staticmethod
    def parse(word: str) -> Finished:
        how, number, message = (*word.split(" ", 2), "", "")[:3]
        match how:
            case "exit":
                return Finished(int(number))
            case "signal":
                return Finished(128 + int(number))
        return Finished(128, message or "its keeper left no word")


@dataclass(slots=True)
class Command:
    """A command that runs, or is about to. With a terminal all it prints is stdout."""

    word: asyncio.StreamReader
    outputs: Mapping[str, asyncio.StreamReader]
    stdin: asyncio.StreamWriter | None
    transports: Sequence[asyncio.BaseTransport]
    terminal: IO[bytes] | None = None

    async def write(self, data: bytes) -> None:
        """What comes after the command has closed its input is lost."""
        if self.stdin is not None and not self.stdin.is_closing():
            with contextlib.suppress(OSError):
                self.stdin.write(data)
                await self.stdin.drain()

    def end_input(self) -> None:
        """A terminal knows no end of input but the one that is typed."""
        if self.stdin is not None and self.terminal is None:
            self.stdin.close()

    def resize(self, width: int, height: int) -> None:
        if self.terminal is not None:
            size = struct.pack("HHHH", height, width, 0, 0)
            with contextlib.suppress(OSError, ValueError):
                fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, size)

    async def finished(self) -> Finished:
        return Finished.parse((await self.word.read()).decode(errors="replace"))

    def close(self) -> None:
        for transport in self.transports:
            transport.close()
        if self.terminal is not None:
            self.terminal.close()


async def read_some(stream: asyncio.StreamReader) -> bytes:
    """Nothing at the end; a terminal whose last process is gone gives its reader an error."""
    try:
        return await stream.read(_CHUNK)
    except OSError:
        return b""


async def start(
    program: Path,
    folder: Path,
    words: Sequence[str],
    *,
    terminal: bool,
    errors: int,
    spawned: Callable[[int], None],
) -> Command:
    """`folder` is the running attempt's, `spawned` is told the shim's pid. Raises OSError."""
    with contextlib.ExitStack() as failed, contextlib.ExitStack() as theirs:
        word, word_in = _pipe()
        failed.enter_context(word)
        theirs.enter_context(word_in)
        if terminal:
            ours, other = map(failed.enter_context, socket.socketpair())
            _spawn(program, folder, words, (other, errors, errors), word_in, spawned)
            other.close()
            theirs.close()
            command = await _with_terminal(word, ours)
            ours.close()
        else:
            stdin_in, stdin = _pipe()
            stdout, stdout_in = _pipe()
            stderr, stderr_in = _pipe()
            for each in (stdin, stdout, stderr):
                failed.enter_context(each)
            for each in (stdin_in, stdout_in, stderr_in):
                theirs.enter_context(each)
            standard = (stdin_in, stdout_in, stderr_in)
            _spawn(program, folder, words, standard, word_in, spawned)
            theirs.close()
            command = await _with_pipes(word, stdin, stdout, stderr)
        failed.pop_all()
    return command


def _spawn(
    program: Path,
    folder: Path,
    words: Sequence[str],
    standard: tuple[IO[bytes] | socket.socket | int, ...],
    word: IO[bytes],
    spawned: Callable[[int], None],
) -> None:
    handles = [each if isinstance(each, int) else each.fileno() for each in standard]
    actions = [(os.POSIX_SPAWN_DUP2, handle, number) for number, handle in enumerate(handles)]
    has_terminal = str(int(isinstance(standard[0], socket.socket)))
    pid = os.posix_spawn(
        program,
        [program.name, str(folder), "exec", str(_WORD), has_terminal, *words],
        {},
        file_actions=[*actions, (os.POSIX_SPAWN_DUP2, word.fileno(), _WORD)],
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGCHLD, signal.SIGPIPE],
    )
    spawned(pid)


async def _with_pipes(
    word: IO[bytes], stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]
) -> Command:
    told, told_transport = await _reader(word)
    writer, in_transport = await _writer(stdin)
    out, out_transport = await _reader(stdout)
    err, err_transport = await _reader(stderr)
    outputs = {"stdout": out, "stderr": err}
    return Command(
        told, outputs, writer, (told_transport, in_transport, out_transport, err_transport)
    )


async def _with_terminal(word: IO[bytes], ours: socket.socket) -> Command:
    """The shim sends the terminal; one that cannot open any leaves without, and says why."""
    told, told_transport = await _reader(word)
    ours.setblocking(False)
    arrived = asyncio.Event()
    asyncio.get_running_loop().add_reader(ours, arrived.set)
    try:
        await arrived.wait()
    finally:
        asyncio.get_running_loop().remove_reader(ours)
    _, handles, _, _ = socket.recv_fds(ours, 1, 1)
    if not handles:
        return Command(told, {}, None, (told_transport,))
    master = os.fdopen(handles[0], "rb", 0)
    out, out_transport = await _reader(os.fdopen(os.dup(handles[0]), "rb", 0))
    writer, in_transport = await _writer(os.fdopen(os.dup(handles[0]), "wb", 0))
    transports = (told_transport, out_transport, in_transport)
    return Command(told, {"stdout": out}, writer, transports, master)


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    read, write = os.pipe()
    return os.fdopen(read, "rb", 0), os.fdopen(write, "wb", 0)


async def _reader(file: IO[bytes]) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    return reader, transport


async def _writer(file: IO[bytes]) -> tuple[asyncio.StreamWriter, asyncio.BaseTransport]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), file
    )
    return asyncio.StreamWriter(transport, protocol, None, loop), transport
