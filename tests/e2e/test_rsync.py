"""Files into a running task and back, with everything real."""

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.conftest import Stack
from tests.e2e.running import finish, submit
from tests.e2e.test_sessions import HOST, PATIENCE, enter, forwarded, wait_for_running

pytestmark = pytest.mark.e2e

UDP_ECHO = """
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    datagram, sender = server.recvfrom(65536)
    server.sendto(datagram.upper(), sender)
"""
PAGE = """
import http.server
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def host(stack: Stack) -> Iterator[str]:
    name = submit(stack.client, HOST.replace("name: host", "name: rsync-host"))
    wait_for_running(stack, name)
    yield name
    stack.client.cancel(name)
    finish(stack.client, name)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    chance = random.Random(5)
    for number in range(200):
        file = root / f"folder-{number % 10}/file-{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(chance.choice((0, 10, 5_000))))
    (root / "large").write_bytes(chance.randbytes(1_500_000))
    (root / "run.sh").write_text("#!/bin/sh\necho it runs\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("folder-1/file-1")
    return root


def contents(root: Path) -> dict[str, bytes | str]:
    return {
        str(path.relative_to(root)): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_a_tree_goes_into_a_task_and_comes_back_as_it_was(
    stack: Stack, host: str, tree: Path, tmp_path: Path
) -> None:
    up = stack.xylem("workflow", "rsync", "upload", host, "main", str(tree))
    again = stack.xylem("workflow", "rsync", "upload", host, str(tree))
    ran = enter(stack, host, "main", "--", "/osmo/run/workspace/tree/run.sh")
    down = stack.xylem("workflow", "rsync", "download", host, "main", f"tree/:{tmp_path}/back")

    assert "Uploaded 202 of 202 files" in up.stdout, up.stderr
    assert "0 bytes of" in again.stdout, again.stderr
    assert ran.stdout == b"it runs\n"
    assert "Downloaded 202 of 202 files" in down.stdout, down.stderr
    assert contents(tmp_path / "back") == contents(tree)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/osmo/token/token", "below none of"),
        ("/osmo/run/workspace/../../token/token", "no `..`"),
        ("out/token", "links are not followed"),
        ("nothing", "no such file or folder"),
    ],
)
def test_nothing_but_the_roots_is_read(
    stack: Stack, host: str, tmp_path: Path, path: str, words: str
) -> None:
    """The second way, a link that the task laid, leads to what only the sidecar may read."""
    enter(stack, host, "main", "--", "sh", "-c", "ln -sfn /osmo/token /osmo/run/workspace/out")

    done = stack.xylem("workflow", "rsync", "download", host, "main", f"{path}:{tmp_path}/here")

    assert done.returncode != 0
    assert words in done.stderr
    assert not [each for each in (tmp_path / "here").rglob("*") if each.is_file()]


def test_nothing_but_the_roots_is_written(stack: Stack, host: str, tree: Path) -> None:
    done = stack.xylem("workflow", "rsync", "upload", host, "main", f"{tree}:/osmo/run/task")

    assert done.returncode != 0
    assert "below none of" in done.stderr


def serving(stack: Stack, host: str, script: str) -> tuple["subprocess.Popen[bytes]", int]:
    """A server in the task, and its port."""
    served = subprocess.Popen(
        [
            *(sys.executable, "-m", "clients.cli", "workflow", "exec", host, "main", "--"),
            *("python3", "-c", script),
        ],
        cwd=stack.settings.root,
        env=stack.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert served.stdout is not None
    return served, int(served.stdout.readline())


def test_datagrams_go_to_a_port_of_the_task_and_come_back(stack: Stack, host: str) -> None:
    served, port = serving(stack, host, UDP_ECHO)
    try:
        with forwarded(stack, host, port, "--udp") as local:
            for word in (b"one", b"two"):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                    peer.settimeout(2)
                    answer = None
                    for _ in range(int(PATIENCE / 2)):
                        peer.sendto(word, ("127.0.0.1", local))
                        try:
                            answer = peer.recv(100)
                            break
                        except TimeoutError:
                            continue  # datagrams may be lost
                    assert answer == word.upper()
    finally:
        served.kill()


def test_a_page_of_the_task_is_opened_here(stack: Stack, host: str) -> None:
    served, port = serving(stack, host, PAGE)
    page = subprocess.Popen(
        [
            *(sys.executable, "-u", "-m", "clients.cli", "workflow", "web", host, "main"),
            *(str(port), "--no-browser"),
        ],
        cwd=stack.settings.root,
        env={**os.environ, **stack.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert page.stdout is not None
    try:
        with urlopen(page.stdout.readline().strip(), timeout=PATIENCE) as answer:
            assert answer.status == 200
    finally:
        page.terminate()
        page.wait(PATIENCE)
        served.kill()
