"""Reaching into a running task, with everything real: the command line, sockets, the Router, the
operator, the cluster's exec and port-forward."""

import contextlib
import fcntl
import hashlib
import io
import os
import pty
import random
import re
import select
import socket
import struct
import subprocess
import sys
import tarfile
import termios
import threading
import time
from collections.abc import Iterator

import pytest

from clients.sdk.errors import ServiceError
from tests.conftest import Stack
from tests.e2e.running import finish, submit
from tests.proofs.kills import victim

pytestmark = pytest.mark.e2e

HOST = """
workflow:
  name: host
  tasks:
  - {name: main, image: alpine, command: [sh, -c, "sleep 600"]}
"""
PATIENCE = 60.0

ECHO = """
import socketserver, sys
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
server = Server(("127.0.0.1", int(sys.argv[1])), Echo)
print("listening", flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def host(stack: Stack) -> Iterator[str]:
    """A workflow with a task that runs."""
    name = submit(stack.client, HOST)
    wait_for_running(stack, name)
    yield name
    stack.client.cancel(name)
    finish(stack.client, name)


def wait_for_running(stack: Stack, name: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while str(stack.client.query(name).groups[0].tasks[0].status) != "RUNNING":
        assert time.monotonic() < deadline, "the task never ran"
        time.sleep(0.2)  # between two looks


def enter(
    stack: Stack, *words: str, given: bytes | None = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "clients.cli", "workflow", "exec", *words],
        cwd=stack.settings.root,
        env=stack.environ,
        input=given,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )


def test_a_command_says_its_streams_apart_and_its_exit_code(stack: Stack, host: str) -> None:
    done = enter(stack, host, "main", "--", "sh", "-c", "echo out; echo err >&2; exit 7")

    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


def test_a_command_that_is_killed_by_a_signal_exits_with_128_and_its_number(
    stack: Stack, host: str
) -> None:
    assert enter(stack, host, "main", "--", "sh", "-c", "kill -TERM $$").returncode == 128 + 15


def test_the_input_ends_where_the_pipe_does(stack: Stack, host: str) -> None:
    """Half-close: the command answers after its input has ended."""
    data = random.Random(1).randbytes(2_000_000)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("blob")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    script = "d=$(mktemp -d) && tar -x -C $d && sha256sum < $d/blob && rm -r $d"

    done = enter(stack, host, "main", "--", "sh", "-c", script, given=packed.getvalue())

    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_a_terminal_is_one_there_too(stack: Stack, host: str) -> None:
    """What is typed comes back, Ctrl-C interrupts there and not here, the size is ours."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    shell = subprocess.Popen(
        [sys.executable, "-m", "clients.cli", "workflow", "exec", host, "main", "--", "sh", "-i"],
        cwd=stack.settings.root,
        env={**stack.environ, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    seen = bytearray()

    def until(pattern: bytes) -> re.Match[bytes]:
        deadline = time.monotonic() + PATIENCE
        while (found := re.search(pattern, bytes(seen))) is None:
            assert time.monotonic() < deadline, bytes(seen)
            if select.select([ours], [], [], 0.2)[0]:
                seen.extend(os.read(ours, 65536))
        return found

    try:
        os.write(ours, b"stty size; echo ready-$((1+1))\n")
        until(rb"33 101")
        until(rb"ready-2")
        os.write(ours, b"sleep 100\n")
        time.sleep(1)  # it says nothing when it has begun
        os.write(ours, b"\x03")
        os.write(ours, b"echo after-$((2+2)); exit 5\n")
        until(rb"after-4")
        assert shell.wait(PATIENCE) == 5
    finally:
        shell.kill()
        os.close(ours)
        os.close(theirs)


@contextlib.contextmanager
def forwarded(stack: Stack, host: str, port: int, *more: str) -> Iterator[int]:
    """A local port that leads to this one of the task."""
    forward = subprocess.Popen(
        [
            *(sys.executable, "-u", "-m", "clients.cli", "workflow", "port-forward", host, "main"),
            *("-p", f"0:{port}", *more),
        ],
        cwd=stack.settings.root,
        env=stack.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert forward.stdout is not None
    try:
        yield int(re.findall(r":(\d+) ->", forward.stdout.readline())[0])
    finally:
        forward.terminate()
        forward.wait(PATIENCE)


@pytest.fixture(scope="module")
def echo(stack: Stack, host: str) -> Iterator[int]:
    """The port of a server in the task that says what it hears."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    served = subprocess.Popen(
        [
            *(sys.executable, "-m", "clients.cli", "workflow", "exec", host, "main", "--"),
            *("python3", "-c", ECHO, str(port)),
        ],
        cwd=stack.settings.root,
        env=stack.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert served.stdout is not None
    assert served.stdout.readline() == b"listening\n"
    yield port
    served.kill()


def echoed(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
        sending = threading.Thread(target=peer.sendall, args=(data,))
        sending.start()
        got = bytearray()
        while len(got) < len(data):
            piece = peer.recv(65536)
            if not piece:
                break
            got += piece
        sending.join()
    return bytes(got)


def test_many_connections_share_one_session(stack: Stack, host: str, echo: int) -> None:
    chance = random.Random(2)
    wanted = [chance.randbytes(chance.choice((1, 1_000, 50_000))) for _ in range(50)]
    got: dict[int, bytes] = {}

    def ask(number: int, port: int) -> None:
        got[number] = echoed(port, wanted[number])

    with forwarded(stack, host, echo) as port:
        threads = [threading.Thread(target=ask, args=(n, port)) for n in range(len(wanted))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)

    assert [got.get(number) == data for number, data in enumerate(wanted)] == [True] * 50


def test_a_port_that_nobody_listens_on_closes_the_connection(stack: Stack, host: str) -> None:
    with forwarded(stack, host, 1) as port:
        assert echoed(port, b"anybody?") == b""
        assert echoed(port, b"still there?") == b""


@pytest.mark.parametrize(
    ("task", "retry", "status", "words"),
    [("nobody", None, 404, "has no task nobody"), ("main", 9, 404, "no retry 9")],
)
def test_what_cannot_be_entered_is_refused_in_words(
    stack: Stack, host: str, task: str, retry: int | None, status: int, words: str
) -> None:
    with pytest.raises(ServiceError, match=words) as refused:
        stack.client.create_session(host, task, retry=retry)

    assert refused.value.status == status


def test_a_task_that_has_ended_is_gone(stack: Stack) -> None:
    name = submit(
        stack.client, HOST.replace("name: host", "name: short").replace("sleep 600", "true")
    )
    finish(stack.client, name)

    with pytest.raises(ServiceError, match="has ended") as refused:
        stack.client.create_session(name, "main")

    assert refused.value.status == 410


def test_a_session_ends_when_the_operator_is_killed_and_another_one_can_begin(
    stack: Stack, host: str
) -> None:
    """A process that is gone has lost its commands: nothing is resumed into another one."""
    waiting = subprocess.Popen(
        [
            *(sys.executable, "-m", "clients.cli", "workflow", "exec", host, "main", "--"),
            *("sh", "-c", "echo begun; sleep 500"),
        ],
        cwd=stack.settings.root,
        env=stack.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert waiting.stdout is not None
    assert waiting.stderr is not None
    assert waiting.stdout.readline() == b"begun\n"

    operator = victim(stack.settings, "operator", random.Random(0))
    assert operator is not None
    operator.kill()

    assert waiting.wait(2 * PATIENCE) != 0
    assert b"session ended" in waiting.stderr.read()
    deadline = time.monotonic() + PATIENCE
    while (done := enter(stack, host, "main", "--", "echo", "again")).returncode:
        assert time.monotonic() < deadline, done.stderr
        time.sleep(1)  # another operator is on its way
    assert done.stdout == b"again\n"
